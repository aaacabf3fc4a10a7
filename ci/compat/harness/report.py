"""Progress lines, the summary table and the dated result file."""

import datetime
import platform
import shutil
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .matrix import PARTITIONS, Result
from .paths import REPOSITORY, RESULTS
from .versions import line as versions_line

SOFTWARE = ("kafka-clients (Java)", "Kafka's command line tools", "franz-go", "confluent-kafka", "kafka-python")
SOFTWARE += ("kafkajs", "kcat")


@dataclass
class Report:
    """Collects results from all worker threads and prints each as it comes."""

    started: float = field(default_factory=time.monotonic)
    results: list[Result] = field(default_factory=list)
    checks: list[tuple[str, list[str]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, text: str) -> None:
        """A progress line with the time since the start."""
        print(f"[{time.monotonic() - self.started:6.1f} s] {text}", flush=True)

    def cell(self, result: Result, of: int) -> None:
        """Notes a cell of the matrix."""
        with self._lock:
            self.results.append(result)
            cell = result.cell
            readers = "+".join(reader.name for reader in cell.readers)
            verdict = "ok" if result.ok else "FAIL"
            what = f"{cell.producer.name} {cell.codec} over {cell.partitions}, read by {readers}"
            self.say(f"{len(self.results):3}/{of} {verdict:4} {what} ({result.seconds:.1f} s)")
            for who, faults in result.faults.items():
                for fault in faults:
                    print(f"           {who}: {fault}", flush=True)

    def check(self, name: str, faults: list[str]) -> None:
        """Notes a check that is not a cell."""
        with self._lock:
            self.checks.append((name, faults))
            self.say(f"{'FAIL' if faults else 'ok':4} {name}")
            for fault in faults:
                print(f"           {fault}", flush=True)

    @property
    def passed(self) -> int:
        return sum(result.ok for result in self.results) + sum(not faults for _, faults in self.checks)

    @property
    def failed(self) -> int:
        return len(self.results) + len(self.checks) - self.passed

    def summary(self) -> str:
        """Tables of everything noted, in Markdown."""
        parts = []
        if self.results:
            parts.append(table(["producer", "codec", *(f"{n} partitions" for n in PARTITIONS)], self._rows()))
        if self.checks:
            parts.append(table(["other check", "result"], ([n, "FAIL" if f else "ok"] for n, f in self.checks)))
        return "\n\n".join(parts)

    def _rows(self) -> Iterable[list[str]]:
        rows: dict[tuple[str, str], dict[int, str]] = {}
        for result in sorted(self.results, key=lambda result: result.cell.number):
            cell = result.cell
            rows.setdefault((cell.producer.name, cell.codec), {})[cell.partitions] = _entry(result)
        for (producer, codec), entries in rows.items():
            yield [producer, codec, *(entries.get(partitions, "") for partitions in PARTITIONS)]

    def closing_line(self) -> str:
        """The last line of the output."""
        return f"{self.passed} passed, {self.failed} failed"

    def conclude(self, work: Path) -> int:
        """Prints how the run ended and returns its status; what a failed one wrote stays."""
        if self.failed:
            print(f"data and logs are kept in {work.relative_to(REPOSITORY)}")
        else:
            shutil.rmtree(work, ignore_errors=True)
        print("\n" + self.closing_line())
        return 1 if self.failed else 0

    def write_result_file(self, broker: str, count: int) -> str:
        """Writes the dated file of a full run and returns its name."""
        today = datetime.date.today().isoformat()
        lines = [
            f"# Compatibility run of {today}: {broker}",
            "",
            f"{count:,} records a cell; {time.monotonic() - self.started:.0f} s on {platform.system()}"
            f" {platform.release().split('-')[0]}, {platform.machine()}. Each cell names the consumers that read it.",
            "",
            versions_line(SOFTWARE),
            "",
            self.summary(),
            "",
            self.closing_line(),
            "",
        ]
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / (f"{today}.md" if broker == "flumen" else f"{today}-{broker}.md")
        path.write_text("\n".join(lines), encoding="utf-8")
        return path.name


def _entry(result: Result) -> str:
    if result.ok:
        return "ok " + "+".join(result.faults)
    return "FAIL " + "+".join(who for who, faults in result.faults.items() if faults)


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A table in Markdown, its columns aligned."""
    rows = [head, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
