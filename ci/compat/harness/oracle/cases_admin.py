"""Conversations about topics, configurations and the cluster."""

import time

from .talk import ZERO_ID, Talk, case

TOPIC, BROKER, LOGGER = 2, 4, 8
APPLIED_S = 0.1
UNKNOWN_ID = ZERO_ID[:-1] + "7"


@case("ApiVersions", "what is served")
def api_versions(t: Talk):
    fine = {"clientSoftwareName": "oracle", "clientSoftwareVersion": "1.0"} if t.version >= 3 else {}
    t.ask(fine, "asked well")
    if t.version >= 3:
        t.ask(fine | {"clientSoftwareName": ""}, "without a name")
        t.ask(fine | {"clientSoftwareVersion": "-x-"}, "with a bad version")


@case("Metadata", "of topics by name")
def metadata(t: Talk):
    topic = t.topic(partitions=2)
    ask = {"allowAutoTopicCreation": False} if t.version >= 4 else {}
    t.ask(ask | {"topics": [{"name": topic}]}, "one")
    t.ask(ask | {"topics": [{"name": topic}, {"name": topic}]}, "one, twice")
    t.ask(ask | {"topics": [{"name": topic}, {"name": "bad name"}]}, "one and a bad name")
    t.ask(ask | {"topics": [{"name": ""}]}, "an empty name")
    if t.version >= 4:
        t.ask(ask | {"topics": [{"name": t.name("none")}]}, "unknown")
        t.ask(ask | {"topics": []}, "no topic")
    if t.version >= 8:
        t.ask(ask | {"topics": [{"name": topic}], "includeTopicAuthorizedOperations": True}, "operations of a topic")
    if 8 <= t.version <= 10:
        t.ask(ask | {"topics": [], "includeClusterAuthorizedOperations": True}, "operations of the cluster")


@case("Metadata", "of topics by id", 10)
def metadata_by_id(t: Talk):
    topic = t.topic()
    known = t.ids[topic]
    t.ask({"topics": [{"name": None, "topicId": known}], "allowAutoTopicCreation": False}, "known")
    t.ask({"topics": [{"name": None, "topicId": UNKNOWN_ID}], "allowAutoTopicCreation": False}, "unknown")
    t.ask({"topics": [{"name": None, "topicId": ZERO_ID}], "allowAutoTopicCreation": False}, "neither")
    t.ask({"topics": [{"name": topic, "topicId": known}], "allowAutoTopicCreation": False}, "both")


@case("Metadata", "topics that come into being", 4)
def auto_created(t: Talk):
    name = t.name("new")
    t.quietly("Metadata", 12, {"topics": [{"name": name}], "allowAutoTopicCreation": True})
    t.settle(name, 1)
    t.ask({"topics": [{"name": name}], "allowAutoTopicCreation": True}, "it is there")


@case("DescribeCluster", "the cluster")
def describe_cluster(t: Talk):
    t.ask({}, "plain")
    t.ask({"includeClusterAuthorizedOperations": True}, "with operations")
    if t.version >= 1:
        t.ask({"endpointType": 2}, "controllers")
        t.ask({"endpointType": 9}, "neither")


def wanted_topic(name: str, partitions: int = 1, replicas: int = 1, configs: dict | None = None, assigned=()) -> dict:
    listed = [{"name": key, "value": value} for key, value in (configs or {}).items()]
    body = {"name": name, "numPartitions": partitions, "replicationFactor": replicas, "configs": listed}
    return body | {"assignments": [{"partitionIndex": p, "brokerIds": list(ids)} for p, ids in assigned]}


@case("CreateTopics", "topics of every kind", 2)
def create(t: Talk):
    def create_one(label: str, topic: str, partitions: int = 1, replicas: int = 1, validate=False, **others):
        body = {"topics": [wanted_topic(topic, partitions, replicas, **others)], "timeoutMs": 10_000}
        t.ask(body | {"validateOnly": validate}, label)

    create_one("plain", t.name("a"), 3)
    t.settle(t.name("a"), 3)
    create_one("it exists", t.name("a"))
    create_one("validated only", t.name("b"), validate=True)
    create_one("no partition", t.name("c"), 0)
    create_one("fewer than none", t.name("c"), -2)
    create_one("no replica", t.name("c"), 1, 0)
    create_one("more replicas than brokers", t.name("c"), 1, 3)
    create_one("with a configuration", t.name("d"), configs={"retention.ms": "1000"})
    create_one("an unknown configuration", t.name("e"), configs={"no.such": "1"})
    create_one("a bad value", t.name("e"), configs={"retention.ms": "soon"})
    create_one("a value out of range", t.name("e"), configs={"segment.bytes": "10"})
    create_one("no value", t.name("e"), configs={"retention.ms": None})
    create_one("a list with an unknown word", t.name("e"), configs={"cleanup.policy": "compact,shrink"})
    for label, name in (("empty", ""), ("dot", "."), ("dots", ".."), ("a blank", "a b"), ("long", "x" * 250)):
        create_one(f"a name: {label}", name)
    create_one("a name that collides", t.name("a").replace(".", "_"))
    if t.version >= 4:
        create_one("defaults", t.name("f"), -1, -1)


