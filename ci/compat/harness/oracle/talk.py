"""What a case has in its hands: one broker, one version of the API under test, and a log of what was said."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .batch import Batch
from .link import CLOSED, Link

SETTLED_S = 20
ZERO_ID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Case:
    """A conversation that is held with both brokers, in each version of its API."""

    api: str
    name: str
    talk: Callable[["Talk"], None]
    least: int
    most: int


CASES: list[Case] = []


def case(api: str, name: str, least: int = 0, most: int = 99):
    """Registers a conversation about `api` for its versions from `least` to `most`."""

    def register(talk: Callable[["Talk"], None]):
        CASES.append(Case(api, name, talk, least, most))
        return talk

    return register


@dataclass
class Answer:
    """One line of the log."""

    label: str
    api: str
    version: int
    fields: dict | str | None


@dataclass
class Talk:
    """A conversation with one broker."""

    link: Link
    api: str
    version: int
    prefix: str
    said: list[Answer] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)

    def ask(self, body: dict, label: str = "", answered: bool = True) -> dict:
        """Asks the API under test; the answer will be compared."""
        fields = self.link.ask(self.api, self.version, body, answered)
        self.said.append(Answer(label, self.api, self.version, fields))
        return fields if isinstance(fields, dict) else {}

    def also(self, api: str, version: int, body: dict, label: str = "") -> dict:
        """Asks another API, for what comes before or after; compared as well."""
        fields = self.link.ask(api, version, body)
        self.said.append(Answer(label or api, api, version, fields))
        return fields if isinstance(fields, dict) else {}

    def quietly(self, api: str, version: int, body: dict) -> dict:
        """Asks without comparing."""
        fields = self.link.ask(api, version, body)
        if fields == CLOSED:
            raise ConnectionError(f"{api} {version} closes the connection")
        return fields

    def name(self, topic: str) -> str:
        """The name of this conversation's own topic, group or other thing."""
        return f"{self.prefix}.{topic}"

    def topic(self, topic: str = "t", partitions: int = 1, **configs: str) -> str:
        """Creates a topic and waits until its leaders are known; returns its name."""
        name = self.name(topic)
        wanted = {"name": name, "numPartitions": partitions, "replicationFactor": 1}
        wanted["configs"] = [{"name": k.replace("_", "."), "value": v} for k, v in configs.items()]
        created = self.quietly("CreateTopics", 5, {"topics": [wanted], "timeoutMs": 10_000})
        if created["topics"][0]["errorCode"]:
            raise ValueError(f"{name}: {created}")
        self.settle(name, partitions)
        return name

    def settle(self, name: str, partitions: int) -> None:
        """Waits until every partition has its leader."""
        deadline = time.monotonic() + SETTLED_S
        while True:
            found = self.quietly("Metadata", 12, {"topics": [{"name": name}]})["topics"][0]
            led = [p for p in found["partitions"] if p["errorCode"] == 0 and p["leaderId"] >= 0]
            if found["errorCode"] == 0 and len(led) == partitions and self._serves(name, partitions):
                self.ids[name] = found["topicId"]
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} has no leaders: {found}")
            time.sleep(0.02)

    def _serves(self, name: str, partitions: int) -> bool:
        """Whether the leaders know that they lead: in Apache Kafka a little later than the metadata says so."""
        wanted = [{"partitionIndex": p, "currentLeaderEpoch": -1, "timestamp": -1} for p in range(partitions)]
        body = {"replicaId": -1, "topics": [{"name": name, "partitions": wanted}]}
        found = self.quietly("ListOffsets", 5, body)["topics"][0]["partitions"]
        return all(partition["errorCode"] == 0 for partition in found)

    def coordinate(self, group: str) -> None:
        """Waits until the group has a coordinator that has loaded."""
        wanted = {"groupId": group, "topics": None}
        self.eventually("FindCoordinator", 2, {"key": group, "keyType": 0}, lambda a: a["errorCode"] == 0)
        self.eventually("OffsetFetch", 5, wanted, lambda a: a["errorCode"] == 0)

    def eventually(self, api: str, version: int, body: dict, enough: Callable[[dict], bool]) -> None:
        """Asks, without comparing, until an answer is good enough."""
        deadline = time.monotonic() + SETTLED_S
        while not enough(answer := self.quietly(api, version, body)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{api} answers {answer}")
            time.sleep(0.02)

    def called(self, topic: str, ids_from: int, field_name: str = "name") -> dict:
        """How a request names a topic: by its name, from version `ids_from` on by its id."""
        if self.version < ids_from:
            return {field_name: topic}
        return {"topicId": self.ids.get(topic, ZERO_ID[:-1] + "7")}

    def fill(self, topic: str, *batches: Batch, partition: int = 0) -> None:
        """Stores batches, one a request, durably."""
        for batch in batches:
            data = {"index": partition, "records": batch.encode()}
            body = {"acks": -1, "timeoutMs": 10_000, "topicData": [{"name": topic, "partitionData": [data]}]}
            stored = self.quietly("Produce", 9, body)["responses"][0]["partitionResponses"][0]
            if stored["errorCode"]:
                raise ValueError(f"{topic}: {stored}")
