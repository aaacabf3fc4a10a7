"""Kafka's admin tools against the broker, with assertions on what they print.

Each check is a function that returns faults as sentences, none when all is well. The checks run in order in one
JVM; a later one may use what an earlier one created, and says so.
"""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import tools
from .admin_cluster import Cluster
from .brokers import Broker, Flumen
from .drivers import DriverError, Drivers
from .expect import exit_status, expect, refuse, shortened
from .records import Record, read, write

SECOND_MS = 1000
QUOTA_BYTES = 1 << 20
# As long as Kafka's default windows, 11 of a second: what is used in them is what they allow.
QUOTA_S = 11


def checks(broker: Broker, work: Path, drivers: Drivers) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """All checks with their names, in the order in which they are to run."""
    admin = Admin(broker, work, drivers)
    named = (
        ("kafka-topics --create", admin.create_topics),
        ("kafka-topics --create refuses", admin.create_refused),
        ("kafka-topics --list and --describe", admin.describe_topics),
        ("kafka-topics --alter --partitions", admin.add_partitions),
        ("kafka-topics --delete", admin.delete_topics),
        ("kafka-configs --alter is incremental", admin.alter_configs),
        ("kafka-configs max.message.bytes takes effect", admin.message_size_limit),
        ("kafka-configs refuses", admin.alter_refused),
        ("kafka-configs --describe --all of a topic and a broker", admin.describe_all),
        ("kafka-get-offsets", admin.get_offsets),
        ("kcat -Q and -L", admin.kcat_queries),
        ("kafka-log-dirs --describe", admin.log_dirs),
        ("kafka-delete-records", admin.delete_records),
        ("kafka-cluster and kafka-broker-api-versions", admin.cluster),
        ("auto-creation by a producer", admin.auto_create),
        ("a quota of 1 MiB/s is what a producer and a consumer get", admin.quota),
        ("kafka-configs keeps SCRAM credentials", admin.scram),
        ("a Java producer pushes the metrics that kafka-configs asks for", admin.telemetry),
    )
    for name, check in (*named, *Cluster(broker, work, drivers["java"]).checks()):
        yield name, _guarded(check)


def _guarded(check: Callable[[], list[str]]) -> Callable[[], list[str]]:
    def run() -> list[str]:
        try:
            return check()
        except DriverError as error:
            return [str(error)]

    return run


