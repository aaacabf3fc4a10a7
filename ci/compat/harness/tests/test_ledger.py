"""The ledger must name every broken promise: each test breaks one."""

import unittest
from dataclasses import replace

from ..ledger import UNKNOWN_OFFSET, Ack, check, value_of
from ..records import Record

PARTITIONS = 3
COUNT = 50


class Ledger(unittest.TestCase):
    def setUp(self):
        self.sent = {"a": [COUNT] * PARTITIONS, "b": [COUNT] * PARTITIONS}
        self.seen, self.acks = [], []
        for partition in range(PARTITIONS):
            for offset in range(2 * COUNT):
                producer, sequence = "ab"[offset % 2], offset // 2
                value = value_of(producer, partition, sequence)
                self.seen.append(Record(partition, None, value, (), 0, offset))
                self.acks.append(Ack(producer, partition, sequence, offset))

    def assert_fault(self, word):
        faults = check(self.sent, self.acks, self.seen)
        self.assertTrue(any(word in fault for fault in faults), faults)

    def test_good_is_no_fault(self):
        self.assertEqual(check(self.sent, self.acks, self.seen), [])

    def test_unknown_offset_of_an_acknowledgement(self):
        self.acks[7] = replace(self.acks[7], offset=UNKNOWN_OFFSET)
        self.assertEqual(check(self.sent, self.acks, self.seen), [])

    def test_lost_at_the_end(self):
        del self.seen[-1]
        self.assert_fault("b's 49 was acknowledged at offset 99 and is lost")

    def test_lost_in_the_middle(self):
        del self.seen[10]
        self.assert_fault("a's 5 was acknowledged at offset 10 and is lost")
        self.assert_fault("offset 11 where 10 was expected")

    def test_lost_and_closed_up(self):
        self.seen = self.seen[:10] + [
            replace(record, offset=record.offset - 1) if record.partition == 0 else record for record in self.seen[11:]
        ]
        self.assert_fault("was acknowledged at offset 11 and is at 10")

    def test_duplicated(self):
        self.seen.append(replace(self.seen[-1], offset=100))
        self.assert_fault("partition 2 offset 100: b's 49 is there twice")

    def test_reordered(self):
        a, b = self.seen[4], self.seen[8]
        self.seen[4], self.seen[8] = replace(b, offset=4), replace(a, offset=8)
        self.assert_fault("stands after")

    def test_never_sent(self):
        self.seen.append(Record(2, None, value_of("a", 2, COUNT), (), 0, 100))
        self.assert_fault("never sent")

    def test_in_another_partition(self):
        self.seen.append(Record(2, None, value_of("a", 1, 3), (), 0, 100))
        self.assert_fault("never sent")

    def test_altered(self):
        for value in (None, b"", b"rubbish", self.seen[9].value + b"x", b"c:0:4:"):
            with self.subTest(value):
                self.setUp()
                self.seen[9] = replace(self.seen[9], value=value)
                self.assert_fault("partition 0 offset 9: never sent")

    def test_acknowledged_at_a_wrong_offset(self):
        self.acks[0] = replace(self.acks[0], offset=2)
        self.assert_fault("was acknowledged at offset 2 and is at 0")

    def test_never_acknowledged(self):
        del self.acks[0]
        self.assert_fault("1 of a's 50 records were never acknowledged")

    def test_acknowledged_twice(self):
        self.acks.append(self.acks[0])
        self.assert_fault("acknowledged twice")


if __name__ == "__main__":
    unittest.main()
