"""The command line of `ci/compat/groups`: starts the broker, plays the scenario with each client, tells what came."""

import argparse
import datetime
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

from .brokers import Broker, BrokerError, make_broker
from .drivers import DriverError
from .group_ledger import DISTURBANCES
from .group_members import CLIENTS, CORE, HEARTBEAT_MS, SESSION_MS, Client
from .group_scenario import MEMBERS, PARTITIONS, RATE, SLACK_S, Outcome, Scenario
from .main import check_harness
from .paths import HOME, REPOSITORY, RESULTS, work_directory
from .report import Report, table
from .versions import line as versions_line

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

    def __init__(self, options: argparse.Namespace, broker: Broker, work: Path, report: Report):
        self._options = options
        self._broker = broker
        self._work = work
        self._report = report
        self.outcomes: dict[str, Outcome] = {}

    def run(self) -> None:
        """From the start of the broker to its end."""
        self._report.say(f"{self._broker.name} serves after {self._broker.start():.1f} s")
        todo: queue.SimpleQueue[Client] = queue.SimpleQueue()
        for client in self._options.clients:
            todo.put(client)
        count = 1 if self._options.kill_broker else self._options.parallel
        workers = [threading.Thread(target=self._work_off, args=(todo,)) for _ in range(count)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self._report.check("SIGTERM stops the broker", self._broker.stop())

    def _work_off(self, todo: queue.SimpleQueue) -> None:
        try:
            while True:
                self._play(todo.get_nowait())
        except queue.Empty:
            pass

    def _play(self, client: Client) -> None:
        scenario = Scenario(client, self._broker, SESSION_MS, self._work, self._options.kill_broker)
        try:
            outcome = scenario.run()
        except (BrokerError, DriverError, OSError) as error:
            self._report.check(client.name, [f"the scenario itself: {error}"])
            return
        self.outcomes[client.name] = outcome
        figures = outcome.figures
        stood = ", ".join(f"{cause} {seconds:.1f}" for cause, seconds in figures.longest_s.items())
        what = f"{figures.records:,} records, {figures.redelivered} redelivered; longest standstill in s: {stood}"
        self._report.check(f"{client.name} ({outcome.seconds:.0f} s): {what}", outcome.faults)

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


def write_result_file(groups: Groups, broker: str, report: Report) -> str:
    """Writes the dated file of a full run and returns its name."""
    today = datetime.date.today().isoformat()
    lines = [
        f"# Consumer groups of {today}: {broker}",
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
    path = RESULTS / f"{today}-groups-{broker}.md"
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
        with make_broker(options, work / "data", SETTINGS) as broker:
            groups = Groups(options, broker, work, report)
            try:
                groups.run()
            except BrokerError as error:
                report.check("the run itself", [str(error)])
        print("\n" + groups.table() + "\n")
        if options.full:
            print(f"written: ci/compat/results/{write_result_file(groups, broker.name, report)}")
        return report.conclude(work)


if __name__ == "__main__":
    sys.exit(main())