class Admin:
    """The checks and what they share."""

    def __init__(self, broker: Broker, work: Path, drivers: Drivers):
        self._broker = broker
        self._bootstrap = broker.bootstrap
        self._work = work
        self._java = drivers["java"]
        self._drivers = drivers
        self._base_ms = int(time.time() - 3600) * SECOND_MS

    def _run(self, tool: str, *args: str) -> tuple[int, str]:
        return tools.run(self._java, tool, "--bootstrap-server", self._bootstrap, *args)

    def _topics(self, *args: str) -> tuple[int, str]:
        return self._run(tools.TOPICS, *args)

    def _configs(self, topic: str, *args: str) -> tuple[int, str]:
        return self._run(tools.CONFIGS, "--entity-type", "topics", "--entity-name", topic, *args)

    def _create(self, topic: str, partitions: int) -> None:
        where = {"bootstrap": self._bootstrap, "settle": self._broker.settles_late}
        self._java.ask("create", tools.TIMEOUT_S, topic=topic, partitions=partitions, **where)

    def _produce(self, topic: str, records: list[Record]) -> None:
        path = self._work / f"{topic}.sent"
        write(path, records)
        where = {"bootstrap": self._bootstrap, "topic": topic, "records": str(path)}
        self._java.ask("produce", 90, codec="none", idempotent=True, **where)

    def create_topics(self) -> list[str]:
        created = ("--create", "--topic", "admin-a", "--partitions", "3", "--replication-factor", "1")
        status, output = self._topics(*created, "--config", "retention.ms=86400000")
        faults = expect(output, r"^Created topic admin-a\.$") + exit_status(0, status)
        status, output = self._topics("--create", "--topic", "admin-defaults")
        return faults + expect(output, r"^Created topic admin-defaults\.$") + exit_status(0, status)

    def create_refused(self) -> list[str]:
        cases = (
            (("--topic", "admin-a"), r"Topic 'admin-a' already exists"),
            (("--topic", "bad name"), r"Topic name is invalid|illegal"),
            (("--topic", "admin-rf", "--replication-factor", "7"), r"[Rr]eplication factor"),
            (("--topic", "admin-p", "--partitions", "0"), r"(?i)partitions"),
            (("--topic", "admin-x", "--config", "no.such.config=1"), r"(?i)unknown topic config"),
        )
        faults = []
        for args, message in cases:
            status, output = self._topics("--create", *args)
            faults += expect(output, message) + exit_status(1, status)
        status, _ = self._topics("--create", "--if-not-exists", "--topic", "admin-a")
        return faults + exit_status(0, status)

    def describe_topics(self) -> list[str]:
        """Needs create_topics."""
        _, listed = self._topics("--list")
        faults = expect(listed, r"^admin-a$", r"^admin-defaults$") + refuse(listed, r"^admin-rf$", r"^admin-x$")
        _, output = self._topics("--describe", "--topic", "admin-a")
        head = r"Topic: admin-a\s+TopicId: [\w-]{22}\s+PartitionCount: 3\s+ReplicationFactor: 1\s+"
        head += r"Configs: .*retention\.ms=86400000"
        partitions = (rf"Topic: admin-a\s+Partition: {p}\s+Leader: (\d+)\s+Replicas: \1\s+Isr: \1" for p in range(3))
        faults += expect(output, head, *partitions) + refuse(output, r"Partition: 3\b")
        status, output = self._topics("--describe", "--topic", "admin-none")
        faults += expect(output, r"'admin-none' does not exist") + exit_status(1, status)
        for filtered in ("--under-replicated-partitions", "--unavailable-partitions"):
            _, output = self._topics("--describe", filtered)
            faults += refuse(output, r"Topic: admin")
        return faults

    def add_partitions(self) -> list[str]:
        """Needs create_topics."""
        status, _ = self._topics("--alter", "--topic", "admin-a", "--partitions", "5")
        faults = exit_status(0, status)
        _, output = self._topics("--describe", "--topic", "admin-a")
        faults += expect(output, r"PartitionCount: 5", r"Partition: 4\s+Leader: \d+")
        for count in ("2", "5"):
            status, output = self._topics("--alter", "--topic", "admin-a", "--partitions", count)
            faults += expect(output, r"InvalidPartitionsException|already has 5 partition") + exit_status(1, status)
        return faults

    def delete_topics(self) -> list[str]:
        """Needs create_topics."""
        status, _ = self._topics("--delete", "--topic", "admin-defaults")
        faults = exit_status(0, status) + self._eventually_unlisted("admin-defaults")
        status, output = self._topics("--delete", "--topic", "admin-defaults")
        return faults + expect(output, r"does not exist") + exit_status(1, status)

    def _eventually_unlisted(self, topic: str) -> list[str]:
        """Metadata follows the reply to a deletion at once in Flumen, a little later in Kafka."""
        deadline = time.monotonic() + 5
        while True:
            faults = refuse(self._topics("--list")[1], rf"^{topic}$")
            if not faults or time.monotonic() > deadline:
                return faults

    def alter_configs(self) -> list[str]:
        self._create("admin-c", 1)
        _, output = self._configs("admin-c", "--alter", "--add-config", "retention.ms=3600000,max.message.bytes=2000")
        faults = expect(output, r"^Completed updating config for topic admin-c\.$")
        self._configs("admin-c", "--alter", "--add-config", "segment.bytes=2097152")
        _, output = self._configs("admin-c", "--describe")
        source = r"sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:retention\.ms=3600000"
        faults += expect(output, r"retention\.ms=3600000 " + source)
        faults += expect(output, r"max\.message\.bytes=2000 ", r"segment\.bytes=2097152 ")
        self._configs("admin-c", "--alter", "--delete-config", "retention.ms")
        _, output = self._configs("admin-c", "--describe")
        return faults + refuse(output, r"retention\.ms=3600000") + expect(output, r"max\.message\.bytes=2000 ")

    def message_size_limit(self) -> list[str]:
        """Needs alter_configs."""
        large = [Record(0, None, b"x" * 5000, (), self._base_ms)]
        faults = ["a record above max.message.bytes was accepted"]
        try:
            self._produce("admin-c", large)
        except DriverError as error:
            faults = expect(str(error), r"RecordTooLargeException")
        self._configs("admin-c", "--alter", "--delete-config", "max.message.bytes")
        self._produce("admin-c", large)
        return faults

    def alter_refused(self) -> list[str]:
        """Needs alter_configs."""
        cases = (
            ("no.such.config=1", r"(?i)unknown topic config name: no\.such\.config"),
            ("retention.ms=soon", r"(?i)invalid value soon for configuration retention\.ms"),
            ("segment.bytes=-5", r"(?i)invalid value -5 for configuration segment\.bytes"),
        )
        faults = []
        for change, message in cases:
            status, output = self._configs("admin-c", "--alter", "--add-config", change)
            faults += expect(output, message) + exit_status(1, status)
        status, output = self._configs("admin-none", "--alter", "--add-config", "retention.ms=1")
        faults += expect(output, r"admin-none.* does(n't| not) exist|UnknownTopicOrPartition")
        return faults + exit_status(1, status)

    def describe_all(self) -> list[str]:
        """Needs alter_configs."""
        names = ("cleanup.policy=delete", "compression.type=producer", "retention.ms=604800000", "flush.messages=")
        _, output = self._configs("admin-c", "--describe", "--all")
        faults = expect(output, *(rf"^\s+{re.escape(name)}" for name in names))
        faults += expect(output, r"DEFAULT_CONFIG:log\.cleanup\.policy=delete")
        _, described = self._topics("--describe", "--topic", "admin-c")
        node = re.search(r"Leader: (\d+)", described)
        node = node.group(1) if node else "no leader"
        _, output = self._run(tools.CONFIGS, "--entity-type", "brokers", "--entity-name", node, "--describe", "--all")
        return faults + expect(output, r"^\s+message\.max\.bytes=1048588 ", r"^\s+num\.partitions=1 ")

    def get_offsets(self) -> list[str]:
        """Thirty records, ten a partition, one a second; in partition 0 the fifth is the latest by time."""
        self._create("admin-o", 3)
        times = {i: self._base_ms + i * SECOND_MS for i in range(30)} | {15: self._base_ms + 100 * SECOND_MS}
        self._produce("admin-o", [Record(i % 3, b"k", str(i).encode(), (), at) for i, at in times.items()])
        at = self._base_ms
        cases = (
            (("earliest",), "0 0 0"),
            (("-2",), "0 0 0"),
            (("latest",), "10 10 10"),
            (("-1",), "10 10 10"),
            (("max-timestamp",), "5 9 9"),
            (("-3",), "5 9 9"),
            ((str(at),), "0 0 0"),
            ((str(at + 1),), "1 0 0"),
            ((str(at + 12 * SECOND_MS),), "4 4 4"),
            ((str(at + 14 * SECOND_MS + 1),), "5 5 5"),
            ((str(at + 15 * SECOND_MS + 1),), "5 5 5"),
        )
        faults = []
        for (when,), offsets in cases:
            _, output = self._run(tools.GET_OFFSETS, "--topic", "admin-o", "--time", when)
            lines = [f"admin-o:{partition}:{offset}" for partition, offset in enumerate(offsets.split())]
            if output.split() != lines:
                faults.append(f"--time {when} printed {output.split()}, not {lines}")
        _, output = self._run(tools.GET_OFFSETS, "--topic-partitions", "admin-o:2", "--time", "latest")
        faults += [] if output.split() == ["admin-o:2:10"] else [f"--topic-partitions printed {output!r}"]
        # No record is that late: Kafka's tool prints no offset then (only partition 0 has one).
        _, output = self._run(tools.GET_OFFSETS, "--topic", "admin-o", "--time", str(at + 50 * SECOND_MS))
        return faults + expect(output, r"^admin-o:0:5$") + refuse(output, r"^admin-o:1:\d")

    def kcat_queries(self) -> list[str]:
        """Needs get_offsets."""
        when = self._base_ms + 12 * SECOND_MS
        output = self._kcat("-Q", *(arg for p in range(3) for arg in ("-t", f"admin-o:{p}:{when}")))
        faults = expect(output, *(rf"admin-o \[{p}\] offset 4$" for p in range(3)))
        output = self._kcat("-L", "-t", "admin-o")
        faults += expect(output, r'topic "admin-o" with 3 partitions')
        faults += expect(output, r"partition 2, leader (\d+), replicas: \1, isrs: \1")
        return faults + expect(output, r"1 brokers:", re.escape(f"at {self._bootstrap}"))

    def _kcat(self, *args: str, stdin: bytes = b"") -> str:
        command = ["kcat", "-b", self._bootstrap, *args]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=tools.TIMEOUT_S, check=False)
        return (done.stdout + done.stderr).decode()

    def log_dirs(self) -> list[str]:
        """Needs get_offsets."""
        _, output = self._run(tools.LOG_DIRS, "--describe", "--topic-list", "admin-o")
        line = next((line for line in output.splitlines() if line.startswith("{")), None)
        if line is None:
            return [f"no JSON in {shortened(output)}"]
        directories = [directory for broker in json.loads(line)["brokers"] for directory in broker["logDirs"]]
        faults = [f"error of a log directory: {d['error']}" for d in directories if d["error"] is not None]
        found = {p["partition"]: p for directory in directories for p in directory["partitions"]}
        if sorted(found) != [f"admin-o-{p}" for p in range(3)]:
            faults.append(f"partitions: {sorted(found)}")
        for name, partition in found.items():
            if partition["size"] <= 0 or partition["offsetLag"] != 0 or partition["isFuture"]:
                faults.append(f"{name}: {partition}")
        return faults

    def delete_records(self) -> list[str]:
        """Needs get_offsets."""
        faults = self._delete({0: 4, 1: -1}, r"admin-o-0\s+low_watermark: 4$", r"admin-o-1\s+low_watermark: 10$")
        _, output = self._run(tools.GET_OFFSETS, "--topic", "admin-o", "--time", "earliest")
        faults += expect(output, r"^admin-o:0:4$", r"^admin-o:1:10$", r"^admin-o:2:0$")
        _, output = self._run(tools.GET_OFFSETS, "--topic", "admin-o", "--time", "latest")
        faults += expect(output, r"^admin-o:0:10$", r"^admin-o:1:10$", r"^admin-o:2:10$")
        faults += self._delete({2: 11}, r"(?i)OffsetOutOfRange|out of range|not within the range")
        out = self._work / "admin-o.seen"
        where = {"bootstrap": self._bootstrap, "topic": "admin-o", "out": str(out)}
        self._java.ask("consume", 90, partitions=3, **where)
        seen = sorted((record.partition, record.offset) for record in read(out))
        if seen != [(0, offset) for offset in range(4, 10)] + [(2, offset) for offset in range(10)]:
            faults.append(f"left after the deletion: {seen}")
        return faults

    def _delete(self, offsets: dict[int, int], *patterns: str) -> list[str]:
        path = self._work / "delete.json"
        wanted = [{"topic": "admin-o", "partition": p, "offset": offset} for p, offset in offsets.items()]
        path.write_text(json.dumps({"partitions": wanted, "version": 1}))
        _, output = self._run(tools.DELETE_RECORDS, "--offset-json-file", str(path))
        return expect(output, *patterns)

    def cluster(self) -> list[str]:
        _, output = tools.run(self._java, tools.CLUSTER, "cluster-id", "--bootstrap-server", self._bootstrap)
        faults = expect(output, r"Cluster ID: \S+")
        _, output = self._run(tools.API_VERSIONS)
        apis = ("Produce(0): 0 to", "Fetch(1): 4 to", "Metadata(3)", "InitProducerId(22)", "DescribeCluster(60)")
        return faults + expect(output, *map(re.escape, (self._bootstrap, *apis)))

    def auto_create(self) -> list[str]:
        output = self._kcat("-P", "-t", "admin-auto", stdin=b"one\ntwo\n")
        faults = [f"kcat said {output!r}"] if "ERROR" in output else []
        _, output = self._run(tools.GET_OFFSETS, "--topic", "admin-auto", "--time", "latest")
        return faults + expect(output, r"^admin-auto:0:2$")

    def quota(self) -> list[str]:
        """Both sides at once, each with the quota for itself."""
        self._create("admin-q-out", 1)
        self._create("admin-q-in", 1)
        reader, writer = (self._drivers[f"confluent-quota#{side}"] for side in ("in", "out"))
        where = {"bootstrap": self._bootstrap}
        reader.ask("fill", tools.TIMEOUT_S, topic="admin-q-in", size=2 * QUOTA_S * QUOTA_BYTES, **where)
        entity = ("--entity-type", "clients", "--entity-name", "admin-q")
        rates = [f"{name}={QUOTA_BYTES}" for name in ("producer_byte_rate", "consumer_byte_rate")]
        status, _ = self._run(tools.CONFIGS, *entity, "--alter", "--add-config", ",".join(rates))
        faults = exit_status(0, status)
        _, output = self._run(tools.CONFIGS, *entity, "--describe")
        faults += expect(output, *(re.escape(f"{rate}.0") for rate in rates))
        reader.send("consume", topic="admin-q-in", client_id="admin-q", seconds=QUOTA_S, **where)
        writer.send("produce", topic="admin-q-out", client_id="admin-q", seconds=QUOTA_S, **where)
        for side, driver in (("consumer", reader), ("producer", writer)):
            seen = driver.receive(tools.TIMEOUT_S)
            rate = seen["bytes"] / seen["seconds"]
            if not 0.9 <= rate / QUOTA_BYTES <= 1.1 or seen["throttled_s"] <= 0:
                faults.append(f"the {side} got {rate / QUOTA_BYTES:.2f} MiB/s and was told {seen['throttled_s']:.1f} s")
        removed = ",".join(rate.partition("=")[0] for rate in rates)
        status, _ = self._run(tools.CONFIGS, *entity, "--alter", "--delete-config", removed)
        return faults + exit_status(0, status)

    def scram(self) -> list[str]:
        entity = ("--entity-type", "users", "--entity-name", "admin-u")
        change = "SCRAM-SHA-256=[iterations=8192,password=compat]"
        status, output = self._run(tools.CONFIGS, *entity, "--alter", "--add-config", change)
        faults = expect(output, r"Completed updating config for user admin-u\.") + exit_status(0, status)
        _, output = self._run(tools.CONFIGS, *entity, "--describe")
        faults += expect(output, r"SCRAM-SHA-256=iterations=8192") + refuse(output, r"SCRAM-SHA-512", r"compat")
        many = "SCRAM-SHA-512=[iterations=17000,password=compat]"
        status, output = self._run(tools.CONFIGS, *entity, "--alter", "--add-config", many)
        faults += expect(output, r"Too many iterations") + exit_status(1, status)
        status, _ = self._run(tools.CONFIGS, *entity, "--alter", "--delete-config", "SCRAM-SHA-256")
        _, output = self._run(tools.CONFIGS, *entity, "--describe")
        return faults + exit_status(0, status) + refuse(output, r"SCRAM-SHA-256")

    def telemetry(self) -> list[str]:
        """On a broker of its own, for it is off by default; Apache Kafka has no receiver of metrics."""
        if not isinstance(self._broker, Flumen):
            return []
        broker = self._broker.beside(self._work / "telemetry", {"flumen.client.telemetry": "1"})
        broker.start()
        try:
            return self._pushed(broker)
        finally:
            broker.stop()

    def _pushed(self, broker: Flumen) -> list[str]:
        entity = ("--entity-type", "client-metrics", "--entity-name", "all")
        change = "interval.ms=1000,metrics=[org.apache.kafka.producer.]"
        where = ("--bootstrap-server", broker.bootstrap)
        status, output = tools.run(self._java, tools.CONFIGS, *where, *entity, "--alter", "--add-config", change)
        if status:
            return [f"kafka-configs left with {status}: {shortened(output)}"]
        # Long enough to be asked, and to push twice.
        load = ("--topic", "telemetry", "--num-records", "3000", "--record-size", "100", "--throughput", "1000")
        server = f"bootstrap.servers={broker.bootstrap}"
        status, output = tools.run(self._java, tools.PRODUCER_PERFORMANCE, *load, "--producer-props", server)
        if status:
            return [f"the producer left with {status}: {shortened(output)}"]
        pushed = r'^flumen_client_metric_count\{metric="org\.apache\.kafka\.producer\.[a-z.]+"\} [1-9]'
        _, page = broker.get("/metrics")
        return expect(page, pushed)
