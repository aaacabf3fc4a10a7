"""kaskade, a terminal user interface, in a pseudo terminal."""

import json
import subprocess

from ..paths import CACHE, HOME
from ..records import Record
from .stage import Stage

NAME = "kaskade"
TOPIC = "kaskade-orders"
RECORDS = 12
PARTITIONS = 2
SEEN_S = 120


class Kaskade:
    """One run."""

    def __init__(self, stage: Stage):
        self._stage = stage

    def run(self) -> None:
        """A topic with records, its list and its consumer."""
        stage = self._stage
        stage.create(TOPIC, PARTITIONS)
        records = [Record(i % PARTITIONS, f"key-{i}".encode(), f"value-{i}".encode()) for i in range(RECORDS)]
        stage.produce(TOPIC, records)
        stage.check(NAME, "admin: a topic, its partitions and how many records, in a terminal", self._admin())
        stage.check(NAME, "consumer: every key and value, in a terminal", self._consumer())

    def _admin(self) -> list[str]:
        # Name, partitions, replicas, in sync, groups, members, records.
        line = rf"{TOPIC}\s+{PARTITIONS}\s+1\s+1\s+0\s+0\s+\D?{RECORDS}\s"
        return self._play(["admin", "-b", self._stage.bootstrap], [line])

    def _consumer(self) -> list[str]:
        arguments = ["consumer", "-b", self._stage.bootstrap, "-t", TOPIC, "-k", "string", "-v", "string"]
        shown = [rf"\b{what}-{i}\b" for what in ("key", "value") for i in range(RECORDS)]
        return self._play([*arguments, "--earliest"], shown)

    def _play(self, arguments: list[str], wanted: list[str]) -> list[str]:
        home = CACHE / "kaskade" / "bin"
        steps = [{"wait": wanted, "seconds": SEEN_S}]
        play = {"command": [str(home / "kaskade"), *arguments], "columns": 170, "lines": 45, "steps": steps}
        command = [str(home / "python"), str(HOME / "python" / "terminal.py"), json.dumps(play)]
        options = {"capture_output": True, "text": True, "check": False, "cwd": self._stage.work}
        done = subprocess.run(command, timeout=2 * SEEN_S, **options)
        if done.returncode:
            return [f"the terminal: {done.stderr[-400:]}"]
        answer = json.loads(done.stdout)
        (self._stage.work / f"{arguments[0]}.screen").write_text("\n\n".join(answer["screens"]), encoding="utf-8")
        return [answer["fault"] + ": " + answer["screens"][-1][:600]] if answer["fault"] else []


def run(stage: Stage) -> None:
    """The part `kaskade`."""
    Kaskade(stage).run()
