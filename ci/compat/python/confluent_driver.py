"""confluent-kafka (librdkafka): produces and consumes by manual assignment."""

import time

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaException, Producer, TopicPartition

from serve import STALL_S, Dump, read_records, serve

FLUSH_S = 60


def produce(bootstrap, topic, codec, idempotent, records):
    """Sends the records of a file; the answer counts acknowledgements."""
    failures, acked = [], [0]

    def delivered(error, _message):
        if error is None:
            acked[0] += 1
        else:
            failures.append(str(error))

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.codec": codec,
            "enable.idempotence": idempotent,
            # Without idempotence a retry overtakes its successors, and order is part of what is compared.
            "max.in.flight.requests.per.connection": 5 if idempotent else 1,
            "acks": "all",
            "linger.ms": 5,
            "message.timeout.ms": FLUSH_S * 1000,
        }
    )
    for partition, key, value, headers, timestamp in read_records(records):
        _send(
            producer,
            topic=topic,
            partition=partition,
            key=key,
            value=value,
            headers=headers,
            timestamp=timestamp,
            on_delivery=delivered,
        )
    left = producer.flush(FLUSH_S)
    if failures or left:
        return {"error": f"{left} unsent, {len(failures)} failed: {failures[:3]}"}
    return {"count": acked[0]}


def _send(producer, **message):
    """Queues a message, waiting while the producer's queue is full."""
    while True:
        try:
            producer.produce(**message)
            producer.poll(0)
            return
        except BufferError:
            producer.poll(0.1)


def consume(bootstrap, topic, partitions, out, fetch_bytes=1048576):
    """Reads every partition from its beginning to the end it had at the start."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "unused",  # required by the constructor; assign() without commits never joins
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "max.partition.fetch.bytes": fetch_bytes,
        }
    )
    try:
        ends = {}
        for partition in range(partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=STALL_S)
            if high > low:
                ends[partition] = low, high
        consumer.assign([TopicPartition(topic, partition, low) for partition, (low, _) in ends.items()])
        with Dump(out) as dump:
            _read_to(consumer, {partition: high for partition, (_, high) in ends.items()}, dump)
        return {"count": dump.count}
    finally:
        consumer.close()


def _read_to(consumer, ends, dump):
    deadline = time.monotonic() + STALL_S
    while ends:
        messages = consumer.consume(500, timeout=1.0)
        if not messages and time.monotonic() > deadline:
            raise TimeoutError(f"no record for {STALL_S} s, still short of {ends}")
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            deadline = time.monotonic() + STALL_S
            _dump(message, dump)
            if message.offset() + 1 >= ends.get(message.partition(), float("inf")):
                del ends[message.partition()]


def _dump(message, dump):
    kind, timestamp = message.timestamp()
    dump.write(
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        message.headers() or [],
        None if kind == TIMESTAMP_NOT_AVAILABLE else timestamp,
    )


if __name__ == "__main__":
    serve(produce=produce, consume=consume)
