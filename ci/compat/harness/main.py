"""The command line of `ci/compat/run`: installs the clients, starts the broker, runs matrix and admin checks."""

import argparse
import queue
import subprocess
import sys
import threading
import unittest
from pathlib import Path

from . import admin
from .brokers import Broker, BrokerError, make_broker
from .clients import CONSUMERS, PRODUCERS
from .drivers import DriverError, Drivers
from .matrix import Cell, Matrix, plan
from .paths import HOME, REPOSITORY, work_directory
from .report import Report

WORKERS = 2
REREAD_EVERY = 7  # prime to the cells' order: every producer, codec and number of partitions is met
DEFAULT_RECORDS = 2_000
FULL_RECORDS = 50_000


def main() -> int:
    """Runs everything that was asked for; the status is 0 only if all of it passed."""
    options = parse()
    with work_directory("run") as work:
        report = Report()
        check_harness(report)
        report.say("installing the clients (skipped where nothing changed)")
        if subprocess.run([str(HOME / "install")], check=False).returncode:
            return 1
        with make_broker(options, work / "data") as broker:
            try:
                run(options, broker, work, report)
            except (BrokerError, DriverError) as error:
                report.check("the run itself", [str(error)])
        print("\n" + report.summary() + "\n")
        if options.full:
            print(f"written: ci/compat/results/{report.write_result_file(broker.name, options.records)}")
        return report.conclude(work)


def check_harness(report: Report) -> None:
    """The comparer and the ledger must find every kind of damage, or what follows proves nothing."""
    tests = unittest.defaultTestLoader.discover(str(HOME / "harness" / "tests"), top_level_dir=str(HOME))
    result = unittest.TestResult()
    tests.run(result)
    faults = [f"{test}: {trace}" for test, trace in result.errors + result.failures]
    report.check(f"{result.testsRun} tests of the harness itself", faults)


def run(options: argparse.Namespace, broker: Broker, work: Path, report: Report) -> None:
    """Matrix, admin checks, and a restart in which everything must still be there."""
    report.say(f"{broker.name} serves after {broker.start(options.shards):.1f} s")
    cells = plan(options.only)
    matrix = Matrix(broker, work, options.records)
    run_matrix(cells, matrix, work, report)
    if options.only is None or "admin" in options.only:
        run_admin(broker, work, report)
    report.check("SIGTERM stops the broker", broker.stop())
    shards = 1 if options.shards != 1 else 2
    report.say(f"{broker.name} serves again after {broker.start(shards):.1f} s")
    read_again(cells[::REREAD_EVERY], matrix, work, report)
    report.check("SIGTERM stops the broker", broker.stop())


def parse() -> argparse.Namespace:
    """The options; see README.md."""
    names = sorted({client.name for client in (*PRODUCERS, *CONSUMERS)} | {"admin"})
    parser = argparse.ArgumentParser(prog="ci/compat/run", description=__doc__)
    parser.add_argument("--full", action="store_true", help=f"{FULL_RECORDS} records a cell, and a dated result file")
    parser.add_argument("--broker", choices=("flumen", "kafka"), default="flumen")
    parser.add_argument("--flumen", type=Path, default=REPOSITORY / "target/release/flumen", metavar="PATH")
    parser.add_argument("--shards", type=int, help="shards of the Flumen broker; its default is one per core")
    parser.add_argument("--only", metavar="CLIENT,...", help=f"of {', '.join(names)}")
    parser.add_argument("--records", type=int, help=f"records a cell (default {DEFAULT_RECORDS})")
    options = parser.parse_args()
    options.records = options.records or (FULL_RECORDS if options.full else DEFAULT_RECORDS)
    options.only = set(options.only.split(",")) if options.only else None
    if options.only and not options.only <= set(names):
        parser.error(f"unknown client in --only; there are: {', '.join(names)}")
    return options


def run_matrix(cells: list[Cell], matrix: Matrix, work: Path, report: Report) -> None:
    """Runs the cells on worker threads, each with driver processes of its own."""
    todo: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    for cell in cells:
        todo.put(cell)
    workers = [threading.Thread(target=_work, args=(todo, len(cells), matrix, work, report)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _work(todo: queue.SimpleQueue, total: int, matrix: Matrix, work: Path, report: Report) -> None:
    drivers = Drivers(work)
    try:
        while True:
            report.cell(matrix.run(todo.get_nowait(), drivers), total)
    except queue.Empty:
        pass
    finally:
        drivers.close()


def run_admin(broker: Broker, work: Path, report: Report) -> None:
    """Runs the admin tools' checks, one after the other in one JVM."""
    drivers = Drivers(work)
    for name, check in admin.checks(broker, work, drivers):
        report.check(name, check())
    drivers.close()


def read_again(cells: list[Cell], matrix: Matrix, work: Path, report: Report) -> None:
    """Reads cells once more after the restart."""
    drivers = Drivers(work)
    for cell in cells:
        report.check(f"after a restart: {cell.topic}", matrix.read_again(cell, drivers))
    drivers.close()


if __name__ == "__main__":
    sys.exit(main())
