//! The uniform assignor: balanced first, then with as few moves as that takes.
//!
//! Members keep what they had and may keep; what is free goes to those who have least; then single
//! partitions move while some member has at least two more than another that could take one of
//! them. So with one subscription for all, members differ by one at most. With several, one member
//! has more than that only of topics that the other is not subscribed to.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::Uuid;

use super::{Assignment, Subscriber, subscribers};

type Partition = (Uuid, i32);

pub(super) fn assign(
    members: &[Subscriber<'_>],
    partitions: &BTreeMap<Uuid, i32>,
) -> Vec<Assignment> {
    let mut classes = classes(members, partitions);
    let mut loads = vec![0; members.len()];
    for class in &mut classes {
        class.keep(members, partitions, &mut loads);
    }
    // Those with few subscribers first: others have more to choose from.
    classes.sort_by_key(|class| class.held.len());
    for class in &mut classes {
        class.hand_out(&mut loads);
    }
    while classes.iter_mut().any(|class| class.balance(&mut loads)) {}

    let mut assigned = vec![Assignment::new(); members.len()];
    for class in classes {
        for (member, held) in class.held {
            for (topic, partition) in held {
                assigned[member].entry(topic).or_default().insert(partition);
            }
        }
    }
    assigned
}

/// Topics with the same subscribers: one partition of them is as good as another. A group in which
/// all have the same subscription is one class.
#[derive(Debug)]
struct Class {
    topics: Vec<Uuid>,
    /// What each subscriber has of them; what it had before stands first.
    held: BTreeMap<usize, Vec<Partition>>,
    free: Vec<Partition>,
}

fn classes(members: &[Subscriber<'_>], partitions: &BTreeMap<Uuid, i32>) -> Vec<Class> {
    let mut by_subscribers: BTreeMap<Vec<usize>, Vec<Uuid>> = BTreeMap::new();
    for (topic, subscribed) in subscribers(members, partitions, 0..members.len()) {
        by_subscribers.entry(subscribed).or_default().push(topic);
    }
    let all = by_subscribers
        .into_iter()
        .map(|(subscribed, topics)| Class {
            topics,
            held: subscribed.into_iter().map(|at| (at, Vec::new())).collect(),
            free: Vec::new(),
        });
    all.collect()
}

impl Class {
    /// Leaves members what they had, as far as it exists and nobody before them has it.
    fn keep(
        &mut self,
        members: &[Subscriber<'_>],
        partitions: &BTreeMap<Uuid, i32>,
        loads: &mut [usize],
    ) {
        for &topic in &self.topics {
            let mut free: BTreeSet<i32> = (0..partitions[&topic]).collect();
            for (&member, held) in &mut self.held {
                let previous = members[member].previous.get(&topic);
                for &partition in previous.into_iter().flatten() {
                    if free.remove(&partition) {
                        held.push((topic, partition));
                        loads[member] += 1;
                    }
                }
            }
            let free = free.into_iter().map(|partition| (topic, partition));
            self.free.extend(free);
        }
    }

    /// Gives what is free to those who have least.
    fn hand_out(&mut self, loads: &mut [usize]) {
        let mut by_load: BTreeSet<(usize, usize)> =
            self.held.keys().map(|&at| (loads[at], at)).collect();
        for partition in std::mem::take(&mut self.free) {
            let Some((_, member)) = by_load.pop_first() else {
                return;
            };
            self.held.entry(member).or_default().push(partition);
            loads[member] += 1;
            by_load.insert((loads[member], member));
        }
    }

    /// Moves single partitions from those who have most to those who have least, while they differ
    /// by two: each move lowers the sum of the squares, so there is an end. Says whether any moved.
    fn balance(&mut self, loads: &mut [usize]) -> bool {
        let mut all: BTreeSet<(usize, usize)> =
            self.held.keys().map(|&at| (loads[at], at)).collect();
        let mut owners: BTreeSet<(usize, usize)> = all
            .iter()
            .copied()
            .filter(|(_, at)| !self.held[at].is_empty())
            .collect();
        let mut has_moved = false;
        while let (Some(&(most, from)), Some(&(least, to))) = (owners.last(), all.first())
            && most >= least + 2
        {
            // The last one was not there before, if any of them was not.
            let partition = self.held.get_mut(&from).and_then(Vec::pop);
            self.held.entry(to).or_default().extend(partition);
            for (member, before, after) in [(from, most, most - 1), (to, least, least + 1)] {
                loads[member] = after;
                all.remove(&(before, member));
                all.insert((after, member));
                owners.remove(&(before, member));
                if !self.held[&member].is_empty() {
                    owners.insert((after, member));
                }
            }
            has_moved = true;
        }
        has_moved
    }
}
