"""The ledger of the group test: what members of a consumer group saw, held against what a group promises.

Pure: no files, no clients, no clock. `tests/test_group_ledger.py` feeds it wrong input of every kind. First
function to read: `check`.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from .compare import bounded

# What the harness does to members, in the words of its events. Each of them may begin a rebalance.
DISTURBANCES = ("started", "leaving", "killed", "paused", "continued", "broker killed")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a member said, or that the harness did to it.

    Members say ready, assigned, revoked, lost, records, committing, committed, error, fatal and left. The harness
    does what DISTURBANCES names, and notes `died` for a process that ended by itself.
    """

    at: float  # seconds of the machine's monotonic clock, which all processes share
    member: str
    kind: str
    partitions: tuple[int, ...] = ()
    first: int = 0  # of records: offsets of one partition, all between were delivered
    last: int = 0
    offsets: dict[int, int] = field(default_factory=dict)  # of committing and committed
    began: float = 0.0  # of committed: when the request was about to be sent
    text: str = ""


@dataclass(frozen=True, slots=True)
class Poll:
    """The committed offsets as the broker had them at some moment between two instants."""

    began: float
    ended: float
    offsets: dict[int, int]


@dataclass(frozen=True)
class Rules:
    """What this client and this broker have agreed on."""

    session_s: float
    heartbeat_s: float
    slack_s: float  # for the start of processes, and for a machine that does other things as well
    cooperative: bool  # a partition that stays with its member is never taken from it
    exact: bool = True  # the client never delivers what a fetch from before a rebalance brings
    rewinds: bool = False  # an assignment may set back what its client fetches of other partitions

    @property
    def limit_s(self) -> float:
        """So long may a partition stand still."""
        return self.session_s + 2 * self.heartbeat_s + self.slack_s

    @property
    def expiry_s(self) -> float:
        """So long after it was stopped a member may lose its partitions: it had sent its last heartbeat before."""
        return max(0.0, self.session_s - self.heartbeat_s - 1)


@dataclass
class Account:
    """All that happened to one group on one topic, whose producer is the only one and idempotent."""

    partitions: int
    acked: dict[int, list[float]]  # per partition the instants of acknowledgement, by offset
    events: list[Event]
    polls: list[Poll] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)  # while the broker was dead


@dataclass
class Period:
    """The time in which a member had a partition, as far as it knew."""

    member: str
    partition: int
    begin: float
    end: float = float("inf")
    expires: float = float("inf")  # from then on the broker may give the partition away
    ended_by: str = ""
    first: int | None = None  # the first offset delivered, and when
    first_at: float = 0.0
    next: int | None = None
    may_rewind: bool = False  # see Rules.rewinds

    def cover(self, at: float) -> bool:
        """Whether nobody else may have the partition at an instant."""
        return self.begin <= at < min(self.end, self.expires)


def check(account: Account, rules: Rules) -> list[str]:
    """Every broken promise as one sentence each, none when all is well."""
    events = sorted(account.events, key=lambda event: event.at)
    periods, faults = _periods(events, rules)
    faults += _failures(events)
    faults += _all_delivered(account, events)
    faults += _starts(periods, events, account.polls, rules.exact)
    faults += _commits_kept(events, account.polls)
    faults += _commits_by_owners(periods, events)
    faults += _left_clean(events)
    faults += _one_owner(periods)
    faults += [f"{stall} (limit {rules.limit_s:.1f} s)" for stall in _stalls(account, events, rules.limit_s)]
    if rules.cooperative:
        faults += _never_revoked_in_vain(periods, events)
    return bounded(faults)


def _periods(events: list[Event], rules: Rules) -> tuple[list[Period], list[str]]:
    """Who had what and when; and whether each member's deliveries follow from it, without holes."""
    book = _Book(rules)
    for event in events:
        book.note(event)
    return book.periods, book.faults


