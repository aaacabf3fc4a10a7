"""The producer of the group test (librdkafka): records at a rate to all partitions in turn, until SIGTERM.

It speaks as members do (member.py): `records` are those acknowledged, in the order of acknowledgement.
"""

import time

from confluent_kafka import KafkaException, Producer

from member import GATHER_S, Member

GIVE_UP_MS = 120_000
UNKNOWN_OFFSET = -1  # of a record whose acknowledgement was lost with a broker and learned by a duplicate's error


class Steady:
    """Sends, and tells what was acknowledged."""

    def __init__(self, member):
        self._member = member
        self._options = member.options
        self._acked = [0] * self._options["partitions"]
        self._producer = Producer(
            {
                "bootstrap.servers": self._options["bootstrap"],
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": GIVE_UP_MS,
                "retry.backoff.max.ms": 200,
                "reconnect.backoff.max.ms": 200,
                "error_cb": self._error,
            }
        )
        member.say("ready")

    def run(self):
        """Sends until SIGTERM, and waits for what is still to be acknowledged."""
        due, number = time.monotonic(), 0
        while not self._member.stopped:
            self._send(number % self._options["partitions"], number)
            number += 1
            due = max(due + 1 / self._options["rate"], time.monotonic() - 1)
            self._producer.poll(max(0, due - time.monotonic()))
            self._member.flush(GATHER_S)
        left = self._producer.flush(GIVE_UP_MS / 1000)
        if left:
            self._member.say("fatal", text=f"{left} records were never acknowledged")
        self._member.say("left")

    def _send(self, partition, number):
        while True:
            try:
                value = f"record {number}".encode()
                self._producer.produce(self._options["topic"], value, partition=partition, on_delivery=self._done)
                return
            except BufferError:
                self._producer.poll(0.1)

    def _done(self, error, message):
        if error is not None:
            self._member.say("fatal", text=f"a record of partition {message.partition()} was refused: {error}")
            return
        partition, expected = message.partition(), self._acked[message.partition()]
        if message.offset() not in (expected, UNKNOWN_OFFSET):
            self._member.say("fatal", text=f"partition {partition}: {message.offset()} for record {expected}")
        self._member.delivered(partition, expected)
        self._acked[partition] += 1

    def _error(self, error):
        if error.fatal():
            self._member.error(KafkaException(error))


if __name__ == "__main__":
    voice = Member()
    voice.run(lambda: Steady(voice).run())
