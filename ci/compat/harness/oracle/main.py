"""`ci/compat/oracle`: starts Apache Kafka and Flumen, holds every case with both, compares what they say.

A case is held in every version that Flumen advertises of its API. A version that is advertised and has no case fails
the run, and so does an entry of the list of differences that no answer needs.
"""

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..brokers import Broker, Kafka, make_broker
from ..main import check_harness
from ..paths import CACHE, HOME, REPOSITORY, work_directory
from ..report import Report
# They register their cases.
from . import cases_admin, cases_consumer, cases_data, cases_group, cases_tools  # noqa: F401
from .allowed import ALLOWED, Allowed
from .link import Link
from .normal import differences, normal
from .schema import Schemas
from .talk import CASES, Case, Talk

SHOWN = 6
SHOWN_CHARS = 400
# As the harness sets it for Apache Kafka: a lone member need not wait for others.
SETTINGS = {"group.initial.rebalance.delay.ms": "0"}
# One node has one replica of everything.
KAFKA_SETTINGS = {"transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1"}


def main() -> int:
    """Runs everything that was asked for; the status is 0 only if no difference is left."""
    options = parse()
    report = Report()
    check_harness(report)
    report.say("installing Apache Kafka and the clients (skipped where nothing changed)")
    if subprocess.run([str(HOME / "install")], check=False).returncode:
        return 1
    schemas = Schemas(next((CACHE / "java/lib").glob("kafka-clients-*.jar")))
    with work_directory("oracle") as work:
        with brokers(options, work) as (kafka, flumen):
            oracle = Oracle(schemas, kafka, flumen, report)
            oracle.run(options.only)
            if not options.only and options.broker == "flumen":
                oracle.check_coverage()
        return report.conclude(work)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="ci/compat/oracle", description=__doc__)
    parser.add_argument("--broker", choices=("flumen", "kafka"), default="flumen", help="kafka: the harness itself")
    parser.add_argument("--flumen", type=Path, default=REPOSITORY / "target/release/flumen", metavar="PATH")
    parser.add_argument("--only", metavar="API,...", help="these APIs, and nothing about coverage")
    options = parser.parse_args()
    options.only = set(options.only.split(",")) if options.only else None
    return options


@contextlib.contextmanager
def brokers(options: argparse.Namespace, work: Path) -> Iterator[tuple[Broker, Broker]]:
    """Both brokers, serving."""
    with Kafka(work / "kafka", KAFKA_SETTINGS) as kafka, make_broker(options, work / "other", SETTINGS) as other:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda broker: broker.start(), (kafka, other)))
        yield kafka, other


class Oracle:
    """Holds cases with both brokers and judges the answers."""

    def __init__(self, schemas: Schemas, kafka: Broker, flumen: Broker, report: Report):
        self._schemas = schemas
        self._report = report
        self._links = [Link(("127.0.0.1", broker.port), schemas) for broker in (kafka, flumen)]
        self._needed: set[Allowed] = set()
        self._held: set[tuple[str, int]] = set()
        # Each conversation is held with both at once.
        self._pool = ThreadPoolExecutor(2)
        self._ranges = [self._advertised(link) for link in self._links]

    def _advertised(self, link: Link) -> dict[str, range]:
        keys = link.ask("ApiVersions", 0, {})["apiKeys"]
        named = ((self._schemas.keys.get(k["apiKey"], str(k["apiKey"])), k) for k in keys)
        return {name: range(k["minVersion"], k["maxVersion"] + 1) for name, k in named}

    def run(self, only: set[str] | None) -> None:
        """All cases, or those of some APIs."""
        theirs, ours = self._ranges
        beyond = [f"{n} {r} against {theirs.get(n)}" for n, r in ours.items() if not set(r) <= set(theirs.get(n, ()))]
        self._report.check("no version is advertised that Apache Kafka does not know", beyond)
        for case in CASES:
            if case.api in ours and (only is None or case.api in only):
                self._report.check(f"{case.api}: {case.name}", self._hold_all(case))

    def _hold_all(self, case: Case) -> list[str]:
        valid = self._schemas.messages[f"{case.api}Request"].versions
        versions = [v for v in self._ranges[1][case.api] if case.least <= v <= case.most and v in valid]
        faults: dict[str, list[int]] = {}
        for version in versions:
            for fault in self._hold(case, version):
                faults.setdefault(fault, []).append(version)
        shown = [f"versions {','.join(map(str, at))}: {fault}" for fault, at in faults.items()]
        return shown[:SHOWN] + ([f"and {len(shown) - SHOWN} more"] if len(shown) > SHOWN else [])

    def _hold(self, case: Case, version: int) -> list[str]:
        self._held.add((case.api, version))
        prefix = f"{case.api}-{case.name}-{version}".replace(" ", "-").replace(",", "")
        talks = [Talk(link, case.api, version, prefix) for link in self._links]
        told = self._pool.map(lambda talk: self._converse(case, talk), talks)
        faults = [f"{who}, {fault}" for who, fault in zip(("Apache Kafka", "Flumen"), told) if fault]
        return [fault.replace(prefix, "…") for fault in faults] or list(self._compare(case, *talks))

    def _converse(self, case: Case, talk: Talk) -> str | None:
        """Holds a conversation with one broker; what cut it short, if anything did."""
        try:
            case.talk(talk)
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            talk.link.close()
            after = talk.said[-1].label if talk.said else "the beginning"
            return f"after {after!r}: {type(error).__name__}: {error}"
        return None

    def _compare(self, case: Case, theirs: Talk, ours: Talk) -> Iterator[str]:
        for one, other in zip(theirs.said, ours.said, strict=True):
            for path, left, right in differences(normal(one.fields), normal(other.fields)):
                allowed = next((a for a in ALLOWED if a.covers(one, case.name, path, left, right)), None)
                if allowed is None:
                    where = f"{one.api} {one.label}".strip() if one.api != case.api else one.label
                    found = f"{path or 'the answer'} is {_apart(right, left)}, Apache Kafka's {_apart(left, right)}"
                    yield f"{where}: {found}".replace(theirs.prefix, "…")
                else:
                    self._needed.add(allowed)

    def check_coverage(self) -> None:
        """Everything that is advertised was asked, every allowed difference was met."""
        missing = []
        for name, versions in self._ranges[1].items():
            valid = self._schemas.messages[f"{name}Request"].versions
            missing += [f"{name} {v}" for v in versions if v in valid and (name, v) not in self._held]
        self._report.check("every version that is advertised has a case", missing)
        stale = [f"{a.api} {a.path}: {a.reason}" for a in ALLOWED if a not in self._needed]
        self._report.check("every difference that is allowed was met", stale)


def _apart(one, other) -> str:
    """One of two values, shown: of lists what the other has not, of long ones the beginning."""
    if isinstance(one, list) and isinstance(other, list):
        one = [item for item in one if item not in other]
    text = repr(one)
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"


if __name__ == "__main__":
    sys.exit(main())
