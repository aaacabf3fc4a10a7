"""Driver processes: one long-lived process per client, asked by JSON lines (see README.md)."""

import json
import os
import queue
import subprocess
import threading
from pathlib import Path

from .paths import CACHE, HOME, JAVA_CLASSPATH, PYTHON

COMMANDS = {
    "kcat": [str(PYTHON), str(HOME / "python" / "kcat_driver.py")],
    "confluent": [str(PYTHON), str(HOME / "python" / "confluent_driver.py")],
    "kafka-python": [str(PYTHON), str(HOME / "python" / "kafka_python_driver.py")],
    "kafkajs": ["node", str(HOME / "kafkajs" / "driver.js")],
    "franz-go": [str(CACHE / "franz")],
    "confluent-quota": [str(PYTHON), str(HOME / "python" / "quota_driver.py")],
    "avro": [str(CACHE / "registry" / "bin" / "python"), str(HOME / "python" / "avro_driver.py")],
    "confluent-load": [str(PYTHON), str(HOME / "python" / "load.py")],
    "java": ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", JAVA_CLASSPATH, "compat.Driver"],
}
LOG_TAIL_BYTES = 600


class DriverError(Exception):
    """A client failed, or did not answer in time."""


class Driver:
    """One client's process, started at the first request and started anew after a time-out.

    A name may end in #something, to have several processes of one client.
    """

    def __init__(self, name: str, log_dir: Path):
        self.name = name
        self._log = log_dir / f"{name}-{id(self):x}.log"
        self._process = None
        self._answers: queue.Queue[str] = queue.Queue()

    def ask(self, op: str, timeout_s: float, **request) -> dict:
        """Sends one request and waits for its answer."""
        self.send(op, **request)
        return self.receive(timeout_s)

    def send(self, op: str, **request) -> None:
        """Sends one request without waiting."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        self._process.stdin.write(json.dumps({"op": op, **request}) + "\n")
        self._process.stdin.flush()

    def receive(self, timeout_s: float) -> dict:
        """The answer to the request sent last."""
        try:
            line = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            self.kill()
            raise DriverError(f"{self.name}: no answer within {timeout_s:.0f} s; {self._log_tail()}") from None
        if not line:
            self.kill()
            raise DriverError(f"{self.name}: the driver died; {self._log_tail()}")
        answer = json.loads(line)
        if "error" in answer:
            raise DriverError(f"{self.name}: {answer['error']}")
        return answer

    def kill(self) -> None:
        """Ends the process at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Lets the process end by closing its stdin."""
        if self._process is None:
            return
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def _start(self) -> None:
        env = dict(os.environ, NODE_PATH=str(CACHE / "kafkajs" / "node_modules"))
        self._answers = queue.Queue()
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                COMMANDS[self.name.partition("#")[0]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env=env,
            )
        threading.Thread(target=_pump, args=(self._process.stdout, self._answers), daemon=True).start()

    def _log_tail(self) -> str:
        text = self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return f"its log ends: {text}" if text else "its log is empty"


def _pump(lines, answers: queue.Queue) -> None:
    for line in lines:
        answers.put(line)
    answers.put("")  # the end


class Drivers:
    """The driver processes of one worker thread."""

    def __init__(self, log_dir: Path):
        self._log_dir = log_dir
        self._drivers: dict[str, Driver] = {}

    def __getitem__(self, name: str) -> Driver:
        if name not in self._drivers:
            self._drivers[name] = Driver(name, self._log_dir)
        return self._drivers[name]

    def close(self) -> None:
        """Ends them all."""
        for driver in self._drivers.values():
            driver.close()
