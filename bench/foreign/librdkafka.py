"""librdkafka as the client of a measurement: batches as fast as it can, or records one by one.

    librdkafka.py bulk|single BOOTSTRAP TOPIC WARM SECONDS

It works for WARM seconds, says `ready` and waits for a line on its input. Then it works for SECONDS, says its figures as
`name<TAB>value`, then `done`, and stays until its input ends, so that its CPU time can be read meanwhile.
"""

import sys
import time

from confluent_kafka import Producer

VALUE = b"x" * 1024
# Records between two looks at the clock.
STRIDE = 256
ACKNOWLEDGED_WITHIN = 30
# A full queue, or the last records, are looked at again after so long.
PAUSE = 0.001

COMMON = {"acks": "all", "message.timeout.ms": ACKNOWLEDGED_WITHIN * 1000}
BULK = COMMON | {
    "batch.size": 256 << 10,
    "linger.ms": 5,
    # As many requests as the lean client has in flight.
    "max.in.flight.requests.per.connection": 8,
    "queue.buffering.max.messages": 64 << 10,
    # Python hears of failures only: its share of the core is large enough as it is.
    "delivery.report.only.error": True,
}
SINGLE = COMMON | {"linger.ms": 0}


class Client:
    """A producer to which no delivery may fail."""

    def __init__(self, bootstrap, topic, options):
        self._topic = topic
        self._errors = []
        self._producer = Producer(options | {"bootstrap.servers": bootstrap, "on_delivery": self._delivered})

    def _delivered(self, error, _message):
        if error is not None:
            self._errors.append(str(error))

    def _check(self):
        if self._errors:
            sys.exit(f"{len(self._errors)} records were not acknowledged: {self._errors[0]}")

    def bulk(self, seconds):
        """Sends for so long; over several partitions as the client itself spreads records without a key."""
        produce, poll, topic, sent = self._producer.produce, self._producer.poll, self._topic, 0
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            for _ in range(STRIDE):
                try:
                    produce(topic, VALUE)
                    sent += 1
                except BufferError:
                    poll(PAUSE)
        self._wait()
        return {"seconds": time.monotonic() - begin} | amounts(sent)

    def _wait(self):
        """Until all is acknowledged; `flush` looks every 100 ms only where it hears of failures alone."""
        deadline = time.monotonic() + ACKNOWLEDGED_WITHIN
        while len(self._producer) > 0:
            if time.monotonic() > deadline:
                sys.exit(f"{len(self._producer)} records were not acknowledged in time")
            self._producer.poll(PAUSE)
        self._check()

    def single(self, seconds):
        """Sends a record when the one before is acknowledged."""
        times = []
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            sent = time.perf_counter()
            self._producer.produce(self._topic, VALUE)
            self._producer.flush(ACKNOWLEDGED_WITHIN)
            times.append(time.perf_counter() - sent)
        elapsed = time.monotonic() - begin
        self._check()
        times.sort()
        return {"seconds": elapsed} | amounts(len(times)) | {"p50": quantile(times, 0.5), "p99": quantile(times, 0.99)}


def amounts(records):
    return {"records": records, "bytes": records * len(VALUE)}


def quantile(sorted_times, share):
    """In microseconds."""
    return sorted_times[int(share * (len(sorted_times) - 1))] * 1e6


def main(what, bootstrap, topic, warm, seconds):
    client = Client(bootstrap, topic, {"bulk": BULK, "single": SINGLE}[what])
    work = {"bulk": client.bulk, "single": client.single}[what]
    work(float(warm))
    print("ready", flush=True)
    if not sys.stdin.readline():
        return
    for name, value in work(float(seconds)).items():
        print(f"{name}\t{value}")
    print("done", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
