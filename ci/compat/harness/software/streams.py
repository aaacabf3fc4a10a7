"""Kafka Streams programs of our own (`java/src/compat/Streams.java`), compared with what the harness computes.

The word count is stopped and loses its local state, and must be exact: stopped well, at-least-once repeats nothing.
The join has two instances; one dies by -9 and its local state is wiped, the broker dies by -9, and at the end the
reset tool lets the application begin anew.
"""

import json
import re
import shutil
import time
from collections.abc import Callable

from .. import tools
from ..admin import expect
from ..records import Record
from . import streams_model as model
from .service import Service, SoftwareError, java, wait_for
from .stage import Stage

NAME = "Kafka Streams"
PARTITIONS = 4
UP_S = 120
DONE_S = 150
SENTENCES = 4_000
EVENTS = 3_000
COUNT, JOIN = "count-words", "join-pairs"
RUNNING = '"event":"RUNNING"'
ERROR = '"event":"error"'


class Instances:
    """Instances of one application, each with a state directory of its own."""

    def __init__(self, stage: Stage, application: str, options: dict[str, object]):
        self._stage = stage
        self._options = {"bootstrap": stage.bootstrap, "application": application, **options}
        self._application = application
        self.services: dict[str, Service] = {}

    def start(self, name: str, wiped: bool = False) -> None:
        """Starts an instance, if wanted without what it had on its disk, and waits until it runs."""
        state = self._stage.work / f"{self._application}-{name}-state"
        if wiped and state.exists():
            shutil.rmtree(state)
        if name not in self.services:
            argument = json.dumps({**self._options, "state": str(state)})
            service = self._stage.service(f"{self._application}-{name}", java(256, "compat.Streams", argument))
            self.services[name] = service
        service = self.services[name]
        before = service.said(RUNNING)
        service.start()
        wait_for(lambda: service.said(RUNNING) > before, f"{self._application}-{name} runs", UP_S, service)

    def stop(self) -> list[str]:
        """Lets all close."""
        return [fault for service in self.services.values() for fault in service.stop()]

    def errors(self) -> list[str]:
        """Uncaught exceptions, which replace a thread."""
        said = {name: service.said(ERROR) for name, service in self.services.items()}
        return [f"{name} had {count} uncaught exceptions" for name, count in said.items() if count]


class Count:
    """The word count."""

    def __init__(self, stage: Stage):
        self._stage = stage
        self._instances = Instances(stage, COUNT, {"program": "count", "input": "lines", "output": "counts"})

    def run(self) -> None:
        """Half of the lines, a stop, local state gone, the other half."""
        stage = self._stage
        stage.create("lines", PARTITIONS)
        stage.create("counts", PARTITIONS)
        lines = model.sentences(7, SENTENCES)
        half = len(lines) // 2
        self._instances.start("a")
        self._round(lines[:half], lines[:half])
        faults = self._instances.stop()
        stage.check(NAME, "word count: stops by SIGTERM", faults)
        self._instances.start("a", wiped=True)
        seen = self._round(lines[half:], lines)
        wanted = model.counts(lines)
        what = f"word count: {sum(map(int, wanted.values())):,} words, local state wiped in between, exact counts"
        stage.check(NAME, what, model.check_last(wanted, seen) + model.check_rising(seen))
        stage.check(NAME, "word count: repartition topic and changelog are Kafka's", self._internals())
        stage.check(NAME, "word count: no uncaught exception", self._instances.errors() + self._instances.stop())

    def _round(self, lines: list[str], so_far: list[str]) -> list[Record]:
        records = [Record(i % PARTITIONS, None, line.encode(), (), None) for i, line in enumerate(lines)]
        self._stage.produce("lines", records)
        wanted = model.counts(so_far)
        return settled(self._stage, "counts", lambda seen: not model.check_last(wanted, seen))

    def _internals(self) -> list[str]:
        """Created with a replication factor of -1, and with the configurations that Streams wants."""
        describe = ("--describe", "--topic")
        _, changelog = self._stage.tool(tools.TOPICS, *describe, f"{COUNT}-counts-changelog")
        _, repartition = self._stage.tool(tools.TOPICS, *describe, f"{COUNT}-words-repartition")
        head = rf"PartitionCount: {PARTITIONS}\s+ReplicationFactor: 1\s"
        faults = expect(changelog, head, r"cleanup\.policy=compact\b")
        wanted = (r"cleanup\.policy=delete", r"retention\.ms=-1", r"segment\.bytes=52428800")
        return faults + expect(repartition, head, *wanted)


