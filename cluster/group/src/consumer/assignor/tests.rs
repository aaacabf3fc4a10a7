//! Properties of both assignors over random groups and their changes.

use proptest::prelude::*;

use super::*;

/// A group: topics with so many partitions, and members with the topics each is subscribed to.
#[derive(Clone, Debug)]
struct Group {
    partitions: BTreeMap<Uuid, i32>,
    members: BTreeMap<String, BTreeSet<Uuid>>,
    previous: BTreeMap<String, Assignment>,
}

fn topic(number: u8) -> Uuid {
    Uuid::from_bytes([number + 1; 16])
}

impl Group {
    fn assign(&mut self, assignor: Assignor) -> BTreeMap<String, Assignment> {
        let nothing = Assignment::new();
        let subscribers: Vec<Subscriber<'_>> = self
            .members
            .iter()
            .map(|(member_id, topics)| Subscriber {
                member_id,
                instance_id: None,
                topics,
                previous: self.previous.get(member_id).unwrap_or(&nothing),
            })
            .collect();
        let assigned = assignor.assign(&subscribers, &self.partitions);
        self.previous = self.members.keys().cloned().zip(assigned).collect();
        self.previous.clone()
    }
}

fn load(assignment: &Assignment) -> usize {
    assignment.values().map(BTreeSet::len).sum()
}

fn owners(assigned: &BTreeMap<String, Assignment>) -> BTreeMap<(Uuid, i32), &String> {
    let mut owners = BTreeMap::new();
    for (member, assignment) in assigned {
        for (&topic, partitions) in assignment {
            assert!(!partitions.is_empty());
            for &partition in partitions {
                let before = owners.insert((topic, partition), member);
                assert_eq!(before, None, "{topic} {partition} has two owners");
            }
        }
    }
    owners
}

/// How many partitions that were and are assigned have another owner.
fn moves(before: &BTreeMap<String, Assignment>, after: &BTreeMap<String, Assignment>) -> usize {
    let (before, after) = (owners(before), owners(after));
    let moved = before
        .iter()
        .filter(|(one, owner)| after.get(one).is_some_and(|new| new != *owner));
    moved.count()
}

/// Every partition of a topic with subscribers has one owner, who is subscribed to it.
fn check_complete(group: &Group, assigned: &BTreeMap<String, Assignment>) {
    let owners = owners(assigned);
    for ((topic, partition), owner) in &owners {
        assert!(group.members[*owner].contains(topic));
        assert!((0..group.partitions[topic]).contains(partition));
    }
    let subscribed: BTreeSet<&Uuid> = group.members.values().flatten().collect();
    let wanted = group
        .partitions
        .iter()
        .filter(|(topic, _)| subscribed.contains(topic));
    let wanted: i32 = wanted.map(|(_, count)| count).sum();
    assert_eq!(owners.len(), wanted as usize);
}

/// Nobody has two more than another who could take one of them.
fn check_balance(group: &Group, assigned: &BTreeMap<String, Assignment>) {
    for rich in assigned.values() {
        for (poor, poor_assignment) in assigned {
            let could_take = rich.keys().any(|one| group.members[poor].contains(one));
            assert!(
                !could_take || load(rich) <= load(poor_assignment) + 1,
                "{rich:?} beside {poor_assignment:?} of {poor}"
            );
        }
    }
}

fn any_group(is_homogeneous: bool) -> impl Strategy<Value = Group> {
    let partitions = prop::collection::vec(0..12_i32, 1..6);
    let members = prop::collection::vec(prop::collection::btree_set(0..7_u8, 0..6), 1..9);
    (partitions, members).prop_map(move |(partitions, mut members)| {
        if is_homogeneous {
            members = vec![(0..7).collect(); members.len()];
        }
        let members = (0..)
            .zip(members)
            .map(|(number, topics): (u32, BTreeSet<u8>)| {
                (
                    format!("m{number}"),
                    topics.into_iter().map(topic).collect(),
                )
            });
        Group {
            partitions: (0..)
                .zip(partitions)
                .map(|(number, count)| (topic(number), count))
                .collect(),
            members: members.collect(),
            previous: BTreeMap::new(),
        }
    })
}

/// A change of a group.
#[derive(Clone, Debug)]
enum Change {
    Join(BTreeSet<u8>),
    Leave(prop::sample::Index),
    Subscribe(prop::sample::Index, BTreeSet<u8>),
    Grow(u8),
    Delete(u8),
}

fn any_change() -> impl Strategy<Value = Change> {
    let topics = || prop::collection::btree_set(0..7_u8, 0..6);
    prop_oneof![
        topics().prop_map(Change::Join),
        any::<prop::sample::Index>().prop_map(Change::Leave),
        (any::<prop::sample::Index>(), topics())
            .prop_map(|(member, topics)| Change::Subscribe(member, topics)),
        (0..6_u8).prop_map(Change::Grow),
        (0..6_u8).prop_map(Change::Delete),
    ]
}

