"""Kafka's tools for brokers, groups, quotas and the cluster, with assertions on what they print."""

import json
from collections.abc import Callable
from pathlib import Path

from . import tools
from .brokers import Broker
from .drivers import Driver
from .expect import exit_status, expect, refuse

# Where Flumen answers otherwise than Kafka's classes, on purpose: durability by default, and what it reads at its
# start alone cannot change while it runs.
DIFFERENCES = {
    "flumen": {
        "BROKER listener.security.protocol.map is read-only: true",
        "BROKER listeners is read-only: true",
        "BROKER log.flush.interval.messages is 1 by default, not 9223372036854775807",
        "BROKER producer.id.expiration.ms is read-only: true",
        "TOPIC flush.messages is 1 by default, not 9223372036854775807",
    },
    "kafka": set(),
}


class Cluster:
    """The checks. They need the topics admin-a and admin-o of the checks before them."""

    def __init__(self, broker: Broker, work: Path, java: Driver):
        self._broker = broker
        self._bootstrap = broker.bootstrap
        self._work = work
        self._java = java

    def checks(self) -> tuple[tuple[str, Callable[[], list[str]]], ...]:
        """All of them with their names."""
        return (
            ("DescribeConfigs holds what Kafka's classes define", self.definitions),
            ("kafka-configs of brokers", self.broker_configs),
            ("kafka-configs of groups", self.group_configs),
            ("kafka-configs of users and clients: quotas", self.quotas),
            ("kafka-client-metrics", self.client_metrics),
            ("kafka-reassign-partitions", self.reassign),
            ("kafka-leader-election", self.elect),
            ("kafka-features", self.features),
            ("kafka-metadata-quorum", self.quorum),
            ("kafka-acls without an authorizer", self.acls),
            ("kafka-transactions", self.transactions),
        )

    def _run(self, tool: str, *args: str) -> tuple[int, str]:
        return tools.run(self._java, tool, "--bootstrap-server", self._bootstrap, *args)

    def _configs(self, *args: str) -> tuple[int, str]:
        return self._run(tools.CONFIGS, *args)

    def _refused(self, entity: tuple[str, ...], *changes: tuple[str, str]) -> list[str]:
        """What is wrong with how changes of an entity's configuration are refused: each with its message."""
        faults = []
        for change, message in changes:
            status, output = self._configs(*entity, "--alter", "--add-config", change)
            faults += expect(output, message) + exit_status(1, status)
        return faults

    def definitions(self) -> list[str]:
        answer = self._java.ask("configs", tools.TIMEOUT_S, bootstrap=self._bootstrap, topic="admin-a")
        found, known = set(answer["differences"]), DIFFERENCES[self._broker.name]
        faults = [f"differs from Kafka's classes: {difference}" for difference in sorted(found - known)]
        return faults + [f"does not differ any more: {difference}" for difference in sorted(known - found)]

    def broker_configs(self) -> list[str]:
        default = ("--entity-type", "brokers", "--entity-default")
        one = ("--entity-type", "brokers", "--entity-name", "1")
        faults = []
        status, output = self._configs(*default, "--alter", "--add-config", "log.retention.ms=7000000")
        faults += expect(output, r"^Completed updating default config for brokers in the cluster\.$")
        faults += exit_status(0, status)
        self._configs(*one, "--alter", "--add-config", "log.segment.bytes=2097152,num.io.threads=9")
        _, output = self._configs(*one, "--describe", "--all")
        faults += expect(output, r"log\.retention\.ms=7000000 .*DYNAMIC_DEFAULT_BROKER_CONFIG")
        faults += expect(output, r"log\.segment\.bytes=2097152 .*DYNAMIC_BROKER_CONFIG:log\.segment\.bytes=2097152")
        faults += expect(output, r"num\.io\.threads=9 ")
        topic = ("--entity-type", "topics", "--entity-name", "admin-o")
        _, output = self._configs(*topic, "--describe", "--all")
        faults += expect(output, r"^\s+retention\.ms=7000000 ", r"^\s+segment\.bytes=2097152 ")
        faults += self._refused(
            one,
            ("num.partitions=5", r"Cannot update these configs dynamically: Set\(num\.partitions\)"),
            ("num.io.threads=0", r"Invalid value 0 for configuration num\.io\.threads: Value must be at least 1"),
        )
        self._configs(*default, "--alter", "--delete-config", "log.retention.ms")
        self._configs(*one, "--alter", "--delete-config", "log.segment.bytes,num.io.threads")
        _, output = self._configs(*one, "--describe", "--all")
        return faults + refuse(output, r"log\.retention\.ms=7000000", r"num\.io\.threads=9")

    def group_configs(self) -> list[str]:
        group = ("--entity-type", "groups", "--entity-name", "admin-g")
        status, output = self._configs(*group, "--alter", "--add-config", "consumer.session.timeout.ms=50000")
        faults = expect(output, r"^Completed updating config for group admin-g\.$") + exit_status(0, status)
        _, output = self._configs(*group, "--describe")
        faults += expect(output, r"consumer\.session\.timeout\.ms=50000 .*DYNAMIC_GROUP_CONFIG")
        bound = r"consumer\.session\.timeout\.ms must be greater than or equal to"
        faults += self._refused(
            group,
            ("consumer.session.timeout.ms=5", bound),
            ("no.such=5", r"Unknown group config name: no\.such"),
            ("share.auto.offset.reset=never", r"The value must be either 'earliest', 'latest'"),
        )
        self._configs(*group, "--alter", "--delete-config", "consumer.session.timeout.ms")
        _, output = self._configs(*group, "--describe")
        return faults + refuse(output, r"50000")

    def quotas(self) -> list[str]:
        user = ("--entity-type", "users", "--entity-name", "u", "--entity-type", "clients", "--entity-name", "c")
        status, output = self._configs(*user, "--alter", "--add-config", "producer_byte_rate=1024,request_percentage=50")
        faults = expect(output, r"^Completed updating config for user u\.$") + exit_status(0, status)
        _, output = self._configs(*user, "--describe")
        faults += expect(output, r"user-principal 'u', client-id 'c' are .*producer_byte_rate=1024\.0")
        faults += self._refused(
            user,
            ("producer_byte_rate=1.5", r"must be a Long value"),
            ("producer_byte_rate=-1", r"must be greater than 0"),
        )
        self._configs(*user, "--alter", "--delete-config", "producer_byte_rate,request_percentage")
        _, output = self._configs("--entity-type", "users", "--describe")
        return faults + refuse(output, r"producer_byte_rate")

    def client_metrics(self) -> list[str]:
        name = ("--name", "admin-m")
        change = ("--metrics", "org.apache.kafka.producer.", "--interval", "5000", "--match", "client_id=admin.*")
        status, output = self._run(tools.CLIENT_METRICS, "--alter", *name, *change)
        faults = expect(output, r"^Altered client metrics config for admin-m\.$") + exit_status(0, status)
        _, output = self._run(tools.CLIENT_METRICS, "--list")
        faults += expect(output, r"^admin-m$")
        _, output = self._run(tools.CLIENT_METRICS, "--describe", *name)
        faults += expect(output, r"interval\.ms=5000", r"match=client_id=admin\.\*")
        status, output = self._run(tools.CLIENT_METRICS, "--alter", *name, "--interval", "5")
        faults += expect(output, r"interval must be between 100 and 3600000") + exit_status(1, status)
        self._run(tools.CLIENT_METRICS, "--delete", *name)
        _, output = self._run(tools.CLIENT_METRICS, "--list")
        return faults + refuse(output, r"^admin-m$")

    def _plan(self, broker: int) -> str:
        path = self._work / f"reassign-{broker}.json"
        moves = [{"topic": "admin-a", "partition": 0, "replicas": [broker]}]
        path.write_text(json.dumps({"version": 1, "partitions": moves}))
        return str(path)

    def reassign(self) -> list[str]:
        _, output = self._run(tools.REASSIGN, "--list")
        faults = expect(output, r"^No partition reassignments found\.$")
        here, away = self._plan(1), self._plan(7)
        _, output = self._run(tools.REASSIGN, "--reassignment-json-file", here, "--execute")
        faults += expect(output, r"Successfully started partition reassignment for admin-a-0")
        _, output = self._run(tools.REASSIGN, "--reassignment-json-file", here, "--verify")
        faults += expect(output, r"Reassignment of partition admin-a-0 is completed")
        status, output = self._run(tools.REASSIGN, "--reassignment-json-file", away, "--execute")
        faults += expect(output, r"(?i)unknown broker|no such broker") + exit_status(1, status)
        _, output = self._run(tools.REASSIGN, "--reassignment-json-file", here, "--cancel")
        return faults + expect(output, r"None of the specified partition reassignments are active")

    def elect(self) -> list[str]:
        one = ("--topic", "admin-a", "--partition", "0")
        _, output = self._run(tools.ELECTION, "--election-type", "preferred", *one)
        faults = expect(output, r"Valid replica already elected for partitions.*admin-a-0")
        status, output = self._run(tools.ELECTION, "--election-type", "unclean", "--all-topic-partitions")
        return faults + refuse(output, r"Error") + exit_status(0, status)

    def features(self) -> list[str]:
        _, output = self._run(tools.FEATURES, "describe")
        faults = expect(output, r"metadata\.version\s.*FinalizedVersionLevel: 4\.1-IV1")
        faults += expect(output, r"group\.version\s.*FinalizedVersionLevel: 1\b", r"kraft\.version\s.*: 1\b")
        status, output = self._run(tools.FEATURES, "upgrade", "--feature", "group.version=9")
        faults += expect(output, r"group\.version") + exit_status(1, status)
        status, _ = self._run(tools.FEATURES, "upgrade", "--feature", "group.version=1", "--dry-run")
        return faults + exit_status(0, status)

    def quorum(self) -> list[str]:
        _, output = self._run(tools.QUORUM, "describe", "--status")
        faults = expect(output, r"^LeaderId:\s+1$", r"^HighWatermark:\s+\d+$", r'^CurrentVoters:\s+\[.*"id": 1')
        _, output = self._run(tools.QUORUM, "describe", "--replication")
        return faults + expect(output, r"^1\s+\S+\s+\d+\s+0\s.*Leader")

    def acls(self) -> list[str]:
        faults = []
        add = ("--add", "--allow-principal", "User:u", "--operation", "Read", "--topic", "admin-a")
        for args in (("--list",), add, ("--remove", "--force", "--topic", "admin-a")):
            _, output = self._run(tools.ACLS, *args)
            faults += expect(output, r"SecurityDisabledException: No Authorizer is configured")
        return faults

    def transactions(self) -> list[str]:
        status, output = self._run(tools.TRANSACTIONS, "list")
        faults = expect(output, r"TransactionalId") + exit_status(0, status)
        where = ("--topic", "admin-o", "--partition", "0")
        _, output = self._run(tools.TRANSACTIONS, "describe-producers", *where)
        # Producer id, epoch, coordinator epoch, last sequence, when, open transaction.
        return faults + expect(output, r"^\d+\s+0\s+-1\s+9\s+\d{13}\s+None")
