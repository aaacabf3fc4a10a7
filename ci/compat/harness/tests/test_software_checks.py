"""What reads tools' text, Avro's bytes, members' views and burrow's answers must find damage, too."""

import unittest

from ..software.cli import objects
from ..software.sr_members import View, assignment_of, check_agreement, metadata_of
from ..software.stage import Committed, parse_groups

DESCRIBED = """
GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG   CONSUMER-ID    HOST         CLIENT-ID
tools-g         tools-t         0          40              45              5     member-1-a2b3  /127.0.0.1   member
tools-g         tools-t         1          -               40              -     -              -            -
tools-g-other   tools-t         2          1               1               0     -              -            -
"""


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


if __name__ == "__main__":
    unittest.main()
