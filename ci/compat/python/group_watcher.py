"""Asks the broker for a group's committed offsets, again and again until SIGTERM; one line for each answer."""

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from member import Member, now

PAUSE_S = 0.2
ANSWER_S = 5


def watch(member):
    """`assign` and `subscribe` are never called, so this consumer is no member of the group."""
    options = member.options
    consumer = Consumer(
        {
            "bootstrap.servers": options["bootstrap"],
            "group.id": options["group"],
            "reconnect.backoff.max.ms": 200,
            "error_cb": lambda error: None,
        }
    )
    wanted = [TopicPartition(options["topic"], partition) for partition in range(options["partitions"])]
    member.say("ready")
    while not member.stopped:
        began = now()
        try:
            answer = consumer.committed(wanted, timeout=ANSWER_S)
        except KafkaException as error:
            member.error(error)
        else:
            if errors := [one.error for one in answer if one.error]:
                member.error(KafkaException(errors[0]))
            else:
                known = {one.partition: one.offset for one in answer if one.offset >= 0}
                member.say("polled", offsets=known, began=began)
        time.sleep(PAUSE_S)
    consumer.close()
    member.say("left")


if __name__ == "__main__":
    voice = Member()
    voice.run(lambda: watch(voice))
