"""kafka-python in a group, classic with either protocol.

Its listener runs on the client's own thread, where only asynchronous commits are possible. So the lock guards what
the member says, and a poll's records count only for partitions that were not taken away meanwhile.
"""

import threading

from kafka import AsyncConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError

from member import Member, now

ASSIGNORS = {"range": RangePartitionAssignor, "cooperative-sticky": CooperativeStickyAssignor}
COMMIT_MS = 5000
# A join that ends between two polls is forgotten, and the next poll joins anew: a leader begins another rebalance by
# that. So there are few polls in which there is nothing to read.
POLL_MS = 500


class KafkaPython(AsyncConsumerRebalanceListener):
    """One consumer; its listener tells the member."""

    def __init__(self, member):
        self._member = member
        self._lock = threading.Lock()
        self._owned = {}  # partition: which assignment of it this is
        self._assignments = 0
        options = member.options
        self._topic = options["topic"]
        self._consumer = KafkaConsumer(
            bootstrap_servers=options["bootstrap"],
            group_id=options["group"],
            client_id=options["name"],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=[ASSIGNORS[options["assignor"]]],
            session_timeout_ms=options["session_ms"],
            heartbeat_interval_ms=options["heartbeat_ms"],
            reconnect_backoff_max_ms=500,
        )
        self._consumer.subscribe([self._topic], listener=self)
        member.say("ready")

    def run(self):
        """Reads until SIGTERM, then commits and leaves."""
        while not self._member.stopped:
            polled = self._consumer.poll(timeout_ms=POLL_MS)
            owned = dict(self._owned)
            behind = {one.partition for one in polled if self._is_behind(one, polled[one])}
            with self._lock:
                self._deliver(polled, behind, owned)
                due = self._member.tick()
            if due:
                self._commit()
        self._commit()
        self._consumer.close()
        self._member.say("left")

    def _is_behind(self, one, messages):
        """Whether the position stands behind these records, for a rebalance during the poll has set it back."""
        try:
            return self._consumer.position(one) == messages[-1].offset + 1
        except (AssertionError, KafkaError):  # no longer assigned
            return False

    def _deliver(self, polled, behind, owned):
        for one, messages in polled.items():
            partition = one.partition
            if partition in behind and self._owned.get(partition) == owned.get(partition, 0):
                for message in messages:
                    self._member.delivered(partition, message.offset)

    def _commit(self):
        began = now()
        with self._lock:
            offsets = self._member.take()
        if not offsets:
            return
        try:
            self._consumer.commit(self._wanted(offsets), timeout_ms=COMMIT_MS)
        except KafkaError as error:
            self._taken({}, began, [error])
        else:
            self._taken(offsets, began)

    def _wanted(self, offsets):
        return {TopicPartition(self._topic, p): OffsetAndMetadata(o, "", -1) for p, o in offsets.items()}

    def _taken(self, offsets, began, errors=()):
        with self._lock:
            self._member.taken(offsets, began, errors)

    async def on_partitions_assigned(self, assigned):
        numbers = _numbers(assigned)
        with self._lock:
            self._assignments += 1
            self._owned.update(dict.fromkeys(numbers, self._assignments))
            if numbers:
                self._member.say("assigned", partitions=numbers)

    async def on_partitions_revoked(self, revoked):
        began = now()
        numbers = _numbers(revoked)
        with self._lock:
            self._drop("revoked", numbers)
            offsets = self._member.take(numbers)
        if not offsets:
            return
        try:
            await self._consumer.commit_async(self._wanted(offsets))
        except KafkaError as error:
            self._taken({}, began, [error])
        else:
            self._taken(offsets, began)
        with self._lock:
            self._member.forget(numbers)

    async def on_partitions_lost(self, lost):
        with self._lock:
            self._drop("lost", _numbers(lost))
            self._member.forget(_numbers(lost))

    def _drop(self, event, numbers):
        for number in numbers:
            self._owned.pop(number, None)
        if numbers:
            self._member.say(event, partitions=numbers)


def _numbers(partitions):
    return sorted(one.partition for one in partitions)


if __name__ == "__main__":
    voice = Member()
    voice.run(lambda: KafkaPython(voice).run())