class Join:
    """The windowed join."""

    def __init__(self, stage: Stage):
        self._stage = stage
        options = {"program": "join", "orders": "orders", "payments": "payments", "pairs": "pairs", "totals": "totals"}
        options |= {"window_ms": model.WINDOW_MS, "total_ms": model.TOTAL_MS}
        self._instances = Instances(stage, JOIN, options)
        base_ms = int(time.time() - 600) * 1000
        self._orders, self._payments = model.orders_and_payments(11, base_ms, EVENTS)
        self._since: dict[str, dict[int, int]] = {}  # from which offset on a topic counts
        self._pairs = model.pairs(self._orders, self._payments)
        self._totals = model.totals(self._pairs)

    def run(self) -> None:
        """Three thirds of the input, an instance's death and the broker's between them; then the reset."""
        stage = self._stage
        for topic in ("orders", "payments", "pairs", "totals"):
            stage.create(topic, PARTITIONS)
        for name in ("a", "b"):
            self._instances.start(name)
        self._send(0)
        self._await_some(1)
        self._instances.services["a"].kill()
        self._send(1)
        self._instances.start("a", wiped=True)
        stage.broker.kill()
        stage.say(f"the broker was killed; it serves again after {stage.broker.start():.1f} s")
        self._send(2)
        self._finish("an instance killed, its state wiped, the broker killed")
        stage.check(NAME, "join: the changelog of windows is compacted and deleted", self._changelog())
        stage.check(NAME, "join: instances close by SIGTERM", self._instances.stop())
        self._reset()

    def _send(self, third: int) -> None:
        size = EVENTS // 3
        for topic, events in (("orders", self._orders), ("payments", self._payments)):
            part = events[third * size : (third + 1) * size]
            self._stage.produce(topic, [event.record(PARTITIONS) for event in part])

    def _await_some(self, third: int) -> None:
        """Waits until a part of this third's pairs is there."""
        wanted = len(self._pairs) * third // 5
        settled(self._stage, "pairs", lambda seen: len({record.value for record in seen}) >= wanted)

    def _finish(self, what: str) -> None:
        """Waits for the end and compares."""
        stage, wanted = self._stage, set(self._pairs)
        seen = self._settled("pairs", lambda seen: not model.check_set(wanted, seen))
        stage.check(NAME, f"windowed join: {len(wanted):,} pairs, {what}", model.check_set(wanted, seen))
        seen = self._settled("totals", lambda seen: not model.check_last(self._totals, seen))
        faults = model.check_last(self._totals, seen)
        stage.check(NAME, f"windowed aggregate: {len(self._totals):,} windows, {what}", faults)

    def _settled(self, topic: str, good: Callable[[list[Record]], bool]) -> list[Record]:
        return settled(self._stage, topic, good, self._since.get(topic))

    def _changelog(self) -> list[str]:
        _, output = self._stage.tool(tools.TOPICS, "--describe", "--topic", f"{JOIN}-totals-changelog")
        return expect(output, r"cleanup\.policy=(compact,delete|delete,compact)\b")

    def _reset(self) -> None:
        """The reset tool lets the application read everything again, from nothing."""
        stage = self._stage
        stage.check(NAME, "kafka-streams-application-reset", self._run_reset())
        for topic in ("pairs", "totals"):
            for record in stage.consume(topic, PARTITIONS):
                self._since.setdefault(topic, {})[record.partition] = record.offset + 1
        for name in ("a", "b"):
            self._instances.start(name, wiped=True)
        self._finish("begun anew after the reset tool")
        stage.check(NAME, "join: no uncaught exception", self._instances.errors() + self._instances.stop())

    def _run_reset(self) -> list[str]:
        stage = self._stage
        # Members that were killed are in the group until their session is over.
        wait_for(lambda: not self._members(), "the group is empty", 60)
        internal = {topic for topic in stage.topics() if topic.startswith(f"{JOIN}-")}
        faults = [] if len(internal) >= 4 else [f"internal topics before: {sorted(internal)}"]
        inputs = ("--input-topics", "orders,payments")
        status, output = stage.tool(tools.STREAMS_RESET, "--application-id", JOIN, *inputs)
        faults += expect(output, r"(?i)reset-offsets for input topics", r"(?i)deleting.* internal")
        faults += [] if status == 0 else [f"exit status {status}: {output[-300:]}"]
        wait_for(lambda: not internal & set(stage.topics()), "internal topics are gone", 20)
        return faults + self._rewound()

    def _rewound(self) -> list[str]:
        """All inputs are committed at 0 and nothing else is; Apache Kafka forgets deleted topics a moment later."""
        wanted = {(topic, partition): 0 for topic in ("orders", "payments") for partition in range(PARTITIONS)}
        found: dict[tuple[str, int], int | None] = {}

        def rewound() -> bool:
            found.clear()
            found.update({where: line.offset for where, line in self._stage.committed(JOIN).items()})
            return found == wanted

        try:
            wait_for(rewound, "committed offsets are 0", 20)
        except SoftwareError:
            return [f"committed offsets are {found}, not {wanted}"]
        return []

    def _members(self) -> bool:
        _, output = self._stage.tool(tools.GROUPS, "--describe", "--state", "--group", JOIN)
        return not re.search(rf"^{JOIN}\s.*\sEmpty\s+0\s*$", output, re.MULTILINE)


def settled(
    stage: Stage, topic: str, good: Callable[[list[Record]], bool], since: dict[int, int] | None = None
) -> list[Record]:
    """The topic's records once they are as they should be, or as they are when it takes too long."""
    seen: list[Record] = []
    since = since or {}

    def look() -> bool:
        seen[:] = [r for r in stage.consume(topic, PARTITIONS) if r.offset >= since.get(r.partition, 0)]
        return good(seen)

    try:
        wait_for(look, f"{topic} is complete", DONE_S, pause_s=0.7)
    except SoftwareError as late:
        stage.say(str(late))
    return seen


def run(stage: Stage) -> None:
    """The part `streams`."""
    Count(stage).run()
    if stage.full:
        Join(stage).run()
