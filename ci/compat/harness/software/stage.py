"""What a part of the software run has in its hands: a fresh broker, a directory, drivers, and a place to report."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from .. import tools
from ..brokers import Broker
from ..drivers import Drivers
from ..records import Record, read, write
from ..report import Report, table
from .service import Service

CALL_S = 90


@dataclass(frozen=True)
class Line:
    """One line of the result: what a program did, and what was wrong with it."""

    software: str
    version: str
    what: str
    faults: list[str]


@dataclass
class Outcome:
    """All lines of a run, as the result file has them."""

    report: Report
    lines: list[Line] = field(default_factory=list)

    def note(self, software: str, version: str, what: str, faults: list[str]) -> None:
        """Takes a line and prints it."""
        self.lines.append(Line(software, version, what, faults))
        self.report.check(f"{software}: {what}", faults)

    def table(self) -> str:
        """The lines in Markdown."""
        rows = [[line.software, line.version, line.what, "FAIL" if line.faults else "ok"] for line in self.lines]
        return table(["software", "version", "what was checked", "result"], rows)


class Stage:
    """A part's own broker and everything that it starts; all of it ends with the part."""

    def __init__(self, part: str, broker: Broker, work: Path, outcome: Outcome, versions: dict[str, str], full: bool):
        self.part = part
        self.broker = broker
        self.bootstrap = broker.bootstrap
        self.work = work
        self.full = full
        self.drivers = Drivers(work)
        self._outcome = outcome
        self._versions = versions
        self._services: list[Service] = []

    def say(self, text: str) -> None:
        """A progress line."""
        self._outcome.report.say(f"{self.part}: {text}")

    def check(self, software: str, what: str, faults: list[str]) -> None:
        """Notes what came of one thing that was checked."""
        self._outcome.note(software, self._versions.get(software, ""), what, faults)

    def service(self, name: str, command: list[str], env: dict[str, str] | None = None) -> Service:
        """A program that ends with the stage, not yet started."""
        service = Service(name, command, self.work, env)
        self._services.append(service)
        return service

    def close(self) -> None:
        """Whatever still runs ends here."""
        for service in self._services:
            service.kill()
        self.drivers.close()

    def properties(self, name: str, settings: dict[str, object]) -> str:
        """Writes a properties file and returns its path."""
        path = self.work / f"{name}.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
        return str(path)

    def create(self, topic: str, partitions: int, broker: Broker | None = None, **configs: str) -> None:
        """Creates a topic; the names of configurations have `_` for `.`."""
        at = broker or self.broker
        named = {name.replace("_", "."): value for name, value in configs.items()}
        where = {"bootstrap": at.bootstrap, "topic": topic, "partitions": partitions}
        self.drivers["java"].ask("create", CALL_S, settle=at.settles_late, configs=named, **where)

    def produce(self, topic: str, records: list[Record], broker: Broker | None = None) -> None:
        """Sends records by the Java producer."""
        path = self.work / f"{topic}.sent"
        write(path, records)
        where = {"bootstrap": (broker or self.broker).bootstrap, "topic": topic, "records": str(path)}
        self.drivers["java"].ask("produce", CALL_S, codec="none", idempotent=True, **where)

    def consume(self, topic: str, partitions: int, broker: Broker | None = None) -> list[Record]:
        """All records of a topic as it is now, by the Java consumer."""
        path = self.work / f"{topic}.seen"
        where = {"bootstrap": (broker or self.broker).bootstrap, "topic": topic, "partitions": partitions}
        self.drivers["java"].ask("consume", CALL_S, out=str(path), **where)
        return read(path)

    def tool(self, name: str, *args: str, broker: Broker | None = None) -> tuple[int, str]:
        """Runs one of Kafka's tools against the broker: status and output."""
        bootstrap = (broker or self.broker).bootstrap
        return tools.run(self.drivers["java"], name, "--bootstrap-server", bootstrap, *args)

    def topics(self, broker: Broker | None = None) -> list[str]:
        """Names of all topics, as kafka-topics lists them."""
        return self.tool(tools.TOPICS, "--list", broker=broker)[1].split()

    def committed(self, group: str, broker: Broker | None = None) -> dict[tuple[str, int], "Committed"]:
        """Committed offsets of a group, as kafka-consumer-groups describes them."""
        return parse_groups(self.tool(tools.GROUPS, "--describe", "--group", group, broker=broker)[1], group)


@dataclass(frozen=True)
class Committed:
    """A line of kafka-consumer-groups --describe; None where the tool prints a dash."""

    offset: int | None
    end: int | None
    lag: int | None
    member: str | None


def parse_groups(output: str, group: str) -> dict[tuple[str, int], Committed]:
    """The lines of kafka-consumer-groups --describe of one group."""
    found = {}
    for line in output.splitlines():
        match = re.match(rf"{re.escape(group)}\s+(\S+)\s+(\d+)\s+(\d+|-)\s+(\d+|-)\s+(\d+|-)\s+(\S+)", line)
        if match:
            topic, partition, *numbers, member = match.groups()
            offset, last, lag = (None if number == "-" else int(number) for number in numbers)
            found[topic, int(partition)] = Committed(offset, last, lag, None if member == "-" else member)
    return found
