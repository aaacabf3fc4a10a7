"""The ledger of Connect's lines: what stood in a file, held against the topic and the other file.

Both connectors deliver at least once: after a worker's death they go on from what was last committed. So lines may
come twice, and only by such a step back. Pure; `tests/test_software_ledgers.py` feeds it wrong input of every kind.
"""

from collections import Counter

from ..compare import bounded

# ASCII: FileStreamSource counts characters where it later skips bytes, with Apache Kafka, too.
FILLER = "each line of the file goes over, "


def line_of(number: int) -> str:
    """Line `number` of the source file."""
    return f"{number} " + (FILLER * 5)[: number * 37 % 150]


def check_topic(count: int, partitions: list[list[str]], replays: int) -> list[str]:
    """Faults of the topic, whose source had `count` lines and stepped back `replays` times at most."""
    faults = []
    seen: Counter[int] = Counter()
    for partition, lines in enumerate(partitions):
        numbers = []
        for offset, line in enumerate(lines):
            number = _number(line, count)
            if number is None:
                faults.append(f"partition {partition} offset {offset}: {line[:60]!r} was never in the file")
            else:
                numbers.append(number)
        seen.update(numbers)
        back = sum(later <= earlier for earlier, later in zip(numbers, numbers[1:]))
        if back > replays:
            faults.append(f"partition {partition} goes back {back} times, not {replays} at most")
    lost = [number for number in range(count) if number not in seen]
    if lost:
        faults.append(f"{len(lost)} of {count} lines are not in the topic, the first is {lost[0]}")
    often = [number for number, times in seen.items() if times > 1 + replays]
    if often:
        faults.append(f"{len(often)} lines are there more than {1 + replays} times, such as {often[0]}")
    return bounded(faults)


def check_file(topic: list[str], lines: list[str], replays: int) -> list[str]:
    """Faults of the sink's file, given all values of the topic."""
    wanted, seen = Counter(topic), Counter(lines)
    faults = [f"{line[:60]!r} was never in the topic" for line in seen if line not in wanted]
    lost = [line for line, times in wanted.items() if seen[line] < times]
    if lost:
        faults.append(f"{len(lost)} of {len(wanted)} lines came less often than the topic has them: {lost[0][:60]!r}")
    often = [line for line, times in seen.items() if times > wanted[line] * (1 + replays) and line in wanted]
    if often:
        faults.append(f"{len(often)} lines came more than {1 + replays} times as often: {often[0][:60]!r}")
    return bounded(faults)


def _number(line: str, count: int) -> int | None:
    head = line.partition(" ")[0]
    if not head.isascii() or not head.isdigit() or int(head) >= count:
        return None
    return int(head) if line == line_of(int(head)) else None
