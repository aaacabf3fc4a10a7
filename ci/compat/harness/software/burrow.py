"""Debian's burrow: it watches groups by decoding `__consumer_offsets` itself, with a client of 2018.

It wants a ZooKeeper for its own notes, though nothing of Kafka's: one from Maven Central stands beside it.
"""

import socket

from ..brokers import free_port
from ..paths import CACHE
from ..records import Record
from .reader import Reader
from .service import JVM, Http, SoftwareError, wait_for
from .stage import Stage

NAME = "burrow"
TOPIC, GROUP = "burrow-t", "burrow-g"
PARTITIONS = 2
EACH = 30
LATE = 7
UP_S = 60

CONFIGURATION = """\
[general]
pidfile="{directory}/burrow.pid"

[logging]
level="info"

[zookeeper]
servers=["127.0.0.1:{zookeeper}"]
timeout=6
root-path="/burrow"

[client-profile.compat]
client-id="burrow"
kafka-version="1.0.0"

[cluster.local]
class-name="kafka"
servers=["{bootstrap}"]
client-profile="compat"
topic-refresh=3
offset-refresh=1

[consumer.local]
class-name="kafka"
cluster="local"
servers=["{bootstrap}"]
client-profile="compat"
offsets-topic="__consumer_offsets"

[httpserver.default]
address="127.0.0.1:{http}"

[storage.default]
class-name="inmemory"
min-distance=1
"""


def check_group(topics: dict, committed: dict[int, int], behind: int) -> list[str]:
    """Faults of what burrow shows of a group: the last offset of each partition is what was committed, and the lag."""
    partitions = topics.get(TOPIC)
    if partitions is None or len(partitions) != len(committed):
        return [f"topics {sorted(topics)}, partitions {partitions}"]
    faults = []
    for number, partition in enumerate(partitions):
        offsets = [entry["offset"] for entry in partition["offsets"] if entry]
        lag = partition.get("current-lag", 0)
        if not offsets or offsets[-1] != committed[number] or lag != behind:
            wanted = f"not {committed[number]} and {behind}"
            faults.append(f"partition {number}: offsets {offsets[-3:]}, lag {lag}, {wanted}")
    return faults


def keeps(port: int) -> bool:
    """Whether the ZooKeeper at a port of loopback serves; it listens before it does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
            link.sendall(b"srvr")
            return b"Mode: standalone" in link.makefile("rb").read()
    except OSError:
        return False


class Burrow:
    """One run."""

    def __init__(self, stage: Stage):
        self._stage = stage
        self._api = Http(free_port())

    def run(self) -> None:
        """burrow runs; a member reads, commits and leaves; more records come. burrow shows all of it."""
        stage = self._stage
        stage.create(TOPIC, PARTITIONS)
        self._send(EACH)
        committed = dict.fromkeys(range(PARTITIONS), EACH)
        self._commit("burrow-before", committed)  # burrow does not start without __consumer_offsets
        self._start()
        # It forgets commits of partitions whose ends it does not know yet.
        ends = [EACH] * PARTITIONS
        wait_for(lambda: self._ask(f"topic/{TOPIC}").get("offsets") == ends, "burrow knows the topic", UP_S, pause_s=1)
        self._commit(GROUP, committed)
        stage.check(NAME, "decodes __consumer_offsets: what a group has committed", self._await_group(committed, 0))
        self._send(LATE)
        stage.check(NAME, f"shows how far a group is behind: {LATE} records", self._await_group(committed, LATE))

    def _send(self, each: int) -> None:
        self._stage.produce(TOPIC, [Record(i % PARTITIONS, None, f"{i}".encode()) for i in range(each * PARTITIONS)])

    def _ask(self, what: str) -> dict:
        _, answer = self._api.ask("GET", f"/v3/kafka/local/{what}")
        return answer if isinstance(answer, dict) else {}

    def _await_group(self, committed: dict[int, int], behind: int) -> list[str]:
        """What is wrong with the group's picture, if it does not become right in time."""
        faults: list[str] = []

        def seen() -> bool:
            faults[:] = check_group(self._ask(f"consumer/{GROUP}").get("topics") or {}, committed, behind)
            return not faults

        try:
            wait_for(seen, "burrow shows the group", UP_S, pause_s=1)
        except SoftwareError as late:
            return [*faults, str(late)]
        return []

    def _start(self) -> None:
        directory = self._stage.work / "burrow"
        directory.mkdir()
        ports = {"zookeeper": free_port(), "http": self._api.port}
        text = CONFIGURATION.format(directory=directory, bootstrap=self._stage.bootstrap, **ports)
        (directory / "burrow.toml").write_text(text)
        where = {"clientPortAddress": "127.0.0.1", "clientPort": ports["zookeeper"], "dataDir": directory / "zk"}
        settings = self._stage.properties("zookeeper", where | {"admin.enableServer": "false"})
        keeper = ["java", "-Xmx96m", *JVM, "-cp", f"{CACHE}/zookeeper/*"]
        keeper += ["org.apache.zookeeper.server.ZooKeeperServerMain", settings]
        beside = self._stage.service("zookeeper", keeper).start()
        wait_for(lambda: keeps(ports["zookeeper"]), "ZooKeeper serves", UP_S, beside)
        service = self._stage.service(NAME, ["Burrow", "--config-dir", str(directory)]).start()
        wait_for(lambda: self._api.ask("GET", "/v3/kafka")[0] == 200, "burrow serves", UP_S, service)

    def _commit(self, group: str, ends: dict[int, int]) -> None:
        reader = Reader(self._stage, TOPIC, group, f"{group}-member")
        try:
            reader.await_committed(ends)
            reader.leave()
        finally:
            reader.end()


def run(stage: Stage) -> None:
    """The part `burrow`."""
    Burrow(stage).run()
