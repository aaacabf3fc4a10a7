"""What the Streams programs must come to, computed without them, and the comparison with what they wrote.

Pure; `tests/test_software_ledgers.py` feeds it wrong input of every kind. The join's results are sets and unions of
sets: at-least-once may say something twice, and must neither lose nor invent anything.
"""

import random
from collections import Counter
from dataclasses import dataclass

from ..clients import murmur2
from ..compare import bounded
from ..records import Record

WINDOW_MS = 500  # orders and payments of one customer that are so near belong together
TOTAL_MS = 10_000  # the windows in which pairs are gathered
CUSTOMERS = 40
STEP_MS = 50
JITTER_MS = 300
WORDS = "shard ring log offset batch leader epoch lag page frame journal segment topic key value grün 波".split()


@dataclass(frozen=True)
class Event:
    """An order (key: its number, value: customer and order) or a payment (key: customer, value: payment)."""

    key: str
    value: str
    at: int

    def record(self, partitions: int) -> Record:
        """As Kafka's own partitioner would place it."""
        key = self.key.encode()
        return Record(murmur2(key) % partitions, key, self.value.encode(), (), self.at)


def orders_and_payments(seed: int, base_ms: int, count: int) -> tuple[list[Event], list[Event]]:
    """So many of each; time jitters, so that neither comes in its order."""
    chance = random.Random(seed)

    def at(number: int) -> int:
        return base_ms + number * STEP_MS + chance.randrange(-JITTER_MS, JITTER_MS)

    orders = [Event(f"o{i}", f"c{chance.randrange(CUSTOMERS)}:o{i}", at(i)) for i in range(count)]
    payments = [Event(f"c{chance.randrange(CUSTOMERS)}", f"p{i}", at(i)) for i in range(count)]
    return orders, payments


def pairs(orders: list[Event], payments: list[Event]) -> dict[tuple[str, str], int]:
    """Customer and `order+payment` of each pair within the window, with its time: that of the later one."""
    by_customer: dict[str, list[Event]] = {}
    for payment in payments:
        by_customer.setdefault(payment.key, []).append(payment)
    found = {}
    for order in orders:
        customer, _, name = order.value.partition(":")
        for payment in by_customer.get(customer, ()):
            if abs(order.at - payment.at) <= WINDOW_MS:
                found[customer, f"{name}+{payment.value}"] = max(order.at, payment.at)
    return found


def totals(found: dict[tuple[str, str], int]) -> dict[str, str]:
    """The pairs of each `customer@window`, in order and separated by commas."""
    gathered: dict[str, list[str]] = {}
    for (customer, pair), at in found.items():
        gathered.setdefault(f"{customer}@{at - at % TOTAL_MS}", []).append(pair)
    return {key: ",".join(sorted(members)) for key, members in gathered.items()}


def sentences(seed: int, count: int) -> list[str]:
    """Lines of words; some words are much more frequent than others."""
    chance = random.Random(seed)
    weights = [1 / (1 + i) for i in range(len(WORDS))]
    return [" ".join(chance.choices(WORDS, weights, k=chance.randrange(1, 9))) for _ in range(count)]


def counts(lines: list[str]) -> dict[str, str]:
    """How often each word stands in the lines."""
    return {word: str(count) for word, count in Counter(" ".join(lines).split()).items()}


def text(data: bytes | None) -> str:
    """A key or a value as text; what is absent is no text that a program wrote."""
    return "<null>" if data is None else data.decode(errors="replace")


def check_set(wanted: set[tuple[str, str]], seen: list[Record]) -> list[str]:
    """Every wanted key and value at least once, and no other."""
    got = {(text(record.key), text(record.value)) for record in seen}
    faults = [f"{len(wanted - got)} of {len(wanted)} are missing: {sorted(wanted - got)[0]}"] if wanted - got else []
    faults += [f"{len(got - wanted)} should not be there: {sorted(got - wanted)[0]}"] if got - wanted else []
    return faults


def check_last(wanted: dict[str, str], seen: list[Record]) -> list[str]:
    """The last value of each key is the wanted one, and there is no other key; each key has one partition."""
    last: dict[str, str] = {}
    places: dict[str, set[int]] = {}
    for record in seen:
        last[text(record.key)] = text(record.value)
        places.setdefault(text(record.key), set()).add(record.partition)
    faults = [f"{key} is missing" for key in wanted if key not in last]
    faults += [f"{key} should not be there" for key in last if key not in wanted]
    differing = [key for key in wanted if key in last and last[key] != wanted[key]]
    faults += [f"{key} is {last[key][:80]!r}, not {wanted[key][:80]!r}" for key in differing]
    faults += [f"{key} is in partitions {sorted(where)}" for key, where in places.items() if len(where) > 1]
    return bounded(faults)


def check_rising(seen: list[Record]) -> list[str]:
    """Counts of a word that never lost its state go up by themselves."""
    last: dict[str, int] = {}
    faults = []
    for record in seen:
        key, count = text(record.key), int(text(record.value)) if text(record.value).isdigit() else -1
        if count < last.get(key, 0):
            faults.append(f"{key} goes from {last[key]} to {count} at offset {record.offset}")
        last[key] = count
    return bounded(faults)
