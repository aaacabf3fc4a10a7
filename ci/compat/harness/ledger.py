"""The ledger of the kill -9 test: what producers sent and saw acknowledged, held against what the log has.

Pure: no files, no clients. `tests/test_ledger.py` feeds it wrong input of every kind.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from .compare import bounded
from .records import Record

UNKNOWN_OFFSET = -1  # a client that learns of a success by a duplicate's error does not know the offset


@dataclass(frozen=True, slots=True)
class Ack:
    """One acknowledgement as a producer saw it."""

    producer: str
    partition: int
    sequence: int  # the number of the record among this producer's in this partition
    offset: int


def value_of(producer: str, partition: int, sequence: int) -> bytes:
    """The value of a record; the load drivers (Java and Python) write the same."""
    return f"{producer}:{partition}:{sequence}:".encode() + b"x" * ((sequence * 131 + partition * 17) % 700)


def check(sent: dict[str, list[int]], acks: list[Ack], seen: list[Record]) -> list[str]:
    """Every broken promise as one sentence each, none when all is well.

    `sent` has per producer the number of records sent to each partition. `seen` is all that a consumer read,
    in the order of delivery.
    """
    faults, where = _read_log(sent, seen)
    faults += _acknowledged(acks, where)
    faults += _all_acknowledged(sent, acks)
    return bounded(faults)


def _read_log(sent, seen) -> tuple[list[str], dict[tuple[str, int, int], int]]:
    """Checks the log by itself: dense offsets, no stranger, nothing twice, order. Returns where each record is."""
    faults: list[str] = []
    where: dict[tuple[str, int, int], int] = {}
    next_offset: Counter[int] = Counter()
    last: dict[tuple[str, int], int] = {}
    for record in seen:
        partition = record.partition
        at = f"partition {partition} offset {record.offset}"
        if record.offset != next_offset[partition]:
            faults.append(f"{at} where {next_offset[partition]} was expected")
        next_offset[partition] = record.offset + 1
        identity = _identity(sent, record)
        if identity is None:
            faults.append(f"{at}: never sent: {(record.value or b'')[:40]!r}")
            continue
        producer, sequence = identity
        if (producer, partition, sequence) in where:
            faults.append(f"{at}: {producer}'s {sequence} is there twice")
            continue
        where[producer, partition, sequence] = record.offset
        before = last.get((producer, partition), -1)
        if sequence < before:
            faults.append(f"{at}: {producer}'s {sequence} stands after {before}")
        last[producer, partition] = max(sequence, before)
    return faults, where


def _identity(sent, record: Record) -> tuple[str, int] | None:
    """Producer and sequence of a record, None unless exactly this was sent to this partition."""
    try:
        producer, partition, sequence, _ = record.value.decode().split(":")
        expected = value_of(producer, int(partition), int(sequence))
        known = int(partition) == record.partition and int(sequence) < sent[producer][record.partition]
    except (AttributeError, ValueError, KeyError, IndexError):
        return None
    return (producer, int(sequence)) if known and expected == record.value else None


def _acknowledged(acks: list[Ack], where) -> list[str]:
    """Each acknowledged record is where the acknowledgement said."""
    faults = []
    for ack in acks:
        offset = where.get((ack.producer, ack.partition, ack.sequence))
        what = f"partition {ack.partition}: {ack.producer}'s {ack.sequence}"
        if offset is None:
            faults.append(f"{what} was acknowledged at offset {ack.offset} and is lost")
        elif ack.offset not in (offset, UNKNOWN_OFFSET):
            faults.append(f"{what} was acknowledged at offset {ack.offset} and is at {offset}")
    return faults


def _all_acknowledged(sent: dict[str, list[int]], acks: list[Ack]) -> list[str]:
    """Producers that retry for ever must in the end have seen every record acknowledged, once."""
    faults = []
    counts: dict[tuple[str, int], Counter[int]] = defaultdict(Counter)
    for ack in acks:
        counts[ack.producer, ack.partition][ack.sequence] += 1
    for producer, partitions in sent.items():
        for partition, count in enumerate(partitions):
            acked = counts[producer, partition]
            if missing := count - len(acked):
                what = f"{missing} of {producer}'s {count} records"
                faults.append(f"partition {partition}: {what} were never acknowledged")
            if acked.total() > len(acked):
                faults.append(f"partition {partition}: {producer} saw records acknowledged twice")
    return faults