@case("CreateTopics", "assignments", 2)
def create_assigned(t: Talk):
    node = t.quietly("Metadata", 12, {"topics": []})["controllerId"]

    def assigned(label: str, topic: str, assignments, partitions: int = -1, replicas: int = -1):
        topics = [wanted_topic(t.name(topic), partitions, replicas, assigned=assignments)]
        t.ask({"topics": topics, "timeoutMs": 10_000}, label)

    assigned("two partitions", "a", [(0, [node]), (1, [node])])
    assigned("numbers with a gap", "b", [(0, [node]), (2, [node])])
    assigned("an unknown broker", "c", [(0, [node + 50])])
    assigned("a broker twice", "d", [(0, [node, node])])
    assigned("counts besides", "e", [(0, [node])], partitions=1)
    assigned("an empty one", "f", [(0, [])])


@case("CreateTopics", "several at once", 2)
def create_several(t: Talk):
    t.ask({"topics": [wanted_topic(t.name("a")), wanted_topic("b b")], "timeoutMs": 10_000}, "one is bad")
    t.ask({"topics": [wanted_topic(t.name("c")), wanted_topic(t.name("c"))], "timeoutMs": 10_000}, "one twice")
    t.ask({"topics": [], "timeoutMs": 10_000}, "none")


@case("DeleteTopics", "by name", 1)
def delete(t: Talk):
    def names(*topics: str) -> dict:
        if t.version >= 6:
            return {"topics": [{"name": topic} for topic in topics], "timeoutMs": 10_000}
        return {"topicNames": list(topics), "timeoutMs": 10_000}

    topic = t.topic()
    t.ask(names(topic, t.name("none")), "one of two")
    t.ask(names(), "none")
    t.ask(names("bad name"), "a bad name")


@case("DeleteTopics", "by id", 6)
def delete_by_id(t: Talk):
    topic = t.topic()
    t.ask({"topics": [{"name": None, "topicId": UNKNOWN_ID}], "timeoutMs": 10_000}, "unknown")
    t.ask({"topics": [{"name": topic, "topicId": t.ids[topic]}], "timeoutMs": 10_000}, "both")
    t.ask({"topics": [{"name": None, "topicId": ZERO_ID}], "timeoutMs": 10_000}, "neither")
    t.ask({"topics": [{"name": None, "topicId": t.ids[topic]}], "timeoutMs": 10_000}, "known")


@case("CreatePartitions", "more of them")
def create_partitions(t: Talk):
    topic = t.topic()

    def grow(label: str, count: int, name: str = topic, validate=False, assignments=None):
        wanted = {"name": name, "count": count, "assignments": assignments}
        t.ask({"topics": [wanted], "timeoutMs": 10_000, "validateOnly": validate}, label)

    grow("validated only", 2, validate=True)
    grow("two", 2)
    grow("the same number", 2)
    grow("fewer", 1)
    grow("none", 0)
    grow("an unknown topic", 3, name=t.name("none"))
    grow("too few assignments", 4, assignments=[{"brokerIds": [1]}])
    grow("an unknown broker", 3, assignments=[{"brokerIds": [77]}])
    t.ask({"topics": [], "timeoutMs": 10_000, "validateOnly": False}, "no topic")


@case("DescribeLogDirs", "of a topic")
def log_dirs(t: Talk):
    topic = t.topic(partitions=2)
    t.ask({"topics": [{"topic": topic, "partitions": [0, 1]}]}, "an empty topic")
    t.ask({"topics": [{"topic": topic, "partitions": [9]}]}, "an unknown partition")
    t.ask({"topics": [{"topic": t.name("none"), "partitions": [0]}]}, "an unknown topic")
    t.ask({"topics": []}, "no topic")


def resource(kind: int, name: str, keys: list[str] | None) -> dict:
    return {"resourceType": kind, "resourceName": name, "configurationKeys": keys}


