"""Raw members of a group with the protocol type `sr`, as schema registries elect their leader by one.

They speak the classic protocol themselves. What they hand to each other is JSON that no broker understands: it has to
come through as it is.
"""

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ..oracle.link import CLOSED, Link
from ..oracle.schema import Schemas
from ..paths import CACHE

TYPE = "sr"
PROTOCOL = "v0"
SESSION_MS = 6_000
HEARTBEAT_S = 0.5
ANSWER_S = 20
UNKNOWN_MEMBER, ILLEGAL_GENERATION, REBALANCE, ID_REQUIRED = 25, 22, 27, 79
JOIN, SYNC, HEARTBEAT, LEAVE = 5, 3, 3, 2


def schemas() -> Schemas:
    """Of the clients' jar that is installed."""
    return Schemas(next(Path(CACHE / "java/lib").glob("kafka-clients-*.jar")))


@dataclass(frozen=True)
class View:
    """What a member knows of a generation."""

    generation: int
    leader: str
    member: str
    assignment: bytes
    members: tuple[tuple[str, bytes], ...] = ()  # only the leader sees them: ids and metadata


def metadata_of(name: str) -> bytes:
    """What a member says of itself."""
    host = {"host": f"{name}.example", "port": 8081, "master_eligibility": True, "scheme": "http", "version": 1}
    return json.dumps(host).encode()


def assignment_of(leader: str, to: str) -> bytes:
    """What the leader hands to each member: who leads, and, so that nobody can get another's, to whom it goes."""
    return json.dumps({"error": 0, "master": leader, "to": to, "version": 1}).encode()


def check_agreement(views: dict[str, View]) -> list[str]:
    """Faults among what the members know, by their names: one generation, one leader, everybody's own assignment."""
    generations = {view.generation for view in views.values()}
    leaders = {view.leader for view in views.values()}
    faults = [f"generations {sorted(generations)}"] if len(generations) > 1 else []
    faults += [f"leaders {sorted(leaders)}"] if len(leaders) > 1 else []
    for name, view in views.items():
        wanted = assignment_of(view.leader, view.member)
        if view.assignment != wanted:
            faults.append(f"{name} was given {view.assignment!r}, not {wanted!r}")
    led = [view for view in views.values() if view.leader == view.member]
    if len(led) != 1:
        return [*faults, f"{len(led)} members lead"]
    wanted = {(view.member, metadata_of(name)) for name, view in views.items()}
    if set(led[0].members) != wanted:
        faults.append(f"the leader sees {sorted(led[0].members)}, not {sorted(wanted)}")
    return faults


class Member(threading.Thread):
    """One member on a connection of its own: joins, and joins again whenever it is told to."""

    def __init__(self, name: str, port: int, group: str, known: Schemas):
        super().__init__(name=name, daemon=True)
        self.view: View | None = None
        self.faults: list[str] = []
        self._group = group
        self._link = Link(("127.0.0.1", port), known, ANSWER_S)
        self._id = ""
        self._over = threading.Event()
        self._silent = False

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._join()
                self._stay()
            if not self._silent:
                self._ask("LeaveGroup", LEAVE, {"memberId": self._id})
        except (OSError, ValueError, KeyError) as error:
            self.faults.append(f"{self.name}: {type(error).__name__}: {error}")
        finally:
            self._link.close()

    def leave(self) -> None:
        """Ends it well."""
        self._over.set()
        self.join(ANSWER_S)

    def vanish(self) -> None:
        """Ends it without a word, as a process that was killed."""
        self._silent = True
        self.leave()

    def _ask(self, api: str, version: int, body: dict) -> dict:
        answer = self._link.ask(api, version, {"groupId": self._group, **body})
        if answer == CLOSED:
            raise ConnectionError(f"{api}: the broker closed the connection")
        return answer

    def _join(self) -> None:
        """Joins and syncs, until a generation stands or the member is over."""
        while not self._over.is_set():
            protocols = [{"name": PROTOCOL, "metadata": metadata_of(self.name)}]
            body = {"sessionTimeoutMs": SESSION_MS, "rebalanceTimeoutMs": SESSION_MS, "protocolType": TYPE}
            joined = self._ask("JoinGroup", JOIN, {**body, "memberId": self._id, "protocols": protocols})
            code = joined["errorCode"]
            if code == ID_REQUIRED:
                self._id = joined["memberId"]
            elif code == UNKNOWN_MEMBER:
                self._id = ""
            elif code:
                raise ValueError(f"JoinGroup: error {code}")
            else:
                self._id = joined["memberId"]
                if self._sync(joined):
                    return

    def _sync(self, joined: dict) -> bool:
        leader = joined["leader"]
        members = tuple((each["memberId"], each["metadata"]) for each in joined["members"])
        given = [{"memberId": each, "assignment": assignment_of(leader, each)} for each, _ in members]
        body = {"generationId": joined["generationId"], "memberId": self._id, "assignments": given}
        synced = self._ask("SyncGroup", SYNC, body)
        if synced["errorCode"] in (REBALANCE, ILLEGAL_GENERATION, UNKNOWN_MEMBER):
            return False
        if synced["errorCode"]:
            raise ValueError(f"SyncGroup: error {synced['errorCode']}")
        self.view = View(joined["generationId"], leader, self._id, synced["assignment"], members)
        return True

    def _stay(self) -> None:
        """Heartbeats until the group wants everybody to join again."""
        while not self._over.wait(HEARTBEAT_S):
            body = {"generationId": self.view.generation, "memberId": self._id}
            code = self._ask("Heartbeat", HEARTBEAT, body)["errorCode"]
            if code in (REBALANCE, ILLEGAL_GENERATION, UNKNOWN_MEMBER):
                return
            if code:
                raise ValueError(f"Heartbeat: error {code}")


def await_agreement(members: list[Member], above: int, timeout_s: float = 30) -> list[str]:
    """Waits until these members agree in a generation above `above`; what is wrong if they do not in time."""
    deadline = time.monotonic() + timeout_s
    faults = ["they have not joined"]
    while time.monotonic() < deadline:
        views = {member.name: member.view for member in members if member.view is not None}
        if len(views) == len(members) and min(view.generation for view in views.values()) > above:
            faults = check_agreement(views)
            if not faults:
                return []
        failed = [fault for member in members for fault in member.faults]
        if failed:
            return failed
        time.sleep(0.1)
    return faults
