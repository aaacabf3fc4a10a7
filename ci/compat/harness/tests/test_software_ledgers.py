"""The ledgers of Connect, Streams and MirrorMaker must find every kind of damage."""

import unittest

from ..records import Record
from ..software import streams_model as model
from ..software.moved import Move, check_mirrored, check_move
from ..software.replay import check_file, check_topic, line_of


class ReplayTest(unittest.TestCase):
    """Connect: a source's lines in a topic, a topic's records in a file."""

    def setUp(self):
        self.lines = [line_of(number) for number in range(20)]
        self.topic = [self.lines[0::2], self.lines[1::2]]

    def assert_fault(self, faults, text):
        self.assertTrue(any(text in fault for fault in faults), faults)

    def test_whole_is_fine(self):
        self.assertEqual(check_topic(20, self.topic, 0), [])
        self.assertEqual(check_file(self.lines, self.lines[::-1], 0), [])

    def test_a_step_back_is_fine_as_often_as_allowed(self):
        self.topic[0] += self.lines[14:]
        self.assertEqual(check_topic(20, self.topic, 1), [])
        self.assert_fault(check_topic(20, self.topic, 0), "goes back")
        self.topic[0] += self.lines[14:]
        self.assert_fault(check_topic(20, self.topic, 1), "goes back")
        self.assert_fault(check_topic(20, self.topic, 1), "more than 2 times")

    def test_lost_line(self):
        del self.topic[1][4]
        self.assert_fault(check_topic(20, self.topic, 3), "1 of 20 lines are not in the topic, the first is 9")

    def test_lost_tail(self):
        self.assert_fault(check_topic(21, self.topic, 3), "the first is 20")

    def test_strange_torn_and_altered_lines(self):
        for line in ("", "no number", "20 beyond", self.lines[3][:-1], self.lines[3] + " ", "٣ digits of others"):
            with self.subTest(line=line):
                self.assert_fault(check_topic(20, [*self.topic, [line]], 3), "was never in the file")

    def test_swapped_lines(self):
        self.topic[0][2:4] = self.topic[0][3:1:-1]
        self.assert_fault(check_topic(20, self.topic, 0), "goes back")

    def test_file_without_a_line(self):
        self.assert_fault(check_file(self.lines, self.lines[:-1], 1), "came less often")

    def test_file_without_a_repeated_line(self):
        self.assert_fault(check_file([*self.lines, self.lines[0]], self.lines, 1), "came less often")

    def test_file_with_a_stranger(self):
        self.assert_fault(check_file(self.lines, [*self.lines, "torn"], 1), "never in the topic")

    def test_file_with_too_many(self):
        self.assertEqual(check_file(self.lines, self.lines * 2, 1), [])
        self.assert_fault(check_file(self.lines, self.lines * 3, 1), "more than 2 times")


