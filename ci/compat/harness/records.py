"""Records: what a cell of the matrix sends, and the JSON lines in which drivers read and write them.

The generator is the one definition of a cell's content. Drivers never generate: they send the lines of
a file, so that a slip in one of four languages cannot look like a slip of the broker.
"""

import json
import random
from base64 import b64decode, b64encode
from dataclasses import dataclass

Header = tuple[str, bytes | None]

# A pool that every generated value is cut from: drawing each byte would take longer than sending it.
_POOL_BYTES = 1 << 17
_TEXT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .:-_/äöüßéñ€漢字🙂"


@dataclass(frozen=True, slots=True)
class Record:
    """One record as sent, or as seen (then with its offset)."""

    partition: int | None  # None: the client chooses; see compare.place
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()
    timestamp: int | None = None  # None: the client stamps the time of sending
    offset: int | None = None


class Generator:
    """Deterministic records: the same seed, base time and alphabet give the same records."""

    def __init__(self, seed: int, base_ms: int, text: bool = False):
        self._random = random.Random(seed)
        self._base_ms = base_ms
        self._text = text
        self._pool = self._text_pool() if text else self._random.randbytes(_POOL_BYTES)

    def _text_pool(self) -> str:
        return "".join(self._random.choices(_TEXT, k=_POOL_BYTES))

    def records(self, count: int, partitions: int) -> list[Record]:
        """Record i goes to partition i % partitions."""
        return [self._record(i, i % partitions) for i in range(count)]

    def _record(self, i: int, partition: int) -> Record:
        return Record(partition, self._key(i), self._value(i), self._headers(), self._timestamp(i))

    def _bytes(self, size: int) -> bytes:
        start = self._random.randrange(_POOL_BYTES - size)
        piece = self._pool[start : start + size]
        return piece.encode() if self._text else piece

    def _key(self, i: int) -> bytes | None:
        draw = self._random.random()
        if draw < 0.10:
            return None
        if draw < 0.14:
            return b""
        return f"k{i % 97}-".encode() + self._bytes(self._random.randrange(1, 24))

    def _value(self, i: int) -> bytes | None:
        draw = self._random.random()
        if draw < 0.06:
            return None
        if draw < 0.10:
            return b""
        return f"{i}:".encode() + self._bytes(self._value_size(draw))

    def _value_size(self, draw: float) -> int:
        """Mostly small; some span several index entries, a few fill a batch of their own."""
        if draw > 0.999:
            return self._random.randrange(16_000, 60_000)
        if draw > 0.98:
            return self._random.randrange(1_000, 8_000)
        return self._random.randrange(1, 300)

    def _headers(self) -> tuple[Header, ...]:
        draw = self._random.random()
        if draw < 0.5:
            return ()
        names = self._random.choices(("trace", "Trace", "type", "тип", "x"), k=1 + int(draw * 8) % 4)
        return tuple((name, self._header_value()) for name in names)

    def _header_value(self) -> bytes | None:
        draw = self._random.random()
        if draw < 0.1:
            return None
        if draw < 0.2:
            return b""
        # Line-oriented consumers (kcat) end at NUL and newline: neither is in a header's value.
        piece = self._bytes(self._random.randrange(1, 12))
        return piece.replace(b"\0", b"0").replace(b"\n", b"n")

    def _timestamp(self, i: int) -> int:
        """Rising with jitter, so that time does not simply follow the offset."""
        return self._base_ms + 7 * i + self._random.randrange(-500, 500)


def _encode(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def _decode(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def to_line(record: Record) -> str:
    """The JSON line of a record (the offset only where there is one)."""
    fields = {
        "partition": record.partition,
        "key": _encode(record.key),
        "value": _encode(record.value),
        "headers": [[name, _encode(value)] for name, value in record.headers],
        "timestamp": record.timestamp,
    }
    if record.offset is not None:
        fields["offset"] = record.offset
    return json.dumps(fields, separators=(",", ":"))


def from_line(line: str) -> Record:
    """The record of a JSON line."""
    fields = json.loads(line)
    return Record(
        fields["partition"],
        _decode(fields["key"]),
        _decode(fields["value"]),
        tuple((name, _decode(value)) for name, value in fields["headers"]),
        fields["timestamp"],
        fields.get("offset"),
    )


def write(path, records) -> None:
    """Writes records as JSON lines."""
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(to_line(record) + "\n" for record in records)


def read(path) -> list[Record]:
    """Reads the JSON lines of a file."""
    with open(path, encoding="utf-8") as file:
        return [from_line(line) for line in file]
