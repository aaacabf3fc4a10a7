"""A member of a group that reads a topic by librdkafka, and notes what was delivered and committed."""

from ..brokers import Broker
from ..group_ledger import Event, Poll
from ..group_members import COMMIT_MS, HEARTBEAT_MS, SESSION_MS, Process
from .service import wait_for
from .stage import Stage

READ_S = 60


class Reader:
    """One member, which lives from its making to `leave`."""

    def __init__(self, stage: Stage, topic: str, group: str, name: str, broker: Broker | None = None):
        self.committed: dict[int, int] = {}
        self.faults: list[str] = []
        self._delivered: dict[int, list[tuple[int, int]]] = {}
        options = {"topic": topic, "group": group, "assignor": "range", "commit_ms": COMMIT_MS}
        options |= {"session_ms": SESSION_MS, "heartbeat_ms": HEARTBEAT_MS}
        options["bootstrap"] = (broker or stage.broker).bootstrap
        self._process = Process(name, "confluent", options, stage.work, self._note)

    def _note(self, event: Event | Poll) -> None:
        if isinstance(event, Poll):
            return
        if event.kind == "records":
            self._delivered.setdefault(event.partitions[0], []).append((event.first, event.last))
        elif event.kind == "committed":
            self.committed.update(event.offsets)
        elif event.kind in ("fatal", "died"):
            self.faults.append(f"{event.member}: {event.text}")

    def offsets(self, partition: int) -> list[int]:
        """Offsets in the order of their delivery."""
        return [at for first, last in self._delivered.get(partition, []) for at in range(first, last + 1)]

    def await_committed(self, ends: dict[int, int]) -> None:
        """Waits until it has committed these offsets, or has died."""

        def done() -> bool:
            return bool(self.faults) or all(self.committed.get(p, 0) >= end for p, end in ends.items())

        wait_for(done, f"the group commits {ends}", READ_S)

    def leave(self) -> None:
        """SIGTERM: it commits, leaves the group and ends."""
        self._process.ask_to_leave()
        self._process.await_end()

    def end(self) -> None:
        """Whatever state it is in: it is over."""
        self._process.end()
