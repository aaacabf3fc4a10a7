"""Notices when the machine itself stood still, as one that is suspended does.

Then all sessions are over at once and every deadline has passed, whatever the broker did: what happened in such a
time tells nothing about it.
"""

import threading
import time

BEAT_S = 0.1
STANDSTILL_S = 3.0  # a member is heard of more than once in this time


class Pulse:
    """Beats from `start` to `stop`."""

    def __init__(self):
        self._last: float | None = None
        self._longest_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Pulse":
        """Begins to beat."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends it."""
        self._over.set()
        self._thread.join()

    def beat(self, at: float) -> None:
        """Notes that time goes by."""
        if self._last is not None:
            self._longest_s = max(self._longest_s, at - self._last)
        self._last = at

    @property
    def stood_still_s(self) -> float:
        """The longest time without a beat, 0 when there was none to speak of."""
        return self._longest_s if self._longest_s > STANDSTILL_S else 0.0

    def _run(self) -> None:
        self.beat(time.monotonic())
        while not self._over.wait(BEAT_S):
            self.beat(time.monotonic())
