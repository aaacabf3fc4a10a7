"""Conversations about groups of the classic protocol: members, rebalances, committed offsets, what admin tools ask."""

from .batch import Batch
from .talk import Talk, case

RANGE = [{"name": "range", "metadata": b"\x00\x01\x00\x00\x00\x00"}]
MEMBER_ID_REQUIRED = 79


def join(t: Talk, group: str, label: str, version: int | None = None, **others) -> dict:
    """Joins, a second time with the id where that is asked for; the fields of the last answer."""
    version = t.version if version is None else version
    body = {"groupId": group, "sessionTimeoutMs": 30_000, "protocolType": "consumer", "protocols": RANGE}
    body |= {"memberId": ""} | ({"rebalanceTimeoutMs": 30_000} if version >= 1 else {}) | others
    joined = t.also("JoinGroup", version, body, label)
    if joined.get("errorCode") == MEMBER_ID_REQUIRED:
        again = body | {"memberId": joined["memberId"]}
        joined = t.also("JoinGroup", version, again, f"{label}, with its id")
    return joined


def lead(t: Talk, group: str, **others) -> dict:
    """The only member of a stable group: what JoinGroup answered."""
    t.coordinate(group)
    joined = join(t, group, "join", 5, **others)
    sync = {"groupId": group, "generationId": joined["generationId"], "memberId": joined["memberId"]}
    sync["assignments"] = [{"memberId": joined["memberId"], "assignment": b"mine"}]
    t.also("SyncGroup", 3, sync, "sync")
    return joined


@case("FindCoordinator", "of groups and others")
def find(t: Talk):
    group = t.name("g")
    t.coordinate(group)

    def wanted(label: str, *keys: str, kind: int = 0):
        body = {"key": keys[0]} if t.version < 4 else {"coordinatorKeys": list(keys)}
        t.ask(body | ({"keyType": kind} if t.version >= 1 else {}), label)

    wanted("a group", group)
    wanted("an empty name", "")
    if t.version >= 1:
        wanted("an unknown kind", group, kind=7)
    if t.version >= 4:
        wanted("two groups", group, t.name("h"))
        t.ask({"keyType": 0, "coordinatorKeys": []}, "none")


@case("JoinGroup", "one member, again and again")
def join_one(t: Talk):
    group = t.name("g")
    t.coordinate(group)
    joined = join(t, group, "first")
    known = joined["memberId"]
    join(t, group, "again", memberId=known)
    join(t, group, "an unknown member", memberId="nobody")
    join(t, group, "another type", memberId=known, protocolType="connect")
    join(t, group, "another protocol", protocols=[{"name": "other", "metadata": b""}])


@case("JoinGroup", "requests that are wrong")
def join_wrong(t: Talk):
    group = t.name("g")
    t.coordinate(group)
    join(t, "", "no group")
    join(t, group, "a session too short", sessionTimeoutMs=10)
    join(t, group, "a session too long", sessionTimeoutMs=2_000_000_000)
    join(t, group, "no protocol", protocols=[])
    join(t, group, "no type", protocolType="")
    join(t, t.name("new"), "a member of a group that is not there", memberId="nobody")
    # Apache Kafka makes a group before it refuses its first member, and lists it from then on; Flumen does not.
    t.quietly("DeleteGroups", 1, {"groupsNames": [group]})


@case("JoinGroup", "static members", 5)
def join_static(t: Talk):
    group = t.name("g")
    t.coordinate(group)
    first = join(t, group, "first", groupInstanceId="one")
    second = join(t, group, "the same again, without its id", groupInstanceId="one")
    join(t, group, "the old id", groupInstanceId="one", memberId=first["memberId"])
    join(t, group, "the new id", groupInstanceId="one", memberId=second["memberId"])
    join(t, group, "an unknown name with an id", groupInstanceId="two", memberId=second["memberId"])


@case("SyncGroup", "a leader's and others'")
def sync(t: Talk):
    group = t.name("g")
    t.coordinate(group)
    joined = join(t, group, "join", 5)
    member, generation = joined["memberId"], joined["generationId"]

    def ask(label: str, generation: int = generation, member: str = member, group: str = group, **others):
        assigned = [{"memberId": member, "assignment": b"yours"}]
        body = {"groupId": group, "generationId": generation, "memberId": member, "assignments": assigned}
        t.ask(body | ({"protocolType": "consumer", "protocolName": "range"} if t.version >= 5 else {}) | others, label)

    ask("an unknown member", member="nobody")
    ask("a wrong generation", generation=generation + 5)
    ask("an unknown group", group=t.name("none"))
    ask("no group", group="")
    if t.version >= 5:
        ask("another type", protocolType="connect")
        ask("another protocol", protocolName="sticky")
    if t.version >= 3:
        ask("an unknown name", groupInstanceId="nobody")
    ask("the leader's")
    ask("again")


