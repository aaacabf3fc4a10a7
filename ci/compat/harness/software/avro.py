"""A reader of Avro's binary encoding in Confluent's frame, small and independent of the library under test."""

import struct

MAGIC = 0


def unframe(value: bytes) -> tuple[int, bytes]:
    """The schema's id and the encoded body of a record's value."""
    if len(value) < 5 or value[0] != MAGIC:
        raise ValueError(f"no frame: {value[:16].hex()}")
    return struct.unpack(">i", value[1:5])[0], value[5:]


def decode(schema, body: bytes):
    """The value that `body` has under `schema`, all of it."""
    reader = _Reader(body)
    value = reader.value(schema)
    if reader.at != len(body):
        raise ValueError(f"{len(body) - reader.at} bytes behind the end")
    return value


class _Reader:
    def __init__(self, body: bytes):
        self.body = body
        self.at = 0

    def value(self, schema):
        if isinstance(schema, list):
            return self.value(schema[self._branch(schema)])
        kind = schema if isinstance(schema, str) else schema["type"]
        match kind:
            case "record":
                return {field["name"]: self.value(field["type"]) for field in schema["fields"]}
            case "null":
                return None
            case "boolean":
                return self._take(1) == b"\1"
            case "int" | "long":
                return self._long()
            case "double":
                return struct.unpack("<d", self._take(8))[0]
            case "string":
                return self._take(self._long()).decode()
            case "bytes":
                return self._take(self._long())
        raise ValueError(f"a schema that is not read here: {kind!r}")

    def _branch(self, schema: list) -> int:
        branch = self._long()
        if not 0 <= branch < len(schema):
            raise ValueError(f"branch {branch} of a union of {len(schema)}")
        return branch

    def _long(self) -> int:
        value = shift = 0
        while True:
            byte = self._take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value >> 1 ^ -(value & 1)
            shift += 7

    def _take(self, count: int) -> bytes:
        taken = self.body[self.at : self.at + count]
        if count < 0 or len(taken) != count:
            raise ValueError(f"{count} bytes wanted at {self.at} of {len(self.body)}")
        self.at += count
        return taken
