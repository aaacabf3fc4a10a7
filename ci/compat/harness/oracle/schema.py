"""Kafka's message schemas, read from the clients' jar, and a codec for any message in any version.

Independent of Flumen's own codec on purpose: it is the other opinion. Values are dictionaries by the schemas' field
names with a small first letter; a field that is left out is its default, one that a version lacks is not sent.
"""

import functools
import json
import re
import struct
import uuid
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

FIXED = {"bool": "?", "int8": "b", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "float64": "d"}
ZERO_UUID = str(uuid.UUID(int=0))


@dataclass(frozen=True)
class Versions:
    """A range as the schemas write it: `3`, `2-5`, `4+`, `none`."""

    low: int
    high: int

    @staticmethod
    def parse(text: str | None) -> "Versions":
        if text is None or text == "none":
            return Versions(1, 0)
        if text.endswith("+"):
            return Versions(int(text[:-1]), 1 << 15)
        low, _, high = text.partition("-")
        return Versions(int(low), int(high or low))

    def __contains__(self, version: int) -> bool:
        return self.low <= version <= self.high


@dataclass(frozen=True)
class Field:
    """One field of a structure."""

    name: str
    type: str
    versions: Versions
    nullable: Versions
    tagged: Versions
    tag: int | None
    default: object
    fields: tuple["Field", ...] = ()

    def default_value(self):
        """What stands where nothing was given."""
        if self.default == "null":
            return None
        if self.type.startswith("[]"):
            return []
        if self.fields:
            return {}
        if self.type == "string":
            return self.default or ""
        if self.type in ("bytes", "records"):
            return b""
        if self.type == "uuid":
            return ZERO_UUID
        if self.type == "bool":
            return str(self.default).lower() == "true"
        if self.type == "float64":
            return float(self.default or 0)
        return int(str(self.default or 0), 0)


@dataclass(frozen=True)
class Message:
    """A request or a response."""

    name: str
    key: int
    versions: Versions
    flexible: Versions
    fields: tuple[Field, ...] = field(repr=False)


class Schemas:
    """All messages of a clients' jar, by `FetchRequest` and the like."""

    def __init__(self, jar: Path):
        self.messages: dict[str, Message] = {}
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if re.fullmatch(r"common/message/\w+(Request|Response)\.json", name):
                    message = _message(archive.read(name).decode())
                    self.messages[message.name] = message

    @functools.cached_property
    def keys(self) -> dict[int, str]:
        """Names of APIs by their key."""
        return {m.key: n.removesuffix("Request") for n, m in self.messages.items() if n.endswith("Request")}


def _message(text: str) -> Message:
    document = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    common = {each["name"]: each["fields"] for each in document.get("commonStructs", [])}
    return Message(
        name=document["name"],
        key=document["apiKey"],
        versions=Versions.parse(document["validVersions"]),
        flexible=Versions.parse(document.get("flexibleVersions")),
        fields=_fields(document.get("fields", ()), common),
    )


def _fields(described: list[dict], common: dict[str, list]) -> tuple[Field, ...]:
    return tuple(_field(each, common) for each in described)


def _field(described: dict, common: dict[str, list]) -> Field:
    inner = described.get("fields") or common.get(described["type"].removeprefix("[]"), ())
    return Field(
        name=described["name"][0].lower() + described["name"][1:],
        type=described["type"],
        versions=Versions.parse(described.get("versions", "0+")),
        nullable=Versions.parse(described.get("nullableVersions")),
        tagged=Versions.parse(described.get("taggedVersions")),
        tag=described.get("tag"),
        default=described.get("default"),
        fields=_fields(inner, common),
    )


def encode(message: Message, version: int, value: dict) -> bytes:
    """The body of a message."""
    out = bytearray()
    _put_struct(out, message.fields, version, version in message.flexible, value, message.name)
    return bytes(out)


def decode(message: Message, version: int, body: bytes) -> dict:
    """The fields of a body, all of it."""
    reader = Reader(body)
    value = reader.struct(message.fields, version, version in message.flexible)
    if reader.at != len(body):
        raise ValueError(f"{message.name} {version}: {len(body) - reader.at} bytes behind the end")
    return value