class StreamsTest(unittest.TestCase):
    """Streams: sets of pairs, last values of keys, counts."""

    def setUp(self):
        self.orders, self.payments = model.orders_and_payments(1, 1_000_000, 300)
        self.pairs = model.pairs(self.orders, self.payments)
        self.seen = [self.record(key, value, at) for at, (key, value) in enumerate(self.pairs)]

    @staticmethod
    def record(key, value, offset=0, partition=0):
        return Record(partition, key.encode(), value.encode(), (), None, offset)

    def test_pairs_by_hand(self):
        order = model.Event("o1", "c1:o1", 1_000)
        near, edge, far = (model.Event("c1", f"p{at}", at) for at in (900, 1_500, 1_501))
        other = model.Event("c2", "p", 1_000)
        found = model.pairs([order], [near, edge, far, other])
        self.assertEqual(found, {("c1", "o1+p900"): 1_000, ("c1", "o1+p1500"): 1_500})
        totals = model.totals({("c1", "b"): 9_999, ("c1", "a"): 1, ("c1", "c"): 10_000, ("c2", "d"): 5})
        self.assertEqual(totals, {"c1@0": "a,b", "c1@10000": "c", "c2@0": "d"})

    def test_there_is_something_to_find(self):
        self.assertGreater(len(self.pairs), 50)
        self.assertGreater(len(model.counts(model.sentences(7, 100))), 10)

    def test_a_set_may_repeat(self):
        self.assertEqual(model.check_set(set(self.pairs), self.seen * 2), [])

    def test_a_set_lacks_or_invents(self):
        self.assertIn("missing", model.check_set(set(self.pairs), self.seen[1:])[0])
        invented = [*self.seen, self.record("c1", "o1+p99999")]
        self.assertIn("should not be there", model.check_set(set(self.pairs), invented)[0])
        null = [*self.seen, Record(0, b"c1", None)]
        self.assertIn("should not be there", model.check_set(set(self.pairs), null)[0])

    def test_last_value_counts(self):
        wanted = {"a": "2", "b": "1"}
        good = [self.record("a", "1"), self.record("b", "1"), self.record("a", "2")]
        self.assertEqual(model.check_last(wanted, good), [])
        for damaged in (
            good[:2],  # an update lost
            good[::2],  # a key lost
            [*good, self.record("a", "1")],  # an old value at the end
            [*good, self.record("c", "1")],  # a key from nowhere
            [*good, self.record("a", "2", partition=1)],  # the same key elsewhere
        ):
            with self.subTest(damaged=damaged):
                self.assertNotEqual(model.check_last(wanted, damaged), [])

    def test_counts_rise(self):
        rising = [self.record("a", "1"), self.record("a", "1"), self.record("a", "3")]
        self.assertEqual(model.check_rising(rising), [])
        self.assertIn("from 3 to 1", model.check_rising([*rising, self.record("a", "1", 3)])[0])
        self.assertNotEqual(model.check_rising([*rising, self.record("a", "many")]), [])


class MovedTest(unittest.TestCase):
    """MirrorMaker: a consumer that moves, and the mirror itself."""

    def setUp(self):
        self.sent = [f"{number}".encode() for number in range(100)]

    def faults(self, before, after, lag_max=10):
        return check_move([Move(0, self.sent, before, after)], lag_max)

    def test_repeats_within_the_lag(self):
        for first in (50, 45, 40):
            self.assertEqual(self.faults(self.sent[:50], self.sent[first:]), [])

    def test_repeats_beyond_the_lag(self):
        self.assertIn("11 records repeated", self.faults(self.sent[:50], self.sent[39:])[0])

    def test_loses(self):
        self.assertIn("1 records lost, from number 50", self.faults(self.sent[:50], self.sent[51:])[0])
        self.assertIn("nothing was delivered", self.faults(self.sent[:50], [])[0])

    def test_loses_at_the_end_or_in_the_middle(self):
        self.assertIn("49 records, not 50", self.faults(self.sent[:50], self.sent[50:-1])[0])
        self.assertNotEqual(self.faults(self.sent[:50], self.sent[50:70] + self.sent[71:]), [])

    def test_order_strangers_and_twice(self):
        swapped = [self.sent[50], self.sent[52], self.sent[51], *self.sent[53:]]
        self.assertIn("b'52' for b'51'", self.faults(self.sent[:50], swapped)[0])
        self.assertIn("never sent", self.faults(self.sent[:50], [b"?", *self.sent[50:]])[0])
        self.assertNotEqual(self.faults(self.sent[:50], [*self.sent[50:], self.sent[-1]]), [])

    def test_before_the_move(self):
        self.assertIn("not the beginning", self.faults(self.sent[1:50], self.sent[50:])[0])

    def test_all_was_read_before(self):
        self.assertEqual(self.faults(self.sent, []), [])

    def test_mirror(self):
        one, other = (b"k", b"v", (), 1), (b"k", b"v", ((b"h", None),), 1)
        self.assertEqual(check_mirrored([[one, other], []], [[one, other], []]), [])
        for damaged in ([[one, other]], [[one], []], [[one, one], []], [[other, one], []], [[one, other, other], []]):
            with self.subTest(damaged=damaged):
                self.assertNotEqual(check_mirrored([[one, other], []], damaged), [])


if __name__ == "__main__":
    unittest.main()
