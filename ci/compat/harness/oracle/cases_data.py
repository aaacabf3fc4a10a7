"""Conversations about records: Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, InitProducerId, DeleteRecords."""

import time

from .batch import Batch
from .talk import Talk, case

PAST_MS = 1_700_000_000_000
IDS_IN_PRODUCE = 13
IDS_IN_FETCH = 13


def produce(t: Talk, topic: str, batch: bytes | None, label: str, acks: int = -1, partition: int = 0) -> dict:
    data = [{"index": partition, "records": batch}]
    body = {"acks": acks, "timeoutMs": 10_000}
    body["topicData"] = [t.called(topic, IDS_IN_PRODUCE) | {"partitionData": data}]
    return t.ask(body, label)


@case("Produce", "records are stored", 3)
def stored(t: Talk):
    topic = t.topic()
    produce(t, topic, Batch().encode(), "acks all")
    produce(t, topic, Batch(values=(b"a", b"b", None)).encode(), "acks 1", acks=1)
    t.ask({"acks": -1, "timeoutMs": 1000, "topicData": []}, "no topic")


@case("Produce", "acks that do not exist", 3)
def acks(t: Talk):
    produce(t, t.topic(), Batch().encode(), "acks 2", acks=2)


@case("Produce", "acks 0 has no answer, and an error closes", 3)
def acks_none(t: Talk):
    topic = t.topic()
    data = [{"index": 0, "records": Batch().encode()}]
    fine = {"acks": 0, "timeoutMs": 1000, "topicData": [t.called(topic, IDS_IN_PRODUCE) | {"partitionData": data}]}
    t.ask(fine, "one record", answered=False)
    t.also("ListOffsets", 5, latest(topic), "it is there")


@case("Produce", "unknown topics and partitions", 3)
def unknown(t: Talk):
    produce(t, t.name("none"), Batch().encode(), "unknown topic")
    produce(t, t.topic(), Batch().encode(), "unknown partition", partition=7)


@case("Produce", "batches that are wrong", 3)
def wrong(t: Talk):
    topic = t.topic()
    good = Batch().encode()
    # Apache Kafka never answers a batch that is null.
    produce(t, topic, b"", "empty")
    produce(t, topic, Batch(crc=1).encode(), "checksum")
    produce(t, topic, Batch(count=2).encode(), "a record less than it says")
    produce(t, topic, Batch(count=0).encode(), "no record, it says")
    produce(t, topic, Batch(last_offset_delta=5).encode(), "offsets with a gap")
    produce(t, topic, Batch(attributes=0x20).encode(), "control")
    produce(t, topic, Batch(attributes=0x10).encode(), "transactional without a producer")
    produce(t, topic, Batch(attributes=7).encode(), "unknown codec")
    produce(t, topic, good + good, "two of them")
    produce(t, topic, good[:-1], "cut short")
    t.also("ListOffsets", 5, latest(topic), "nothing is there")


@case("Produce", "limits of a topic", 3)
def limits(t: Talk):
    small = t.topic("small", max_message_bytes="100")
    produce(t, small, Batch(values=(b"x" * 200,)).encode(), "too large")
    strict = t.topic("strict", message_timestamp_before_max_ms="1000", message_timestamp_after_max_ms="1000")
    produce(t, strict, Batch(timestamp=PAST_MS).encode(), "too old")
    produce(t, strict, Batch(timestamp=now_ms() + 10_000_000).encode(), "too new")
    produce(t, strict, Batch(timestamp=now_ms(), max_timestamp=now_ms()).encode(), "of now")
    stamped = t.topic("stamped", message_timestamp_type="LogAppendTime")
    produce(t, stamped, Batch(timestamp=PAST_MS).encode(), "stamped by the broker")


@case("Produce", "keyless records in a compacted topic", 3)
def keyless(t: Talk):
    topic = t.topic(cleanup_policy="compact")
    produce(t, topic, Batch(key=None, values=(b"a", b"b")).encode(), "without keys")
    produce(t, topic, Batch(values=(b"a", None)).encode(), "with keys")


@case("Produce", "idempotent producers", 3)
def idempotent(t: Talk):
    topic = t.topic()
    producer = t.quietly("InitProducerId", 4, {"transactionTimeoutMs": 60_000})

    def sent(label: str, sequence: int, count: int = 1, epoch: int = 0):
        values = tuple(b"%d" % n for n in range(count))
        batch = Batch(values, producer_id=producer["producerId"], producer_epoch=epoch, base_sequence=sequence)
        produce(t, topic, batch.encode(), label)

    sent("the first", 0, count=3)
    sent("the next", 3)
    sent("again", 3)
    sent("the first again", 0, count=3)
    sent("with a gap", 9)
    sent("of other length", 3, count=2)
    sent("a new epoch", 0, epoch=1)
    sent("the old epoch", 4)
    sent("a new epoch, in the middle", 5, epoch=2)
    t.also("ListOffsets", 5, latest(topic), "what is there")


