"""librdkafka under a quota: how much it gets in a given time, and what it is told about it."""

import time

from confluent_kafka import Consumer, Producer, TopicPartition

from serve import serve

VALUE = b"q" * 4_000
BATCH_BYTES = 32_000
FLUSH_S = 30


class Account:
    """Bytes as they come within the time, and the throttle times that the broker told."""

    def __init__(self, seconds):
        self._deadline = time.monotonic() + seconds
        self._seen = {"bytes": 0, "seconds": seconds, "throttled_s": 0.0}

    def is_open(self):
        return time.monotonic() < self._deadline

    def count(self, size):
        if self.is_open():
            self._seen["bytes"] += size

    def throttled(self, event):
        self._seen["throttled_s"] += event.throttle_time

    def close(self):
        return self._seen


def fill(bootstrap, topic, size):
    """Writes so many bytes, without a quota."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    for _ in range(size // len(VALUE)):
        producer.produce(topic, VALUE, partition=0)
        producer.poll(0)
    left = producer.flush(FLUSH_S)
    return {"error": f"{left} unsent"} if left else {"count": size // len(VALUE)}


def produce(bootstrap, topic, client_id, seconds):
    """Writes for so long; what is acknowledged counts."""
    account = Account(seconds)

    def delivered(error, message):
        if error is None:
            account.count(len(message.value()))

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "client.id": client_id,
            "linger.ms": 5,
            "batch.size": BATCH_BYTES,
            "queue.buffering.max.kbytes": 256,
            "throttle_cb": account.throttled,
        }
    )
    while account.is_open():
        try:
            producer.produce(topic, VALUE, partition=0, on_delivery=delivered)
            producer.poll(0)
        except BufferError:
            producer.poll(0.01)
    producer.purge()
    producer.flush(FLUSH_S)
    return account.close()


def consume(bootstrap, topic, client_id, seconds):
    """Reads from the beginning for so long."""
    account = Account(seconds)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "client.id": client_id,
            "group.id": client_id,
            "enable.auto.commit": False,
            "max.partition.fetch.bytes": 65_536,
            "throttle_cb": account.throttled,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    while account.is_open():
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            account.count(len(message.value()))
    consumer.close()
    return account.close()


if __name__ == "__main__":
    serve(fill=fill, produce=produce, consume=consume)
