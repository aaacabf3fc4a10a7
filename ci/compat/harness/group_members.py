"""Members of consumer groups as processes, and the clients that can be one.

Each process says what it sees in JSON lines (see README.md); `Process` reads them as they come. First to read:
`CLIENTS`.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .group_ledger import Event, Poll
from .paths import CACHE, HOME, JAVA_CLASSPATH, PYTHON

SESSION_MS = 6_000  # the least that brokers accept
HEARTBEAT_MS = 2_000
COMMIT_MS = 400
LEAVE_S = 20
JVM = ["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:CICompilerCount=1", "-Xshare:auto"]

COMMANDS = {
    "confluent": [str(PYTHON), str(HOME / "python" / "confluent_member.py")],
    "kafka-python": [str(PYTHON), str(HOME / "python" / "kafka_python_member.py")],
    "aiokafka": [str(PYTHON), str(HOME / "python" / "aiokafka_member.py")],
    "java": ["java", *JVM, "-cp", JAVA_CLASSPATH, "compat.Member"],
    "kafkajs": ["node", str(HOME / "kafkajs" / "member.js")],
    "platformatic": ["node", str(HOME / "platformatic" / "member.js")],
    "franz-go": [str(CACHE / "go-members"), "franz-go"],
    "sarama": [str(CACHE / "go-members"), "sarama"],
    "producer": [str(PYTHON), str(HOME / "python" / "group_producer.py")],
    "watcher": [str(PYTHON), str(HOME / "python" / "group_watcher.py")],
}


@dataclass(frozen=True)
class Client:
    """A scenario's members: in the order in which they are started, for the last is who replaces the dead."""

    name: str
    members: tuple[tuple[str, str], ...]  # pairs of a command's name and an assignor; the last one is repeated
    cooperative: bool = False
    server: bool = False  # whether the broker assigns (KIP-848)
    exact: bool = True  # see group_ledger.Rules
    rewinds: bool = False  # the same
    left_out: str = ""  # why only --only plays it: what it does with Apache Kafka, too

    def member(self, number: int) -> tuple[str, str]:
        """Command and assignor of the member that is started as number so and so."""
        return self.members[min(number, len(self.members) - 1)]


def _client(command: str, assignor: str) -> Client:
    name = f"{command}-848" if assignor == "server" else f"{command}-{assignor}"
    cooperative = assignor in ("cooperative-sticky", "server")
    return Client(name, ((command, assignor),), cooperative, assignor == "server")


MIGRATION = (("java", "cooperative-sticky"),) * 3 + (("java", "server"),)

CLIENTS = (
    _client("confluent", "range"),
    # When its rebalance callback comes while it hands on records, it fetches again from what it had handed on before.
    replace(_client("confluent", "cooperative-sticky"), rewinds=True),
    _client("confluent", "server"),
    _client("java", "range"),
    _client("java", "cooperative-sticky"),
    _client("java", "server"),
    Client("java-migration", MIGRATION, cooperative=True, server=True),
    _client("franz-go", "range"),
    _client("franz-go", "cooperative-sticky"),
    _client("franz-go", "server"),
    _client("sarama", "range"),
    _client("sarama", "sticky"),
    _client("kafka-python", "range"),
    Client(
        "kafka-python-cooperative-sticky",
        (("kafka-python", "cooperative-sticky"),),
        cooperative=True,
        left_out="its leader may assign a partition before the owner has revoked it, once a member was lost",
    ),
    _client("aiokafka", "range"),
    _client("kafkajs", "roundrobin"),
    Client(
        "platformatic-roundrobin",
        (("platformatic", "roundrobin"),),
        exact=False,  # its stream hands on the answer to a fetch that a rebalance has overtaken
        left_out="positions from before a rebalance are committed under the generation after it",
    ),
)
CORE = ("confluent-range", "franz-go-cooperative-sticky", "java-848")


class Process:
    """A member, the producer or the watcher: a process, what it said and what was done to it."""

    def __init__(self, name: str, command: str, options: dict, log_dir: Path, note: Callable[[Event | Poll], None]):
        self.name = name
        self._note = note
        self._log = log_dir / f"{options['group']}-{name}.log"
        self.told_to_end = False
        self.said_ready = threading.Event()
        self.did("started")
        env = dict(os.environ, NODE_PATH=f"{CACHE}/kafkajs/node_modules:{CACHE}/platformatic/node_modules")
        arguments = [*COMMANDS[command], json.dumps({**options, "name": name})]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, env=env)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def did(self, kind: str, text: str = "") -> None:
        """Notes what was done to it, now."""
        self._note(Event(time.monotonic(), self.name, kind, text=text))

    def _read(self) -> None:
        with open(self._log.with_suffix(".events"), "ab") as copy:
            for line in self._process.stdout:
                copy.write(line)
                if not line.endswith(b"\n"):
                    break  # it was killed while it spoke
                self._hear(json.loads(line))
        status = self._process.wait()
        if not self.told_to_end or status not in (0, 143, -signal.SIGKILL):
            self.did("died", f"exit status {status}; {self._tail()}")

    def _hear(self, line: dict) -> None:
        at, kind = line["at"] / 1e9, line["event"]
        offsets = {int(partition): offset for partition, offset in line.get("offsets", {}).items()}
        began = line.get("began", 0) / 1e9
        if kind == "ready":
            self.said_ready.set()
        if kind == "polled":
            self._note(Poll(began, at, offsets))
            return
        partitions = tuple(line["partitions"]) if "partitions" in line else ()
        if kind == "records":
            partitions = (line["partition"],)
        first, last = line.get("first", 0), line.get("last", 0)
        self._note(Event(at, self.name, kind, partitions, first, last, offsets, began, line.get("text", "")))

    def _tail(self) -> str:
        return self._log.read_bytes()[-400:].decode(errors="replace").strip().replace("\n", " | ")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL. What it wrote before is still read."""
        self.told_to_end = True
        self._process.kill()
        self.did("killed")
        self._process.wait()
        self._reader.join()

    def pause(self) -> None:
        """SIGSTOP: the process hangs, its connections stay."""
        self.did("paused")
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.did("continued")
        self._process.send_signal(signal.SIGCONT)

    def ask_to_leave(self) -> None:
        """SIGTERM: it is to commit, leave and end."""
        self.told_to_end = True
        self.did("leaving")
        self._process.terminate()

    def await_end(self) -> bool:
        """Waits for the end after SIGTERM; whether it came by itself."""
        try:
            self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            return False
        self._reader.join()
        return True

    def end(self) -> None:
        """Whatever state it is in: it is over."""
        if self.alive:
            self.told_to_end = True
            self._process.kill()
        self._process.wait()
        self._reader.join()
