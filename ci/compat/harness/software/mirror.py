"""MirrorMaker 2 between Apache Kafka and the broker, both ways at once.

Records with all their fields, configurations and partitions of topics, and consumers that move over: one on each side
reads to the end, commits and leaves; it goes on in the other cluster, from the offset that MirrorMaker translated.
"""

import re
import time

from .. import tools
from ..admin import expect
from ..brokers import Broker, Kafka
from ..records import Generator, Record
from .moved import Move, check_mirrored, check_move
from .reader import Reader
from .service import Service, java, wait_for
from .stage import Stage

NAME = "MirrorMaker 2"
PARTITIONS = 3
MORE_PARTITIONS = 4
RECORDS = 1_500
VALUES = 600  # a partition, before the move and after it
LAG_MAX = 20
SYNC_S = 1
UP_S = 150
OVER_S = 60
CONFIGS = {"retention_ms": "86400000", "max_message_bytes": "2000000", "segment_bytes": "4194304"}


class Side:
    """One cluster, and what begins there."""

    def __init__(self, alias: str, broker: Broker, other: str):
        self.alias = alias
        self.broker = broker
        self.topic = f"of-{alias}"
        self.read = f"read-{alias}"  # the topic of the consumer that moves
        self.group = f"moves-to-{other}"
        self.sent: list[Record] = []

    def mirrored(self, topic: str) -> str:
        """The name of one of this side's topics in the other cluster."""
        return f"{self.alias}.{topic}"


