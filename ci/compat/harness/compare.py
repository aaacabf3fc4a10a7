"""The comparer: what was sent against what was seen, as sentences about every kind of damage.

Pure: no files, no clients. `tests/test_compare.py` feeds it wrong input of every kind.
"""

from collections import Counter
from dataclasses import replace

from .records import Record

FIELDS = ("key", "value", "headers", "timestamp")
REPORTED_MAX = 8


def place(sent: list[Record], seen: list[Record]) -> list[Record]:
    """Gives each record that the client placed itself the partition in which its value was seen.

    Needs values that differ. What was seen nowhere goes to partition 0 and is reported lost there.
    """
    where = {record.value: record.partition for record in seen}
    return [
        record if record.partition is not None else replace(record, partition=where.get(record.value, 0))
        for record in sent
    ]


def compare(sent: list[Record], seen: list[Record], window: tuple[int, int] | None = None) -> list[str]:
    """Every difference between `sent` and `seen` as one sentence each, none when all is well.

    `sent` is in the order of sending. `seen` is in the order of delivery, which per partition must be
    that of the offsets, dense from 0. `window` bounds the timestamps that the client chose.
    """
    expected, got = _by_partition(sent), _by_partition(seen)
    faults = []
    for partition in sorted(expected.keys() | got.keys()):
        faults += _compare_partition(partition, expected.get(partition, []), got.get(partition, []), window)
    return bounded(faults)


def bounded(faults: list[str]) -> list[str]:
    """The first faults, and how many more there are."""
    if len(faults) <= REPORTED_MAX:
        return faults
    return faults[:REPORTED_MAX] + [f"and {len(faults) - REPORTED_MAX} more differences"]


def _by_partition(records: list[Record]) -> dict[int, list[Record]]:
    groups: dict[int, list[Record]] = {}
    for record in records:
        groups.setdefault(record.partition, []).append(record)
    return groups


def _compare_partition(partition, sent, seen, window) -> list[str]:
    stamped = all(record.timestamp is not None for record in sent)
    expected = [_fields(record, stamped) for record in sent]
    got = [_fields(record, stamped) for record in seen]
    faults = _offset_faults(partition, seen)
    if expected != got:
        faults += _content_faults(partition, expected, got)
    if window and not stamped:
        faults += _window_faults(partition, seen, window)
    return faults


def _fields(record: Record, stamped: bool) -> tuple:
    """The comparable fields; a timestamp that the client chose is checked by window instead."""
    return record.key, record.value, record.headers, record.timestamp if stamped else None


def _offset_faults(partition: int, seen: list[Record]) -> list[str]:
    for expected, record in enumerate(seen):
        if record.offset != expected:
            return [f"partition {partition}: offset {record.offset} where {expected} was expected"]
    return []


def _window_faults(partition: int, seen: list[Record], window: tuple[int, int]) -> list[str]:
    for record in seen:
        if record.timestamp is None or not window[0] <= record.timestamp <= window[1]:
            return [f"partition {partition} offset {record.offset}: timestamp {record.timestamp} outside {window}"]
    return []


def _content_faults(partition: int, expected: list[tuple], got: list[tuple]) -> list[str]:
    """Names the damage: altered in place, lost, duplicated, never sent, or reordered."""
    missing, extra = Counter(expected), Counter(got)
    missing.subtract(got)
    extra.subtract(expected)
    lost, surplus = +missing, +extra
    if not lost and not surplus:
        at = next(i for i, (a, b) in enumerate(zip(expected, got)) if a != b)
        return [f"partition {partition}: reordered from offset {at} on"]
    if len(expected) == len(got):
        altered = [(i, a, b) for i, (a, b) in enumerate(zip(expected, got)) if a != b]
        if len(altered) == lost.total():
            return [_altered(partition, *change) for change in altered]
    faults = [f"partition {partition}: lost {_show(fields)} ({count}x)" for fields, count in lost.items()]
    known = set(expected)
    for fields, count in surplus.items():
        kind = "duplicated" if fields in known else "never sent:"
        faults.append(f"partition {partition}: {kind} {_show(fields)} ({count}x)")
    return faults


def _altered(partition: int, offset: int, expected: tuple, got: tuple) -> str:
    names = [name for name, a, b in zip(FIELDS, expected, got) if a != b]
    where = f"partition {partition} offset {offset}"
    return f"{where}: altered {', '.join(names)}: sent {_show(expected)}, seen {_show(got)}"


def _show(fields: tuple) -> str:
    return "(" + ", ".join(f"{name} {_short(value)}" for name, value in zip(FIELDS, fields)) + ")"


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:48]}… {len(value)} long"
