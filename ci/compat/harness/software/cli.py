"""Kafka's command line tools around groups, offsets and the cluster, each asserted on what it prints.

They run as Java classes in one JVM, beside a member of a group that lives.
"""

import json
import re
from collections.abc import Callable

from .. import tools
from ..admin import expect, refuse
from ..drivers import DriverError
from ..records import Record
from .reader import Reader
from .service import SoftwareError, wait_for
from .stage import Stage

NAME = "Kafka's command line tools"
TOPIC = "tools-t"
GROUP = "tools-g"
LONELY = "tools-lonely"
MODERN = "tools-848"
PARTITIONS = 3
EACH = 40  # records of a partition
CLIENT = "tools-member"
OFFSETS_FORMATTER = "org.apache.kafka.tools.consumer.OffsetsMessageFormatter"
METADATA_FORMATTER = "org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter"


class Cli:
    """The checks and what they share."""

    def __init__(self, stage: Stage):
        self._stage = stage
        self._member: Reader | None = None
        self._node = ""

    def run(self) -> None:
        """Those that want a living member, those that want none, and those that do not care."""
        stage = self._stage
        stage.create(TOPIC, PARTITIONS)
        records = [Record(i % PARTITIONS, f"k{i}".encode(), f"value {i}".encode()) for i in range(EACH * PARTITIONS)]
        stage.produce(TOPIC, records)
        self._member = Reader(stage, TOPIC, GROUP, CLIENT)
        self._member.await_committed(dict.fromkeys(range(PARTITIONS), EACH))
        self._check("kafka-consumer-groups --list and --describe of a living group", self.describe_living)
        self._check("kafka-consumer-groups refuses to touch a living group", self.refuse_living)
        self._check("kafka-groups --list", self.groups_of_all_types)
        self._member.leave()
        self._check("kafka-console-consumer in a group of KIP-848", self.console_modern)
        self._check("kafka-console-consumer with the formatter of offsets", self.format_offsets)
        self._check("kafka-console-consumer with the formatter of groups", self.format_metadata)
        self._check("kafka-console-consumer reads what the group has not read", self.console_consumer)
        self._check("kafka-consumer-groups --describe of an empty group", self.describe_empty)
        self._check("kafka-consumer-groups --reset-offsets", self.reset_offsets)
        self._check("kafka-consumer-groups --delete-offsets and --delete", self.delete_group)
        self._check("kafka-topics --describe finds the node", self.find_node)
        self._check("kafka-configs of groups, clients, users and brokers", self.configs)
        self._check("kafka-reassign-partitions", self.reassign)
        self._check("kafka-features", self.features)
        self._check("kafka-metadata-quorum", self.quorum)

    def close(self) -> None:
        """The member may still live, if something failed."""
        if self._member is not None:
            self._member.end()

    def _check(self, what: str, check: Callable[[], list[str]]) -> None:
        try:
            faults = check()
        except (DriverError, SoftwareError, ValueError) as error:
            faults = [str(error)]
        self._stage.check(NAME, what, faults)

    def _groups(self, *args: str) -> tuple[int, str]:
        return self._stage.tool(tools.GROUPS, *args)

    def describe_living(self) -> list[str]:
        _, output = self._groups("--list")
        faults = expect(output, rf"^{GROUP}$")
        _, output = self._groups("--list", "--state")
        faults += expect(output, rf"^{GROUP}\s+(Classic\s+)?Stable\s*$")
        described = self._stage.committed(GROUP)
        for partition in range(PARTITIONS):
            line = described.get((TOPIC, partition))
            if line is None or (line.offset, line.end, line.lag) != (EACH, EACH, 0) or not line.member:
                faults.append(f"partition {partition}: {line}")
        _, output = self._groups("--describe", "--group", GROUP, "--state")
        faults += expect(output, rf"^{GROUP}\s+\S+:\d+\s+\(\d+\)\s+range\s+Stable\s+1\s*$")
        _, output = self._groups("--describe", "--group", GROUP, "--members", "--verbose")
        everything = ",".join(map(str, range(PARTITIONS)))
        member = rf"^{GROUP}\s+\S+\s+\S+\s+{CLIENT}\s+{PARTITIONS}\s.*{TOPIC}[:(]{everything}\b"
        return faults + expect(output, member)

    def refuse_living(self) -> list[str]:
        _, output = self._groups("--delete", "--group", GROUP)
        faults = expect(output, r"(?i)GroupNotEmptyException|not empty")
        _, output = self._groups("--reset-offsets", "--group", GROUP, "--topic", TOPIC, "--to-earliest", "--execute")
        faults += expect(output, r"(?i)inactive|current state is Stable")
        _, output = self._groups("--delete-offsets", "--group", GROUP, "--topic", TOPIC)
        faults += expect(output, r"(?i)GroupSubscribedToTopic|subscribed|Error")
        _, output = self._groups("--describe", "--group", "tools-none")
        return faults + expect(output, r"(?i)tools-none.*(does not exist|not found)")

    def groups_of_all_types(self) -> list[str]:
        _, output = self._stage.tool(tools.GROUPS_OF_ALL_TYPES, "--list")
        faults = expect(output, rf"^{GROUP}\s+Classic\s+consumer\s*$")
        _, output = self._stage.tool(tools.GROUPS_OF_ALL_TYPES, "--list", "--group-type", "consumer")
        return faults + refuse(output, rf"^{GROUP}\s")

    def _console(self, *args: str) -> str:
        return self._stage.tool(tools.CONSOLE_CONSUMER, "--from-beginning", "--timeout-ms", "6000", *args)[1]

    def console_modern(self) -> list[str]:
        """It is of another type, and its records stand between those that the formatters want."""
        total = EACH * PARTITIONS
        arguments = ("--topic", TOPIC, "--group", MODERN, "--max-messages", str(total))
        output = self._console(*arguments, "--consumer-property", "group.protocol=consumer")
        faults = expect(output, rf"Processed a total of {total} messages")
        _, output = self._stage.tool(tools.GROUPS_OF_ALL_TYPES, "--list", "--group-type", "consumer")
        faults += expect(output, rf"^{MODERN}\s+Consumer\s+consumer\s*$")
        found = {where: line.offset for where, line in self._stage.committed(MODERN).items()}
        wanted = {(TOPIC, partition): EACH for partition in range(PARTITIONS)}
        return faults + ([] if found == wanted else [f"committed {found}, not {wanted}"])

    def _formatted(self, formatter: str) -> list[dict]:
        """The JSON objects that a formatter makes of __consumer_offsets."""
        return objects(self._console("--topic", "__consumer_offsets", "--formatter", formatter))

    def format_offsets(self) -> list[str]:
        last: dict[tuple, int] = {}
        for line in self._formatted(OFFSETS_FORMATTER):
            key, value = line["key"]["data"], (line["value"] or {}).get("data")
            if value:
                last[key["group"], key["topic"], key["partition"]] = value["offset"]
        wanted = {(GROUP, TOPIC, partition): EACH for partition in range(PARTITIONS)}
        found = {place: offset for place, offset in last.items() if place[0] == GROUP}
        return [] if found == wanted else [f"offsets {found}, not {wanted}"]

    def format_metadata(self) -> list[str]:
        lines = [line for line in self._formatted(METADATA_FORMATTER) if line["key"]["data"]["group"] == GROUP]
        values = [line["value"]["data"] for line in lines if line["value"]]
        if not values:
            return ["no record of the group"]
        sizes = [len(value["members"]) for value in values]
        faults = [f"type {v['protocolType']!r}" for v in values if v["protocolType"] != "consumer"]
        if 1 not in sizes or sizes[-1] != 0:
            faults.append(f"members from record to record: {sizes}")
        clients = {member["clientId"] for value in values for member in value["members"]}
        return faults + ([] if clients == {CLIENT} else [f"client ids {clients}"])

    def console_consumer(self) -> list[str]:
        self._stage.produce(TOPIC, [Record(0, b"late", f"late {i}".encode()) for i in range(5)])
        arguments = ("--topic", TOPIC, "--group", GROUP, "--timeout-ms", "8000", "--max-messages", "5")
        show = ("--property", "print.key=true", "--property", "print.offset=true")
        _, output = self._stage.tool(tools.CONSOLE_CONSUMER, *arguments, *show)
        wanted = [rf"Offset:{EACH + i}\s+late\s+late {i}$" for i in range(5)]
        return expect(output, *wanted, r"Processed a total of 5 messages")

    def describe_empty(self) -> list[str]:
        state = ("--describe", "--group", GROUP, "--state")
        wait_for(lambda: "Empty" in self._groups(*state)[1], "the group is empty", 30)
        _, output = self._groups("--describe", "--group", GROUP)
        faults = expect(output, rf"Consumer group '{GROUP}' has no active members")
        line = self._stage.committed(GROUP).get((TOPIC, 0))
        wanted = EACH + 5
        if line is None or (line.offset, line.end, line.lag, line.member) != (wanted, wanted, 0, None):
            faults.append(f"partition 0: {line}")
        return faults

    def reset_offsets(self) -> list[str]:
        reset = ("--reset-offsets", "--group", GROUP, "--topic", TOPIC)
        _, output = self._groups(*reset, "--to-earliest", "--dry-run")
        lines = [rf"^{GROUP}\s+{TOPIC}\s+{partition}\s+0\s*$" for partition in range(PARTITIONS)]
        faults = expect(output, *lines)
        if (dry := self._stage.committed(GROUP)[TOPIC, 0].offset) != EACH + 5:
            faults.append(f"a dry run left offset {dry}")
        self._groups(*reset, "--shift-by", "-5", "--execute")
        self._groups("--reset-offsets", "--group", LONELY, "--topic", f"{TOPIC}:1", "--to-offset", "7", "--execute")
        shifted = {where[1]: line.offset for where, line in self._stage.committed(GROUP).items()}
        wanted = {0: EACH, 1: EACH - 5, 2: EACH - 5}
        faults += [] if shifted == wanted else [f"after --shift-by -5: {shifted}, not {wanted}"]
        lonely = self._stage.committed(LONELY).get((TOPIC, 1))
        return faults + ([] if lonely and lonely.lag == EACH - 7 else [f"a group made by a reset: {lonely}"])

    def delete_group(self) -> list[str]:
        _, output = self._groups("--delete-offsets", "--group", GROUP, "--topic", f"{TOPIC}:2")
        faults = expect(output, rf"^{TOPIC}\s+2\s+Successful")
        if (TOPIC, 2) in self._stage.committed(GROUP):
            faults.append("the offset of partition 2 is still there")
        _, output = self._groups("--delete", "--group", GROUP, "--group", LONELY, "--group", MODERN)
        faults += expect(output, r"Deletion of requested consumer groups \(.*\) was successful")
        _, output = self._groups("--list")
        faults += refuse(output, rf"^({GROUP}|{LONELY}|{MODERN})$")
        _, output = self._groups("--delete", "--group", GROUP)
        return faults + expect(output, r"GroupIdNotFound|does not exist|not found")

    def find_node(self) -> list[str]:
        _, output = self._stage.tool(tools.TOPICS, "--describe", "--topic", TOPIC)
        found = re.search(r"Leader: (\d+)\s+Replicas: \1\s+Isr: \1\b", output)
        self._node = found.group(1) if found else ""
        return [] if found else expect(output, r"Leader: (\d+)\s+Replicas: \1\s+Isr: \1")

    def configs(self) -> list[str]:
        """Each kind of entity: set, described, taken away."""
        cases = (
            (("groups", "tools-g"), "consumer.session.timeout.ms=50000", r"consumer\.session\.timeout\.ms=50000"),
            (("clients", "tools-c"), "producer_byte_rate=1048576", r"producer_byte_rate=1048576(\.0)?"),
            (("users", "tools-u"), "consumer_byte_rate=2097152", r"consumer_byte_rate=2097152(\.0)?"),
            (("brokers", self._node), "log.cleaner.threads=2", r"log\.cleaner\.threads=2"),
            (("client-metrics", "tools-m"), "interval.ms=30000", r"interval\.ms=30000"),
        )
        faults = []
        for (kind, name), change, shown in cases:
            entity = ("--entity-type", kind, "--entity-name", name)
            _, output = self._stage.tool(tools.CONFIGS, *entity, "--alter", "--add-config", change)
            faults += expect(output, rf"Completed updating config for (user|client-metric|{kind[:-1]})")
            _, output = self._stage.tool(tools.CONFIGS, *entity, "--describe")
            faults += expect(output, shown)
            key = change.partition("=")[0]
            self._stage.tool(tools.CONFIGS, *entity, "--alter", "--delete-config", key)
            _, output = self._stage.tool(tools.CONFIGS, *entity, "--describe")
            faults += refuse(output, rf"{shown}\b(?!.*DEFAULT_CONFIG:{re.escape(change)})")
        return faults

    def reassign(self) -> list[str]:
        """Everything is where it should be: the plan says so, and so do its execution and verification."""
        moving, plan = self._stage.work / "topics.json", self._stage.work / "plan.json"
        moving.write_text(json.dumps({"topics": [{"topic": TOPIC}], "version": 1}))
        arguments = ("--topics-to-move-json-file", str(moving), "--broker-list", self._node)
        _, output = self._stage.tool(tools.REASSIGN, "--generate", *arguments)
        faults = expect(output, "Current partition replica assignment", "Proposed partition reassignment configuration")
        plans = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        placed = [sorted((p["partition"], p["replicas"]) for p in each["partitions"]) for each in plans]
        wanted = [[(p, [int(self._node)]) for p in range(PARTITIONS)]] * 2
        if placed != wanted:
            return [*faults, f"plans {placed}, not {wanted}"]
        plan.write_text(json.dumps(plans[-1]))
        _, output = self._stage.tool(tools.REASSIGN, "--execute", "--reassignment-json-file", str(plan))
        faults += expect(output, r"Successfully started partition reassignments? for")
        _, output = self._stage.tool(tools.REASSIGN, "--verify", "--reassignment-json-file", str(plan))
        faults += expect(output, *(rf"Reassignment of partition {TOPIC}-{p} is completed" for p in range(PARTITIONS)))
        _, output = self._stage.tool(tools.REASSIGN, "--list")
        return faults + expect(output, r"No partition reassignments found")

    def features(self) -> list[str]:
        _, output = self._stage.tool(tools.FEATURES, "describe")
        line = r"^Feature: {}\s+SupportedMinVersion: \S+\s+SupportedMaxVersion: \S+\s+FinalizedVersionLevel: \S+"
        faults = expect(output, line.format(r"metadata\.version"), line.format(r"group\.version"))
        status, output = self._stage.tool(tools.FEATURES, "upgrade", "--dry-run", "--feature", "no.such=1")
        faults += [] if status == 1 else [f"an unknown feature: status {status}"]
        return faults + expect(output, r"no\.such")

    def quorum(self) -> list[str]:
        _, output = self._stage.tool(tools.QUORUM, "describe", "--status")
        faults = expect(output, r"^ClusterId:\s+\S+", rf"^LeaderId:\s+{self._node}$", r"^LeaderEpoch:\s+\d+")
        faults += expect(output, r"^HighWatermark:\s+\d+", r"^CurrentObservers:\s+\[\]")
        faults += expect(output, rf"^CurrentVoters:\s+\[.*\b{self._node}\b.*\]")
        _, output = self._stage.tool(tools.QUORUM, "describe", "--replication")
        return faults + expect(output, r"^NodeId\s", rf"^{self._node}\s+\S+\s+\d+\s+0\s.*Leader\s*$")


def objects(output: str) -> list[dict]:
    """All JSON objects in a tool's output; the formatters put no line's end between them."""
    decoder, found, at = json.JSONDecoder(), [], output.find("{")
    while at >= 0:
        one, at = decoder.raw_decode(output, at)
        found.append(one)
        at = output.find("{", at)
    return found


def run(stage: Stage) -> None:
    """The part `tools`."""
    cli = Cli(stage)
    try:
        cli.run()
    finally:
        cli.close()
