"""A broker as a process, and a librdkafka producer that never gives up, with a ledger of what it saw acknowledged."""

import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = "ledger"
PARTITIONS = 4
READY_S = 60
STARTED = []  # every broker, so that none outlives its row


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """One broker on one data directory, restartable on its ports."""

    def __init__(self, flumen, data, more=(), prefix=(), log=None):
        self.flumen, self.data, self.more, self.prefix = flumen, data, list(more), list(prefix)
        self.port, self.admin = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        # Not on the disk that a row breaks.
        self.log = log or f"{data}.log"
        self.process = None

    def start(self, more=()):
        """Starts it and waits until it is ready; the seconds that took."""
        began = time.monotonic()
        command = [*self.prefix, self.flumen, "start", "--data", str(self.data), "--kafka-addr", self.bootstrap]
        command += ["--admin-addr", f"127.0.0.1:{self.admin}", "--shards", "2", "--memory", "64MiB"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*command, *self.more, *more], stdout=log, stderr=log)
        STARTED.append(self.process)
        while not self.is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"it ended with {self.process.returncode}: {self.log_tail()}")
            if time.monotonic() - began > READY_S:
                raise RuntimeError(f"not ready: {self.log_tail()}")
            time.sleep(0.02)
        return time.monotonic() - began

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def is_running(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def log_tail(self):
        return self.log_text()[-1500:]

    def create(self, topic=TOPIC, partitions=PARTITIONS, **config):
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        config = {name.replace("_", "."): str(value) for name, value in config.items()}
        for done in admin.create_topics([NewTopic(topic, partitions, 1, config=config)]).values():
            done.result(30)


def value_of(number, size):
    return f"{number}:".encode() + b"x" * (size - number * 37 % (size // 2))


class Load:
    """Numbers in turn, idempotent, without end of patience; `acked` has each number's partition and offset."""

    def __init__(self, node, size=600, rate=2000):
        self.size, self.pause = size, 1 / rate
        self.acked, self.errors = {}, []
        self.longest_s, self._last = 0.0, time.monotonic()
        self._stop = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": node.bootstrap,
                "enable.idempotence": True,
                "log_level": 0,
                "message.timeout.ms": 600_000,
                "linger.ms": 2,
                "retry.backoff.max.ms": 200,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 200,
                "error_cb": lambda error: self.errors.append(str(error)) if error.fatal() else None,
            }
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _delivered(self, number):
        def done(error, message):
            if error is not None:
                self.errors.append(f"{number}: {error}")
                return
            now = time.monotonic()
            self.longest_s, self._last = max(self.longest_s, now - self._last), now
            self.acked[number] = (message.partition(), message.offset())

        return done

    def _run(self):
        number = 0
        while not self._stop.is_set():
            try:
                value = value_of(number, self.size)
                self._producer.produce(TOPIC, value, partition=number % PARTITIONS, on_delivery=self._delivered(number))
                number += 1
            except BufferError:
                pass
            self._producer.poll(self.pause if number % 8 == 0 else 0)
            if number % 8:
                time.sleep(self.pause)

    def reset_gap(self):
        """From now on, the longest time without an acknowledgement counts anew."""
        self.longest_s, self._last = 0.0, time.monotonic()

    def wait_for_more(self, seconds=60, count=200):
        """Until so many more are acknowledged; the seconds that took."""
        began, target = time.monotonic(), len(self.acked) + count
        while len(self.acked) < target:
            if time.monotonic() - began > seconds:
                raise RuntimeError(f"only {len(self.acked)} of {target} acknowledged after {seconds} s")
            time.sleep(0.02)
        return time.monotonic() - began

    def finish(self, wait=True):
        """Ends the load; with `wait`, when all is acknowledged."""
        self._stop.set()
        self._thread.join()
        left = self._producer.flush(120 if wait else 0)
        if not wait:
            self._producer.purge()
            self._producer.flush(5)
            self.errors.clear()
        elif left:
            self.errors.append(f"{left} were never acknowledged")


def read_all(node):
    """Every number by partition and offset, up to the high watermarks."""
    config = {"bootstrap.servers": node.bootstrap, "group.id": "x", "log_level": 0, "enable.auto.commit": False}
    consumer = Consumer(config)
    ends, found = {}, {}
    for partition in range(PARTITIONS):
        low, high = consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=30)
        if high > low:
            ends[partition] = high
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in ends])
    deadline = time.monotonic() + 120
    while ends and time.monotonic() < deadline:
        for message in consumer.consume(1000, 1.0):
            if message.error():
                continue
            place = (message.partition(), message.offset())
            found[place] = int(message.value().split(b":", 1)[0])
            if message.offset() + 1 >= ends.get(message.partition(), 0):
                ends.pop(message.partition(), None)
    consumer.close()
    if ends:
        raise RuntimeError(f"could not read to the end: {ends}")
    return found


def lost(node, load):
    """Acknowledged numbers that are not where they were acknowledged, and numbers that are there twice."""
    found = read_all(node)
    missing = [number for number, place in load.acked.items() if place[1] >= 0 and found.get(place) != number]
    numbers = list(found.values())
    return len(missing), len(numbers) - len(set(numbers))


def memory_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    return 0


def run(*command):
    """A command that must work."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def is_root():
    return os.geteuid() == 0