@case("Produce", "a producer that nobody knows may begin anywhere", 3)
def idempotent_unknown(t: Talk):
    topic = t.topic()
    produce(t, topic, Batch(producer_id=987_654, producer_epoch=3, base_sequence=42).encode(), "at 42")
    produce(t, topic, Batch(producer_id=987_654, producer_epoch=3, base_sequence=44).encode(), "then 44")
    wrapping = Batch((b"a", b"b"), producer_id=987_655, producer_epoch=0, base_sequence=2**31 - 1)
    produce(t, topic, wrapping.encode(), "over the end of numbers")
    produce(t, topic, Batch(producer_id=987_655, producer_epoch=0, base_sequence=1).encode(), "and on")


def now_ms() -> int:
    return int(time.time() * 1000)


def latest(topic: str, timestamp: int = -1) -> dict:
    wanted = {"partitionIndex": 0, "currentLeaderEpoch": -1, "timestamp": timestamp}
    return {"replicaId": -1, "isolationLevel": 0, "topics": [{"name": topic, "partitions": [wanted]}]}


def fetch(t: Talk, topics: list[tuple[str, int, int]], label: str, **others) -> dict:
    """Topics as (name, partition, offset)."""
    wanted = []
    for topic, partition, offset in topics:
        part = {"partition": partition, "fetchOffset": offset, "partitionMaxBytes": 1 << 20}
        wanted.append(t.called(topic, IDS_IN_FETCH, "topic") | {"partitions": [part]})
    body = {"replicaId": -1, "maxWaitMs": 10, "minBytes": 1, "maxBytes": 1 << 20, "topics": wanted} | others
    if t.version >= 15:
        body.pop("replicaId")
    return t.ask(body, label)


@case("Fetch", "what was stored", 4)
def fetched(t: Talk):
    topic = t.topic()
    t.fill(topic, Batch((b"a", b"b")), Batch((b"c",)))
    fetch(t, [(topic, 0, 0)], "all")
    fetch(t, [(topic, 0, 1)], "from inside a batch")
    fetch(t, [(topic, 0, 3)], "from the end")
    fetch(t, [(topic, 0, 0)], "one byte", maxBytes=1)
    fetch(t, [], "nothing")


