"""The matrix: every producer over every codec it has and 1, 3 and 64 partitions, read back by two consumers.

The Java consumer reads every cell. The other consumers take turns, such that over a run each meets every
producer, every codec and every number of partitions.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from . import tools
from .brokers import Broker
from .clients import CODECS, CONSUMERS, PRODUCERS, READER, Consumer, Producer
from .compare import compare, place
from .drivers import Drivers, DriverError
from .records import Generator, Record, read, write

PARTITIONS = (1, 3, 64)
# Smaller than most batches: the broker must then return a whole first batch, larger than what was asked for.
SMALL_FETCH_BYTES = 4096


@dataclass(frozen=True)
class Cell:
    """One topic: a producer, a codec, a number of partitions, and who reads it beside the Java consumer."""

    number: int
    producer: Producer
    codec: str
    partitions: int
    second_reader: Consumer

    @property
    def topic(self) -> str:
        return f"compat-{self.producer.name}-{self.codec}-{self.partitions}"

    @property
    def readers(self) -> tuple[Consumer, Consumer]:
        return READER, self.second_reader

    @property
    def idempotent(self) -> bool:
        """Idempotence alternates where the client leaves a choice."""
        return self.number % 2 == 0 or not self.producer.idempotence_optional

    @property
    def fetch_bytes(self) -> int:
        return SMALL_FETCH_BYTES if self.partitions == 3 else 1 << 20


@dataclass
class Result:
    """What became of a cell: the faults found, by reader; a fault of the producer is under its own name."""

    cell: Cell
    faults: dict[str, list[str]]
    seconds: float

    @property
    def ok(self) -> bool:
        return not any(self.faults.values())


def plan(only: set[str] | None = None) -> list[Cell]:
    """The cells of a run; with `only`, those that one of these clients produces or is the second to read."""
    cells = []
    for shift, producer in enumerate(PRODUCERS):
        shapes = [(codec, partitions) for codec in CODECS for partitions in PARTITIONS]
        for i, (codec, partitions) in enumerate(shapes):
            reader = CONSUMERS[(i + shift) % len(CONSUMERS)]
            cells.append(Cell(len(cells), producer, codec, partitions, reader))
    return [cell for cell in cells if only is None or only & {cell.producer.name, cell.second_reader.name}]


class Matrix:
    """Runs cells against one broker."""

    def __init__(self, broker: Broker, work: Path, count: int):
        self._bootstrap = broker.bootstrap
        self._creation = {"bootstrap": broker.bootstrap, "settle": broker.settles_late}
        self._work = work
        self._count = count
        # Recent, for retention goes by the records' time; the past hour, for the future is refused.
        self._base_ms = int(time.time() - 3600) * 1000
        self._timeout_s = 90 + count / 200

    def run(self, cell: Cell, drivers: Drivers) -> Result:
        """Produces a cell, reads it by both readers and compares."""
        started = time.monotonic()
        faults: dict[str, list[str]] = {}
        try:
            sent, window = self._produce(cell, drivers)
            for reader in cell.readers:
                faults[reader.name] = self._check(cell, reader, drivers, sent, window)
        except DriverError as error:
            faults[f"{cell.producer.name} (producing)"] = [str(error)]
        return Result(cell, faults, time.monotonic() - started)

    def read_again(self, cell: Cell, drivers: Drivers) -> list[str]:
        """The faults that the Java consumer finds in a cell that was produced before."""
        return self._check(cell, READER, drivers, self._content(cell), window=None)

    def _produce(self, cell: Cell, drivers: Drivers) -> tuple[list[Record], tuple[int, int]]:
        """Sends the cell's records; returns them and the time window in which that happened."""
        drivers["java"].ask("create", 60, topic=cell.topic, partitions=cell.partitions, **self._creation)
        sent = self._content(cell)
        began_ms = int(time.time() * 1000)
        self._send(cell, drivers[cell.producer.driver], sent)
        return sent, (began_ms - 1, int(time.time() * 1000) + 1)

    def _content(self, cell: Cell) -> list[Record]:
        """The cell's records, as far as its producer can send them."""
        generated = Generator(cell.number, self._base_ms, cell.producer.text).records(self._count, cell.partitions)
        return [cell.producer.sends(record, i, cell.partitions) for i, record in enumerate(generated)]

    def _send(self, cell: Cell, driver, sent: list[Record]) -> None:
        path = self._work / f"{cell.topic}.sent"
        where = (driver, self._bootstrap, cell.topic, cell.codec)
        if cell.producer.name == "performance":
            tools.performance_produce(*where, len(sent))
        elif cell.producer.name == "console":
            tools.console_produce(*where, sent, path)
        else:
            self._send_by_driver(cell, driver, sent, path)
        path.unlink(missing_ok=True)

    def _send_by_driver(self, cell: Cell, driver, sent: list[Record], path: Path) -> None:
        write(path, sent)
        answer = driver.ask(
            "produce",
            self._timeout_s,
            bootstrap=self._bootstrap,
            topic=cell.topic,
            codec=cell.codec,
            idempotent=cell.idempotent,
            records=str(path),
        )
        if answer["count"] != len(sent):
            raise DriverError(f"{answer['count']} of {len(sent)} records were acknowledged")

    def _check(self, cell: Cell, reader: Consumer, drivers: Drivers, sent, window) -> list[str]:
        """The faults that one reader finds in a cell."""
        path = self._work / f"{cell.topic}.{reader.name}"
        try:
            answer = drivers[reader.name].ask(
                "consume",
                self._timeout_s,
                bootstrap=self._bootstrap,
                topic=cell.topic,
                partitions=cell.partitions,
                fetch_bytes=cell.fetch_bytes,
                out=str(path),
            )
        except DriverError as error:
            return [str(error)]
        seen = read(path)
        path.unlink()
        if len(seen) != answer["count"]:
            return [f"the driver counted {answer['count']} records and dumped {len(seen)}"]
        expected = [reader.shows(record) for record in place(sent, seen)]
        return compare(expected, seen, window)
