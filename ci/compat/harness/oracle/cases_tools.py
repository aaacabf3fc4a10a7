"""Conversations that tools have: quotas, credentials, reassignments, elections, features, the quorum, transactions."""

import time

from .batch import Batch
from .cases_admin import APPLIED_S
from .talk import Talk, case

EXACT, DEFAULT, ANY = 0, 1, 2
PREFERRED, UNCLEAN = 0, 1
SHA_256, SHA_512 = 1, 2
NOT_COORDINATING = {14, 15, 16}
TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32


def node_of(t: Talk) -> int:
    """The id of the only node."""
    return t.quietly("Metadata", 12, {"topics": []})["controllerId"]


def entry(entity: dict[str, str | None], *ops: tuple[str, float | None]) -> dict:
    """A change of quotas; a value of None removes."""
    parts = [{"entityType": kind, "entityName": name} for kind, name in entity.items()]
    values = [{"key": key, "value": value or 0.0, "remove": value is None} for key, value in ops]
    return {"entity": parts, "ops": values}


def wanted(kind: str, how: int, name: str | None = None) -> dict:
    """A part of a filter of quotas."""
    return {"entityType": kind, "matchType": how, "match": name}


def told(t: Talk, label: str, *components: dict, strict: bool = False) -> None:
    """What quotas are now: in Apache Kafka a moment after the answer to a change."""
    time.sleep(APPLIED_S)
    t.also("DescribeClientQuotas", 1, {"components": list(components), "strict": strict}, label)


@case("AlterClientQuotas", "of entities of every kind")
def alter_quotas(t: Talk):
    user, client = t.name("user"), t.name("client")
    mine = wanted("user", EXACT, user)

    def alter(label: str, *entries: dict, validate: bool = False):
        t.ask({"entries": list(entries), "validateOnly": validate}, label)

    rate = ("producer_byte_rate", 1024.0)
    alter("validated only", entry({"user": user}, rate), validate=True)
    told(t, "nothing yet", mine)
    alter("a user", entry({"user": user}, rate, ("request_percentage", 12.5)))
    told(t, "a user", mine)
    alter("one changed, one gone", entry({"user": user}, ("producer_byte_rate", 2048.0), ("request_percentage", None)))
    told(t, "one is left", mine)
    alter("a user's client", entry({"user": user, "client-id": client}, ("consumer_byte_rate", 7.0)))
    told(t, "both", mine)
    told(t, "the user alone", mine, strict=True)
    alter("what is not there is removed", entry({"user": user}, ("controller_mutation_rate", None)))
    alter("all are removed", entry({"user": user}, ("producer_byte_rate", None)))
    alter("those of the client", entry({"user": user, "client-id": client}, ("consumer_byte_rate", None)))
    told(t, "none are left", mine)
    alter("a default", entry({"client-id": None}, ("consumer_byte_rate", 1e9)))
    told(t, "a default", wanted("client-id", DEFAULT))
    alter("no default", entry({"client-id": None}, ("consumer_byte_rate", None)))
    alter("an address", entry({"ip": "10.1.2.3"}, ("connection_creation_rate", 5.0)))
    told(t, "an address", wanted("ip", EXACT, "10.1.2.3"))
    alter("no address any more", entry({"ip": "10.1.2.3"}, ("connection_creation_rate", None)))


@case("AlterClientQuotas", "changes that are wrong")
def alter_quotas_wrong(t: Talk):
    user, rate = t.name("user"), ("producer_byte_rate", 5.0)

    def alter(label: str, *entries: dict):
        t.ask({"entries": list(entries), "validateOnly": True}, label)

    alter("none")
    alter("an entity of nothing", entry({}, rate))
    alter("no change", entry({"user": user}))
    alter("an unknown kind", entry({"group": user}, rate))
    alter("a kind without a name", entry({"": user}, rate))
    alter("an empty name", entry({"user": ""}, rate))
    alter("no address", entry({"ip": ":::"}, ("connection_creation_rate", 5.0)))
    alter("an address and a user", entry({"ip": "10.1.2.3", "user": user}, ("connection_creation_rate", 5.0)))
    alter("an unknown key", entry({"user": user}, ("no_such_rate", 5.0)))
    alter("a key of another kind", entry({"user": user}, ("connection_creation_rate", 5.0)))
    alter("another key of an address", entry({"ip": "10.1.2.3"}, rate))
    alter("zero", entry({"user": user}, ("producer_byte_rate", 0.0)))
    alter("below zero", entry({"user": user}, ("producer_byte_rate", -1.0)))
    alter("a part of a byte", entry({"user": user}, ("producer_byte_rate", 1.5)))
    alter("more than all", entry({"user": user}, ("producer_byte_rate", 1e30)))
    alter("a key twice", entry({"user": user}, rate, ("producer_byte_rate", 6.0)))
    twice = entry({"user": user}, rate)
    alter("a kind twice", twice | {"entity": twice["entity"] * 2})
    alter("one of two", entry({"user": user}, rate), entry({"user": user + "2"}, ("no_such_rate", 5.0)))