impl Group {
    fn member(&self, at: prop::sample::Index) -> Option<String> {
        let ids: Vec<&String> = self.members.keys().collect();
        (!ids.is_empty()).then(|| (*at.get(&ids)).clone())
    }

    fn change(&mut self, number: usize, change: &Change) {
        let named = |topics: &BTreeSet<u8>| topics.iter().copied().map(topic).collect();
        match change {
            Change::Join(topics) => {
                self.members.insert(format!("n{number}"), named(topics));
            },
            Change::Leave(at) => {
                if let Some(id) = self.member(*at) {
                    self.members.remove(&id);
                }
            },
            Change::Subscribe(at, topics) => {
                if let Some(id) = self.member(*at) {
                    self.members.insert(id, named(topics));
                }
            },
            Change::Grow(number) => *self.partitions.entry(topic(*number)).or_default() += 3,
            Change::Delete(number) => {
                self.partitions.remove(&topic(*number));
            },
        }
    }
}

proptest! {
    #[test]
    fn all_partitions_have_one_owner_through_all_changes(
        mut group in any_group(false),
        changes in prop::collection::vec(any_change(), 0..12),
    ) {
        let mut range = group.clone();
        for (number, change) in changes.iter().enumerate() {
            group.change(number, change);
            range.change(number, change);
            let assigned = group.assign(Assignor::Uniform);
            check_complete(&group, &assigned);
            check_balance(&group, &assigned);
            let assigned = range.assign(Assignor::Range);
            check_complete(&range, &assigned);
        }
    }

    #[test]
    fn uniform_differs_by_one_where_all_subscribe_alike(mut group in any_group(true)) {
        let assigned = group.assign(Assignor::Uniform);
        let loads: Vec<usize> = assigned.values().map(load).collect();
        let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
        prop_assert!(most - least <= 1, "{loads:?}");
    }

    #[test]
    fn uniform_moves_nothing_without_need(mut group in any_group(false)) {
        let before = group.assign(Assignor::Uniform);
        prop_assert_eq!(&group.assign(Assignor::Uniform), &before);
    }

    #[test]
    fn one_who_joins_takes_what_it_must_and_no_more(mut group in any_group(true)) {
        let before = group.assign(Assignor::Uniform);
        group.members.insert("new".to_owned(), (0..7).map(topic).collect());
        let after = group.assign(Assignor::Uniform);
        prop_assert_eq!(moves(&before, &after), load(&after["new"]));
    }

    #[test]
    fn when_one_leaves_the_others_keep_all(mut group in any_group(true)) {
        let before = group.assign(Assignor::Uniform);
        let (gone, _) = group.members.pop_first().unwrap();
        let after = group.assign(Assignor::Uniform);
        prop_assert_eq!(
            moves(&before, &after),
            if group.members.is_empty() { 0 } else { load(&before[&gone]) }
        );
    }

    #[test]
    fn range_gives_the_same_numbers_of_topics_of_one_size(
        members in 1..9_usize,
        topics in 1..5_u8,
        count in 0..12,
    ) {
        let all: BTreeSet<Uuid> = (0..topics).map(topic).collect();
        let mut group = Group {
            partitions: all.iter().map(|&one| (one, count)).collect(),
            members: (0..members).map(|one| (format!("m{one}"), all.clone())).collect(),
            previous: BTreeMap::new(),
        };
        let assigned = group.assign(Assignor::Range);
        let mut next = 0;
        for (at, assignment) in assigned.values().enumerate() {
            let mut ranges = assignment.values();
            let first = ranges.next().cloned().unwrap_or_default();
            prop_assert!(ranges.all(|range| *range == first));
            let len = count as usize / members + usize::from(at < count as usize % members);
            let want: BTreeSet<i32> = (next..next + len as i32).collect();
            prop_assert_eq!(first, want);
            next += len as i32;
        }
    }
}

#[test]
fn range_puts_static_members_first_by_their_instances() {
    let topics = BTreeSet::from([topic(0)]);
    let nothing = Assignment::new();
    let member = |member_id, instance_id| Subscriber {
        member_id,
        instance_id,
        topics: &topics,
        previous: &nothing,
    };
    let members = [
        member("a", None),
        member("b", Some("y")),
        member("c", Some("x")),
    ];
    let assigned = Assignor::Range.assign(&members, &BTreeMap::from([(topic(0), 3)]));
    let first = |at: usize| assigned[at][&topic(0)].first().copied();
    assert_eq!([first(0), first(1), first(2)], [Some(2), Some(1), Some(0)]);
}

#[test]
fn names_are_known() {
    for &assignor in Assignor::ALL {
        assert_eq!(Assignor::from_name(assignor.name()), Some(assignor));
    }
    assert_eq!(Assignor::from_name("sticky"), None);
    assert_eq!(Assignor::ALL.first(), Some(&Assignor::default()));
}
