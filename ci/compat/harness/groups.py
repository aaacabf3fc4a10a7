"""The command line of `ci/compat/groups`: starts the broker, plays the scenario with each client, tells what came."""

import argparse
import contextlib
import datetime
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from .brokers import Broker, BrokerError, make_broker
from .group_ledger import DISTURBANCES
from .group_members import CLIENTS, CORE, HEARTBEAT_MS, SESSION_MS, Client
from .group_scenario import MEMBERS, PARTITIONS, RATE, SLACK_S, Outcome, Scenario
from .main import check_harness
from .paths import HOME, REPOSITORY, RESULTS, work_directory
from .report import Report, table
from .versions import line as versions_line

PLAYS_MAX = 3
# Sessions as short as the classic ones also where the broker assigns; a join does not wait for company.
SETTINGS = {
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.min.session.timeout.ms": str(SESSION_MS),
    "group.consumer.session.timeout.ms": str(SESSION_MS),
    "group.consumer.min.heartbeat.interval.ms": str(HEARTBEAT_MS),
    "group.consumer.heartbeat.interval.ms": str(HEARTBEAT_MS),
}
SOFTWARE = ("kafka-clients (Java)", "confluent-kafka", "franz-go", "sarama", "kafka-python", "aiokafka", "kafkajs")
SOFTWARE += ("@platformatic/kafka",)


class Groups:
    """One run: the clients one after the other, or some at a time."""

    def __init__(self, options: argparse.Namespace, work: Path, report: Report):
        self._options = options
        self._work = work
        self._report = report
        self._open = contextlib.ExitStack()
        self._under_way: set[Scenario] = set()
        self.outcomes: dict[str, Outcome] = {}

    def run(self) -> None:
        """All scenarios with one broker, or, where it is killed, each with its own."""
        with self._open:  # no process outlives a run that is told to end, whatever its threads do
            self._open.callback(self._end_scenarios)
            if self._options.kill_broker:
                self._each(self._play_alone)
                return
            with self._serving("data") as broker:
                self._each(lambda client: self._play(client, broker))

    @contextlib.contextmanager
    def _serving(self, name: str) -> Iterator[Broker]:
        with make_broker(self._options, self._work / name, SETTINGS) as broker:
            self._open.push(broker)
            self._report.say(f"{broker.name} serves after {broker.start():.1f} s")
            yield broker
            self._report.check("SIGTERM stops the broker", broker.stop())

    def _end_scenarios(self) -> None:
        for scenario in list(self._under_way):
            scenario.end()

    def _each(self, play: Callable[[Client], None]) -> None:
        todo = deque(self._options.clients)
        workers = [
            threading.Thread(target=self._work_off, args=(todo, play), daemon=True)
            for _ in range(self._options.parallel)
        ]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                worker.join()
        finally:
            todo.clear()

    def _work_off(self, todo: deque[Client], play: Callable[[Client], None]) -> None:
        with contextlib.suppress(IndexError):  # there are no more
            while True:
                self._try(todo.popleft(), play)

    def _try(self, client: Client, play: Callable[[Client], None]) -> None:
        try:
            play(client)
        except (Exception, SystemExit) as error:  # or the thread would end without a word
            self._report.check(client.name, [f"the scenario itself: {error!r}"])

    def _play_alone(self, client: Client) -> None:
        with self._serving(f"data-{client.name}") as broker:
            self._play(client, broker)

    def _play(self, client: Client, broker: Broker) -> None:
        """Plays it; again when the machine stood still meanwhile, though not for ever."""
        for number in range(PLAYS_MAX):
            name = f"{client.name}-again-{number}" if number else client.name
            scenario = Scenario(name, client, broker, SESSION_MS, self._work, self._options.kill_broker)
            self._under_way.add(scenario)
            outcome = scenario.run()
            self._under_way.remove(scenario)
            if not outcome.stood_still_s:
                break
            self._report.say(f"     {name}: the machine itself stood still for {outcome.stood_still_s:.1f} s")
        self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        self.outcomes[outcome.client] = outcome
        figures = outcome.figures
        stood = ", ".join(f"{cause} {seconds:.1f}" for cause, seconds in figures.longest_s.items())
        what = f"{figures.records:,} records, {figures.redelivered} redelivered; longest standstill in s: {stood}"
        self._report.check(f"{outcome.client} ({outcome.seconds:.0f} s): {what}", outcome.faults)

    def table(self) -> str:
        """The outcomes in Markdown: what each kind of disturbance cost each client."""
        causes = [cause for cause in DISTURBANCES if any(cause in o.figures.longest_s for o in self.outcomes.values())]
        rows = []
        for client in self._options.clients:
            if outcome := self.outcomes.get(client.name):
                figures = outcome.figures
                stood = [f"{figures.longest_s[cause]:.1f}" if cause in figures.longest_s else "" for cause in causes]
                verdict = f"FAIL ({len(outcome.faults)})" if outcome.faults else "ok"
                rows.append([client.name, verdict, f"{figures.records:,}", str(figures.redelivered), *stood])
            else:
                rows.append([client.name, "FAIL", "", "", *("" for _ in causes)])
        return table(["members", "result", "records", "redelivered", *(f"{c}, s" for c in causes)], rows)


