"""The command line of `ci/compat/software`: each part gets a fresh broker, every claim is a line of the result."""

import argparse
import datetime
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ..brokers import BrokerError, make_broker
from ..drivers import DriverError
from ..main import check_harness
from ..paths import HOME, REPOSITORY, RESULTS, work_directory
from ..report import Report
from ..versions import versions
from . import burrow, cli, connect, election, kaskade, mirror, registry, streams
from .service import SoftwareError
from .stage import Outcome, Stage

PARTS: dict[str, Callable[[Stage], None]] = {
    "connect": connect.run,
    "streams": streams.run,
    "tools": cli.run,
    "mirror": mirror.run,
    "election": election.run,
    "registry": registry.run,
    "kaskade": kaskade.run,
    "burrow": burrow.run,
}
CORE = ("connect", "streams")
EXTRAS = ("registry", "kaskade", "burrow")  # parts that `install` installs for them alone
# What ends a part, and not the others: programs that fail, and answers that are not what they should be.
FAILURES = (BrokerError, DriverError, SoftwareError, OSError, subprocess.SubprocessError, LookupError, ValueError)
# As the harness sets it for Apache Kafka: a lone member need not wait for others.
SETTINGS = {"group.initial.rebalance.delay.ms": "0"}


def parse() -> argparse.Namespace:
    """The options; see README.md."""
    parser = argparse.ArgumentParser(prog="ci/compat/software", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all parts whole, and a dated file of each")
    parser.add_argument("--broker", choices=("flumen", "kafka"), default="flumen", help="kafka: the scripts themselves")
    parser.add_argument("--flumen", type=Path, default=REPOSITORY / "target/release/flumen", metavar="PATH")
    parser.add_argument("--only", metavar="PART,...", help=f"of {', '.join(PARTS)}; such a part is whole")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else list(PARTS) if options.full else CORE
    if unknown := [part for part in wanted if part not in PARTS]:
        parser.error(f"unknown part {unknown[0]}; there are: {', '.join(PARTS)}")
    options.parts = [part for part in PARTS if part in wanted]
    options.whole = options.full or bool(options.only)
    return options


def play(options: argparse.Namespace, part: str, work: Path, outcome: Outcome) -> None:
    """One part from the start of its broker to the end of everything that it started."""
    directory = work / part
    directory.mkdir()
    with make_broker(options, directory / "data", SETTINGS) as broker:
        stage = Stage(part, broker, directory, outcome, versions(), options.whole)
        try:
            stage.say(f"{broker.name} serves after {broker.start():.1f} s")
            PARTS[part](stage)
            outcome.report.check(f"{part}: SIGTERM stops the broker", broker.stop())
        except FAILURES as error:
            outcome.note(part, "", "the part itself", [f"{type(error).__name__}: {error}"])
        finally:
            stage.close()


def write_result_file(outcome: Outcome, part: str, broker: str) -> str:
    """Writes the dated file of a whole part and returns its name."""
    today = datetime.date.today().isoformat()
    lines = [
        f"# Software around Kafka of {today}: the part `{part}` on {broker}",
        "",
        f"Against a fresh broker, on {platform.system()} {platform.release().split('-')[0]}, {platform.machine()}.",
        "",
        outcome.table(),
        "",
    ]
    for line in outcome.lines:
        if line.faults:
            lines += [f"- {line.software}: {line.what}", *(f"  - {fault}" for fault in line.faults)]
    failed = sum(bool(line.faults) for line in outcome.lines)
    lines += ["", f"{len(outcome.lines) - failed} passed, {failed} failed", ""]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{today}-software-{part}-{broker}.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path.name


def main() -> int:
    """Runs the parts; the status is 0 only if every check held."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with work_directory("software") as work:
        report = Report()
        check_harness(report)
        extras = [part for part in EXTRAS if part in options.parts]
        if subprocess.run([str(HOME / "install"), *extras], check=False).returncode:
            return 1
        for part in options.parts:
            outcome = Outcome(report)
            play(options, part, work, outcome)
            print("\n" + outcome.table() + "\n", flush=True)
            if options.full:
                print(f"written: ci/compat/results/{write_result_file(outcome, part, options.broker)}")
        return report.conclude(work)


if __name__ == "__main__":
    sys.exit(main())