@case("DescribeConfigs", "of a topic")
def describe_topic_configs(t: Talk):
    topic = t.topic(retention_ms="12345", cleanup_policy="compact")
    synonyms = {"includeSynonyms": True} if t.version >= 1 else {}
    documented = {"includeDocumentation": True} if t.version >= 3 else {}
    t.ask({"resources": [resource(TOPIC, topic, None)]} | synonyms | documented, "all")
    t.ask({"resources": [resource(TOPIC, topic, ["retention.ms", "no.such"])]} | synonyms, "two keys")
    t.ask({"resources": [resource(TOPIC, topic, [])]}, "no key")
    t.ask({"resources": [resource(TOPIC, t.name("none"), None)]}, "unknown")
    t.ask({"resources": [resource(TOPIC, "bad name", None)]}, "a bad name")
    t.ask({"resources": []}, "nothing")


@case("DescribeConfigs", "of a broker")
def describe_broker_configs(t: Talk):
    node = str(t.quietly("Metadata", 12, {"topics": []})["controllerId"])
    keys = ["message.max.bytes", "num.partitions", "log.retention.ms", "auto.create.topics.enable", "no.such"]
    synonyms = {"includeSynonyms": True} if t.version >= 1 else {}
    t.ask({"resources": [resource(BROKER, node, keys)]} | synonyms, "some keys")
    t.ask({"resources": [resource(BROKER, "", keys)]} | synonyms, "of all brokers")
    t.ask({"resources": [resource(BROKER, "999", keys)]}, "an unknown broker")
    t.ask({"resources": [resource(BROKER, "x", keys)]}, "no number")
    t.ask({"resources": [resource(1, "x", None)]}, "an unknown kind")


def described(t: Talk, topic: str, keys: list[str]) -> None:
    """What a topic's configurations are now: in Apache Kafka a moment after the answer to a change."""
    time.sleep(APPLIED_S)
    t.also("DescribeConfigs", 1, {"resources": [resource(TOPIC, topic, keys)]})


@case("AlterConfigs", "of a topic")
def alter_configs(t: Talk):
    topic = t.topic(retention_ms="12345")

    def alter(label: str, configs: dict, name: str = topic, kind: int = TOPIC, validate=False):
        listed = [{"name": key, "value": value} for key, value in configs.items()]
        wanted = {"resourceType": kind, "resourceName": name, "configs": listed}
        t.ask({"resources": [wanted], "validateOnly": validate}, label)
        described(t, topic, ["retention.ms", "segment.ms"])

    alter("validated only", {"segment.ms": "5"}, validate=True)
    alter("another key", {"segment.ms": "777"})
    alter("an unknown key", {"no.such": "1"})
    alter("a bad value", {"segment.ms": "soon"})
    alter("null", {"segment.ms": None})
    alter("an unknown topic", {"segment.ms": "1"}, name=t.name("none"))
    alter("an unknown kind", {"segment.ms": "1"}, kind=1)
    alter("nothing", {})


@case("IncrementalAlterConfigs", "of a topic")
def incremental(t: Talk):
    topic = t.topic(retention_ms="12345")
    keys = ["retention.ms", "cleanup.policy", "segment.ms"]

    def alter(label: str, *changes: tuple[str, int, str | None], name: str = topic, validate=False):
        listed = [{"name": key, "configOperation": how, "value": value} for key, how, value in changes]
        wanted = {"resourceType": TOPIC, "resourceName": name, "configs": listed}
        t.ask({"resources": [wanted], "validateOnly": validate}, label)
        described(t, topic, keys)

    alter("set, validated only", ("segment.ms", 0, "5"), validate=True)
    alter("set", ("segment.ms", 0, "777"))
    alter("delete", ("retention.ms", 1, None))
    alter("append", ("cleanup.policy", 2, "compact"))
    alter("append what is there", ("cleanup.policy", 2, "compact"))
    alter("subtract", ("cleanup.policy", 3, "delete"))
    alter("append to what is no list", ("segment.ms", 2, "1"))
    alter("an unknown operation", ("segment.ms", 9, "1"))
    alter("one key twice", ("segment.ms", 0, "1"), ("segment.ms", 1, None))
    alter("set to null", ("segment.ms", 0, None))
    alter("an unknown key", ("no.such", 0, "1"))
    alter("a bad value", ("segment.ms", 0, "-4"))
    alter("an unknown topic", ("segment.ms", 0, "1"), name=t.name("none"))
    alter("nothing")
