"""What reads tools' text, Avro's bytes, members' views and burrow's answers must find damage, too."""

import struct
import unittest

from ..records import Record
from ..software.avro import decode, unframe
from ..software.burrow import TOPIC, check_group
from ..software.cli import objects
from ..software.registry import NEW, OLD, check_frames, check_values, orders
from ..software.sr_members import View, assignment_of, check_agreement, metadata_of
from ..software.stage import Committed, parse_groups

DESCRIBED = """
GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG   CONSUMER-ID    HOST         CLIENT-ID
tools-g         tools-t         0          40              45              5     member-1-a2b3  /127.0.0.1   member
tools-g         tools-t         1          -               40              -     -              -            -
tools-g-other   tools-t         2          1               1               0     -              -            -
"""


def number(value: int) -> bytes:
    """A long as Avro writes it."""
    value = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def encoded(order: dict) -> bytes:
    """The body of an order by the schema that has its fields."""
    customer = order["customer"].encode()
    body = number(order["id"]) + number(len(customer)) + customer + struct.pack("<d", order["amount"])
    if "note" not in order:
        return body
    note = order["note"]
    return body + (number(0) if note is None else number(1) + number(len(note.encode())) + note.encode())


class AvroTest(unittest.TestCase):
    def setUp(self):
        self.sent = orders(0, noted=False)[:5] + orders(50, noted=True)[:5]
        self.records = []
        for offset, order in enumerate(self.sent):
            frame = struct.pack(">bi", 0, 2 if "note" in order else 1)
            self.records.append(Record(0, None, frame + encoded(order), (), None, offset))
        self.known = {1: OLD, 2: NEW}

    def test_fine(self):
        self.assertEqual(check_frames(self.records, self.known, self.sent), [])
        self.assertEqual(decode("long", number(-500_000)), -500_000)
        self.assertEqual(decode(["null", "boolean"], b"\x02\x01"), True)

    def test_damage(self):
        good = self.records[3].value
        other_ids = (good[:4] + b"\7" + good[5:], good[:4] + b"\2" + good[5:])
        for damaged in (b"", None, b"\1" + good[1:], good[:-1], good + b"\0", *other_ids):
            with self.subTest(damaged=damaged):
                records = [*self.records[:3], Record(0, None, damaged, (), None, 3), *self.records[4:]]
                self.assertNotEqual(check_frames(records, self.known, self.sent), [])
        self.assertNotEqual(check_frames(self.records[1:], self.known, self.sent), [])
        self.assertNotEqual(check_frames([*self.records, self.records[0]], self.known, self.sent), [])

    def test_union_and_frame(self):
        with self.assertRaises(ValueError):
            decode(["null", "string"], number(7))
        with self.assertRaises(ValueError):
            unframe(b"\0\0\0")

    def test_values(self):
        self.assertEqual(check_values(self.sent, self.sent[::-1]), [])
        altered = [dict(self.sent[0], customer="x"), *self.sent[1:]]
        for damaged in (self.sent[1:], altered, [*self.sent, self.sent[0]]):
            self.assertNotEqual(check_values(self.sent, damaged), [])


class GroupsTextTest(unittest.TestCase):
    def test_lines(self):
        found = parse_groups(DESCRIBED, "tools-g")
        self.assertEqual(found["tools-t", 0], Committed(40, 45, 5, "member-1-a2b3"))
        self.assertEqual(found["tools-t", 1], Committed(None, 40, None, None))
        self.assertEqual(len(found), 2)


class FormatterTest(unittest.TestCase):
    def test_one_behind_the_other(self):
        self.assertEqual(objects('{"a":1}{"b":{"c":"{"}}\n{}Processed 3'), [{"a": 1}, {"b": {"c": "{"}}, {}])
        self.assertEqual(objects("Processed 0"), [])

    def test_damage(self):
        with self.assertRaises(ValueError):
            objects('{"a":1}{"b":')


class ElectionTest(unittest.TestCase):
    def setUp(self):
        ids = {"one": "id-1", "two": "id-2", "three": "id-3"}
        seen = tuple((member, metadata_of(name)) for name, member in ids.items())
        self.views = {
            name: View(4, "id-2", member, assignment_of("id-2", member), seen if name == "two" else ())
            for name, member in ids.items()
        }

    def damage(self, name, **changed):
        view = self.views[name]
        self.views[name] = View(**{**vars(view), **changed})
        return check_agreement(self.views)

    def test_fine(self):
        self.assertEqual(check_agreement(self.views), [])

    def test_damage(self):
        cases = (
            {"generation": 5},
            {"leader": "id-1"},
            {"assignment": assignment_of("id-2", "id-3")},
            {"assignment": b""},
        )
        for changed in cases:
            with self.subTest(changed=changed):
                self.setUp()
                self.assertNotEqual(self.damage("one", **changed), [])

    def test_what_the_leader_sees(self):
        seen = self.views["two"].members
        for members in (seen[:2], ((seen[0][0], b"altered"), *seen[1:]), (*seen, ("id-4", b""))):
            with self.subTest(members=members):
                self.setUp()
                self.assertNotEqual(self.damage("two", members=members), [])


class BurrowTest(unittest.TestCase):
    def test_offsets_and_lag(self):
        def shown(offset, lag, count=2):
            partition = {"offsets": [None, {"offset": 3}, {"offset": offset}], "current-lag": lag}
            return {TOPIC: [partition] * count}

        wanted = {0: 30, 1: 30}
        self.assertEqual(check_group(shown(30, 7), wanted, 7), [])
        nothing = {TOPIC: [{"offsets": [], "current-lag": 7}] * 2}
        for damaged in (shown(29, 7), shown(30, 6), shown(30, 0), shown(30, 7, 1), {}, nothing):
            with self.subTest(damaged=damaged):
                self.assertNotEqual(check_group(damaged, wanted, 7), [])


if __name__ == "__main__":
    unittest.main()