@case("Heartbeat", "of members and others")
def heartbeat(t: Talk):
    group = t.name("g")
    joined = lead(t, group)

    def ask(label: str, generation: int, member: str, group: str = group, **others):
        t.ask({"groupId": group, "generationId": generation, "memberId": member} | others, label)

    ask("fine", joined["generationId"], joined["memberId"])
    ask("a wrong generation", joined["generationId"] + 1, joined["memberId"])
    ask("an unknown member", joined["generationId"], "nobody")
    ask("an unknown group", joined["generationId"], joined["memberId"], t.name("none"))
    ask("no group", 1, "x", "")
    if t.version >= 3:
        ask("an unknown name", joined["generationId"], joined["memberId"], groupInstanceId="nobody")


@case("LeaveGroup", "members and others")
def leave(t: Talk):
    group = t.name("g")
    joined = lead(t, group)

    def ask(label: str, member: str, group: str = group, instance: str | None = None):
        who = {"memberId": member}
        if t.version >= 3:
            who = {"members": [who | {"groupInstanceId": instance}]}
        t.ask({"groupId": group} | who, label)

    ask("an unknown member", "nobody")
    ask("an unknown group", joined["memberId"], t.name("none"))
    ask("no group", joined["memberId"], "")
    if t.version >= 3:
        ask("an unknown name", "", instance="nobody")
        t.ask({"groupId": group, "members": []}, "nobody at all")
    ask("the member", joined["memberId"])
    ask("again", joined["memberId"])


@case("LeaveGroup", "static members by name", 3)
def leave_static(t: Talk):
    group = t.name("g")
    joined = lead(t, group, groupInstanceId="one")
    wrong = [{"memberId": "nobody", "groupInstanceId": "one"}]
    t.ask({"groupId": group, "members": wrong}, "with another id")
    t.ask({"groupId": group, "members": [{"memberId": "", "groupInstanceId": "one"}]}, "by name")
    t.also("Heartbeat", 3, {"groupId": group, "generationId": joined["generationId"], "memberId": joined["memberId"]})


def commit(t: Talk, group: str, topic: str, label: str, offset: int = 5, partition: int = 0, **others) -> None:
    placed = {"partitionIndex": partition, "committedOffset": offset, "committedMetadata": "note"}
    body = {"groupId": group, "memberId": "", "topics": [{"name": topic, "partitions": [placed | others.pop("part", {})]}]}
    t.ask(body | others, label)


@case("OffsetCommit", "from outside of a group", 2)
def commit_alone(t: Talk):
    topic, group = t.topic(partitions=2), t.name("g")
    t.coordinate(group)
    commit(t, group, topic, "fine")
    commit(t, group, topic, "an unknown partition", partition=9)
    commit(t, group, t.name("none"), "an unknown topic")
    commit(t, group, topic, "a negative offset", offset=-3)
    commit(t, group, topic, "long metadata", part={"committedMetadata": "x" * 5000})
    commit(t, group, topic, "no metadata", part={"committedMetadata": None})
    commit(t, "", topic, "no group")
    commit(t, group, topic, "a generation that nobody has", generationIdOrMemberEpoch=4, memberId="nobody")
    t.ask({"groupId": group, "memberId": "", "topics": []}, "no topic")
    t.also("OffsetFetch", 5, fetched(group, topic, [0, 1]), "what is there")


@case("OffsetCommit", "from members", 2)
def commit_member(t: Talk):
    topic, group = t.topic(), t.name("g")
    joined = lead(t, group)
    member = {"generationIdOrMemberEpoch": joined["generationId"], "memberId": joined["memberId"]}
    commit(t, group, topic, "a member's", **member)
    commit(t, group, topic, "from outside")
    commit(t, group, topic, "an old generation", **(member | {"generationIdOrMemberEpoch": 77}))
    commit(t, group, topic, "an unknown member", **(member | {"memberId": "nobody"}))
    join(t, group, "a rebalance", 5, memberId=joined["memberId"], protocols=[{"name": "range", "metadata": b"new"}])
    commit(t, group, topic, "while it lasts", **member)


def fetched(group: str, topic: str, partitions: list[int]) -> dict:
    return {"groupId": group, "topics": [{"name": topic, "partitionIndexes": partitions}]}


@case("OffsetFetch", "of one group", 1, 7)
def fetch_offsets(t: Talk):
    topic, group = t.topic(partitions=2), t.name("g")
    t.coordinate(group)
    placed = {"partitionIndex": 0, "committedOffset": 7, "committedLeaderEpoch": 0, "committedMetadata": "note"}
    stored = {"groupId": group, "memberId": "", "topics": [{"name": topic, "partitions": [placed]}]}
    t.also("OffsetCommit", 6, stored, "commit")
    t.ask(fetched(group, topic, [0, 1]), "one of two")
    t.ask(fetched(group, topic, [9]), "an unknown partition")
    t.ask(fetched(group, t.name("none"), [0]), "an unknown topic")
    t.ask(fetched(t.name("none"), topic, [0]), "an unknown group")
    t.ask({"groupId": group, "topics": []}, "no topic")
    t.ask(fetched("", topic, [0]), "no group")
    if t.version >= 2:
        t.ask({"groupId": group, "topics": None}, "all")
        t.ask({"groupId": t.name("none"), "topics": None}, "all of an unknown group")


