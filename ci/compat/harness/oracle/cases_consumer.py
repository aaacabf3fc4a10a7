"""Conversations about groups of the consumer protocol (KIP-848): heartbeats, what admin tools see, offsets by epoch."""

import time

from .cases_group import lead
from .talk import Talk, case

# The coordinators of Apache Kafka hear of a topic a moment after its leaders.
HEARD_S = 0.3


def scene(t: Talk, partitions: int = 1) -> tuple[str, str]:
    """A topic that its readers will be given at once, and the name of a group."""
    topic, group = t.topic(partitions=partitions), t.name("g")
    t.coordinate(group)
    time.sleep(HEARD_S)
    return topic, group


def beat(t: Talk, group: str, label: str, topics: list[str] | None = None, member: str = "a", epoch: int = 0, **others):
    """A heartbeat; with topics it joins. The fields of the answer."""
    body = {"groupId": group, "memberId": member, "memberEpoch": epoch}
    if topics is not None:
        body |= {"rebalanceTimeoutMs": 30_000, "subscribedTopicNames": topics, "topicPartitions": []}
    if t.api == "ConsumerGroupHeartbeat":
        return t.ask(body | others, label)
    return t.also("ConsumerGroupHeartbeat", 1, body | others, label)


@case("ConsumerGroupHeartbeat", "two members share a topic")
def two_members(t: Talk):
    topic, group = scene(t, 4)
    first = beat(t, group, "the first joins", [topic])
    beat(t, group, "the second joins", [topic], member="b")
    beat(t, group, "the first is told to give up", epoch=1, topicPartitions=parts(first, [0, 1, 2, 3]))
    beat(t, group, "and still has everything", epoch=1, topicPartitions=parts(first, [0, 1, 2, 3]))
    beat(t, group, "the second waits", member="b", epoch=2)
    beat(t, group, "the first gave up", epoch=1, topicPartitions=parts(first, [0, 1]))
    beat(t, group, "the second gets the others", member="b", epoch=2, topicPartitions=[])
    beat(t, group, "the answer was lost", epoch=1, topicPartitions=parts(first, [0]))
    beat(t, group, "an epoch too great", member="b", epoch=3)
    beat(t, group, "an epoch too small", member="b", epoch=1)
    beat(t, group, "everything again", [topic], member="b", epoch=2)
    beat(t, group, "the first leaves", epoch=-1)
    beat(t, group, "and is not known any more", epoch=2)
    beat(t, group, "the second has all", member="b", epoch=2)
    beat(t, group, "the second leaves", member="b", epoch=-1)
    beat(t, group, "it leaves again", member="b", epoch=-1)


def parts(answer: dict, partitions: list[int]) -> list[dict]:
    """What a member has of the only topic that it was given."""
    return [{"topicId": answer["assignment"]["topicPartitions"][0]["topicId"], "partitions": partitions}]


@case("ConsumerGroupHeartbeat", "requests that are wrong")
def wrong(t: Talk):
    topic, group = scene(t)
    beat(t, "", "no group", [topic])
    beat(t, group, "no member", [topic], member="")
    beat(t, group, "no member that goes on", member="", epoch=1)
    beat(t, group, "an empty instance", [topic], instanceId="")
    beat(t, group, "an empty rack", [topic], rackId="")
    beat(t, group, "no timeout", [topic], rebalanceTimeoutMs=-1)
    beat(t, group, "partitions at the beginning", [topic], topicPartitions=None)
    some = [{"topicId": t.ids[topic], "partitions": [0]}]
    beat(t, group, "it has partitions already", [topic], topicPartitions=some)
    beat(t, group, "no topics", [topic], subscribedTopicNames=None)
    beat(t, group, "an assignor that nobody has", [topic], serverAssignor="sticky")
    beat(t, group, "an epoch that there is not", epoch=-3)
    beat(t, group, "away, without an instance", epoch=-2)
    beat(t, t.name("none"), "a group that is not there", epoch=3)
    beat(t, t.name("none"), "leaving a group that is not there", epoch=-1)
    if t.version >= 1:
        others = {"subscribedTopicNames": None, "subscribedTopicRegex": "("}
        beat(t, group, "a regular expression that is none", [topic], **others)


@case("ConsumerGroupHeartbeat", "one member alone")
def alone(t: Talk):
    topic, group = scene(t, 2)
    joined = beat(t, group, "it joins", [topic])
    beat(t, group, "it says nothing new", epoch=1)
    beat(t, group, "it has what it was given", epoch=1, topicPartitions=parts(joined, [0, 1]))
    beat(t, group, "it joins again", [topic])
    beat(t, group, "it leaves", epoch=-1)


@case("ConsumerGroupHeartbeat", "a classic group whose members are no consumers")
def beside(t: Talk):
    topic, group = t.topic(), t.name("g")
    lead(t, group)
    beat(t, group, "it joins", [topic])


