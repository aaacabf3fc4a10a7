"""confluent-kafka (librdkafka) in a group: classic with either protocol, or KIP-848 with assignor `server`."""

from confluent_kafka import Consumer, KafkaException, TopicPartition

from member import Member, now


class Confluent:
    """One consumer, whose callbacks tell the member."""

    def __init__(self, member):
        self._member = member
        options = member.options
        self._topic = options["topic"]
        self._consumer = Consumer({**_common(options), **_protocol(options)})
        self._consumer.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )
        member.say("ready")

    def run(self):
        """Reads until SIGTERM, then commits and leaves."""
        while not self._member.stopped:
            message = self._consumer.poll(0.05)
            if message is not None and message.error():
                if message.error().fatal():
                    raise KafkaException(message.error())
                self._member.error(KafkaException(message.error()))
            elif message is not None:
                self._member.delivered(message.partition(), message.offset())
            if self._member.tick():
                self._commit()
        self._consumer.close()
        self._member.say("left")

    def _commit(self, partitions=None):
        began = now()
        offsets = self._member.take(partitions)
        if not offsets:
            return
        wanted = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
        try:
            done = self._consumer.commit(offsets=wanted, asynchronous=False)
        except KafkaException as error:
            self._member.taken({}, began, [error])
            return
        accepted = {one.partition: one.offset for one in done if one.error is None}
        self._member.taken(accepted, began, [KafkaException(one.error) for one in done if one.error])

    def _assigned(self, _consumer, partitions):
        self._member.say("assigned", partitions=_numbers(partitions))

    def _revoked(self, _consumer, partitions):
        self._member.say("revoked", partitions=_numbers(partitions))
        self._commit(_numbers(partitions))
        self._member.forget(_numbers(partitions))

    def _lost(self, _consumer, partitions):
        self._member.say("lost", partitions=_numbers(partitions))
        self._member.forget(_numbers(partitions))


def _numbers(partitions):
    return [one.partition for one in partitions]


def _common(options):
    return {
        "bootstrap.servers": options["bootstrap"],
        "group.id": options["group"],
        "client.id": options["name"],
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "reconnect.backoff.max.ms": 500,
        "error_cb": lambda error: None,  # lost connections; what is fatal comes with a message
    }


def _protocol(options):
    if options["assignor"] == "server":
        return {"group.protocol": "consumer"}
    return {
        "group.protocol": "classic",
        "partition.assignment.strategy": options["assignor"],
        "session.timeout.ms": options["session_ms"],
        "heartbeat.interval.ms": options["heartbeat_ms"],
    }


if __name__ == "__main__":
    voice = Member()
    voice.run(lambda: Confluent(voice).run())