@case("OffsetFetch", "of several groups", 8)
def fetch_offsets_batched(t: Talk):
    topic, group = t.topic(partitions=2), t.name("g")
    t.coordinate(group)
    t.coordinate(t.name("h"))
    placed = {"partitionIndex": 0, "committedOffset": 7, "committedLeaderEpoch": 0, "committedMetadata": "note"}
    stored = {"groupId": group, "memberId": "", "topics": [{"name": topic, "partitions": [placed]}]}
    t.also("OffsetCommit", 6, stored, "commit")
    one = {"groupId": group, "topics": [{"name": topic, "partitionIndexes": [0, 1]}]}
    t.ask({"groups": [one]}, "one")
    t.ask({"groups": [one, {"groupId": t.name("h"), "topics": None}]}, "two")
    t.ask({"groups": [one | {"topics": None}]}, "all")
    t.ask({"groups": []}, "none")
    if t.version >= 9:
        t.ask({"groups": [one | {"memberId": "nobody", "memberEpoch": 3}]}, "a member that is not there")


@case("DescribeGroups", "groups in several states")
def describe(t: Talk):
    group = t.name("g")
    lead(t, group)
    t.ask({"groups": [group]}, "stable")
    t.ask({"groups": [t.name("none")]}, "unknown")
    t.ask({"groups": [""]}, "no name")
    t.ask({"groups": []}, "none")
    if t.version >= 3:
        t.ask({"groups": [group], "includeAuthorizedOperations": True}, "with operations")


@case("ListGroups", "by state and type", 4)
def list_groups(t: Talk):
    lead(t, t.name("g"))
    t.ask({"statesFilter": ["NoSuchState"]}, "an unknown state")
    if t.version >= 5:
        t.ask({"typesFilter": ["nosuchtype"]}, "an unknown type")
        t.ask({"typesFilter": ["share"]}, "share groups")


@case("ListGroups", "all")
def list_all(t: Talk):
    t.ask({}, "all")


@case("DeleteGroups", "empty and others")
def delete_groups(t: Talk):
    busy, empty = t.name("busy"), t.name("empty")
    topic = t.topic()
    lead(t, busy)
    t.coordinate(empty)
    placed = {"partitionIndex": 0, "committedOffset": 7, "committedMetadata": ""}
    stored = {"groupId": empty, "memberId": "", "topics": [{"name": topic, "partitions": [placed]}]}
    t.also("OffsetCommit", 6, stored, "commit")
    t.ask({"groupsNames": [busy]}, "with a member")
    t.ask({"groupsNames": [empty]}, "an empty one")
    t.ask({"groupsNames": [empty]}, "again")
    t.ask({"groupsNames": [""]}, "no name")
    t.ask({"groupsNames": []}, "none")


@case("OffsetDelete", "of a group")
def delete_offsets(t: Talk):
    topic, group = t.topic(partitions=2), t.name("g")
    t.coordinate(group)
    placed = [{"partitionIndex": p, "committedOffset": 7, "committedMetadata": ""} for p in (0, 1)]
    stored = {"groupId": group, "memberId": "", "topics": [{"name": topic, "partitions": placed}]}
    t.also("OffsetCommit", 6, stored, "commit")

    def ask(label: str, group: str = group, topic: str = topic, partition: int = 0):
        t.ask({"groupId": group, "topics": [{"name": topic, "partitions": [{"partitionIndex": partition}]}]}, label)

    ask("one")
    ask("again")
    ask("an unknown partition", partition=9)
    ask("an unknown topic", topic=t.name("none"))
    ask("an unknown group", group=t.name("none"))
    ask("no group", group="")
    t.also("OffsetFetch", 5, fetched(group, topic, [0, 1]), "what is left")


@case("OffsetFetch", "after the topic is gone", 5, 7)
def offsets_of_deleted(t: Talk):
    topic, group = t.topic(), t.name("g")
    t.coordinate(group)
    t.fill(topic, Batch())
    placed = {"partitionIndex": 0, "committedOffset": 1, "committedMetadata": ""}
    stored = {"groupId": group, "memberId": "", "topics": [{"name": topic, "partitions": [placed]}]}
    t.also("OffsetCommit", 6, stored, "commit")
    t.also("DeleteTopics", 5, {"topicNames": [topic], "timeoutMs": 10_000}, "delete the topic")
    t.eventually("OffsetFetch", t.version, fetched(group, topic, [0]), lambda a: _offset(a) == -1)
    t.ask(fetched(group, topic, [0]), "nothing is left")


def _offset(answer: dict) -> int:
    return answer["topics"][0]["partitions"][0]["committedOffset"]
