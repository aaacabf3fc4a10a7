"""The page must say what the result files say, and a failure in them above all."""

import tempfile
import unittest
from pathlib import Path

from .. import page
from ..oracle.schema import Message, Versions
from ..report import Report
from ..software.stage import Line, Outcome
from ..versions import line, parse_line, versions

MATRIX = """# Compatibility run

Versions: kafka-clients (Java) 4.1.1, kafkajs 2.2.4.

| producer | codec | 1 partitions | 3 partitions         |
|----------|-------|--------------|----------------------|
| java     | none  | ok java+kcat | ok java+franz-go     |
| kafkajs  | gzip  | FAIL kcat    | ok java+kafka-python |

| other check           | result |
|-----------------------|--------|
| kafka-topics --create | ok     |
| kafka-configs         | FAIL   |
| something else        | FAIL   |
"""
GROUPS = """
Versions: confluent-kafka 2.16.1, sarama 1.61.1.

| members                      | result   | records |
|------------------------------|----------|---------|
| confluent-range              | ok       | 5       |
| kafka-python-range           | ok       | 5       |
| sarama-sticky                | FAIL (2) | 5       |
| platformatic-roundrobin      | ok       | 5       |
"""
SOFTWARE = """
| software      | version | what was checked | result |
|---------------|---------|------------------|--------|
| Kafka Connect | 4.1.1   | lines            | ok     |
| burrow        |         | offsets          | FAIL   |
"""


class PageTest(unittest.TestCase):
    def test_matrix(self):
        rows = {(row.software, row.what.partition(":")[0]): row for row in page.matrix_rows("2026-01-01.md", MATRIX)}
        java = rows["kafka-clients (Java)", "java"]
        self.assertEqual((java.version, java.result), ("4.1.1", "ok"))
        self.assertIn("2 cells produced, 3 read", java.what)
        self.assertEqual(rows["kafkajs", "kafkajs"].result, "FAIL (1)")
        self.assertEqual(rows["kcat", "kcat"].result, "FAIL (1)")
        self.assertEqual(rows["kcat", "kcat"].version, page.UNKNOWN)
        tools = rows["Kafka's command line tools", "2 checks of admin tools"]
        self.assertEqual(tools.result, "FAIL (1)")

    def test_groups(self):
        rows = [(row.software, row.version, row.result) for row in page.group_rows("f", GROUPS)]
        self.assertEqual(rows[0], ("confluent-kafka", "2.16.1", "ok"))
        self.assertEqual(rows[1], ("kafka-python", page.UNKNOWN, "ok"))
        self.assertEqual(rows[2], ("sarama", "1.61.1", "FAIL (2)"))
        self.assertEqual(rows[3][0], "@platformatic/kafka")

    def test_software(self):
        rows = page.software_rows("f", SOFTWARE)
        self.assertEqual([row.result for row in rows], ["ok", "FAIL"])
        self.assertEqual([row.version for row in rows], ["4.1.1", page.UNKNOWN])

    def test_what_a_run_writes_is_read(self):
        outcome = Outcome(Report(), [Line("burrow", "1.2.1", "offsets", []), Line("part", "", "itself", ["it died"])])
        rows = [(row.software, row.version, row.result) for row in page.software_rows("f", outcome.table() + "\n")]
        self.assertEqual(rows, [("burrow", "1.2.1", "ok"), ("part", page.UNKNOWN, "FAIL")])

    def test_newest_of_each_kind(self):
        with tempfile.TemporaryDirectory() as name:
            for file in ("2026-01-01.md", "2026-01-02.md", "2026-01-03-kafka.md", "2026-01-01-groups-flumen.md"):
                (Path(name) / file).write_text(file)
            found = [file for file, _ in page.newest(Path(name))]
            self.assertEqual(found, ["2026-01-02.md", "2026-01-01-groups-flumen.md"])

    def test_apis(self):
        class Known:
            keys = {3: "Metadata", 18: "ApiVersions"}
            messages = {
                "MetadataRequest": Message("MetadataRequest", 3, Versions(0, 13), Versions(9, 99), ()),
                "ApiVersionsRequest": Message("ApiVersionsRequest", 18, Versions(4, 4), Versions(3, 99), ()),
            }

        answer = [{"apiKey": 18, "minVersion": 4, "maxVersion": 4}, {"apiKey": 3, "minVersion": 0, "maxVersion": 12}]
        rows = page.table_with(page.api_section({"apiKeys": answer}, Known) + "\n", "API")
        self.assertEqual([row["API"] for row in rows], ["Metadata", "ApiVersions"])
        self.assertEqual((rows[0]["served"], rows[0]["Apache Kafka"], rows[1]["served"]), ("0 to 12", "0 to 13", "4"))

    def test_versions(self):
        known = versions()
        software = ("Kafka Connect", "confluent-kafka", "franz-go", "sarama", "kafkajs", "kcat", "@platformatic/kafka")
        for name in software:
            self.assertRegex(known[name], r"^\d+\.\d+", name)
        self.assertNotEqual(known["confluent-kafka"], known["confluent-kafka with Avro"])  # each by its own file
        names = ["Kafka Connect", "kafkajs"]
        self.assertEqual(parse_line(f"x\n{line(names)}\n"), {name: known[name] for name in names})


if __name__ == "__main__":
    unittest.main()