@case("DescribeClientQuotas", "filters")
def describe_quotas(t: Talk):
    user, client = t.name("user"), t.name("client")
    entries = [entry({"user": user}, ("producer_byte_rate", 1.0))]
    entries.append(entry({"user": user, "client-id": client}, ("producer_byte_rate", 2.0)))
    t.also("AlterClientQuotas", 1, {"entries": entries, "validateOnly": False}, "two")
    time.sleep(APPLIED_S)

    def ask(label: str, *components: dict, strict: bool = False):
        t.ask({"components": list(components), "strict": strict}, label)

    ask("a user", wanted("user", EXACT, user))
    ask("a user alone", wanted("user", EXACT, user), strict=True)
    ask("a user's clients", wanted("user", EXACT, user), wanted("client-id", ANY))
    ask("a client", wanted("client-id", EXACT, client))
    ask("nobody", wanted("user", EXACT, user + "2"))
    ask("the default", wanted("user", EXACT, user), wanted("client-id", DEFAULT))
    ask("any user", wanted("user", ANY))
    ask("all")
    ask("those of nobody", strict=True)
    ask("a user without a name", wanted("user", EXACT))
    ask("a default with a name", wanted("user", DEFAULT, user))
    ask("any with a name", wanted("user", ANY, user))
    ask("an unknown way", wanted("user", 3, user))
    ask("an unknown kind", wanted("group", ANY))
    ask("a kind without a name", wanted("", ANY))
    ask("a kind twice", wanted("user", ANY), wanted("user", EXACT, user))
    ask("an address and a user", wanted("ip", ANY), wanted("user", ANY))
    gone = [e | {"ops": [op | {"remove": True} for op in e["ops"]]} for e in entries]
    t.also("AlterClientQuotas", 1, {"entries": gone, "validateOnly": False}, "none any more")


def credential(name: str, mechanism: int = SHA_256, iterations: int = 4096, **others) -> dict:
    """A credential to store."""
    given = {"name": name, "mechanism": mechanism, "iterations": iterations}
    return given | {"salt": b"salt of it", "saltedPassword": b"p" * 32} | others


def users(t: Talk, label: str, *names: str) -> None:
    """What is stored now."""
    time.sleep(APPLIED_S)
    t.also("DescribeUserScramCredentials", 0, {"users": [{"name": name} for name in names]}, label)


@case("AlterUserScramCredentials", "stored and deleted")
def alter_credentials(t: Talk):
    user = t.name("user")

    def alter(label: str, *upsertions: dict, deletions: tuple[dict, ...] = ()):
        t.ask({"deletions": list(deletions), "upsertions": list(upsertions)}, label)

    gone = {"name": user, "mechanism": SHA_256}
    alter("none")
    alter("one that is not there is deleted", deletions=(gone,))
    alter("one", credential(user))
    users(t, "one", user)
    alter("another mechanism, more often", credential(user, SHA_512, 8192))
    users(t, "two", user)
    alter("too few times", credential(user, iterations=4095))
    alter("too many times", credential(user, iterations=16385))
    alter("an unknown mechanism", credential(user, 3))
    alter("no mechanism", credential(user, 0))
    alter("nobody", credential(""))
    alter("no salt", credential(user, salt=b""))
    alter("no password", credential(user, saltedPassword=b""))
    alter("deleted and stored", credential(user), deletions=(gone,))
    alter("stored twice", credential(user), credential(user))
    alter("one of two", credential(t.name("other")), credential(""))
    alter("one is deleted", deletions=(gone,))
    users(t, "one is left", user)
    alter("the other is deleted", deletions=({"name": user, "mechanism": SHA_512},))
    alter("that of the other user", deletions=({"name": t.name("other"), "mechanism": SHA_256},))
    users(t, "none is left", user)


@case("DescribeUserScramCredentials", "of users")
def describe_credentials(t: Talk):
    def ask(label: str, names: tuple[str, ...] | None):
        t.ask({"users": None if names is None else [{"name": name} for name in names]}, label)

    ask("all", None)
    ask("of nobody", ())
    ask("one that is not there", (t.name("none"),))
    ask("one twice", (t.name("none"), t.name("none")))
    ask("an empty name", ("",))


