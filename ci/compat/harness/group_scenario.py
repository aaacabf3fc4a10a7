"""One scenario of the group test: five members come, one leaves, two are killed, one hangs, the rest drain.

The steps wait until the group has settled, so that each disturbance is seen by itself; whether it settled in
time, and everything else, is for the ledger (`group_ledger.py`) to decide.
"""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from .brokers import Broker
from .drivers import Driver
from .group_ledger import Account, Event, Figures, Poll, Rules, check, measure
from .group_members import COMMIT_MS, HEARTBEAT_MS, SESSION_MS, Client, Process
from .pulse import Pulse

PARTITIONS = 64
RATE = 640  # records/s: each partition gets one every 100 ms
MEMBERS = 5
SLACK_S = 5.0  # start of a JVM, and two cores for everybody
STEADY_S = 0.7  # so long a settled group is left alone
CALL_S = 60
DRAIN_S = 30


@dataclass
class Live:
    """The account as it grows, and the little of it that steps wait for."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    events: list[Event] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    acked: dict[int, list[float]] = field(default_factory=dict)
    owned: dict[str, set[int]] = field(default_factory=dict)
    progressed: dict[int, float] = field(default_factory=dict)
    position: dict[int, int] = field(default_factory=dict)
    quiet: set[str] = field(default_factory=set)  # members that are dead or paused
    faults: list[str] = field(default_factory=list)  # of the producer and the watcher

    def note(self, what: Event | Poll) -> None:
        """Takes what a process said or suffered; called by the threads that read their output."""
        with self.lock:
            if isinstance(what, Poll):
                self.polls.append(what)
            elif what.member == "producer":
                self._note_producer(what)
            elif what.member == "watcher":
                if what.kind in ("fatal", "died"):
                    self.faults.append(f"watcher: {what.text}")
            else:
                self.events.append(what)
                self._follow(what)

    def _note_producer(self, event: Event) -> None:
        if event.kind in ("fatal", "died", "error"):
            self.faults.append(f"producer: {event.text}")
        elif event.kind == "records":
            known = self.acked.setdefault(event.partitions[0], [])
            known += [event.at] * (event.last - event.first + 1)

    def _follow(self, event: Event) -> None:
        owned = self.owned.setdefault(event.member, set())
        match event.kind:
            case "assigned":
                owned.update(event.partitions)
            case "revoked" | "lost":
                owned.difference_update(event.partitions)
            case "records":
                partition = event.partitions[0]
                self.progressed[partition] = event.at
                self.position[partition] = max(self.position.get(partition, 0), event.last + 1)
            case "paused":
                self.quiet.add(event.member)
            case "continued":
                self.quiet.discard(event.member)
            case "killed" | "left" | "died":
                self.quiet.add(event.member)
                owned.clear()

    def settled(self, members: list[str], since: float) -> bool:
        """Whether just these members share all partitions, each its part, and all have progressed since."""
        with self.lock:
            shares = [self.owned.get(member, set()) for member in members]
            whole = sum(map(len, shares)) == PARTITIONS == len(set().union(*shares))
            moving = all(self.progressed.get(partition, 0) > since for partition in range(PARTITIONS))
            return whole and all(shares) and moving

    def drained(self) -> bool:
        """Whether all that was acknowledged has been delivered."""
        with self.lock:
            return all(self.position.get(partition, 0) >= len(acked) for partition, acked in self.acked.items())


class Stuck(Exception):
    """The group does not settle: what follows would tell nothing more."""


@dataclass
class Outcome:
    """What a scenario came to."""

    client: str
    faults: list[str]
    figures: Figures
    seconds: float
    stood_still_s: float  # how long the machine itself did: then it tells nothing


class Scenario:
    """One client's run in a group and on a topic of its own, both called by `name`."""

    def __init__(self, name: str, client: Client, broker: Broker, session_ms: int, work: Path, broker_kill: bool):
        self._client = client
        self._broker = broker
        self._work = work
        self._broker_kill = broker_kill
        self._group = f"group-{name}"
        self._where = {"bootstrap": broker.bootstrap, "topic": f"topic-{name}", "partitions": PARTITIONS}
        self._live = Live()
        self._members: list[Process] = []  # those that live
        self._others: list[Process] = []
        self._started = 0
        self._pulse = Pulse()
        self._outages: list[tuple[float, float]] = []
        agreed = (client.cooperative, client.exact, client.rewinds)
        self.rules = Rules(session_ms / 1000, HEARTBEAT_MS / 1000, SLACK_S, *agreed)

    def run(self) -> Outcome:
        """Everything from the creation of the topic to the verdict."""
        began = time.monotonic()
        self._pulse.start()
        try:
            self._play()
        except Stuck as stuck:
            self._live.faults.append(str(stuck))
        finally:
            self.end()
            self._pulse.stop()
        live = self._live
        account = Account(PARTITIONS, live.acked, live.events, live.polls, self._outages)
        faults = live.faults + check(account, self.rules)
        stood_still_s = self._pulse.stood_still_s
        if stood_still_s:
            faults.insert(0, f"the machine itself stood still for {stood_still_s:.1f} s")
        return Outcome(self._client.name, faults, measure(account), time.monotonic() - began, stood_still_s)

    def end(self) -> None:
        """Ends the processes that are left."""
        for process in (*self._members, *self._others):
            process.end()

    def _play(self) -> None:
        driver = Driver("java", self._work)
        driver.ask("create", CALL_S, settle=self._broker.settles_late, **self._where)
        driver.close()
        producer, watcher = self._helper("producer"), self._helper("watcher")
        producer.said_ready.wait(CALL_S)
        for number in range(MEMBERS):
            self._join()
            if self._broker_kill and number == MEMBERS - 2:
                self._kill_broker()
            self._settle()
        self._leave(self._members[0])
        self._replace(self._members[0])
        self._replace(self._members[1])
        self._hang(self._members[0])
        producer.ask_to_leave()
        producer.await_end()
        self._wait(self._live.drained, DRAIN_S)
        for member in list(self._members):
            self._leave(member, settle=False)
        time.sleep(STEADY_S)
        watcher.ask_to_leave()
        watcher.await_end()

    def _helper(self, name: str) -> Process:
        options = {**self._where, "group": self._group, "rate": RATE}
        process = Process(name, name, options, self._work, self._live.note)
        self._others.append(process)
        return process

    def _join(self) -> None:
        command, assignor = self._client.member(self._started)
        options = {
            **self._where,
            "group": self._group,
            "assignor": assignor,
            "session_ms": SESSION_MS,
            "heartbeat_ms": HEARTBEAT_MS,
            "commit_ms": COMMIT_MS,
        }
        name = f"member-{self._started}"
        self._started += 1
        member = Process(name, command, options, self._work, self._live.note)
        self._members.append(member)
        member.said_ready.wait(CALL_S)  # a JVM among many takes its time

    def _wait(self, condition, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _settle(self, without: Process | None = None) -> None:
        """Waits until the members that live share everything again; then the group is left alone for a moment."""
        since = time.monotonic()
        names = [member.name for member in self._members if member is not without]

        def over() -> bool:
            return self._lost() or self._live.settled(names, since)

        if not self._wait(over, self.rules.limit_s + SLACK_S) or self._lost():
            raise Stuck(f"the group of {', '.join(names)} did not settle; {self._shares(names)}")
        time.sleep(STEADY_S)

    def _lost(self) -> bool:
        """Whether nothing that is still to come would tell anything."""
        return bool(self._pulse.stood_still_s) or not all(member.alive for member in self._members)

    def _shares(self, names: list[str]) -> str:
        with self._live.lock:
            return "partitions of each: " + " ".join(str(len(self._live.owned.get(name, ()))) for name in names)

    def _leave(self, member: Process, settle: bool = True) -> None:
        member.ask_to_leave()
        self._members.remove(member)
        self._others.append(member)
        member.await_end()
        if settle:
            self._settle()

    def _replace(self, member: Process) -> None:
        """SIGKILL, and a new member at once."""
        member.kill()
        self._members.remove(member)
        self._others.append(member)
        self._join()
        self._settle()

    def _hang(self, member: Process) -> None:
        """SIGSTOP until the others have all partitions, and SIGCONT."""
        member.pause()
        time.sleep(self.rules.session_s)
        self._settle(without=member)
        member.resume()
        self._settle()

    def _kill_broker(self) -> None:
        """kill -9 in the middle of the rebalance that the last member began."""
        newest = self._members[-1]
        time.sleep(0.3)
        down = time.monotonic()
        newest.did("broker killed")
        self._broker.kill()
        self._broker.start()
        self._outages.append((down, time.monotonic()))
