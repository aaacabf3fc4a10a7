"""The load of the kill -9 test by librdkafka: an idempotent producer that never gives up."""

import os
import time

from confluent_kafka import Producer

from serve import serve

GIVE_UP_MS = 300_000
UNKNOWN_OFFSET = -1


class Load:
    """Round robin over the partitions at a rate, each acknowledgement noted as it comes."""

    def __init__(self, bootstrap, topic, partitions, name, acks):
        self._topic = topic
        self._name = name
        self._acks = open(acks, "w", encoding="utf-8", buffering=1)
        self.sent = [0] * partitions
        self.errors = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "max.in.flight.requests.per.connection": 5,
                "linger.ms": 2,
                "message.timeout.ms": GIVE_UP_MS,
                "retry.backoff.max.ms": 200,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 200,
                "error_cb": self._error,
            }
        )

    def _error(self, error):
        """Lost connections are what the test is about; a fatal error is what must not happen."""
        if error.fatal():
            self.errors.append(f"fatal: {error}")

    def send(self, number):
        """Sends record `number`, waiting while the queue is full."""
        partition = number % len(self.sent)
        sequence = self.sent[partition]
        # The same as value_of in harness/ledger.py.
        value = f"{self._name}:{partition}:{sequence}:".encode() + b"x" * ((sequence * 131 + partition * 17) % 700)

        def delivered(error, message):
            if error is not None:
                self.errors.append(f"{partition}:{sequence}: {error}")
                return
            offset = message.offset() if message.offset() >= 0 else UNKNOWN_OFFSET
            self._acks.write(f"{partition} {sequence} {offset}\n")

        while True:
            try:
                self._producer.produce(self._topic, value, partition=partition, on_delivery=delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
        self.sent[partition] += 1

    def poll(self, seconds):
        self._producer.poll(seconds)

    def finish(self):
        """Waits for all that is still to be acknowledged."""
        left = self._producer.flush(GIVE_UP_MS / 1000)
        self._acks.close()
        return {"sent": self.sent, "errors": self.errors[:5], "left": left}


def load(bootstrap, topic, partitions, name, rate, acks, stop):
    """Sends until the file `stop` exists; the answer has what was sent and every error."""
    work = Load(bootstrap, topic, partitions, name, acks)
    due, number = time.monotonic(), 0
    while number % 32 or not os.path.exists(stop):
        work.send(number)
        number += 1
        due = max(due + 1 / rate, time.monotonic() - 1)  # after a stall, catch up by one second at most
        work.poll(max(0, due - time.monotonic()) if number % 8 == 0 else 0)
    return work.finish()


if __name__ == "__main__":
    serve(load=load)
