"""The kill -9 test: SIGKILL under load, again and again, and then every acknowledged record exactly once.

Two idempotent producers that never give up, librdkafka and Java, send to one topic of twelve partitions with
five requests in flight, while topics are created beside them. The broker is killed at random instants and in
the middle of named events, and restarted, with another number of shards each time. At the end two consumers
read everything, and the ledger decides.
"""

import argparse
import random
import re
import subprocess
import sys
import time
from pathlib import Path

from . import ledger, tools
from .brokers import Broker, BrokerError, make_broker
from .drivers import Driver, DriverError
from .kills import NEEDED, Creator, Killer
from .ledger import Ack
from .paths import HOME, REPOSITORY, work_directory
from .records import read
from .report import Report

TOPIC = "kill9"
PARTITIONS = 12
LOADS = {"librdkafka": "confluent-load", "java": "java#load"}
RATE_EACH = 2_500  # records/s a producer offers
ACKS_PER_S_MIN = 1_000  # over the time the broker served
PROGRESS_ACKS = 400  # a producer must see so many acknowledgements between two kills
PROGRESS_S = 60
SHARDS = (2, 1, 3, 2, 4, 1)
# Few small files, so that journals turn over and checkpoints happen many times between two kills.
SETTINGS = {"flumen.journal.file.bytes": "4194304", "flumen.journal.files.max": "6"}
PLAN = ("random", "recovery", "turn-over", "random", "checkpoint", "creation", "recovery", "random", "turn-over")
PLAN += ("checkpoint", "random", "creation")
EXTRA_TRIES = 8  # for a kill that came too late for its event


