"""kcat: one process of it per partition produced and per topic consumed.

kcat separates messages by newline and keys by tab, sets the same headers on all messages of a process, and
knows null only by its -Z, which turns every empty key and value into null. The harness's `clients.py` asks
of it no more than that.
"""

import subprocess
from itertools import groupby

from serve import Dump, read_records, serve

TIMEOUT_S = 60
# Lengths first and the pieces after them, so that any byte can be in a key or a value; a null has length -1.
FORMAT = r"%p %o %T %K %S\n%k%s\n%h\n"


def produce(bootstrap, topic, codec, idempotent, records):
    """Sends the records of a file, partition by partition."""
    ordered = sorted(read_records(records), key=lambda record: record[0])
    for partition, group in groupby(ordered, key=lambda record: record[0]):
        _produce_partition(bootstrap, topic, codec, idempotent, partition, list(group))
    return {"count": len(ordered)}


def _produce_partition(bootstrap, topic, codec, idempotent, partition, records):
    command = ["kcat", "-P", "-b", bootstrap, "-t", topic, "-p", str(partition), "-z", codec, "-K", r"\t"]
    command += ["-X", f"enable.idempotence={str(idempotent).lower()}", "-X", "acks=all"]
    if not idempotent:  # a retry would overtake its successors, and order is part of what is compared
        command += ["-X", "max.in.flight.requests.per.connection=1"]
    if any(key is None or value is None for _, key, value, _, _ in records):
        command.append("-Z")
    for name, value in records[0][3]:
        command += ["-H", name if value is None else f"{name}={value.decode()}"]
    lines = b"".join((key or b"") + b"\t" + (value or b"") + b"\n" for _, key, value, _, _ in records)
    _run(command, lines)


def _run(command, stdin=b""):
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"kcat exited with {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}")
    return done.stdout


def consume(bootstrap, topic, partitions, out, fetch_bytes=1048576):
    """Reads the topic to its end. Headers are dumped as kcat prints them, under an empty name."""
    del partitions  # kcat -C without -p reads them all
    command = ["kcat", "-C", "-q", "-b", bootstrap, "-t", topic, "-o", "beginning", "-e", "-f", FORMAT]
    command += ["-X", f"fetch.message.max.bytes={fetch_bytes}"]
    output = _run(command)
    with Dump(out) as dump:
        at = 0
        while at < len(output):
            at = _dump_message(output, at, dump)
    return {"count": dump.count}


def _dump_message(output, at, dump):
    """Dumps the message that begins at `at` and returns where the next one begins."""
    line_end = output.index(b"\n", at)
    partition, offset, timestamp, key_size, value_size = map(int, output[at:line_end].split())
    key_at = line_end + 1
    value_at = key_at + max(key_size, 0)
    headers_at = value_at + max(value_size, 0) + 1
    end = output.index(b"\n", headers_at)
    key = None if key_size < 0 else output[key_at:value_at]
    value = None if value_size < 0 else output[value_at : headers_at - 1]
    headers = [("", output[headers_at:end])] if end > headers_at else []
    dump.write(partition, offset, key, value, headers, timestamp)
    return end + 1


if __name__ == "__main__":
    serve(produce=produce, consume=consume)