@case("ConsumerGroupHeartbeat", "static members")
def static(t: Talk):
    topic, group = scene(t, 2)
    beat(t, group, "the first", [topic], instanceId="i")
    beat(t, group, "another while it is there", [topic], member="b", instanceId="i")
    beat(t, group, "an instance that nobody has", member="b", epoch=1, instanceId="j")
    beat(t, group, "another goes on", member="b", epoch=1, instanceId="i")
    beat(t, group, "it goes for a while", epoch=-2, instanceId="i")
    beat(t, group, "another takes its place", [topic], member="b", instanceId="i")
    beat(t, group, "the first is fenced", epoch=1, instanceId="i")
    beat(t, group, "it leaves", member="b", epoch=-1, instanceId="i")


@case("ConsumerGroupHeartbeat", "topics that are not there, and that come")
def topics(t: Talk):
    group, later = t.name("g"), t.name("later")
    t.coordinate(group)
    beat(t, group, "nothing to read", [later])
    beat(t, group, "nothing at all", [], member="b")
    beat(t, group, "an assignor", [later], member="c", serverAssignor="range")


@case("ConsumerGroupDescribe", "groups in several states")
def describe(t: Talk):
    topic, group = scene(t, 2)
    beat(t, group, "join", [topic], rackId="r", serverAssignor="range")
    t.ask({"groupIds": [group]}, "stable")
    t.ask({"groupIds": [group], "includeAuthorizedOperations": True}, "with operations")
    beat(t, group, "one more", [topic], member="b", instanceId="i")
    t.ask({"groupIds": [group]}, "reconciling")
    beat(t, group, "leave", epoch=-1)
    t.ask({"groupIds": [group]}, "assigning")
    beat(t, group, "leave", member="b", epoch=-1, instanceId="i")
    t.ask({"groupIds": [group]}, "empty")
    t.ask({"groupIds": [t.name("none")]}, "unknown")
    t.ask({"groupIds": [""]}, "no name")
    t.ask({"groupIds": []}, "none")


@case("DescribeGroups", "a group of the consumer protocol")
def describe_classic(t: Talk):
    topic, group = scene(t)
    beat(t, group, "join", [topic])
    t.ask({"groups": [group]}, "of another kind")


@case("DeleteGroups", "of the consumer protocol")
def delete(t: Talk):
    topic, group = scene(t)
    beat(t, group, "join", [topic])
    t.ask({"groupsNames": [group]}, "with a member")
    beat(t, group, "leave", epoch=-1)
    t.ask({"groupsNames": [group]}, "empty")


@case("OffsetCommit", "by member epoch", 8)
def commit(t: Talk):
    topic, group = scene(t)
    beat(t, group, "join", [topic])

    def ask(label: str, epoch: int, member: str = "a"):
        placed = {"partitionIndex": 0, "committedOffset": 5, "committedMetadata": "note"}
        body = {"groupId": group, "memberId": member, "generationIdOrMemberEpoch": epoch}
        t.ask(body | {"topics": [{"name": topic, "partitions": [placed]}]}, label)

    ask("fine", 1)
    ask("an old epoch", 0)
    ask("an unknown member", 1, "b")
    ask("from outside", -1, "")
    beat(t, group, "leave", epoch=-1)
    ask("from outside, empty", -1, "")


@case("OffsetFetch", "by member epoch", 9)
def fetch(t: Talk):
    topic, group = scene(t)
    beat(t, group, "join", [topic])

    def ask(label: str, epoch: int, member: str | None = "a"):
        wanted = {"groupId": group, "memberId": member, "memberEpoch": epoch}
        t.ask({"groups": [wanted | {"topics": [{"name": topic, "partitionIndexes": [0]}]}]}, label)

    ask("fine", 1)
    ask("an old epoch", 0)
    ask("an unknown member", 1, "b")
    ask("from outside", -1, None)


@case("JoinGroup", "a group of the consumer protocol", 5)
def join_consumer(t: Talk):
    topic, group = scene(t)
    beat(t, group, "join", [topic])
    body = {"groupId": group, "memberId": "", "sessionTimeoutMs": 30_000, "rebalanceTimeoutMs": 30_000}
    connect = {"protocolType": "connect", "protocols": [{"name": "range", "metadata": b""}]}
    t.ask(body | connect, "another type")
    consumer = {"protocolType": "consumer", "protocols": [{"name": "range", "metadata": subscription(topic)}]}
    asked = t.ask(body | consumer, "an id first")
    member = asked["memberId"]
    joined = t.ask(body | consumer | {"memberId": member}, "with it")
    generation = joined["generationId"]
    sync = {"groupId": group, "memberId": member, "generationId": generation}
    t.also("SyncGroup", 5, sync | {"protocolType": "consumer", "protocolName": "range", "assignments": []}, "sync")
    t.also("Heartbeat", 4, sync, "heartbeat")
    t.also("Heartbeat", 4, sync | {"generationId": generation + 1}, "a wrong generation")
    t.also("Heartbeat", 4, sync | {"memberId": "nobody"}, "an unknown member")
    leaving = [{"memberId": "a", "groupInstanceId": None}, {"memberId": member, "groupInstanceId": None}]
    t.also("LeaveGroup", 5, {"groupId": group, "members": leaving}, "leave")


def subscription(topic: str) -> bytes:
    """What a consumer says that reads this topic and has nothing, in version 1."""
    name = topic.encode()
    return b"\x00\x01\x00\x00\x00\x01" + len(name).to_bytes(2, "big") + name + b"\xff\xff\xff\xff\x00\x00\x00\x00"