class Mirror:
    """One run."""

    def __init__(self, stage: Stage, kafka: Broker):
        self._stage = stage
        # Against Apache Kafka itself, too, the broker under test has a name of its own.
        other = "flumen" if stage.broker.name == "flumen" else "another"
        self._sides = (Side("kafka", kafka, other), Side(other, stage.broker, "kafka"))
        self._service: Service | None = None

    def run(self) -> None:
        """Topics on both sides, records, configurations, and the two moves."""
        for side in self._sides:
            self._stage.create(side.topic, PARTITIONS, side.broker, **CONFIGS)
            self._stage.create(side.read, PARTITIONS, side.broker)
        command = java(448, "org.apache.kafka.connect.mirror.MirrorMaker", self._settings())
        self._service = self._stage.service("mirror", command).start()
        for side, other in self._ways():
            self._await_topic(other.broker, side.mirrored(side.topic))
            self._await_topic(other.broker, side.mirrored(side.read))
        for number, (side, other) in enumerate(self._ways()):
            self._records(side, other, number)
            self._configurations(side, other)
        for side, other in self._ways():
            self._move(side, other)
        self._stage.check(NAME, "stops by SIGTERM", self._service.stop())

    def _ways(self) -> tuple[tuple[Side, Side], ...]:
        return (self._sides, self._sides[::-1])

    def _settings(self) -> str:
        names = [side.alias for side in self._sides]
        settings: dict[str, object] = {"clusters": ",".join(names)}
        for side, other in self._ways():
            flow = f"{side.alias}->{other.alias}"
            settings[f"{side.alias}.bootstrap.servers"] = side.broker.bootstrap
            settings[f"{side.alias}.offset.flush.interval.ms"] = 2000  # what is pending is synchronised then
            settings[f"{flow}.enabled"] = "true"
            settings[f"{flow}.topics"] = f"{side.topic},{side.read}"
            settings[f"{flow}.groups"] = side.group
        for topic in ("checkpoints.topic", "heartbeats.topic", "offset-syncs.topic"):
            settings[f"{topic}.replication.factor"] = 1
        for storage in ("config", "offset", "status"):
            settings[f"{storage}.storage.replication.factor"] = 1
        settings |= {
            "replication.factor": 1,
            "tasks.max": 2,
            "refresh.topics.interval.seconds": 2,
            "refresh.groups.interval.seconds": 2,
            "sync.topic.configs.interval.seconds": 2,
            "sync.group.offsets.enabled": "true",
            "sync.group.offsets.interval.seconds": SYNC_S,
            "emit.checkpoints.interval.seconds": SYNC_S,
            "offset.lag.max": LAG_MAX,
        }
        return self._stage.properties("mirror", settings)

    def _await_topic(self, broker: Broker, topic: str) -> None:
        wait_for(lambda: topic in self._stage.topics(broker), f"{topic} is there", UP_S, self._service, pause_s=1)

    def _records(self, side: Side, other: Side, seed: int) -> None:
        """All fields of records go over, in order and once."""
        sent = Generator(seed, int(time.time() - 60) * 1000).records(RECORDS, PARTITIONS)
        self._stage.produce(side.topic, sent, side.broker)
        wanted = _partitions(sent, PARTITIONS)
        seen: list[list[tuple]] = []

        def complete() -> bool:
            records = self._stage.consume(side.mirrored(side.topic), PARTITIONS, other.broker)
            seen[:] = _partitions(records, PARTITIONS)
            return sum(map(len, seen)) >= len(sent)

        wait_for(complete, f"{side.topic} is mirrored", OVER_S, self._service, pause_s=1)
        way = f"{side.alias} to {other.alias}"
        self._stage.check(NAME, f"{way}: {len(sent):,} records, all fields", check_mirrored(wanted, seen))

    def _configurations(self, side: Side, other: Side) -> None:
        """Configurations at the creation, a change of one, and more partitions."""
        topic, stage = side.mirrored(side.topic), self._stage
        _, output = stage.tool(tools.TOPICS, "--describe", "--topic", topic, broker=other.broker)
        wanted = [rf"{re.escape(name.replace('_', '.'))}={value}\b" for name, value in CONFIGS.items()]
        faults = expect(output, *wanted)
        change = ("--entity-type", "topics", "--entity-name", side.topic, "--alter")
        stage.tool(tools.CONFIGS, *change, "--add-config", "retention.ms=7200000", broker=side.broker)
        more = ("--alter", "--topic", side.topic, "--partitions", str(MORE_PARTITIONS))
        stage.tool(tools.TOPICS, *more, broker=side.broker)
        patterns = (r"retention\.ms=7200000\b", rf"PartitionCount: {MORE_PARTITIONS}\b")

        def followed() -> bool:
            nonlocal output
            _, output = stage.tool(tools.TOPICS, "--describe", "--topic", topic, broker=other.broker)
            return not expect(output, *patterns)

        deadline = time.monotonic() + OVER_S
        while not followed() and time.monotonic() < deadline:
            time.sleep(1)
        faults += expect(output, *patterns)
        stage.check(NAME, f"{side.alias} to {other.alias}: configurations and partitions follow", faults)

    def _move(self, side: Side, other: Side) -> None:
        """The consumer reads one half, leaves, and gets the other half in the other cluster."""
        stage, way = self._stage, f"{side.alias} to {other.alias}"
        values = {p: [f"{side.alias}-{p}-{i}".encode() for i in range(2 * VALUES)] for p in range(PARTITIONS)}
        self._produce_values(side, values, slice(0, VALUES))
        before = self._read(side.broker, side.read, side.group, "before", [VALUES] * PARTITIONS)
        translated = self._await_translated(side, other)
        self._produce_values(side, values, slice(VALUES, 2 * VALUES))
        seen = self._await_mirrored_values(side, other)
        after = self._read(other.broker, side.mirrored(side.read), side.group, "after", list(map(len, seen)))
        moves = [
            Move(
                p,
                values[p],
                [values[p][at] for at in before.offsets(p)],
                [seen[p][at] for at in after.offsets(p)],
            )
            for p in range(PARTITIONS)
        ]
        repeated = max(VALUES - translated[p] for p in range(PARTITIONS))
        what = f"{way}: a consumer moves after {VALUES * PARTITIONS:,} records, set back by {repeated} at most"
        stage.check(NAME, what, before.faults + after.faults + check_move(moves, LAG_MAX))

    def _read(self, broker: Broker, topic: str, group: str, when: str, ends: list[int]) -> Reader:
        """A member that read and committed all of a topic, and has left."""
        reader = Reader(self._stage, topic, group, f"{broker.name}-{when}", broker)
        try:
            reader.await_committed(dict(enumerate(ends)))
            reader.leave()
        finally:
            reader.end()
        return reader

    def _produce_values(self, side: Side, values: dict[int, list[bytes]], part: slice) -> None:
        records = [Record(p, None, value) for p, all_of_it in values.items() for value in all_of_it[part]]
        self._stage.produce(side.read, records, side.broker)

    def _await_translated(self, side: Side, other: Side) -> dict[int, int]:
        """Waits until the group's offsets are in the other cluster, near enough."""
        topic = side.mirrored(side.read)
        found: dict[int, int] = {}

        def near() -> bool:
            committed = self._stage.committed(side.group, other.broker)
            found.update({p: line.offset or 0 for (name, p), line in committed.items() if name == topic})
            return len(found) == PARTITIONS and all(VALUES - at <= LAG_MAX for at in found.values())

        wait_for(near, f"offsets of {side.group} are translated: {found}", OVER_S, self._service, pause_s=1)
        return found

    def _await_mirrored_values(self, side: Side, other: Side) -> list[list[bytes]]:
        seen: list[list[bytes]] = []

        def complete() -> bool:
            records = self._stage.consume(side.mirrored(side.read), PARTITIONS, other.broker)
            seen[:] = [[r.value for r in records if r.partition == p] for p in range(PARTITIONS)]
            return all(len(values) >= 2 * VALUES for values in seen)

        wait_for(complete, f"{side.read} is mirrored", OVER_S, self._service, pause_s=1)
        return seen


def _partitions(records: list[Record], count: int) -> list[list[tuple]]:
    """The fields of each partition's records, in order."""
    fields = [[] for _ in range(count)]
    for record in records:
        fields[record.partition].append((record.key, record.value, record.headers, record.timestamp))
    return fields


def run(stage: Stage) -> None:
    """The part `mirror`."""
    directory = stage.work / "oracle"
    directory.mkdir()
    with Kafka(directory / "data") as kafka:
        stage.say(f"Apache Kafka serves after {kafka.start():.1f} s")
        Mirror(stage, kafka).run()
