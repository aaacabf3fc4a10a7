"""The group's ledger must name every broken promise: each test breaks one of an account that is in order.

The account: `a` has both partitions, `b` joins and gets partition 1, `b` is killed and `a` takes over, then `a`
leaves. A record comes every second to each partition and is committed half a second after its delivery.
"""

import unittest
from dataclasses import replace

from ..group_ledger import Account, Event, Poll, Rules, check, measure

RULES = Rules(session_s=6, heartbeat_s=2, slack_s=1, cooperative=True)
COUNT = 30  # records of each partition; record n is acknowledged at second n


def records(at, member, partition, first, last):
    return Event(at, member, "records", (partition,), first, last)


def commit(at, member, **offsets):
    """What a commit says when it is sent, and 100 ms later when it was accepted: p0=5 is offset 5 of partition 0."""
    numbers = {int(name[1:]): offset for name, offset in offsets.items()}
    return [
        Event(at, member, "committing", offsets=numbers),
        Event(at + 0.1, member, "committed", offsets=numbers, began=at + 0.01),
    ]


def orderly():
    """An account in order: a 0-10 s both; b from 10.5 s partition 1; b dies at 20 s; a has it again from 27 s."""
    events = [Event(0.05, "a", "started"), Event(0.1, "a", "ready"), Event(0.2, "a", "assigned", (0, 1))]
    for second in range(COUNT):
        events += [records(second + 0.3, "a", 0, second, second), *commit(second + 0.5, "a", p0=second + 1)]
        if second < 10:
            events += [records(second + 0.3, "a", 1, second, second), *commit(second + 0.6, "a", p1=second + 1)]
    events += [Event(10.0, "b", "started"), Event(10.1, "a", "revoked", (1,)), Event(10.5, "b", "assigned", (1,))]
    for second in range(10, 20):
        events += [records(second + 0.6, "b", 1, second, second)]
        if second < 19:  # the last one dies with it
            events += commit(second + 0.7, "b", p1=second + 1)
    events += [Event(20.0, "b", "killed"), Event(27.0, "a", "assigned", (1,)), records(27.1, "a", 1, 19, 27)]
    events += [*commit(27.6, "a", p1=28), records(28.3, "a", 1, 28, 28), records(29.3, "a", 1, 29, 29)]
    events += [Event(30.0, "a", "leaving"), Event(30.1, "a", "revoked", (0, 1)), *commit(30.2, "a", p1=30)]
    events += [Event(30.5, "a", "left")]
    acked = {partition: [float(second) for second in range(COUNT)] for partition in (0, 1)}
    polls = [Poll(0.15, 0.16, {}), Poll(5.8, 5.9, {0: 6, 1: 6}), Poll(25.8, 25.9, {0: 26, 1: 19})]
    polls += [Poll(31.0, 31.1, {0: 30, 1: 30})]
    return Account(2, acked, sorted(events, key=lambda event: event.at), polls)