class _Book:
    """Follows the events of all members in the order of time."""

    def __init__(self, rules: Rules):
        self._rules = rules
        self._open: dict[tuple[str, int], Period] = {}
        self._leaving: set[str] = set()
        self.periods: list[Period] = []
        self.faults: list[str] = []

    def note(self, event: Event) -> None:
        """Takes the next event."""
        match event.kind:
            case "assigned":
                for period in self._of(event.member):
                    period.may_rewind = self._rules.rewinds
                for partition in event.partitions:
                    self._begin(event, partition)
            case "revoked" | "lost":
                for partition in event.partitions:
                    self._end(event, partition)
            case "leaving":
                self._leaving.add(event.member)
            case "left" | "killed" | "died":
                for member, partition in list(self._open):
                    if member == event.member:
                        self._end(event, partition)
            case "paused":
                for period in self._of(event.member):
                    period.expires = min(period.expires, event.at + self._rules.expiry_s)
            case "records":
                self._deliver(event)

    def _of(self, member: str) -> list[Period]:
        return [period for (owner, _), period in self._open.items() if owner == member]

    def _begin(self, event: Event, partition: int) -> None:
        if (event.member, partition) in self._open:
            self.faults.append(f"{event.member} was assigned partition {partition} while it had it")
            self._end(event, partition)
        period = Period(event.member, partition, event.at)
        self._open[event.member, partition] = period
        self.periods.append(period)

    def _end(self, event: Event, partition: int) -> None:
        period = self._open.pop((event.member, partition), None)
        if period is None:
            # kafka-clients that close while an assignment is under way also give up what they never said they have.
            if event.member not in self._leaving:
                self.faults.append(f"{event.member}: partition {partition} {event.kind}, but it did not have it")
            return
        period.end, period.ended_by = event.at, event.kind

    def _deliver(self, event: Event) -> None:
        for partition in event.partitions:
            period = self._open.get((event.member, partition))
            if period is None:
                self.faults.append(f"{event.member} was given records of partition {partition}, but does not have it")
                continue
            if period.next is None:
                period.first, period.first_at = event.first, event.at
            elif event.first > period.next:
                self._misplaced(event, partition, period, "skipped")
            elif event.first < period.next and self._rules.exact and not period.may_rewind:
                self._misplaced(event, partition, period, "went back")
            period.may_rewind = False
            period.next = max(event.last + 1, period.next or 0)

    def _misplaced(self, event: Event, partition: int, period: Period, what: str) -> None:
        self.faults.append(f"{event.member}, partition {partition}: {what} from {period.next} to {event.first}")


def _failures(events: list[Event]) -> list[str]:
    """A member ends when it is told to, and no error is final for it."""
    said = {"died": "ended by itself", "fatal": "failed"}
    return [f"{event.member} {said[event.kind]}: {event.text}" for event in events if event.kind in said]


def _all_delivered(account: Account, events: list[Event]) -> list[str]:
    """Each acknowledged record reached a member, and none was delivered that nobody wrote."""
    seen = [bytearray(len(account.acked.get(partition, ()))) for partition in range(account.partitions)]
    faults = []
    for event in events:
        if event.kind != "records":
            continue
        (partition,) = event.partitions
        marks = seen[partition]
        if event.last >= len(marks):
            what = f"{event.member} was given {event.last} of partition {partition}"
            faults.append(f"{what}, which has {len(marks)} acknowledged records")
        end = min(event.last + 1, len(marks))
        marks[event.first : end] = b"\1" * max(0, end - event.first)
    for partition, marks in enumerate(seen):
        if missing := marks.count(0):
            faults.append(f"partition {partition}: {missing} acknowledged records not delivered, from {marks.find(0)}")
    return faults


def _starts(periods: list[Period], events: list[Event], polls: list[Poll], exact: bool) -> list[str]:
    """A new owner starts where the last one has committed: not before, and not behind it."""
    tried = _History.of(events, "committing")
    polled = [Event(poll.ended, "", "committed", offsets=poll.offsets) for poll in polls]
    kept = _History.of(events + polled, "committed")
    faults = []
    for period in periods:
        if period.first is None:
            continue
        what = f"{period.member}, partition {period.partition}: starts at {period.first}"
        if period.first < (floor := kept.until(period.partition, period.begin)):
            faults.append(f"{what}, though {floor} was committed")
        ceiling = tried.until(period.partition, period.first_at)
        if exact and period.first > ceiling:
            faults.append(f"{what}, though nobody committed more than {ceiling}")
    return faults


