"""The ledger of a consumer that moves from one cluster to another behind MirrorMaker.

Pure; `tests/test_software_ledgers.py` feeds it wrong input of every kind.
"""

from dataclasses import dataclass

from ..compare import bounded


@dataclass(frozen=True)
class Move:
    """What one partition's records are, and which of them were delivered before and after the move."""

    partition: int
    sent: list[bytes]  # all values, in order; they differ
    before: list[bytes]  # delivered and committed in the old cluster
    after: list[bytes]  # delivered in the new cluster


def check_move(moves: list[Move], lag_max: int) -> list[str]:
    """Faults: what was lost, what was repeated beyond `lag_max`, what came in another order or was never sent."""
    return bounded([fault for move in moves for fault in _check(move, lag_max)])


def _check(move: Move, lag_max: int) -> list[str]:
    where = f"partition {move.partition}"
    if move.before != move.sent[: len(move.before)]:
        return [f"{where}: what was delivered before the move is not the beginning of what was sent"]
    if not move.after:
        return [f"{where}: nothing was delivered after the move"] if len(move.before) < len(move.sent) else []
    if move.after[0] not in move.sent:
        return [f"{where}: {move.after[0][:40]!r} was never sent"]
    first = move.sent.index(move.after[0])
    faults = []
    if first > len(move.before):
        faults.append(f"{where}: {first - len(move.before)} records lost, from number {len(move.before)} on")
    if len(move.before) - first > lag_max:
        faults.append(f"{where}: {len(move.before) - first} records repeated, not {lag_max} at most")
    if move.after != move.sent[first:]:
        faults.append(f"{where}: what follows number {first} is not what was sent: {_difference(move, first)}")
    return faults


def _difference(move: Move, first: int) -> str:
    wanted = move.sent[first:]
    if len(wanted) != len(move.after):
        return f"{len(move.after)} records, not {len(wanted)}"
    at = next(i for i, (one, other) in enumerate(zip(wanted, move.after)) if one != other)
    return f"{move.after[at][:40]!r} for {wanted[at][:40]!r}"


def check_mirrored(source: list[list[tuple]], target: list[list[tuple]]) -> list[str]:
    """The mirror's partitions against the source's: the same records in the same order, none twice."""
    faults = []
    if len(source) != len(target):
        return [f"{len(target)} partitions, not {len(source)}"]
    for partition, (wanted, seen) in enumerate(zip(source, target)):
        if wanted == seen:
            continue
        at = next((i for i, (one, other) in enumerate(zip(wanted, seen)) if one != other), min(len(wanted), len(seen)))
        faults.append(f"partition {partition}: {len(seen)} records for {len(wanted)}; they differ from number {at} on")
    return bounded(faults)
