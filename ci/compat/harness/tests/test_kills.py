"""A kill counts only when the log has the beginning of the event and not its end."""

import unittest

from ..kills import EVENTS, Trigger


class Process:
    def __init__(self):
        self.killed = 0

    def kill(self):
        self.killed += 1


class Broker:
    def __init__(self):
        self.process = Process()


class TriggerTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker()
        self.trigger = Trigger(self.broker)
        self.begin, self.end = EVENTS["checkpoint"]

    def feed(self, *lines):
        self.trigger.arm("checkpoint")
        for line in lines:
            self.trigger.on_line(line)
        return self.trigger.disarm()

    def test_beginning_without_end_counts(self):
        self.assertTrue(self.feed("other", f"INFO {self.begin} shard=1"))
        self.assertEqual(self.broker.process.killed, 1)

    def test_beginning_with_end_does_not(self):
        self.assertFalse(self.feed(f"{self.begin} shard=1", f"{self.end} shard=1"))

    def test_end_on_another_shard_is_not_its_end(self):
        self.assertTrue(self.feed(f"{self.begin} shard=1", f"{self.end} shard=0"))

    def test_end_of_an_earlier_one_is_ignored(self):
        self.assertFalse(self.feed(f"{self.end} shard=1"))
        self.assertTrue(self.feed(f"{self.end} shard=1", f"{self.begin} shard=1"))

    def test_kills_once(self):
        self.feed(f"{self.begin} shard=0", f"{self.begin} shard=1")
        self.assertEqual(self.broker.process.killed, 1)

    def test_unarmed_never_kills(self):
        self.trigger.on_line(self.begin)
        self.assertEqual(self.broker.process.killed, 0)


if __name__ == "__main__":
    unittest.main()