class _History:
    """The highest offset of each partition up to any instant."""

    def __init__(self):
        self._notes: dict[int, list[tuple[float, int]]] = defaultdict(list)

    @classmethod
    def of(cls, events: list[Event], kind: str) -> "_History":
        """The history of the offsets that events of a kind name."""
        history = cls()
        for event in sorted((event for event in events if event.kind == kind), key=lambda event: event.at):
            for partition, offset in event.offsets.items():
                if offset > history.until(partition, float("inf")):
                    history._notes[partition].append((event.at, offset))
        return history

    def until(self, partition: int, at: float) -> int:
        """The highest offset noted before an instant; 0 when there is none."""
        notes = self._notes.get(partition, [])
        index = bisect_left(notes, (at,))
        return notes[index - 1][1] if index else 0


def _commits_kept(events: list[Event], polls: list[Poll]) -> list[str]:
    """Committed offsets stay, never go back, and are what somebody committed."""
    faults = []
    polls = sorted(polls, key=lambda poll: poll.began)
    for before, after in zip(polls, polls[1:]):
        for partition, offset in before.offsets.items():
            if (now := after.offsets.get(partition)) is None or now < offset:
                faults.append(f"partition {partition}: the committed offset went back from {offset} to {now}")
    tried, kept = _History.of(events, "committing"), _History.of(events, "committed")
    partitions = {partition for event in events for partition in event.offsets}
    for poll in polls:
        for partition in partitions | poll.offsets.keys():
            offset = poll.offsets.get(partition, 0)
            if offset < (promised := kept.until(partition, poll.began)):
                faults.append(f"partition {partition}: {promised} was committed, the broker has {offset}")
            if offset > (most := tried.until(partition, poll.ended)):
                faults.append(f"partition {partition}: the broker has {offset}, nobody committed more than {most}")
    return faults


def _commits_by_owners(periods: list[Period], events: list[Event]) -> list[str]:
    """A commit is refused while another live member has the partition."""
    owners = defaultdict(list)
    for period in periods:
        owners[period.partition].append(period)
    faults = {}  # each pair of members once
    for event in events:
        if event.kind != "committed":
            continue
        for partition in event.offsets:
            for period in owners[partition]:
                if period.member != event.member and period.cover(event.began):
                    what = f"{event.member}'s commit to partition {partition} was accepted"
                    faults[f"{what}, which {period.member} had"] = None
    return list(faults)


def _left_clean(events: list[Event]) -> list[str]:
    """Who leaves has committed all that it was given, and says goodbye."""
    position: dict[str, dict[int, int]] = defaultdict(dict)
    leaving, faults = set(), []
    for event in events:
        if event.kind == "records":
            position[event.member][event.partitions[0]] = event.last + 1
        elif event.kind == "committed":
            for partition, offset in event.offsets.items():
                if position[event.member].get(partition) == offset:
                    del position[event.member][partition]
        elif event.kind == "lost" or (event.kind == "revoked" and event.member not in leaving):
            for partition in event.partitions:
                position[event.member].pop(partition, None)
        elif event.kind == "leaving":
            leaving.add(event.member)
        elif event.kind == "left":
            leaving.discard(event.member)
            for partition, offset in position[event.member].items():
                faults.append(f"{event.member} left and had not committed {offset} of partition {partition}")
    return faults + [f"{member} was asked to leave and never did" for member in sorted(leaving)]