def write_result_file(groups: Groups, options: argparse.Namespace, report: Report) -> str:
    """Writes the dated file of a full run and returns its name."""
    today = datetime.date.today().isoformat()
    killed = ", killed in the middle of a rebalance" if options.kill_broker else ""
    lines = [
        f"# Consumer groups of {today}: {options.broker}{killed}",
        "",
        f"{MEMBERS} members, {PARTITIONS} partitions, {RATE} records/s, sessions of {SESSION_MS} ms and heartbeats of"
        f" {HEARTBEAT_MS} ms. A column",
        f"is the longest time in s that a partition stood still after such a disturbance; {SLACK_S:.0f} s of slack.",
        "",
        versions_line(SOFTWARE),
        "",
        groups.table(),
        "",
    ]
    for name, faults in report.checks:
        if faults:
            lines += [f"- {name}", *(f"  - {fault}" for fault in faults)]
    lines += ["", report.closing_line(), ""]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{today}-groups-{options.broker}{'-killed' if options.kill_broker else ''}.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path.name


def parse() -> argparse.Namespace:
    """The options; see README.md."""
    known = {client.name: client for client in CLIENTS}
    parser = argparse.ArgumentParser(prog="ci/compat/groups", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all clients, and a dated result file")
    parser.add_argument("--broker", choices=("flumen", "kafka"), default="flumen")
    parser.add_argument("--flumen", type=Path, default=REPOSITORY / "target/release/flumen", metavar="PATH")
    names = ", ".join(known)
    parser.add_argument("--only", metavar="CLIENT,...", help=f"of {names}; a name's beginning means all such")
    parser.add_argument("--kill-broker", action="store_true", help="the broker dies by -9 in the middle of a rebalance")
    parser.add_argument("--parallel", type=int, default=3, help="scenarios at a time (default %(default)s)")
    options = parser.parse_args()
    sound = [client.name for client in CLIENTS if not client.left_out]
    wanted = options.only.split(",") if options.only else sound if options.full else CORE
    if unknown := [prefix for prefix in wanted if not any(name.startswith(prefix) for name in known)]:
        parser.error(f"unknown client {unknown[0]}; there are: {names}")
    options.clients = [client for client in CLIENTS if any(client.name.startswith(prefix) for prefix in wanted)]
    return options


def main() -> int:
    """Runs the scenarios; the status is 0 only if every promise held."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with work_directory("groups") as work:
        report = Report()
        check_harness(report)
        if subprocess.run([str(HOME / "install")], check=False).returncode:
            return 1
        groups = Groups(options, work, report)
        try:
            groups.run()
        except BrokerError as error:
            report.check("the run itself", [str(error)])
        print("\n" + groups.table() + "\n")
        if options.full:
            print(f"written: ci/compat/results/{write_result_file(groups, options, report)}")
        return report.conclude(work)


if __name__ == "__main__":
    sys.exit(main())