@case("Fetch", "offsets out of range", 4)
def out_of_range(t: Talk):
    topic = t.topic()
    t.fill(topic, Batch((b"a", b"b")))
    fetch(t, [(topic, 0, 3)], "above the end")
    fetch(t, [(topic, 0, -5)], "below zero")
    cut = {"topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "offset": 1}]}], "timeoutMs": 5000}
    t.quietly("DeleteRecords", 1, cut)
    fetch(t, [(topic, 0, 0)], "below the start")
    fetch(t, [(topic, 0, 1)], "from the start")


@case("Fetch", "unknown topics and partitions", 4)
def fetch_unknown(t: Talk):
    topic = t.topic()
    fetch(t, [(t.name("none"), 0, 0)], "unknown topic")
    fetch(t, [(topic, 9, 0)], "unknown partition")
    fetch(t, [(topic, 0, 0), (t.name("none"), 0, 0)], "one of two")


@case("Fetch", "sessions", 7)
def sessions(t: Talk):
    topic = t.topic(partitions=2)
    t.fill(topic, Batch((b"a",)))
    begun = fetch(t, [(topic, 0, 0), (topic, 1, 0)], "begun", sessionEpoch=0)
    session = begun.get("sessionId", 0)
    fetch(t, [(topic, 0, 1)], "nothing new", sessionId=session, sessionEpoch=1)
    t.fill(topic, Batch((b"b",)), partition=1)
    fetch(t, [], "one has news", sessionId=session, sessionEpoch=2)
    fetch(t, [], "a wrong epoch", sessionId=session, sessionEpoch=9)
    fetch(t, [], "an unknown session", sessionId=session + 77, sessionEpoch=1)
    forgotten = [t.called(topic, IDS_IN_FETCH, "topic") | {"partitions": [1]}]
    fetch(t, [], "one is forgotten", sessionId=session, sessionEpoch=3, forgottenTopicsData=forgotten)
    fetch(t, [], "closed", sessionId=session, sessionEpoch=-1)


@case("Fetch", "leader epochs", 9)
def fetch_epochs(t: Talk):
    topic = t.topic()
    t.fill(topic, Batch((b"a",)))
    for epoch in (0, 99):
        part = {"partition": 0, "currentLeaderEpoch": epoch, "fetchOffset": 0, "partitionMaxBytes": 1000}
        wanted = [t.called(topic, IDS_IN_FETCH, "topic") | {"partitions": [part]}]
        t.ask({"maxWaitMs": 10, "minBytes": 1, "maxBytes": 1000, "topics": wanted}, f"epoch {epoch}")


@case("ListOffsets", "of a topic with records", 1)
def offsets(t: Talk):
    topic = t.topic()
    t.fill(topic, Batch((b"a", b"b"), timestamp=PAST_MS), Batch((b"c",), timestamp=PAST_MS + 10_000))
    times = {"latest": -1, "earliest": -2, "largest timestamp": -3, "local earliest": -4, "tiered": -5}
    times |= {"pending upload": -6, "negative": -77}
    times |= {"first": PAST_MS, "between": PAST_MS + 1, "later": PAST_MS + 2, "too late": PAST_MS + 10_001}
    for label, timestamp in times.items():
        t.ask(latest(topic, timestamp), label)


@case("ListOffsets", "of nothing", 1)
def offsets_of_nothing(t: Talk):
    topic = t.topic()
    for timestamp in (-1, -2, -3, PAST_MS):
        t.ask(latest(topic, timestamp), f"empty, {timestamp}")
    t.ask(latest(t.name("none")), "unknown topic")
    wanted = {"partitionIndex": 5, "timestamp": -1}
    t.ask({"replicaId": -1, "topics": [{"name": topic, "partitions": [wanted]}]}, "unknown partition")
    t.ask({"replicaId": -1, "topics": []}, "no topic")
    wanted = {"partitionIndex": 0, "currentLeaderEpoch": 99, "timestamp": -1}
    t.ask({"replicaId": -1, "topics": [{"name": topic, "partitions": [wanted]}]}, "an epoch to come")


@case("OffsetForLeaderEpoch", "epochs", 2)
def epochs(t: Talk):
    topic = t.topic()
    t.fill(topic, Batch((b"a", b"b")))
    for current, wanted in ((-1, 0), (0, 0), (0, 5), (9, 0), (-1, -1)):
        part = {"partition": 0, "currentLeaderEpoch": current, "leaderEpoch": wanted}
        body = {"topics": [{"topic": topic, "partitions": [part]}]} | ({"replicaId": -1} if t.version >= 3 else {})
        t.ask(body, f"current {current}, wanted {wanted}")
    part = {"partition": 0, "currentLeaderEpoch": -1, "leaderEpoch": 0}
    t.ask({"topics": [{"topic": t.name("none"), "partitions": [part]}]}, "unknown topic")
    t.ask({"topics": [{"topic": topic, "partitions": [part | {"partition": 4}]}]}, "unknown partition")
    t.ask({"topics": []}, "no topic")


@case("InitProducerId", "without transactions")
def producer_ids(t: Talk):
    t.ask({"transactionTimeoutMs": 60_000}, "a new one")
    t.ask({"transactionTimeoutMs": 0}, "no time")
    if t.version >= 3:
        t.ask({"transactionTimeoutMs": 60_000, "producerId": 5, "producerEpoch": 1}, "one that it had")
    t.ask({"transactionalId": "", "transactionTimeoutMs": 60_000}, "an empty id")


@case("DeleteRecords", "of a topic")
def delete_records(t: Talk):
    topic = t.topic(partitions=2)
    t.fill(topic, Batch((b"a", b"b", b"c")))

    def cut(label: str, offset: int, partition: int = 0, name: str = topic):
        partitions = [{"partitionIndex": partition, "offset": offset}]
        t.ask({"topics": [{"name": name, "partitions": partitions}], "timeoutMs": 5000}, label)

    cut("one", 1)
    cut("again", 1)
    cut("above the end", 9)
    cut("below zero", -7)
    cut("all", -1)
    cut("an empty partition", -1, partition=1)
    cut("unknown partition", 0, partition=5)
    cut("unknown topic", 0, name=t.name("none"))
    t.ask({"topics": [], "timeoutMs": 5000}, "no topic")
    compacted = t.topic("compacted", cleanup_policy="compact")
    cut("a compacted topic", 0, name=compacted)