def _one_owner(periods: list[Period]) -> list[str]:
    """No two live members have a partition at once."""
    by_partition = defaultdict(list)
    for period in periods:
        by_partition[period.partition].append(period)
    faults = []
    for partition, owned in by_partition.items():
        holder: Period | None = None
        for period in sorted(owned, key=lambda period: period.begin):
            if holder and holder.member != period.member and holder.cover(period.begin):
                overlap = min(holder.end, holder.expires, period.end) - period.begin
                what = f"partition {partition}: {holder.member} and {period.member} both had it"
                faults.append(f"{what}, for {overlap:.3f} s")
            if holder is None or min(period.end, period.expires) >= min(holder.end, holder.expires):
                holder = period
    return faults


def _never_revoked_in_vain(periods: list[Period], events: list[Event]) -> list[str]:
    """Cooperative members keep what stays theirs; a change of plans must have a cause."""
    disturbed = [event.at for event in events if event.kind in DISTURBANCES]
    by_partition = defaultdict(list)
    for period in periods:
        by_partition[period.partition].append(period)
    faults = []
    for partition, owned in by_partition.items():
        owned.sort(key=lambda period: period.begin)
        for before, after in zip(owned, owned[1:]):
            returned = before.member == after.member and before.ended_by == "revoked"
            if returned and not any(before.end <= at <= after.begin for at in disturbed):
                faults.append(f"{before.member}: partition {partition} was revoked and given back for no reason")
    return faults


def _stalls(account: Account, events: list[Event], limit_s: float) -> Iterator[str]:
    """Partitions that stood still for too long while there was something to deliver."""
    for standstill in standstills(account, events):
        if standstill.seconds > limit_s:
            what = f"partition {standstill.partition} stood still for {standstill.seconds:.1f} s"
            yield f"{what} before offset {standstill.offset}"


@dataclass(frozen=True, slots=True)
class Standstill:
    """A partition had something to deliver and did not deliver it for a while."""

    partition: int
    offset: int
    since: float
    seconds: float


def standstills(account: Account, events: list[Event]) -> Iterator[Standstill]:
    """The wait before each delivery of something new, without the time in which nobody could deliver."""
    # The start of the first process is not the group's business.
    started = min((event.at for event in events if event.kind == "ready"), default=0.0)
    last = dict.fromkeys(range(account.partitions), started)
    upcoming = dict.fromkeys(range(account.partitions), 0)
    for event in events:
        if event.kind != "records":
            continue
        (partition,) = event.partitions
        acked = account.acked.get(partition, ())
        offset = upcoming[partition]
        if event.last < offset or offset >= len(acked):
            continue
        since = max(acked[offset], last[partition])
        for down, up in account.outages:
            if since < up and event.at > down:
                since = up
        yield Standstill(partition, offset, since, max(0.0, event.at - since))
        upcoming[partition] = event.last + 1
        last[partition] = event.at


@dataclass
class Figures:
    """What a run was like, beside right or wrong."""

    records: int = 0
    redelivered: int = 0
    errors: int = 0
    longest_s: dict[str, float] = field(default_factory=dict)  # by disturbance, the longest standstill


def measure(account: Account) -> Figures:
    """Counts what was delivered twice and how long the group stood still after each kind of disturbance."""
    events = sorted(account.events, key=lambda event: event.at)
    figures = Figures(records=sum(map(len, account.acked.values())))
    delivered = sum(event.last - event.first + 1 for event in events if event.kind == "records")
    figures.redelivered = max(0, delivered - figures.records)
    figures.errors = sum(event.kind == "error" for event in events)
    disturbed = [event for event in events if event.kind in DISTURBANCES]
    # Who replaces a dead member starts at once; what follows is the price of the death.
    kinds = ["", *(event.kind for event in disturbed)]
    disturbed = [event for event, before in zip(disturbed, kinds) if (before, event.kind) != ("killed", "started")]
    instants = [event.at for event in disturbed]
    for standstill in standstills(account, events):
        if index := bisect_left(instants, standstill.since + standstill.seconds):
            cause = disturbed[index - 1].kind
            figures.longest_s[cause] = max(figures.longest_s.get(cause, 0.0), standstill.seconds)
    return figures