"""Programs that run beside the broker: a process with a log each, and what is asked of one over HTTP."""

import http.client
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ..paths import JAVA_CLASSPATH

LOG_TAIL_BYTES = 1200
STOP_S = 40
# Short-lived programs on few cores: what a JVM would spend on compiling and collecting is for the others.
JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]


class SoftwareError(Exception):
    """A program did not start, died, or did not come to what was waited for."""


def java(heap_mb: int, *arguments: str) -> list[str]:
    """The command line of a Java program from the compat jars."""
    return ["java", f"-Xmx{heap_mb}m", *JVM, "-cp", JAVA_CLASSPATH, *arguments]


def wait_for(condition: Callable[[], object], what: str, timeout_s: float, *services: "Service", pause_s: float = 0.2):
    """Waits until `condition` is true and returns what it returned; a service that dies ends the waiting."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        for service in services:
            if not service.alive:
                raise SoftwareError(f"{what}: {service.name} died; {service.log_tail()}")
        if time.monotonic() > deadline:
            logs = "; ".join(f"{service.name}: {service.log_tail()}" for service in services)
            raise SoftwareError(f"{what}: not within {timeout_s:.0f} s; {logs}")
        time.sleep(pause_s)
    return result


class Service:
    """A process that can be started, killed and started again; its output goes to one log."""

    def __init__(self, name: str, command: list[str], work: Path, env: dict[str, str] | None = None):
        self.name = name
        self.log = work / f"{name}.log"
        self.command = command
        self._work = work
        self._env = env or {}
        self._process: subprocess.Popen | None = None

    def start(self) -> "Service":
        """Starts the process without waiting for it to serve."""
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._work,
                env={**os.environ, **self._env},
            )
        return self

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9."""
        if self.alive:
            self._process.kill()
        if self._process is not None:
            self._process.wait()

    def stop(self) -> list[str]:
        """SIGTERM; a fault if it does not end by itself, and well. A JVM that handled SIGTERM leaves with 143."""
        if not self.alive:
            return [f"{self.name} was dead already; {self.log_tail()}"]
        self._process.terminate()
        try:
            status = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return [f"{self.name} did not stop within {STOP_S} s of SIGTERM; {self.log_tail()}"]
        return [] if status in (0, 143, -15) else [f"{self.name} left with status {status}; {self.log_tail()}"]

    def said(self, text: str) -> int:
        """How often the log has this text."""
        return self.log.read_text(errors="replace").count(text) if self.log.exists() else 0

    def log_tail(self) -> str:
        """The end of the log, on one line."""
        text = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip() if self.log.exists() else ""
        return "its log ends: " + text.replace("\n", " | ") if text else "its log is empty"


class Http:
    """Requests with JSON to a port of loopback."""

    def __init__(self, port: int, media: str = "application/json"):
        self.port = port
        self._media = media

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        """Status and what came back; status 0 while nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": self._media} if text else {})
            response = connection.getresponse()
            return response.status, _parsed(response.read().decode(errors="replace"))
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()

    def must(self, method: str, path: str, body: object = None) -> object:
        """What came back, if all was well."""
        status, answer = self.ask(method, path, body)
        if not 200 <= status < 300:
            raise SoftwareError(f"{method} {path}: status {status}, {str(answer)[:300]}")
        return answer


def _parsed(text: str) -> object:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
