"""What each client can do: which fields its producer sets, what its consumer shows, which codecs it has.

A cell's records are generated whole and then bent to what its producer can send (`sends`); before they are
compared they are bent to what the consumer shows (`shows`). Both are plain functions from records to records.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from .records import Record

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def _as_is(record: Record, _i: int, _partitions: int) -> Record:
    return record


def _kcat_sends(record: Record, _i: int, _partitions: int) -> Record:
    """kcat: no timestamps, one list of headers a process, and null instead of empty (-Z) or the reverse."""
    absent = None if record.partition % 2 == 0 else b""
    headers = (("part", str(record.partition).encode()), ("same", b"1"), ("same", b"2"), ("empty", b""), ("null", None))
    return Record(record.partition, record.key or absent, record.value or absent, headers)


def _kafka_python_sends(record: Record, _i: int, _partitions: int) -> Record:
    """kafka-python refuses a null in a header, and a record with neither key nor value."""
    headers = tuple((name, value or b"") for name, value in record.headers)
    value = b"" if record.key is None and record.value is None else record.value
    return replace(record, value=value, headers=headers)


def _kafkajs_sends(record: Record, _i: int, _partitions: int) -> Record:
    """kafkajs: headers are an object, so that equal names stand together; no null in it."""
    grouped: dict[str, list[bytes]] = {}
    for name, value in record.headers:
        grouped.setdefault(name, []).append(value or b"")
    return replace(record, headers=tuple((name, value) for name, values in grouped.items() for value in values))


def _console_sends(record: Record, i: int, partitions: int) -> Record:
    """Console producer: no timestamps; Kafka's own partitioner chooses, by the hash of a key that is there."""
    key = record.key if record.key is not None else f"k{i}".encode()
    headers = tuple((name.replace(":", "-"), _console_text(value)) for name, value in record.headers)
    return Record(murmur2(key) % partitions, key, record.value, headers)


def _console_text(value: bytes | None) -> bytes | None:
    return None if value is None else value.replace(b",", b"-").replace(b":", b"-")


def _performance_sends(_record: Record, i: int, _partitions: int) -> Record:
    """ProducerPerformance --payload-monotonic: the value is the record's number and nothing else is set."""
    return Record(None, None, str(i).encode())


def murmur2(key: bytes) -> int:
    """The hash of Kafka's default partitioner (org.apache.kafka.common.utils.Utils), made positive."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(key)
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    if tail := key[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return (h ^ (h >> 15)) & 0x7FFFFFFF


@dataclass(frozen=True)
class Producer:
    """A producer: its driver, and what it can send."""

    name: str
    driver: str
    sends: Callable[[Record, int, int], Record] = _as_is
    text: bool = False  # line-oriented: keys and values are text without tabs and newlines
    idempotence_optional: bool = True


def _shown_by_all(record: Record) -> Record:
    return record


def _kcat_shows(record: Record) -> Record:
    """kcat prints headers as name=value,…; the driver dumps that text as a header without a name."""
    if not record.headers:
        return record
    text = b",".join(name.encode() + b"=" + (b"NULL" if value is None else value) for name, value in record.headers)
    return replace(record, headers=(("", text),))


@dataclass(frozen=True)
class Consumer:
    """A consumer: its driver, and what it shows."""

    name: str
    shows: Callable[[Record], Record] = _shown_by_all


PRODUCERS = (
    Producer("java", "java"),
    Producer("franz-go", "franz-go"),
    Producer("confluent", "confluent"),
    Producer("kafka-python", "kafka-python", _kafka_python_sends),
    Producer("kafkajs", "kafkajs", _kafkajs_sends),
    Producer("kcat", "kcat", _kcat_sends, text=True),
    Producer("console", "java", _console_sends, text=True, idempotence_optional=False),
    Producer("performance", "java", _performance_sends, idempotence_optional=False),
)
READER = Consumer("java")  # reads every cell
CONSUMERS = (Consumer("franz-go"), Consumer("confluent"), Consumer("kafka-python"), Consumer("kcat", _kcat_shows))
