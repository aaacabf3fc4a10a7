"""`ci/compat/page`: writes `net/COMPAT.md`, from what the broker answers to ApiVersions and from the dated results.

With --check it writes nothing, and fails if the page is not what it would write.
"""

import argparse
import difflib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .brokers import make_broker
from .oracle.link import Link
from .oracle.schema import Schemas, Versions
from .paths import CACHE, REPOSITORY, RESULTS, work_directory
from .report import table
from .versions import parse_line, versions

PAGE = REPOSITORY / "net/COMPAT.md"
UNKNOWN = "not noted"
MATRIX = "clients, every record compared"
# Clients of the matrix and of the group scenarios, as the result files call them, and the software behind them.
SOFTWARE = {
    "java": "kafka-clients (Java)",
    "console": "Kafka's command line tools",
    "performance": "Kafka's command line tools",
    "confluent": "confluent-kafka",
    "platformatic": "@platformatic/kafka",
}
NOTES = {"Produce": "0 to 2 are listed for librdkafka's sake (KAFKA-18659) and refused"}

HEAD = """\
# What works with Flumen

Made by `ci/compat/page` from the broker's answer to ApiVersions and from the dated files in
[ci/compat/results](../ci/compat/results); `ci/check compat` fails when it is not what they say.

## Software

Real software against one node; each row is a claim that a script checks by content ([how](../ci/compat/README.md)).
The same scripts run against Apache Kafka {kafka}, where a row that fails is a fault of the script.
"""
APIS = """\
## APIs

Everything that the broker lists, beside the versions in the schemas of Apache Kafka {kafka}, whose broker serves fewer
of some. What is not here closes the connection, as in Apache Kafka.
"""


@dataclass(frozen=True)
class Row:
    """One line of the page's first table."""

    software: str
    version: str
    what: str
    result: str
    file: str

    def cells(self) -> list[str]:
        """As the table has it."""
        run = f"[{self.file[:10]}](../ci/compat/results/{self.file})"
        return [self.software, self.version, self.what, self.result, run]


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="ci/compat/page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="writes nothing; fails if the page is another")
    parser.add_argument("--flumen", type=Path, default=REPOSITORY / "target/release/flumen", metavar="PATH")
    parser.set_defaults(broker="flumen")
    return parser.parse_args()


def tables(text: str) -> Iterator[list[dict[str, str]]]:
    """Each table of a Markdown text, its rows by the names of the columns."""
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        yield [dict(zip(lines[0], cells)) for cells in lines[2:]]


def table_with(text: str, column: str) -> list[dict[str, str]]:
    """The table that has this column, or nothing."""
    return next((rows for rows in tables(text) if rows and column in rows[0]), [])


def software_rows(name: str, text: str) -> list[Row]:
    """Rows of a file of `ci/compat/software`."""
    found = table_with(text, "software")
    return [Row(r["software"], r["version"] or UNKNOWN, r["what was checked"], r["result"], name) for r in found]


def group_rows(name: str, text: str) -> list[Row]:
    """Rows of a file of `ci/compat/groups`: what each client's members did."""
    known = parse_line(text)
    broker = "; the broker is killed" if "killed" in name else ""
    rows = []
    for found in table_with(text, "members"):
        software = software_of(found["members"])
        what = f"consumer group, {found['members']}: joins, leaves, crashes, pauses{broker}"
        rows.append(Row(software, known.get(software, UNKNOWN), what, found["result"], name))
    return rows


def matrix_rows(name: str, text: str) -> list[Row]:
    """Rows of a file of `ci/compat/run`: cells that each client produced or read, and the other checks."""
    known = parse_line(text)
    rows = []
    for client, (made, read, failed) in cells_by_client(table_with(text, "producer")).items():
        software = software_of(client)
        parts = [f"{made} cells produced" if made else "", f"{read} read" if read else ""]
        what = f"{client}: {', '.join(filter(None, parts))}; {MATRIX}"
        result = f"FAIL ({failed})" if failed else "ok"
        rows.append(Row(software, known.get(software, UNKNOWN), what, result, name))
    tools = [found for found in table_with(text, "other check") if found["other check"].startswith("kafka-")]
    if tools:
        failed = sum(found["result"] != "ok" for found in tools)
        software = "Kafka's command line tools"
        result = f"FAIL ({failed})" if failed else "ok"
        rows.append(Row(software, known.get(software, UNKNOWN), f"{len(tools)} checks of admin tools", result, name))
    return rows