@case("AlterPartitionReassignments", "of a topic")
def reassign(t: Talk):
    topic, node = t.topic(partitions=2), node_of(t)

    def move(label: str, replicas: list[int] | None, partition: int = 0, name: str = topic, **others):
        partitions = [{"partitionIndex": partition, "replicas": replicas}]
        t.ask({"topics": [{"name": name, "partitions": partitions}]} | others, label)

    move("to where it is", [node])
    move("to a broker that is not there", [node + 70])
    move("to nothing", [])
    move("twice to one", [node, node])
    move("no move any more", None)
    move("an unknown partition", [node], partition=9)
    move("an unknown topic", [node], name=t.name("none"))
    move("no topic's name", [node], name="")
    t.ask({"topics": []}, "nothing")
    if t.version >= 1:
        move("with more replicas than it may have", [node, node + 70], allowReplicationFactorChange=False)


@case("ListPartitionReassignments", "where nothing moves")
def reassignments(t: Talk):
    topic = t.topic()
    t.ask({"topics": None}, "all")
    t.ask({"topics": [{"name": topic, "partitionIndexes": [0]}]}, "one")
    t.ask({"topics": [{"name": topic, "partitionIndexes": [7]}]}, "an unknown partition")
    t.ask({"topics": [{"name": t.name("none"), "partitionIndexes": [0]}]}, "an unknown topic")
    t.ask({"topics": []}, "none")


@case("ElectLeaders", "where all lead already")
def elect(t: Talk):
    topic = t.topic(partitions=2)

    def ask(label: str, topics: list[dict] | None, kind: int = PREFERRED):
        t.ask({"topicPartitions": topics} | ({"electionType": kind} if t.version >= 1 else {}), label)

    ask("two", [{"topic": topic, "partitions": [0, 1]}])
    ask("an unknown partition", [{"topic": topic, "partitions": [0, 9]}])
    ask("an unknown topic", [{"topic": t.name("none"), "partitions": [0]}])
    ask("no partition", [{"topic": topic, "partitions": []}])
    ask("none", [])
    ask("all", None)
    if t.version >= 1:
        ask("an unclean one", [{"topic": topic, "partitions": [0]}], UNCLEAN)
        ask("all, unclean", None, UNCLEAN)
        ask("an unknown kind", [{"topic": topic, "partitions": [0]}], 2)


@case("DescribeTopicPartitions", "a page at a time")
def topic_partitions(t: Talk):
    one, two = t.topic("one", partitions=3), t.topic("two")

    def ask(label: str, *names: str, limit: int = 2000, cursor: tuple[str, int] | None = None):
        at = cursor and {"topicName": cursor[0], "partitionIndex": cursor[1]}
        t.ask({"topics": [{"name": n} for n in names], "responsePartitionLimit": limit, "cursor": at}, label)

    ask("two", one, two)
    ask("one, twice", one, one)
    ask("a page", one, two, limit=2)
    ask("the next page", one, two, limit=2, cursor=(one, 2))
    ask("a page that ends with a topic", one, two, limit=3)
    ask("the last page", one, two, limit=2, cursor=(two, 0))
    ask("behind the last partition", one, two, cursor=(one, 9))
    ask("behind all topics", one, cursor=(two, 0))
    ask("a topic between them", one, two, cursor=(one + "x", 0))
    ask("of all", limit=1, cursor=(one, 0))
    ask("no room", one, limit=0)
    ask("less than none", one, limit=-3)
    ask("a partition below zero", one, cursor=(one, -1))
    ask("an unknown topic", t.name("none"), one)
    ask("a bad name", "a b")
    ask("no name", "")


@case("DescribeProducers", "of partitions")
def producers(t: Talk):
    topic = t.topic(partitions=2)
    t.fill(topic, Batch((b"a", b"b"), producer_id=4711, producer_epoch=3, base_sequence=0))
    t.fill(topic, Batch((b"c",), producer_id=4711, producer_epoch=3, base_sequence=2))
    t.fill(topic, Batch((b"d",)))

    def ask(label: str, *partitions: int, name: str = topic):
        t.ask({"topics": [{"name": name, "partitionIndexes": list(partitions)}]}, label)

    ask("one", 0)
    ask("nobody", 1)
    ask("an unknown partition", 0, 9)
    ask("an unknown topic", 0, name=t.name("none"))
    ask("a bad name", 0, name="a b")
    ask("no partition")
    t.ask({"topics": []}, "none")