def _put_struct(out: bytearray, fields, version: int, flexible: bool, value: dict, where: str) -> None:
    unknown = set(value) - {each.name for each in fields}
    if unknown:
        raise KeyError(f"{where} has no field {sorted(unknown)}")
    tagged = []
    for each in fields:
        given = value.get(each.name, _absent)
        if version in each.tagged:
            if given is not _absent and given != each.default_value():
                tagged.append((each, given))
        elif version in each.versions:
            _put(out, each, each.type, version, flexible, each.default_value() if given is _absent else given, where)
    if flexible:
        put_uvarint(out, len(tagged))
        for each, given in sorted(tagged, key=lambda pair: pair[0].tag):
            inner = bytearray()
            _put(inner, each, each.type, version, flexible, given, where)
            put_uvarint(out, each.tag)
            put_uvarint(out, len(inner))
            out += inner


_absent = object()


def _put(out: bytearray, each: Field, kind: str, version: int, flexible: bool, value, where: str) -> None:
    where = f"{where}.{each.name}"
    if kind in FIXED:
        out += struct.pack(">" + FIXED[kind], value)
    elif kind == "uuid":
        out += uuid.UUID(value).bytes
    elif kind in ("string", "bytes", "records"):
        raw = value.encode() if isinstance(value, str) else value
        _put_length(out, raw, "h" if kind == "string" else "i", flexible)
        out += raw or b""
    elif kind.startswith("[]"):
        _put_length(out, value, "i", flexible)
        for item in value or ():
            _put(out, each, kind[2:], version, flexible, item, where)
    else:
        if version in each.nullable and not each.type.startswith("[]"):
            out += struct.pack(">b", -1 if value is None else 1)
            if value is None:
                return
        _put_struct(out, each.fields, version, flexible, value, where)


def _put_length(out: bytearray, value, form: str, flexible: bool) -> None:
    length = -1 if value is None else len(value)
    if flexible:
        put_uvarint(out, length + 1)
    else:
        out += struct.pack(">" + form, length)


def put_uvarint(out: bytearray, value: int) -> None:
    """An unsigned number in groups of seven bits."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


class Reader:
    """Reads a body from its start."""

    def __init__(self, body: bytes):
        self.body = body
        self.at = 0

    def take(self, count: int) -> bytes:
        taken = self.body[self.at : self.at + count]
        if len(taken) != count:
            raise ValueError(f"{count} bytes wanted at {self.at} of {len(self.body)}")
        self.at += count
        return taken

    def fixed(self, kind: str):
        form = ">" + FIXED[kind]
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def uvarint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def struct(self, fields, version: int, flexible: bool) -> dict:
        value = {}
        for each in fields:
            if version in each.tagged:
                value[each.name] = each.default_value()
            elif version in each.versions:
                value[each.name] = self.value(each, each.type, version, flexible)
        if flexible:
            self._tagged(fields, version, value)
        return value

    def _tagged(self, fields, version: int, value: dict) -> None:
        by_tag = {each.tag: each for each in fields if version in each.tagged}
        for _ in range(self.uvarint()):
            tag, length = self.uvarint(), self.uvarint()
            end = self.at + length
            if tag in by_tag:
                each = by_tag[tag]
                value[each.name] = self.value(each, each.type, version, True)
            else:
                value[f"tag {tag}"] = self.take(length).hex()
            if self.at != end:
                raise ValueError(f"tag {tag} is not as long as it says")

    def value(self, each: Field, kind: str, version: int, flexible: bool):
        if kind in FIXED:
            return self.fixed(kind)
        if kind == "uuid":
            return str(uuid.UUID(bytes=self.take(16)))
        if kind in ("string", "bytes", "records"):
            length = self._length("int16" if kind == "string" else "int32", flexible)
            if length < 0:
                return None
            raw = self.take(length)
            return raw.decode() if kind == "string" else raw
        if kind.startswith("[]"):
            length = self._length("int32", flexible)
            return None if length < 0 else [self.value(each, kind[2:], version, flexible) for _ in range(length)]
        if version in each.nullable and not each.type.startswith("[]") and self.fixed("int8") < 0:
            return None
        return self.struct(each.fields, version, flexible)

    def _length(self, kind: str, flexible: bool) -> int:
        return self.uvarint() - 1 if flexible else self.fixed(kind)
