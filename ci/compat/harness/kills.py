"""Kills of each kind: at random instants, inside events that the broker logs, during the creation of a topic.

A kill counts for an event only when the broker died inside it.
"""

import random
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .brokers import Broker
from .drivers import Driver, DriverError

# What the broker logs when it begins and ends what a kill has to fall into. A line may name its shard: then only
# the end on the same shard is this beginning's.
EVENTS = {
    "recovery": ("recovery started", "recovery finished"),
    "turn-over": ("journal turn-over started", "journal turn-over finished"),
    "checkpoint": ("checkpoint started", "checkpoint finished"),
}
SHARD = re.compile(r"\bshard[=: ](\d+)")
NEEDED = ("recovery", "turn-over", "checkpoint", "creation")
EVENT_S = 20  # an event that does not begin within so long is given up


class Trigger:
    """Follows the broker's log, kills it in the middle of the event it is armed for, and knows if that worked."""

    def __init__(self, broker: Broker):
        self._broker = broker
        self._event: tuple[str, str] | None = None
        self._shard: str | None = None
        self._inside = False
        self.fired = threading.Event()

    def arm(self, event: str) -> None:
        """From now on the next beginning of `event` kills."""
        self.fired.clear()
        self._inside = False
        self._event = EVENTS[event]

    def on_line(self, line: str) -> None:
        """Called by the thread that reads the log."""
        if self._event is None:
            return
        begin, end = self._event
        if not self.fired.is_set() and begin in line:
            self._broker.process.kill()
            self._inside, self._shard = True, _shard(line)
            self.fired.set()
        elif end in line and _shard(line) == self._shard:
            self._inside = False

    def disarm(self) -> bool:
        """After the broker's death: whether it died inside the event."""
        self._event = None
        return self.fired.is_set() and self._inside


def _shard(line: str) -> str | None:
    named = SHARD.search(line)
    return named and named.group(1)


class Creator(threading.Thread):
    """Creates topics one after the other as long as the test runs, and remembers which exist."""

    def __init__(self, broker: Broker, log_dir: Path):
        super().__init__(daemon=True)
        self._where = broker.bootstrap
        self._driver = Driver("java#creator", log_dir)
        self._wanted = threading.Event()
        self._stopped = False
        self.busy = False
        self.created: list[str] = []
        self.errors: list[str] = []

    def run(self) -> None:
        number = 0
        while not self._stopped:
            self._wanted.wait(0.25)
            self._wanted.clear()
            self._create(f"born-{number}")
            number += 1
        self._driver.close()

    def _create(self, topic: str) -> None:
        self.busy = True
        try:
            self._driver.ask("create", 90, bootstrap=self._where, topic=topic, partitions=3)
            self.created.append(topic)
        except DriverError as error:
            # The first try's reply was lost with the broker, and the client tried again.
            if "TopicExistsException" in str(error):
                self.created.append(topic)
            else:
                self.errors.append(str(error))
        finally:
            self.busy = False

    def hurry(self) -> None:
        """Asks for a creation at once."""
        self._wanted.set()

    def stop(self) -> None:
        """Ends the thread after the creation under way."""
        self._stopped = True
        self.hurry()
        self.join()


@dataclass
class Killer:
    """Carries out kills of each kind and counts those that fell where they were meant to."""

    broker: Broker
    creator: Creator
    random: random.Random
    watched: bool  # whether the broker logs EVENTS

    def __post_init__(self):
        self.trigger = Trigger(self.broker)
        if self.watched:
            self.broker.on_line = self.trigger.on_line
        self.kills = 0
        self.landed = dict.fromkeys(("random", *NEEDED), 0)

    def kill(self, kind: str) -> bool:
        """Kills the serving broker; whether the kill fell into what it was meant for."""
        landed = {"random": self._kill_random, "creation": self._kill_creation}.get(kind, lambda: self._kill_in(kind))()
        return self._count(kind, landed)

    def _count(self, kind: str, landed: bool) -> bool:
        self.kills += 1
        self.landed[kind] += landed
        return landed

    def _kill_random(self) -> bool:
        time.sleep(self.random.uniform(0, 1.5))
        self.broker.kill()
        return True

    def _kill_creation(self) -> bool:
        self.creator.hurry()
        deadline = time.monotonic() + 5
        while not self.creator.busy and time.monotonic() < deadline:
            time.sleep(0.0002)
        time.sleep(self.random.uniform(0, 0.003))
        before = len(self.creator.created)
        self.broker.kill()
        return self.creator.busy and len(self.creator.created) == before

    def _kill_in(self, event: str) -> bool:
        self.trigger.arm(event)
        self.trigger.fired.wait(EVENT_S)
        self.broker.kill()
        return self.trigger.disarm()

    def kill_recovery(self, shards: int, usual_s: float) -> bool:
        """Starts the broker and kills it before it serves."""
        if self.watched:
            self.trigger.arm("recovery")
            self.broker.launch(shards)
            self.trigger.fired.wait(EVENT_S)
            self.broker.kill()
            return self._count("recovery", self.trigger.disarm())
        self.broker.launch(shards)
        time.sleep(usual_s * self.random.uniform(0.3, 0.9))
        serving = self.broker.ready()
        self.broker.kill()
        return self._count("recovery", not serving)