class Test:
    """One run."""

    def __init__(self, options: argparse.Namespace, broker: Broker, work: Path, report: Report):
        self._options = options
        self._broker = broker
        self._work = work
        self._report = report
        self._stop = work / "stop"
        self._loads = {name: Driver(driver, work) for name, driver in LOADS.items()}
        self._creator = Creator(broker, work)
        chance = random.Random(options.seed)
        self._killer = Killer(broker, self._creator, chance, watched=options.broker == "flumen")
        self._restarts = 0
        self._served_s = 0.0

    def run(self) -> None:
        """Everything from the first start to the last comparison."""
        self._usual_s = self._broker.start(SHARDS[0])
        self._prepare()
        for kind in self._plan():
            self._round(kind)
        sent, acks = self._finish_load()
        self._creator.stop()
        self._report_kills(len(acks))
        self._check_log(sent, acks, "after the last kill")
        self._check_topics()
        self._report.check("SIGTERM stops the broker", self._broker.stop())
        self._broker.start(self._next_shards())
        self._check_log(sent, acks, "after a graceful restart")
        self._broker.stop()

    def close(self) -> None:
        """Ends the producers that may still run."""
        for driver in self._loads.values():
            driver.kill()

    def _prepare(self) -> None:
        where = {"bootstrap": self._broker.bootstrap, "topic": TOPIC, "partitions": PARTITIONS}
        java = Driver("java", self._work)
        java.ask("create", 60, settle=self._broker.settles_late, **where)
        java.close()
        for name, driver in self._loads.items():
            driver.send("load", name=name, rate=RATE_EACH, acks=str(self._acks(name)), stop=str(self._stop), **where)
        self._creator.start()

    def _acks(self, name: str) -> Path:
        return self._work / f"{name}.acks"

    def _plan(self):
        """The planned kinds, then those again that have not landed yet."""
        plan = [kind for kind in PLAN if self._possible(kind)]
        yield from plan[: self._options.kills] + ["random"] * (self._options.kills - len(plan))
        for _ in range(EXTRA_TRIES):
            missing = [kind for kind in NEEDED if self._possible(kind) and not self._killer.landed[kind]]
            yield from missing

    def _possible(self, kind: str) -> bool:
        """Kafka logs no events to be killed in."""
        return self._killer.watched or kind in ("random", "creation", "recovery")

    def _next_shards(self) -> int:
        self._restarts += 1
        return SHARDS[self._restarts % len(SHARDS)]

    def _round(self, kind: str) -> None:
        """Lets the load run, kills, and restarts with another number of shards."""
        serving_since = time.monotonic()
        self._await_progress()
        landed = self._killer.kill("random" if kind == "recovery" else kind)
        self._served_s += time.monotonic() - serving_since
        if kind == "recovery":
            landed = self._killer.kill_recovery(self._next_shards(), self._usual_s)
        shards = self._next_shards()
        self._usual_s = self._broker.start(shards)
        verdict = "" if landed else ", too late for it"
        self._report.say(
            f"kill {self._killer.kills:2} ({kind}{verdict}), serves again after {self._usual_s:.2f} s"
            f" with {shards} shards; {sum(self._acked().values()):,} acknowledged"
        )

    def _acked(self) -> dict[str, int]:
        """Acknowledgements so far, by producer (cheap enough: a line each)."""
        counts = {}
        for name in LOADS:
            path = self._acks(name)
            counts[name] = path.read_bytes().count(b"\n") if path.exists() else 0
        return counts

    def _await_progress(self) -> None:
        before = self._acked()
        deadline = time.monotonic() + PROGRESS_S
        while any(now - before[name] < PROGRESS_ACKS for name, now in self._acked().items()):
            if time.monotonic() > deadline:
                raise BrokerError(f"no progress within {PROGRESS_S} s: {before} acknowledgements, then {self._acked()}")
            time.sleep(0.02)

    def _finish_load(self) -> tuple[dict[str, list[int]], list[Ack]]:
        """Stops the producers, waits for their last acknowledgements and notes every error they saw."""
        began = time.monotonic()
        self._stop.touch()
        sent, acks = {}, []
        for name, driver in self._loads.items():
            answer = driver.receive(330)
            driver.close()
            left = [f"{answer['left']} records still unsent"] if answer["left"] else []
            self._report.check(f"{name} saw no fatal error", answer["errors"] + left)
            sent[name] = answer["sent"]
            with open(self._acks(name), encoding="utf-8") as lines:
                acks += [Ack(name, *map(int, line.split())) for line in lines]
        self._served_s += time.monotonic() - began
        return sent, acks

    def _report_kills(self, acks: int) -> None:
        landed = self._killer.landed
        self._report.say(f"{self._killer.kills} kills: " + ", ".join(f"{kind} {n}" for kind, n in landed.items()))
        wanted, kills = self._options.kills, self._killer.kills
        self._report.check(f"at least {wanted} kills", [] if kills >= wanted else [f"only {kills}"])
        for kind in filter(self._possible, NEEDED):
            self._report.check(f"a kill during {kind}", [] if landed[kind] else ["none fell into it"])
        rate = acks / self._served_s
        slow = [] if rate >= ACKS_PER_S_MIN else [f"only {rate:.0f}/s"]
        self._report.check(f"{rate:,.0f} acknowledgements/s while the broker served", slow)
        self._report.check("no error creating topics", self._creator.errors)

    def _check_log(self, sent: dict[str, list[int]], acks: list[Ack], when: str) -> None:
        """Reads the topic by two clients; for each the ledger must balance."""
        for name in ("java", "confluent"):
            out = self._work / f"{name}.seen"
            driver = Driver(name, self._work)
            where = {"bootstrap": self._broker.bootstrap, "topic": TOPIC, "partitions": PARTITIONS}
            driver.ask("consume", 180, out=str(out), **where)
            driver.close()
            seen = read(out)
            what = f"{len(acks):,} acknowledged records exactly once in {len(seen):,}, read by {name} {when}"
            self._report.check(what, ledger.check(sent, acks, seen))

    def _check_topics(self) -> None:
        java = Driver("java", self._work)
        _, output = tools.run(java, tools.TOPICS, "--bootstrap-server", self._broker.bootstrap, "--describe")
        java.close()
        found = set(re.findall(r"Topic: (born-\d+)\s.*PartitionCount: 3\b", output))
        faults = [f"{topic} is missing" for topic in self._creator.created if topic not in found]
        self._report.check(f"{len(self._creator.created)} created topics are there", faults[:5])


def parse() -> argparse.Namespace:
    """The options; see README.md."""
    parser = argparse.ArgumentParser(prog="ci/compat/kill9", description=__doc__)
    parser.add_argument("--flumen", type=Path, default=REPOSITORY / "target/release/flumen", metavar="PATH")
    parser.add_argument("--kills", type=int, default=len(PLAN), help="at least so many kills (default %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of the random instants")
    parser.add_argument("--broker", choices=("flumen", "kafka"), default="flumen", help="kafka: to validate the test")
    return parser.parse_args()


def main() -> int:
    """Runs the test; the status is 0 only if every promise held."""
    options = parse()
    with work_directory("kill9") as work:
        report = Report()
        report.say(f"seed {options.seed}")
        if subprocess.run([str(HOME / "install")], check=False).returncode:
            return 1
        with make_broker(options, work / "data", SETTINGS) as broker:
            test = Test(options, broker, work, report)
            try:
                test.run()
            except (BrokerError, DriverError) as error:
                report.check("the run itself", [str(error)])
            finally:
                test.close()
        return report.conclude(work)


if __name__ == "__main__":
    sys.exit(main())