def cells_by_client(rows: list[dict[str, str]]) -> dict[str, tuple[int, int, int]]:
    """For each client of the matrix: cells that it produced and read, and those that failed with it."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        for column, cell in row.items():
            if not column.endswith("partitions") or not cell:
                continue
            verdict, _, readers = cell.partition(" ")
            counts.setdefault(row["producer"], [0, 0, 0])[0] += 1
            counts[row["producer"]][2] += verdict != "ok"
            for reader in filter(None, readers.split("+")):
                counts.setdefault(reader, [0, 0, 0])[1] += 1
                counts[reader][2] += verdict != "ok" and reader != row["producer"]
    return {client: tuple(numbers) for client, numbers in counts.items()}


def software_of(client: str) -> str:
    """The software behind a client's name, which may go on with its assignor."""
    names = [*SOFTWARE, *versions()]
    found = max((name for name in names if client == name or client.startswith(f"{name}-")), key=len, default=client)
    return SOFTWARE.get(found, found)


def newest(results: Path) -> list[tuple[str, str]]:
    """Name and text of the newest file of each kind that is about Flumen."""
    kinds: dict[str, Path] = {}
    for path in sorted(results.glob("*.md")):
        kind = path.stem[10:]
        if not kind.endswith("kafka"):
            kinds[kind] = path
    return [(path.name, path.read_text(encoding="utf-8")) for _, path in sorted(kinds.items())]


def software_section(files: list[tuple[str, str]]) -> str:
    """The first table."""
    kinds = (software_rows, group_rows, matrix_rows)
    rows = [row for name, text in files for rows_of in kinds for row in rows_of(name, text)]
    rows.sort(key=lambda row: row.software.lower())
    return table(["software", "version", "what was checked", "result", "run"], (row.cells() for row in rows))


def api_section(answer: dict, schemas: Schemas) -> str:
    """The second table."""
    rows = []
    for each in sorted(answer["apiKeys"], key=lambda each: each["apiKey"]):
        name = schemas.keys.get(each["apiKey"], "?")
        ours = Versions(each["minVersion"], each["maxVersion"])
        theirs = schemas.messages[f"{name}Request"].versions if name != "?" else None
        rows.append([str(each["apiKey"]), name, span(ours), span(theirs) if theirs else "", NOTES.get(name, "")])
    return table(["key", "API", "served", "Apache Kafka", ""], rows)


def span(versions_of: Versions) -> str:
    """A range in words."""
    low, high = versions_of.low, versions_of.high
    return str(low) if low == high else f"{low} to {high}"


def ask(options: argparse.Namespace, schemas: Schemas) -> dict:
    """What a fresh broker says of itself."""
    with work_directory("page") as work, make_broker(options, work / "data") as broker:
        broker.start()
        link = Link(("127.0.0.1", broker.port), schemas)
        answer = link.ask("ApiVersions", 0, {})
        link.close()
    return answer


def build(answer: dict, schemas: Schemas, results: Path) -> str:
    """The page."""
    kafka = versions()["Apache Kafka"]
    parts = [HEAD.format(kafka=kafka), software_section(newest(results)) + "\n"]
    parts += [APIS.format(kafka=kafka), api_section(answer, schemas) + "\n"]
    return "\n".join(parts)


def main() -> int:
    """Writes the page, or says how it differs."""
    options = parse()
    jars = list((CACHE / "java/lib").glob("kafka-clients-*.jar"))
    if not jars:
        sys.exit("the names of APIs come from Kafka's clients: ci/compat/install")
    schemas = Schemas(jars[0])
    page = build(ask(options, schemas), schemas, RESULTS)
    if not options.check:
        PAGE.write_text(page, encoding="utf-8")
        print(f"written: {PAGE.relative_to(REPOSITORY)}")
        return 0
    there = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if there == page:
        print("net/COMPAT.md is what ci/compat/page makes")
        return 0
    sys.stdout.writelines(difflib.unified_diff(there.splitlines(True), page.splitlines(True), "there", "made", n=0))
    print("net/COMPAT.md is not what ci/compat/page makes; run it")
    return 1


if __name__ == "__main__":
    sys.exit(main())
