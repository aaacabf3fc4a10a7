"""The brokers a run can start: Flumen, and Apache Kafka as the oracle that validates the harness itself."""

import argparse
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .paths import JAVA_CLASSPATH

READY_S = 60
STOP_S = 30
LOG_TAIL_BYTES = 2000


class BrokerError(Exception):
    """The broker did not start, or died."""


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """One broker process on one data directory, restartable on the same ports."""

    name: str
    settles_late = False  # whether a partition may lack its leader after the reply to its creation

    def __init__(self, data: Path):
        self.data = data
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.log = data.parent / f"{data.name}-broker.log"
        self.process = None
        self.on_line: Callable[[str], None] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_) -> None:
        """Does not outlive the run."""
        if self.process and self.process.poll() is None:
            self.kill()

    def command(self, shards: int | None) -> list[str]:
        """The command line that starts it."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it serves."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def launch(self, shards: int | None = None) -> None:
        """Starts the process without waiting for it to serve."""
        self.data.mkdir(parents=True, exist_ok=True)
        if self.on_line is None:
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(self.command(shards), stdout=log, stderr=log, cwd=self.data.parent)
            return
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(self.command(shards), cwd=self.data.parent, **output)
        self._reader = threading.Thread(target=self._follow, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    def _follow(self, lines) -> None:
        """Hands each line to on_line as soon as the broker has written it, and to the log."""
        with open(self.log, "ab", buffering=0) as log:
            for line in lines:
                self.on_line(line.decode(errors="replace"))
                log.write(line)

    def await_ready(self, timeout_s: float = READY_S) -> float:
        """Waits until it serves and returns the seconds that took."""
        started = time.monotonic()
        while not self.ready():
            if self.process.poll() is not None:
                raise BrokerError(f"the broker exited with {self.process.returncode}: {self.log_tail()}")
            if time.monotonic() - started > timeout_s:
                raise BrokerError(f"the broker did not serve within {timeout_s} s: {self.log_tail()}")
            time.sleep(0.002)
        return time.monotonic() - started

    def start(self, shards: int | None = None) -> float:
        """Starts it and waits until it serves."""
        self.launch(shards)
        return self.await_ready()

    def kill(self) -> None:
        """kill -9, as the kernel's OOM killer would."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self._reader is not None:
            self._reader.join()

    def stop(self) -> list[str]:
        """Stops it by SIGTERM; returns what is wrong with how it ended."""
        if self.process is None:
            return []
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerError(f"the broker did not stop within {STOP_S} s of SIGTERM") from None
        # A JVM that handled SIGTERM leaves with 143.
        return [] if status in (0, 143) else [f"exit status {status}"]

    def log_tail(self) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace") if self.log.exists() else ""


class Flumen(Broker):
    """`flumen start`, ready when /readyz says so."""

    name = "flumen"

    def __init__(self, data: Path, binary: Path, settings: dict[str, str] | None = None):
        super().__init__(data)
        self._binary = binary
        self._settings = settings or {}
        self.admin_port = free_port()

    def command(self, shards):
        command = [str(self._binary), "start", "--data", str(self.data), "--kafka-addr", self.bootstrap]
        command += ["--admin-addr", f"127.0.0.1:{self.admin_port}"]
        if shards is not None:
            command += ["--shards", str(shards)]
        for key, value in self._settings.items():
            command += ["--set", f"{key}={value}"]
        return command

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page of the admin address; status 0 while it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=2)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def ready(self):
        return super().ready() and self.get("/readyz")[0] == 200

    def beside(self, data: Path, settings: dict[str, str]) -> "Flumen":
        """Another one of the same binary, not yet started."""
        return Flumen(data, self._binary, settings)


class Kafka(Broker):
    """Apache Kafka in KRaft mode, broker and controller in one process."""

    name = "kafka"
    settles_late = True

    def __init__(self, data: Path, settings: dict[str, str] | None = None):
        super().__init__(data)
        self._settings = settings or {}
        self._controller_port = free_port()
        self._properties = data.parent / f"{data.name}-server.properties"

    def command(self, shards):
        return self._java("-Xms512m", "-Xmx1g", "-XX:+UseG1GC") + ["kafka.Kafka", str(self._properties)]

    def _java(self, *options: str) -> list[str]:
        return ["java", *options, "-cp", JAVA_CLASSPATH]

    def launch(self, shards=None):
        if not self._properties.exists():
            self._format()
        super().launch(shards)

    def _format(self) -> None:
        self._properties.write_text(self._configuration())
        command = self._java("-Xmx256m") + ["kafka.tools.StorageTool", "format", "--standalone"]
        command += ["-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(self._properties)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BrokerError(f"format failed: {done.stdout}{done.stderr}")

    def _configuration(self) -> str:
        controller = f"127.0.0.1:{self._controller_port}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": controller,
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.data),
            "offsets.topic.replication.factor": "1",
            "group.initial.rebalance.delay.ms": "0",
            **self._settings,
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())


def make_broker(options: argparse.Namespace, data: Path, settings: dict[str, str] | None = None) -> Broker:
    """The broker that the command line asks for, not yet started."""
    if options.broker == "kafka":
        return Kafka(data, settings)  # settings that only Flumen has are none to Kafka, and it says so in its log
    if not options.flumen.is_file():
        sys.exit(f"no broker at {options.flumen}; build it: cargo build --release --bin flumen")
    return Flumen(data, options.flumen.resolve(), settings)
