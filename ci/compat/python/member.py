"""What all members of consumer groups say, and how (see ../README.md): JSON lines on stdout.

A member gets one JSON object as its argument: bootstrap, topic, group, name, assignor, session_ms, heartbeat_ms,
commit_ms. At SIGTERM it commits, leaves and ends.
"""

import json
import signal
import sys
import time

GATHER_S = 0.05  # deliveries of so long are one line


class Member:
    """The voice of a member, and the positions that it has still to commit."""

    def __init__(self):
        self.options = json.loads(sys.argv[1])
        self.stopped = False
        self.positions: dict[int, int] = {}
        self._out, sys.stdout = sys.stdout, sys.stderr  # whatever a client prints is no event
        self._runs: dict[int, list[int]] = {}
        self._gathered_since = 0.0
        self._committed_at = 0.0
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_):
        self.stopped = True

    def say(self, event, **fields):
        """One event, after the deliveries that came before it."""
        self.flush()
        self._write(event, fields)

    def _write(self, event, fields):
        line = {"at": time.monotonic_ns(), "event": event, **fields}
        self._out.write(json.dumps(line) + "\n")
        self._out.flush()

    def delivered(self, partition, offset):
        """A record was delivered. Neighbours become one line."""
        run = self._runs.get(partition)
        if run is not None and offset != run[1] + 1:
            self.flush()
            run = None
        if run is None:
            if not self._runs:
                self._gathered_since = time.monotonic()
            self._runs[partition] = [offset, offset]
        else:
            run[1] = offset
        self.positions[partition] = offset + 1

    def flush(self, gather_s=0.0):
        """Writes the deliveries gathered, unless the first of them is younger than `gather_s`."""
        if self._runs and time.monotonic() - self._gathered_since >= gather_s:
            runs, self._runs = self._runs, {}
            for partition, (first, last) in runs.items():
                self._write("records", {"partition": partition, "first": first, "last": last})

    def tick(self):
        """To be called often: whether the next commit is due."""
        self.flush(GATHER_S)
        due = self._committed_at + self.options["commit_ms"] / 1000
        return bool(self.positions) and time.monotonic() >= due

    def take(self, partitions=None):
        """Announces a commit: the positions to commit, all or those of some partitions."""
        chosen = self.positions if partitions is None else partitions
        offsets = {partition: self.positions[partition] for partition in chosen if partition in self.positions}
        if offsets:
            self.say("committing", offsets=offsets)
        return offsets

    def taken(self, offsets, began, errors=()):
        """After a commit: the offsets that were accepted, and what went wrong with the others."""
        self._committed_at = time.monotonic()
        for error in errors:
            self.error(error)
        if offsets:
            self.say("committed", offsets=offsets, began=began)
        for partition, offset in offsets.items():
            if self.positions.get(partition) == offset:
                del self.positions[partition]

    def forget(self, partitions):
        """Partitions that are no longer its own: there is nothing to commit any more."""
        for partition in partitions:
            self.positions.pop(partition, None)

    def error(self, error):
        """An error that the client is expected to overcome."""
        self.say("error", text=f"{type(error).__name__}: {error}"[:300])

    def run(self, main):
        """Runs a client; what it raises is final."""
        try:
            main()
        except Exception as error:  # noqa: BLE001 - every failure of a client is an event
            self.say("fatal", text=f"{type(error).__name__}: {error}"[:300])
            sys.exit(1)


def now():
    """The instant before a commit's request, for `taken`."""
    return time.monotonic_ns()
