"""Record batches of format v2, as clients send them, with any field made wrong on purpose."""

import struct
from dataclasses import dataclass

_POLYNOMIAL = 0x82F63B78
_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (_POLYNOMIAL if _byte & 1 else 0)
    _TABLE.append(_byte)


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@dataclass
class Batch:
    """Fields of a batch; those that are None follow from the records."""

    values: tuple[bytes | None, ...] = (b"value",)
    key: bytes | None = b"key"
    timestamp: int = 1_700_000_000_000
    attributes: int = 0
    producer_id: int = -1
    producer_epoch: int = -1
    base_sequence: int = -1
    magic: int = 2
    base_offset: int = 0
    crc: int | None = None
    last_offset_delta: int | None = None
    count: int | None = None
    max_timestamp: int | None = None

    def encode(self) -> bytes:
        """Its bytes."""
        records = b"".join(self._record(number, value) for number, value in enumerate(self.values))
        last = len(self.values) - 1 if self.last_offset_delta is None else self.last_offset_delta
        count = len(self.values) if self.count is None else self.count
        latest = self.timestamp + len(self.values) - 1 if self.max_timestamp is None else self.max_timestamp
        checked = struct.pack(
            ">hiqqqhii",
            self.attributes,
            last,
            self.timestamp,
            latest,
            self.producer_id,
            self.producer_epoch,
            self.base_sequence,
            count,
        )
        checked += records
        crc = crc32c(checked) if self.crc is None else self.crc
        body = struct.pack(">ibI", 0, self.magic, crc) + checked
        return struct.pack(">qi", self.base_offset, len(body)) + body

    def _record(self, number: int, value: bytes | None) -> bytes:
        body = b"\0" + _varint(number) + _varint(number) + _bytes(self.key) + _bytes(value) + _varint(0)
        return _varint(len(body)) + body


def _bytes(value: bytes | None) -> bytes:
    return _varint(-1) if value is None else _varint(len(value)) + value


def _varint(value: int) -> bytes:
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