@case("DescribeQuorum", "of the metadata")
def quorum(t: Talk):
    def ask(label: str, topic: str, *partitions: int):
        wanted = [{"partitionIndex": p} for p in partitions]
        t.ask({"topics": [{"topicName": topic, "partitions": wanted}]}, label)

    ask("the metadata", "__cluster_metadata", 0)
    ask("another partition", "__cluster_metadata", 1)
    ask("another topic", t.topic(), 0)
    t.ask({"topics": []}, "none")


@case("UpdateFeatures", "levels that stay")
def features(t: Talk):
    dry = {"validateOnly": True} if t.version >= 1 else {}

    def update(label: str, *features: tuple[str, int], **others):
        t.ask({"featureUpdates": [{"feature": f, "maxVersionLevel": l} | others for f, l in features]} | dry, label)

    update("none")
    update("as it is", ("group.version", 1))
    update("two as they are", ("group.version", 1), ("metadata.version", 27))
    update("a level that nobody knows", ("metadata.version", 99))
    update("less than none", ("group.version", -1))
    update("an unknown feature", ("no.such.version", 1))
    update("no feature", ("", 1))
    update("one of two", ("group.version", 1), ("no.such.version", 1))
    if t.version >= 1:
        update("an unknown way", ("group.version", 1), upgradeType=9)
        update("a way that is none", ("group.version", 1), upgradeType=0)
        update("down to where it is", ("group.version", 1), upgradeType=2)


@case("ListConfigResources", "by type")
def config_resources(t: Talk):
    if t.version == 0:
        t.ask({}, "client metrics")
        return

    def ask(label: str, *types: int):
        t.ask({"resourceTypes": list(types)}, label)

    t.topic()
    ask("topics", TOPIC)
    ask("brokers", BROKER)
    ask("loggers and brokers", LOGGER, BROKER)
    ask("client metrics", METRICS)
    ask("groups", GROUP)
    ask("one twice", BROKER, BROKER)
    ask("all")
    ask("an unknown one", 1)
    ask("one that there is not", BROKER, 99)


@case("DescribeAcls", "without an authorizer")
def describe_acls(t: Talk):
    wanted = {"resourceTypeFilter": 1, "operation": 1, "permissionType": 1, "patternTypeFilter": 1}
    wanted |= {"resourceNameFilter": None, "principalFilter": None, "hostFilter": None}
    t.ask(wanted, "all")
    t.ask(wanted | {"resourceTypeFilter": 2, "resourceNameFilter": t.name("t")}, "of a topic")


@case("CreateAcls", "without an authorizer")
def create_acls(t: Talk):
    entry = {"resourceType": 2, "resourceName": t.name("t"), "principal": "User:a", "host": "*"}
    entry |= {"operation": 3, "permissionType": 3}
    t.ask({"creations": [entry]}, "one")
    t.ask({"creations": [entry, entry | {"principal": "User:b"}]}, "two")
    t.ask({"creations": []}, "none")


@case("DeleteAcls", "without an authorizer")
def delete_acls(t: Talk):
    wanted = {"resourceTypeFilter": 2, "operation": 1, "permissionType": 1}
    wanted |= {"resourceNameFilter": t.name("t"), "principalFilter": None, "hostFilter": None}
    t.ask({"filters": [wanted]}, "one")
    t.ask({"filters": []}, "none")


@case("DescribeTransactions", "where there are none")
def describe_transactions(t: Talk):
    # The first who asks for a coordinator has Apache Kafka make the topic of transactions.
    name = t.name("t")
    t.quietly("FindCoordinator", 4, {"keyType": 1, "coordinatorKeys": [name]})
    ask = {"transactionalIds": [name]}
    coordinates = lambda answer: answer["transactionStates"][0]["errorCode"] not in NOT_COORDINATING  # noqa: E731
    t.eventually("DescribeTransactions", 0, ask, coordinates)
    t.ask(ask, "an unknown one")
    t.ask({"transactionalIds": [""]}, "no name")
    t.ask({"transactionalIds": []}, "none")


@case("ListTransactions", "where there are none")
def list_transactions(t: Talk):
    t.ask({}, "all")
    t.ask({"stateFilters": ["Ongoing", "NoSuchState", ""]}, "by state")
    t.ask({"producerIdFilters": [5]}, "by producer")
    if t.version >= 1:
        t.ask({"durationFilter": 0}, "by age")
        t.ask({"durationFilter": -5}, "by an age below zero")
    if t.version >= 2:
        t.ask({"transactionalIdPattern": "a.*"}, "by name")
        t.ask({"transactionalIdPattern": ""}, "by no name")
        t.ask({"transactionalIdPattern": "("}, "by what is no pattern")
