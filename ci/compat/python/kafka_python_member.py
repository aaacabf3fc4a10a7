"""kafka-python in a group, classic with either protocol."""

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError

from member import Member, now

ASSIGNORS = {"range": RangePartitionAssignor, "cooperative-sticky": CooperativeStickyAssignor}
COMMIT_MS = 5000


class KafkaPython(ConsumerRebalanceListener):
    """One consumer; its listener tells the member."""

    def __init__(self, member):
        self._member = member
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
            for partition, messages in self._consumer.poll(timeout_ms=50).items():
                for message in messages:
                    self._member.delivered(partition.partition, message.offset)
            if self._member.tick():
                self._commit()
        self._commit()
        self._consumer.close()
        self._member.say("left")

    def _commit(self, partitions=None):
        began = now()
        offsets = self._member.take(partitions)
        if not offsets:
            return
        wanted = {TopicPartition(self._topic, p): OffsetAndMetadata(o, "", -1) for p, o in offsets.items()}
        try:
            self._consumer.commit(wanted, timeout_ms=COMMIT_MS)
        except KafkaError as error:
            self._member.taken({}, began, [error])
            return
        self._member.taken(offsets, began)

    def _say(self, event, partitions):
        numbers = sorted(one.partition for one in partitions)
        if numbers:
            self._member.say(event, partitions=numbers)
        return numbers

    def on_partitions_assigned(self, assigned):
        self._say("assigned", assigned)

    def on_partitions_revoked(self, revoked):
        numbers = self._say("revoked", revoked)
        self._commit(numbers)
        self._member.forget(numbers)

    def on_partitions_lost(self, lost):
        self._member.forget(self._say("lost", lost))


if __name__ == "__main__":
    voice = Member()
    voice.run(lambda: KafkaPython(voice).run())
