"""Kafka's own command-line tools as Java classes, run inside the Java driver."""

from pathlib import Path

from .drivers import Driver, DriverError
from .records import Record

TOPICS = "org.apache.kafka.tools.TopicCommand"
CONFIGS = "kafka.admin.ConfigCommand"
GET_OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand"
DELETE_RECORDS = "org.apache.kafka.tools.DeleteRecordsCommand"
CLUSTER = "org.apache.kafka.tools.ClusterTool"
API_VERSIONS = "org.apache.kafka.tools.BrokerApiVersionsCommand"
REASSIGN = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
ELECTION = "org.apache.kafka.tools.LeaderElectionCommand"
FEATURES = "org.apache.kafka.tools.FeatureCommand"
QUORUM = "org.apache.kafka.tools.MetadataQuorumCommand"
ACLS = "org.apache.kafka.tools.AclCommand"
TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand"
CLIENT_METRICS = "org.apache.kafka.tools.ClientMetricsCommand"
CONSOLE_PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
FEATURES = "org.apache.kafka.tools.FeatureCommand"
GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
GROUPS_OF_ALL_TYPES = "org.apache.kafka.tools.GroupsCommand"
PRODUCER_PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance"
QUORUM = "org.apache.kafka.tools.MetadataQuorumCommand"
REASSIGN = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
STREAMS_RESET = "org.apache.kafka.tools.StreamsResetter"

TIMEOUT_S = 60
NULL_MARKER = "<null>"


def run(java: Driver, tool: str, *args: str, **request) -> tuple[int, str]:
    """Runs a tool's main method; returns its exit status and everything it printed."""
    answer = java.ask("tool", TIMEOUT_S, **{"class": tool, "args": list(args), **request})
    return answer["status"], answer["output"]


def _must(result: tuple[int, str]) -> None:
    status, output = result
    # Both producers print a failed send and still leave with 0.
    if status or "Exception" in output or "ERROR" in output:
        raise DriverError(f"the tool left with {status}: {output[-400:]}")


def console_produce(java: Driver, bootstrap: str, topic: str, codec: str, records: list[Record], lines: Path) -> None:
    """Sends text records by the console producer, one line each."""
    lines.write_bytes(b"".join(_console_line(record) for record in records))
    args = ["--bootstrap-server", bootstrap, "--topic", topic, "--compression-codec", codec]
    for setting in ("parse.key=true", "parse.headers=true", f"null.marker={NULL_MARKER}"):
        args += ["--property", setting]
    _must(run(java, CONSOLE_PRODUCER, *args, stdin=str(lines)))


def _console_line(record: Record) -> bytes:
    """headers TAB key TAB value, as its LineMessageReader parses them."""
    null = NULL_MARKER.encode()
    pairs = (name.encode() + b":" + (null if value is None else value) for name, value in record.headers)
    key, value = (null if data is None else data for data in (record.key, record.value))
    return (b",".join(pairs) or null) + b"\t" + key + b"\t" + value + b"\n"


def performance_produce(java: Driver, bootstrap: str, topic: str, codec: str, count: int) -> None:
    """Sends the numbers below `count` by ProducerPerformance."""
    args = ["--topic", topic, "--num-records", str(count), "--throughput", "-1", "--payload-monotonic"]
    args += ["--producer-props", f"bootstrap.servers={bootstrap}", f"compression.type={codec}"]
    _must(run(java, PRODUCER_PERFORMANCE, *args))
