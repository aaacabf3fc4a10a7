"""kafka-python: produces and consumes by manual assignment."""

import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from serve import STALL_S, Dump, read_records, serve

FLUSH_S = 60


def produce(bootstrap, topic, codec, idempotent, records):
    """Sends the records of a file; the answer counts acknowledgements."""
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        compression_type=None if codec == "none" else codec,
        enable_idempotence=idempotent,
        # Without idempotence a retry overtakes its successors, and order is part of what is compared.
        max_in_flight_requests_per_connection=5 if idempotent else 1,
        acks="all",
        linger_ms=5,
    )
    try:
        futures = [
            producer.send(topic, value=value, key=key, headers=headers, partition=partition, timestamp_ms=timestamp)
            for partition, key, value, headers, timestamp in read_records(records)
        ]
        producer.flush(FLUSH_S)
        for future in futures:
            future.get(FLUSH_S)
        return {"count": len(futures)}
    finally:
        producer.close(timeout=5)


def consume(bootstrap, topic, partitions, out, fetch_bytes=1048576):
    """Reads every partition from its beginning to the end it had at the start."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=fetch_bytes,
    )
    try:
        assigned = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(assigned)
        starts, ends = consumer.beginning_offsets(assigned), consumer.end_offsets(assigned)
        for partition in assigned:
            consumer.seek(partition, starts[partition])
        with Dump(out) as dump:
            _read_to(consumer, ends, dump)
        return {"count": dump.count}
    finally:
        consumer.close()


def _read_to(consumer, ends, dump):
    deadline = time.monotonic() + STALL_S
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        polled = consumer.poll(timeout_ms=1000)
        if polled:
            deadline = time.monotonic() + STALL_S
        elif time.monotonic() > deadline:
            raise TimeoutError(f"no record for {STALL_S} s, ends are {ends}")
        for messages in polled.values():
            for message in messages:
                dump.write(
                    message.partition,
                    message.offset,
                    message.key,
                    message.value,
                    message.headers,
                    message.timestamp,
                )


if __name__ == "__main__":
    serve(produce=produce, consume=consume)
