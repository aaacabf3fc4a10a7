"""The comparer must name every kind of damage: each test damages good input in one way."""

import unittest
from dataclasses import replace

from ..compare import compare, place
from ..records import Generator, Record, from_line, to_line

BASE_MS = 1_700_000_000_000


def _sent(count=300, partitions=3):
    return Generator(7, BASE_MS).records(count, partitions)


def _stored(sent):
    """What a faultless broker would deliver: offsets dense per partition."""
    ends, seen = {}, []
    for record in sent:
        offset = ends.get(record.partition, 0)
        ends[record.partition] = offset + 1
        seen.append(replace(record, offset=offset))
    return seen


class Compare(unittest.TestCase):
    def setUp(self):
        self.sent = _sent()
        self.seen = _stored(self.sent)

    def assert_fault(self, word, **kwargs):
        faults = compare(self.sent, self.seen, **kwargs)
        self.assertTrue(any(word in fault for fault in faults), faults)

    def test_same_is_no_fault(self):
        self.assertEqual(compare(self.sent, self.seen), [])

    def test_lost_record(self):
        self.sent.append(Record(1, b"key", b"only one like it", (), BASE_MS))
        self.assert_fault("partition 1: lost (key b'key'")

    def test_lost_whole_partition(self):
        self.seen = [record for record in self.seen if record.partition != 2]
        self.assert_fault("partition 2: lost")

    def test_lost_in_the_middle_leaves_a_hole_in_the_offsets(self):
        del self.seen[150]
        self.assert_fault("offset 51 where 50 was expected")
        self.assert_fault("lost")

    def test_duplicated_record(self):
        last = self.seen[-1]
        self.seen.append(replace(last, offset=last.offset + 1))
        self.assert_fault("duplicated")

    def test_same_offset_delivered_twice(self):
        self.seen.append(self.seen[-1])
        self.assert_fault("where 100 was expected")

    def test_never_sent_record(self):
        self.seen.append(Record(0, b"ghost", b"ghost", (), BASE_MS, 100))
        self.assert_fault("never sent")

    def test_reordered_records(self):
        a, b = self.seen[30], self.seen[33]
        self.seen[30], self.seen[33] = replace(b, offset=a.offset), replace(a, offset=b.offset)
        self.assert_fault(f"partition 0: reordered from offset {a.offset} on")

    def test_delivered_out_of_order(self):
        self.seen[30], self.seen[33] = self.seen[33], self.seen[30]
        self.assert_fault("offset 11 where 10 was expected")

    def test_record_in_another_partition(self):
        self.seen[299] = replace(self.seen[299], partition=0, offset=100)
        self.assert_fault("partition 2: lost")
        self.assert_fault("partition 0: never sent")

    def test_altered_fields(self):
        at = next(i for i, record in enumerate(self.seen) if len(record.headers) == 2 and record.key)
        good = self.seen[at]
        damage = {
            "key": good.key + b"!",
            "value": b"other",
            "headers": tuple(reversed(good.headers)),
            "timestamp": good.timestamp + 1,
        }
        for name, value in damage.items():
            with self.subTest(name):
                self.seen[at] = replace(good, **{name: value})
                self.assert_fault(f"altered {name}")

    def test_null_is_not_empty(self):
        at = next(i for i, record in enumerate(self.seen) if record.value is None)
        self.seen[at] = replace(self.seen[at], value=b"")
        self.assert_fault("altered value")

    def test_timestamp_outside_the_window(self):
        self.sent = [replace(record, timestamp=None) for record in self.sent]
        window = (BASE_MS - 600, BASE_MS + 10_000)
        self.assertEqual(compare(self.sent, self.seen, window), [])
        self.seen[5] = replace(self.seen[5], timestamp=BASE_MS - 601)
        self.assert_fault("outside", window=window)

    def test_faults_are_bounded(self):
        self.assertEqual(len(compare(self.sent, [])), 9)


class Place(unittest.TestCase):
    def setUp(self):
        self.sent = [Record(None, None, str(i).encode()) for i in range(20)]
        self.seen = _stored([replace(record, partition=i // 7) for i, record in enumerate(self.sent)])

    def test_client_chosen_partitions_are_followed(self):
        self.assertEqual(compare(place(self.sent, self.seen), self.seen), [])

    def test_unseen_is_lost(self):
        self.sent.append(Record(None, None, b"20"))
        faults = compare(place(self.sent, self.seen), self.seen)
        self.assertIn("partition 0: lost", faults[0])

    def test_duplicate_across_partitions(self):
        self.seen.append(Record(2, None, b"0", offset=6))
        self.assertTrue(compare(place(self.sent, self.seen), self.seen))


class Lines(unittest.TestCase):
    def test_round_trip(self):
        for record in _stored(_sent()):
            self.assertEqual(from_line(to_line(record)), record)

    def test_generator_covers_the_kinds(self):
        records = _sent(2000)
        for field in ("key", "value"):
            self.assertTrue({None, b""} <= {getattr(record, field) for record in records})
        headers = [header for record in records for header in record.headers]
        self.assertTrue({None, b""} <= {value for _, value in headers})
        self.assertTrue(any(len({n for n, _ in r.headers}) < len(r.headers) for r in records))
        self.assertEqual(records, _sent(2000))
        self.assertNotEqual(records, Generator(8, BASE_MS).records(2000, 3))


if __name__ == "__main__":
    unittest.main()