class GroupLedger(unittest.TestCase):
    def setUp(self):
        self.account = orderly()
        self.rules = RULES

    def find(self, member, kind, at):
        for index, event in enumerate(self.account.events):
            if event.member == member and event.kind == kind and abs(event.at - at) < 0.001:
                return index
        raise LookupError(f"no {kind} of {member} at {at}")

    def change(self, member, kind, at, /, **fields):
        index = self.find(member, kind, at)
        self.account.events[index] = replace(self.account.events[index], **fields)

    def remove(self, member, kind, at):
        del self.account.events[self.find(member, kind, at)]

    def add(self, *events):
        self.account.events += events

    def assert_fault(self, *words):
        faults = check(self.account, self.rules)
        for word in words:
            self.assertTrue(any(word in fault for fault in faults), f"{word!r} is not in {faults}")

    def assert_fine(self):
        self.assertEqual(check(self.account, self.rules), [])

    def test_order_is_no_fault(self):
        self.assert_fine()

    def test_order_of_the_events_given_does_not_matter(self):
        self.account.events.reverse()
        self.assert_fine()

    def test_not_delivered_at_the_end(self):
        self.remove("a", "records", 29.3)
        self.assert_fault("1 acknowledged records not delivered, from 29")

    def test_not_delivered_in_the_middle(self):
        index = self.find("a", "records", 5.3)
        del self.account.events[index]
        self.assert_fault("1 acknowledged records not delivered, from 5", "skipped from 5 to 6")

    def test_partition_never_delivered(self):
        self.account.acked[0].append(29.5)
        self.account.partitions = 3
        self.account.acked[2] = [1.0, 2.0]
        self.assert_fault("partition 2: 2 acknowledged records not delivered, from 0")

    def test_never_written(self):
        self.add(records(29.5, "a", 0, 30, 30))
        self.assert_fault("a was given 30 of partition 0, which has 30 acknowledged records")

    def test_went_back(self):
        self.add(records(15.4, "a", 0, 14, 14))
        self.assert_fault("partition 0: went back from 16 to 14")

    def test_delivered_without_ownership(self):
        self.add(records(15.4, "a", 1, 15, 15))
        self.assert_fault("a was given records of partition 1, but does not have it")

    def test_redelivery_of_what_a_crash_left_committed(self):
        self.change("a", "records", 27.1, first=18)
        self.assert_fault("a, partition 1: starts at 18, though 19 was committed")

    def test_redelivery_of_what_a_revocation_left_committed(self):
        self.change("b", "records", 10.6, first=9)
        self.assert_fault("b, partition 1: starts at 9, though 10 was committed")

    def test_redelivery_of_what_only_the_broker_says_is_committed(self):
        for at in (18.7, 18.8):
            self.remove("b", "committing" if at == 18.7 else "committed", at)
        self.add(Event(18.7, "b", "committing", offsets={1: 19}))
        self.change("a", "records", 27.1, first=18)
        self.assert_fault("a, partition 1: starts at 18, though 19 was committed")

    def test_redelivery_of_what_was_not_committed_is_fine(self):
        self.assertEqual(measure(self.account).redelivered, 1)
        self.assert_fine()

    def test_start_behind_what_was_committed(self):
        self.change("a", "records", 27.1, first=20)
        self.assert_fault("a, partition 1: starts at 20, though nobody committed more than 19")

    def test_start_at_a_commit_whose_answer_was_lost(self):
        self.add(Event(19.7, "b", "committing", offsets={1: 20}))
        self.change("a", "records", 27.1, first=20)
        self.account.polls[2].offsets[1] = 20
        self.assert_fine()

    def test_client_that_is_not_exact(self):
        self.rules = replace(RULES, exact=False)
        self.change("a", "records", 27.1, first=20)
        self.add(records(15.4, "a", 0, 14, 14))
        self.assert_fine()
        self.change("a", "records", 27.1, first=18)
        self.assert_fault("a, partition 1: starts at 18, though 19 was committed")
        self.remove("a", "records", 16.3)
        self.assert_fault("partition 0: skipped from 16 to 17")

    def test_client_that_rewinds(self):
        self.rules = replace(RULES, rewinds=True)
        self.add(Event(15.35, "a", "assigned"))
        self.add(records(15.4, "a", 0, 14, 14))
        self.assert_fine()
        self.add(records(15.45, "a", 0, 13, 13))
        self.assert_fault("a, partition 0: went back from")

    def test_committed_offset_goes_back(self):
        self.account.polls.append(Poll(31.5, 31.6, {0: 29, 1: 30}))
        self.assert_fault("partition 0: the committed offset went back from 30 to 29")

    def test_committed_offset_vanishes(self):
        self.account.polls.append(Poll(31.5, 31.6, {0: 30}))
        self.assert_fault("partition 1: the committed offset went back from 30 to None")

    def test_accepted_commit_is_not_there(self):
        self.account.polls[1] = Poll(5.8, 5.9, {0: 6, 1: 5})
        self.assert_fault("partition 1: 6 was committed, the broker has 5")

    def test_accepted_commit_of_a_first_offset_is_not_there(self):
        self.account.polls[1] = Poll(5.8, 5.9, {0: 6})
        self.assert_fault("partition 1: 6 was committed, the broker has 0")

    def test_offset_nobody_committed(self):
        self.account.polls[1] = Poll(5.8, 5.9, {0: 7, 1: 6})
        self.assert_fault("partition 0: the broker has 7, nobody committed more than 6")

    def test_offset_of_a_partition_nobody_committed(self):
        self.account.polls[1] = Poll(5.8, 5.9, {0: 6, 1: 6, 7: 3})
        self.assert_fault("partition 7: the broker has 3, nobody committed more than 0")

    def test_commit_of_a_former_owner(self):
        self.add(*commit(15.2, "a", p1=10))
        self.assert_fault("a's commit to partition 1 was accepted, which b had")

    def test_commit_sent_in_time_and_answered_late(self):
        self.change("a", "committed", 9.7, at=12.0)
        self.assert_fine()

    def test_two_owners(self):
        self.change("a", "revoked", 10.1, at=10.55)
        self.assert_fault("partition 1: a and b both had it, for 0.050 s")

    def test_owner_who_is_forgotten(self):
        self.remove("a", "revoked", 10.1)
        self.assert_fault("partition 1: a and b both had it", "a was assigned partition 1 while it had it")

    def test_third_owner_while_the_first_still_has_it(self):
        self.add(Event(12.0, "c", "started"), Event(12.1, "c", "assigned", (0,)), Event(12.2, "c", "revoked", (0,)))
        self.add(Event(13.0, "d", "started"), Event(13.1, "d", "assigned", (0,)), Event(13.2, "d", "revoked", (0,)))
        self.assert_fault("partition 0: a and c both had it", "partition 0: a and d both had it")

    def pause(self, taken_at):
        """b hangs instead of dying: from 20 s on it says nothing, at 35 s it learns what happened."""
        self.change("b", "killed", 20.0, kind="paused")
        self.add(Event(35.0, "b", "continued"), Event(35.1, "b", "lost", (1,)))
        self.change("a", "assigned", 27.0, at=taken_at)

    def test_paused_member_counts_as_lost_after_its_session(self):
        self.pause(27.0)
        self.assert_fine()

    def test_paused_member_keeps_its_partitions_for_a_while(self):
        self.pause(22.5)
        self.assert_fault("partition 1: b and a both had it")

    def test_commit_of_a_paused_member_after_its_session(self):
        self.pause(27.0)
        self.account.polls.pop()
        self.add(*commit(35.05, "b", p1=20), Event(36.0, "c", "started"))
        self.remove("a", "leaving", 30.0)
        for kind, at in (("revoked", 30.1), ("committing", 30.2), ("committed", 30.3), ("left", 30.5)):
            self.remove("a", kind, at)
        self.assert_fault("b's commit to partition 1 was accepted, which a had")

    def test_revoked_what_it_did_not_have(self):
        self.add(Event(15.0, "a", "revoked", (1,)))
        self.assert_fault("a: partition 1 revoked, but it did not have it")

    def test_leaves_in_the_middle_of_an_assignment(self):
        self.account.partitions = 3
        self.change("a", "revoked", 30.1, partitions=(0, 1, 2))
        self.assert_fine()
        self.add(records(30.2, "a", 2, 0, 0))
        self.assert_fault("a was given records of partition 2, but does not have it")

    def test_revoked_in_vain(self):
        self.add(Event(15.6, "a", "revoked", (0,)), Event(15.7, "a", "assigned", (0,)))
        self.assert_fault("a: partition 0 was revoked and given back for no reason")

    def test_revoked_in_vain_is_how_the_eager_protocol_works(self):
        self.add(Event(15.65, "a", "revoked", (0,)), Event(15.7, "a", "assigned", (0,)))
        self.rules = replace(RULES, cooperative=False)
        self.assert_fine()

    def test_lost_and_assigned_again(self):
        self.add(Event(15.65, "a", "lost", (0,)), Event(15.7, "a", "assigned", (0,)))
        self.assert_fine()

    def test_given_back_because_the_next_owner_died(self):
        self.add(Event(15.65, "a", "revoked", (0,)), Event(15.66, "c", "killed"), Event(15.7, "a", "assigned", (0,)))
        self.assert_fine()

    def test_stands_still_too_long(self):
        self.change("a", "assigned", 27.0, at=31.9)
        for event in list(self.account.events):
            if event.member == "a" and event.kind == "records" and event.partitions == (1,) and event.at > 27:
                self.account.events.remove(event)
        self.add(records(32.0, "a", 1, 19, 29))
        self.assert_fault("partition 1 stood still for 12.0 s before offset 20 (limit 11.0 s)")

    def test_stands_still_while_the_broker_is_dead(self):
        self.account.outages.append((21.0, 26.5))
        longest = measure(self.account).longest_s
        self.assertAlmostEqual(longest["killed"], 0.6)
        self.rules = replace(RULES, session_s=0.0, heartbeat_s=0.0)
        self.assert_fine()
        self.account.outages.clear()
        self.assert_fault("partition 1 stood still for 7.1 s before offset 20 (limit 1.0 s)")

    def test_nothing_to_deliver_is_no_standstill(self):
        self.account.acked[1][20:28] = [27.0] * 8
        self.rules = replace(RULES, session_s=0.0, heartbeat_s=0.0)
        self.assert_fine()

    def test_never_starts(self):
        for event in list(self.account.events):
            if event.kind == "records" and event.at < 14:
                self.account.events.remove(event)
        self.assert_fault("partition 0 stood still for 14.2 s before offset 0")

    def test_first_process_starts_slowly(self):
        for event in list(self.account.events):
            if event.at < 14:
                self.account.events.remove(event)
        self.add(Event(0.1, "a", "started"), Event(14.0, "a", "ready"), Event(14.1, "a", "assigned", (0,)))
        self.assertFalse([fault for fault in check(self.account, self.rules) if "partition 0 stood still" in fault])

    def test_left_without_a_commit(self):
        self.remove("a", "committed", 30.3)
        self.assert_fault("a left and had not committed 30 of partition 1")

    def test_never_left(self):
        self.remove("a", "left", 30.5)
        self.assert_fault("a was asked to leave and never did")

    def test_ends_by_itself(self):
        self.change("b", "killed", 20.0, kind="died", text="exit status 1")
        self.assert_fault("b ended by itself: exit status 1")

    def test_fails(self):
        self.add(Event(29.9, "a", "fatal", text="no such group"))
        self.assert_fault("a failed: no such group")

    def test_errors_that_clients_overcome_are_counted(self):
        self.add(Event(29.9, "a", "error", text="rebalance in progress"))
        self.assert_fine()
        self.assertEqual(measure(self.account).errors, 1)

    def test_figures(self):
        figures = measure(self.account)
        self.assertEqual(figures.records, 60)
        self.assertAlmostEqual(figures.longest_s["killed"], 7.1)
        self.assertLess(figures.longest_s["started"], 1.1)

    def test_what_follows_a_replacement_is_the_price_of_the_death(self):
        self.add(Event(20.5, "c", "started"))
        self.assertAlmostEqual(measure(self.account).longest_s["killed"], 7.1)
        self.add(Event(21.5, "e", "started"))
        self.assertAlmostEqual(measure(self.account).longest_s["started"], 7.1)


if __name__ == "__main__":
    unittest.main()
