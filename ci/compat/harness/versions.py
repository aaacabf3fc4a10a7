"""Versions of everything that runs here, read from where they are pinned (the lock files of `install`)."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from .paths import HOME

BY_KAFKA = ("Apache Kafka", "kafka-clients (Java)", "Kafka's command line tools", "Kafka Connect", "Kafka Streams")
BY_KAFKA += ("MirrorMaker 2",)
PYTHON_FILES = ("python/requirements.txt", "kaskade/requirements.txt")
GO_FILES = ("franz/go.mod", "go-members/go.mod")
NODE_FILES = ("kafkajs/package.json", "platformatic/package.json")


def versions(home: Path = HOME) -> dict[str, str]:
    """The version of each program and library, by its name."""
    found: dict[str, str] = {}
    kafka = _property(home / "java/pom.xml", "kafka.version")
    found.update(dict.fromkeys(BY_KAFKA, kafka))
    for name in PYTHON_FILES:
        found = _pinned(home / name) | found
    found["confluent-kafka with Avro"] = _pinned(home / "registry/requirements.txt").get("confluent-kafka", "")
    for name in GO_FILES:
        found.update(re.findall(r"^\s+github\.com/\w+/([\w-]+) v(\S+)$", _text(home / name), re.MULTILINE))
    for name in NODE_FILES:
        found.update(json.loads(_text(home / name) or "{}").get("dependencies", {}))
    found.update(re.findall(r"^(\w+)_version=(\S+)$", _text(home / "install"), re.MULTILINE))
    found["Apicurio Registry"] = found.pop("apicurio", "")
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _pinned(path: Path) -> dict[str, str]:
    """The packages of a requirements file."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", _text(path), re.MULTILINE))


def _property(path: Path, name: str) -> str:
    match = re.search(rf"<{re.escape(name)}>([^<]+)<", _text(path))
    return match.group(1) if match else ""


def line(names: Sequence[str]) -> str:
    """The line of a result file that says which versions were run."""
    known = versions()
    return "Versions: " + ", ".join(f"{name} {known[name]}" for name in names if known.get(name)) + "."


def parse_line(text: str) -> dict[str, str]:
    """The versions that a result file names."""
    match = re.search(r"^Versions: (.*)\.$", text, re.MULTILINE)
    named = match.group(1).split(", ") if match else []
    return {name: version for name, _, version in (each.rpartition(" ") for each in named)}
