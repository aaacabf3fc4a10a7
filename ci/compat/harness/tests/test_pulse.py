"""A scenario is only played again when the machine stood still, not when it was slow."""

import unittest

from ..pulse import STANDSTILL_S, Pulse


class PulseTest(unittest.TestCase):
    def stood_still(self, *instants):
        pulse = Pulse()
        for at in instants:
            pulse.beat(at)
        return pulse.stood_still_s

    def test_beats(self):
        self.assertEqual(self.stood_still(1000.0, 1000.1, 1000.2), 0)

    def test_slow_is_not_still(self):
        self.assertEqual(self.stood_still(0.0, STANDSTILL_S, 2 * STANDSTILL_S), 0)

    def test_still(self):
        self.assertEqual(self.stood_still(0.0, 0.1, 40.1, 45.1), 40.0)

    def test_beats_by_itself(self):
        pulse = Pulse().start()
        pulse.stop()
        self.assertEqual(pulse.stood_still_s, 0)


if __name__ == "__main__":
    unittest.main()
