"""The driver protocol for Python: one JSON request per line on stdin, one JSON answer per line on stdout.

Requests have an `op` and its arguments (see ../README.md); an answer has what the operation returns,
or `error`. Whatever a client prints goes to stderr.
"""

import json
import sys
from base64 import b64decode, b64encode

STALL_S = 30  # a consumer that sees no record for so long gives up and says where it stood


def serve(**operations):
    """Answers requests until stdin ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = operations[request.pop("op")](**request)
        except Exception as error:  # noqa: BLE001 - every failure of a client is an answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def decode(text):
    return None if text is None else b64decode(text)


def encode(data):
    return None if data is None else b64encode(data).decode()


def read_records(path):
    """Yields (partition, key, value, headers, timestamp) of each line, in the order to send them."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            headers = [(name, decode(value)) for name, value in fields["headers"]]
            yield fields["partition"], decode(fields["key"]), decode(fields["value"]), headers, fields["timestamp"]


class Dump:
    """Writes what a consumer saw, in the order it saw it."""

    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8")
        self.count = 0

    def write(self, partition, offset, key, value, headers, timestamp):
        fields = {
            "partition": partition,
            "offset": offset,
            "key": encode(key),
            "value": encode(value),
            "headers": [[name, encode(content)] for name, content in headers],
            "timestamp": timestamp,
        }
        self._file.write(json.dumps(fields, separators=(",", ":")) + "\n")
        self.count += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
