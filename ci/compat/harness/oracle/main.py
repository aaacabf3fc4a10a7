"""`ci/compat/oracle`: starts Apache Kafka and Flumen, holds every case with both, compares what they say.

A case is held in every version that Flumen advertises of its API. A version that is advertised and has no case fails
the run, and so does an entry of the list of differences that no answer needs.
"""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..brokers import Broker, Kafka, make_broker
from ..main import check_harness
from ..paths import CACHE, REPOSITORY, work_directory
from ..report import Report
from . import cases_admin, cases_consumer, cases_data, cases_group  # noqa: F401  (they register their cases)
from .allowed import ALLOWED, Allowed
from .link import Link
from .normal import differences, normal
from .schema import Schemas
from .talk import CASES, Case, Talk

SHOWN = 6
# As the harness sets it for Apache Kafka: a lone member need not wait for others.
SETTINGS = {"group.initial.rebalance.delay.ms": "0"}


def main() -> int:
    """Runs everything that was asked for; the status is 0 only if no difference is left."""
    options = parse()
    report = Report()
    check_harness(report)
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
    with Kafka(work / "kafka") as kafka, make_broker(options, work / "other", SETTINGS) as other:
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
        faults = []
        for who, talk in zip(("Apache Kafka", "Flumen"), talks):
            try:
                case.talk(talk)
            except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
                after = talk.said[-1].label if talk.said else "the beginning"
                faults.append(f"{who}, after {after!r}: {type(error).__name__}: {error}".replace(prefix, "…"))
                talk.link.close()
        if faults:
            return faults
        return list(self._compare(case, *talks))

    def _compare(self, case: Case, theirs: Talk, ours: Talk) -> Iterator[str]:
        for one, other in zip(theirs.said, ours.said, strict=True):
            for path, left, right in differences(normal(one.fields), normal(other.fields)):
                allowed = next((a for a in ALLOWED if a.covers(one, case.name, path, left, right)), None)
                if allowed is None:
                    where = f"{one.api} {one.label}".strip() if one.api != case.api else one.label
                    yield f"{where}: {path or 'the answer'} is {right!r}, Apache Kafka's {left!r}".replace(
                        theirs.prefix, "…"
                    )
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


if __name__ == "__main__":
    sys.exit(main())
