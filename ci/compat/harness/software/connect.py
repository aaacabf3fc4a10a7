"""Kafka Connect, distributed over two workers: a file goes through a topic into another file.

While lines are appended to the first file, the worker that runs the source dies by -9 and is replaced, and in a full
run the one that runs a sink's task, too.
"""

import threading
import time
from pathlib import Path

from .. import tools
from ..admin import expect
from ..brokers import free_port
from .replay import check_file, check_topic, line_of
from .service import Http, Service, java, wait_for
from .stage import Stage

NAME = "Kafka Connect"
GROUP = "connect-compat"
TOPIC = "connect-lines"
PARTITIONS = 3
LINES_PER_S = 250
WARM_LINES = 600
SESSION_MS = 6_000
DELAY_MS = 2_000  # scheduled.rebalance.max.delay.ms
UP_S = 120
MOVED_S = (SESSION_MS + DELAY_MS) / 1000 + 40
STRING = "org.apache.kafka.connect.storage.StringConverter"
INTERNAL = {"config": 1, "offset": 5, "status": 2}
SOURCE, SINK = "lines-in", "lines-out"


class Writer(threading.Thread):
    """Appends lines to the source's file at a rate until it is told to stop."""

    def __init__(self, path: Path):
        super().__init__(daemon=True)
        self._path = path
        self._stopped = threading.Event()
        self.written = 0

    def run(self) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            while not self._stopped.wait(0.1):
                for _ in range(LINES_PER_S // 10):
                    file.write(line_of(self.written) + "\n")
                    self.written += 1
                file.flush()

    def stop(self) -> int:
        """Ends it; how many lines there are."""
        self._stopped.set()
        self.join()
        return self.written


class Connect:
    """One run."""

    def __init__(self, stage: Stage):
        self._stage = stage
        self._source_file = stage.work / "source.txt"
        self._sink_file = stage.work / "sink.txt"
        self._workers: dict[str, Service] = {}  # by their id, host and port
        self._api: Http | None = None

    def run(self) -> None:
        """From the first worker to the comparison."""
        self._source_file.touch()
        self._stage.create(TOPIC, PARTITIONS)
        for number in range(2):
            self._start_worker(number)
        self._await_workers()
        self._stage.check(NAME, "two workers form a group over compacted topics", self._internals())
        kills = 2 if self._stage.full else 1
        writer = Writer(self._source_file)
        writer.start()
        try:
            self._disturb(kills)
        finally:
            count = writer.stop()
        self._finish(count, kills)

    def _disturb(self, kills: int) -> None:
        """Both connectors, and workers that die while lines arrive."""
        self._configure()
        self._await_tasks()
        for kill in range(kills):
            self._await_lines(self._delivered() + WARM_LINES)
            self._kill_worker_of((SOURCE, SINK)[kill], number=2 + kill)
        self._await_lines(self._delivered() + WARM_LINES)

    def _start_worker(self, number: int) -> None:
        port = free_port()
        settings = self._settings(number, port)
        command = java(256, "org.apache.kafka.connect.cli.ConnectDistributed", settings)
        service = self._stage.service(f"worker-{number}", command)
        self._workers[f"127.0.0.1:{port}"] = service.start()
        self._api = Http(port)

    def _settings(self, number: int, port: int) -> str:
        settings = {
            "bootstrap.servers": self._stage.bootstrap,
            "group.id": GROUP,
            "client.id": f"worker-{number}",
            "listeners": f"http://127.0.0.1:{port}",
            "rest.advertised.host.name": "127.0.0.1",
            "rest.advertised.port": port,
            "key.converter": STRING,
            "value.converter": STRING,
            "plugin.discovery": "service_load",
            "offset.flush.interval.ms": 1000,
            "session.timeout.ms": SESSION_MS,
            "heartbeat.interval.ms": SESSION_MS // 3,
            "scheduled.rebalance.max.delay.ms": DELAY_MS,
        }
        for kind, partitions in INTERNAL.items():
            settings[f"{kind}.storage.topic"] = f"connect-{kind}"
            settings[f"{kind}.storage.replication.factor"] = 1
            if partitions > 1:
                settings[f"{kind}.storage.partitions"] = partitions
        return self._stage.properties(f"worker-{number}", settings)

    def _living(self) -> dict[str, Service]:
        return {where: service for where, service in self._workers.items() if service.alive}

    def _await_workers(self) -> None:
        for where, service in self._living().items():
            api = Http(int(where.rpartition(":")[2]))
            wait_for(lambda: api.ask("GET", "/connectors")[0] == 200, "the worker serves", UP_S, service)

    def _configure(self) -> None:
        common = {"topics": TOPIC, "tasks.max": "2", "file": str(self._sink_file)}
        self._put(SINK, {"connector.class": "FileStreamSink", **common})
        source = {"topic": TOPIC, "tasks.max": "1", "file": str(self._source_file)}
        self._put(SOURCE, {"connector.class": "FileStreamSource", **source})

    def _put(self, connector: str, config: dict[str, str]) -> None:
        """A worker in the middle of a rebalance answers 409: then it is asked again."""
        path = f"/connectors/{connector}/config"
        wait_for(lambda: self._api.ask("PUT", path, config)[0] in (200, 201), f"PUT {path}", UP_S)

    def _tasks(self) -> dict[str, str]:
        """Where each connector and task runs, of those that run on a living worker."""
        found = {}
        for connector in (SOURCE, SINK):
            _, status = self._api.ask("GET", f"/connectors/{connector}/status")
            if isinstance(status, dict) and "tasks" in status:
                parts = {connector: status["connector"]}
                parts.update({f"{connector}-{task['id']}": task for task in status["tasks"]})
                found.update({name: part["worker_id"] for name, part in parts.items() if part["state"] == "RUNNING"})
        living = self._living()
        return {name: worker for name, worker in found.items() if worker in living}

    def _await_tasks(self) -> dict[str, str]:
        """Waits until both connectors and the three tasks run."""

        def all_run() -> dict[str, str] | None:
            tasks = self._tasks()
            return tasks if len(tasks) == 5 else None

        return wait_for(all_run, "all tasks run", MOVED_S, *self._living().values())

    def _delivered(self) -> int:
        return self._sink_file.read_bytes().count(b"\n") if self._sink_file.exists() else 0

    def _await_lines(self, count: int) -> None:
        wait_for(lambda: self._delivered() >= count, f"{count} lines arrive", MOVED_S, *self._living().values())

    def _kill_worker_of(self, connector: str, number: int) -> None:
        """kill -9 of the worker that runs this connector's first task; all runs on the other, then on two again."""
        victim = self._await_tasks()[f"{connector}-0"]
        self._workers[victim].kill()
        killed = time.monotonic()
        self._api = Http(int(next(iter(self._living())).rpartition(":")[2]))
        self._await_tasks()
        seconds = time.monotonic() - killed
        self._stage.say(f"the worker of {connector} was killed; all tasks run again after {seconds:.1f} s")
        self._start_worker(number)
        self._await_workers()

    def _internals(self) -> list[str]:
        stage = self._stage
        _, output = stage.tool(tools.GROUPS_OF_ALL_TYPES, "--list")
        faults = expect(output, rf"^{GROUP}\s+Classic\s+connect\s*$")
        for kind, partitions in INTERNAL.items():
            _, output = stage.tool(tools.TOPICS, "--describe", "--topic", f"connect-{kind}")
            faults += expect(output, rf"PartitionCount: {partitions}\s.*cleanup\.policy=compact\b")
        return faults

    def _finish(self, count: int, kills: int) -> None:
        stage = self._stage
        wanted = set(map(line_of, range(count)))
        workers = self._living().values()
        wait_for(lambda: wanted <= set(self._sink_lines()), "the sink has every line", MOVED_S, *workers)
        self._stage.check(NAME, "workers stop by SIGTERM", [fault for worker in workers for fault in worker.stop()])
        seen = stage.consume(TOPIC, PARTITIONS)
        partitions = [[(r.value or b"").decode() for r in seen if r.partition == p] for p in range(PARTITIONS)]
        killed = "a worker killed" if kills == 1 else f"{kills} workers killed"
        faults = check_topic(count, partitions, kills)
        stage.check(NAME, f"FileStreamSource: {count:,} lines to a topic, {killed}", faults)
        values = [value for partition in partitions for value in partition]
        faults = check_file(values, self._sink_lines(), kills)
        stage.check(NAME, f"FileStreamSink: {len(values):,} records to a file, {killed}", faults)
        stage.check(NAME, "the sink has committed all that it wrote", self._lag())

    def _sink_lines(self) -> list[str]:
        return self._sink_file.read_text(encoding="utf-8").splitlines() if self._sink_file.exists() else []

    def _lag(self) -> list[str]:
        committed = self._stage.committed(f"connect-{SINK}")
        if len(committed) != PARTITIONS:
            return [f"commits of {sorted(committed)}, not of {PARTITIONS} partitions"]
        return [f"{where}: lag {line.lag}" for where, line in committed.items() if line.lag != 0]


def run(stage: Stage) -> None:
    """The part `connect`."""
    Connect(stage).run()
