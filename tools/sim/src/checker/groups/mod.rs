//! What is promised of consumer groups, held together over everything that their members saw.
//!
//! - A generation belongs to those whom its leader named: no two members own a partition in one
//!   generation, and everybody gets what is of its own generation.
//! - Whoever speaks for a generation is let in only while there is no newer one (the fence): with a
//!   commit, a heartbeat or a request for an assignment.
//! - An offset that was committed, or that anybody has read, is never lost, and none from before it
//!   comes back.
//!
//! A generation whose assignments somebody has got is on the disk. One that was only joined may go
//! with its coordinator; its number is given again then.
//!
//! Every commit has a number, which it carries as its metadata: what is read back can be traced to
//! one request. A commit without an answer may take effect as long as its generation lasts.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{Checked, Promise, broken};

/// What a leader gives a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The generation that it is of.
    pub generation: i32,
    /// The partitions.
    pub partitions: Vec<i32>,
}

impl Assignment {
    /// As it travels.
    pub fn encode(&self) -> Vec<u8> {
        let numbers = [self.generation].into_iter();
        let numbers = numbers.chain(self.partitions.iter().copied());
        numbers.flat_map(i32::to_be_bytes).collect()
    }

    /// What was encoded so.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<4>();
        let mut numbers = numbers.iter().map(|bytes| i32::from_be_bytes(*bytes));
        let generation = numbers.next().filter(|_| rest.is_empty())?;
        Some(Self {
            generation,
            partitions: numbers.collect(),
        })
    }
}

/// What was known of a group when a request of a member left. A life is one of the coordinator, if it
/// is known which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    group: usize,
    life: Option<u64>,
    /// The newest generation that was given out, which no crash takes back.
    assigned: i32,
    /// The newest one that somebody had joined in this life.
    joined: i32,
}

/// What was known of a committed offset when it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    group: usize,
    partition: i32,
    stored: Stored,
}

/// What is known of the commits that have taken effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stored {
    /// The newest generation of one.
    generation: i32,
    /// The newest of them, or 0 if there is none.
    newest: u64,
}

#[derive(Clone, Copy, Debug)]
struct Commit {
    offset: i64,
    generation: i32,
    /// When it is known to have taken effect.
    stored: Option<u64>,
    refused: bool,
}

/// The committed offsets of one partition.
#[derive(Debug, Default)]
struct Offsets {
    /// Commits by their numbers.
    commits: BTreeMap<u64, Commit>,
    stored: Stored,
}

#[derive(Debug, Default)]
struct Group {
    assigned: i32,
    /// The newest generation that somebody has joined, and in which life.
    joined: Option<(u64, i32)>,
    /// Owners by generation and partition.
    owners: BTreeMap<(i32, i32), String>,
    offsets: BTreeMap<i32, Offsets>,
}

/// Holds together what the members of groups see.
#[derive(Debug, Default)]
pub struct Groups {
    groups: Vec<Group>,
    /// Counts what happens; commits are numbered by it.
    clock: u64,
}

impl Groups {
    /// For so many groups.
    pub fn new(groups: usize) -> Self {
        Self {
            groups: (0..groups).map(|_| Group::default()).collect(),
            clock: 0,
        }
    }

    const fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn offsets(&mut self, group: usize, partition: i32) -> &mut Offsets {
        self.groups[group].offsets.entry(partition).or_default()
    }

    /// A request of a member is about to leave.
    pub fn fence(&self, group: usize, life: Option<u64>) -> Fence {
        let known = &self.groups[group];
        let joined = known.joined.filter(|(of, _)| Some(*of) == life);
        Fence {
            group,
            life,
            assigned: known.assigned,
            joined: joined.map_or(-1, |(_, generation)| generation),
        }
    }

    /// The coordinator did `what` somebody of a generation asked for; its answer came in `life`.
    pub fn let_in(&self, fence: Fence, life: Option<u64>, generation: i32, what: &str) -> Checked {
        let joined = if fence.life == life { fence.joined } else { -1 };
        let newest = fence.assigned.max(joined);
        if generation >= newest {
            return Ok(());
        }
        let group = fence.group;
        let what =
            format!("group {group}: {what} of generation {generation} is taken after {newest}");
        broken(Promise::Fenced, what)
    }

    /// A member has joined a generation.
    pub fn joined(&mut self, fence: Fence, life: Option<u64>, generation: i32) -> Checked {
        self.let_in(fence, life, generation, "a join")?;
        let known = &mut self.groups[fence.group].joined;
        *known = life.map(|life| (life, generation)).max(*known);
        Ok(())
    }

    /// A member has got its assignment.
    pub fn assigned(
        &mut self,
        fence: Fence,
        life: Option<u64>,
        member: &str,
        generation: i32,
        assignment: &Assignment,
    ) -> Checked {
        self.let_in(fence, life, generation, "a request for an assignment")?;
        let group = fence.group;
        if assignment.generation != generation {
            let of = assignment.generation;
            let what = format!(
                "group {group}: {member} of generation {generation} gets what is of generation {of}"
            );
            return broken(Promise::Fenced, what);
        }
        let known = &mut self.groups[group];
        known.assigned = known.assigned.max(generation);
        for partition in &assignment.partitions {
            let owner = known.owners.entry((generation, *partition));
            let owner = owner.or_insert_with(|| member.to_owned());
            if owner.as_str() != member {
                let what = format!(
                    "group {group}: {member} and {owner} own partition {partition} in generation \
                     {generation}"
                );
                return broken(Promise::Duplicate, what);
            }
        }
        Ok(())
    }

    /// A commit is about to leave; its number.
    pub fn committing(
        &mut self,
        group: usize,
        partition: i32,
        offset: i64,
        generation: i32,
    ) -> u64 {
        let number = self.tick();
        let commit = Commit {
            offset,
            generation,
            stored: None,
            refused: false,
        };
        let offsets = self.offsets(group, partition);
        offsets.commits.insert(number, commit);
        number
    }

    /// A commit was acknowledged.
    pub fn committed(
        &mut self,
        fence: Fence,
        life: Option<u64>,
        partition: i32,
        number: u64,
    ) -> Checked {
        let now = self.tick();
        let offsets = self.offsets(fence.group, partition);
        let generation = offsets.take_effect(number, now);
        self.let_in(fence, life, generation, "a commit")
    }

    /// A commit was refused for whom it came from.
    pub fn commit_refused(&mut self, group: usize, partition: i32, number: u64) {
        let commits = &mut self.offsets(group, partition).commits;
        if let Some(commit) = commits.get_mut(&number) {
            commit.refused = true;
        }
    }

    /// A committed offset is about to be asked for.
    pub fn asking(&self, group: usize, partition: i32) -> Asked {
        let offsets = self.groups[group].offsets.get(&partition);
        Asked {
            group,
            partition,
            stored: offsets.map_or_else(Stored::default, |offsets| offsets.stored),
        }
    }

    /// A committed offset was read, with its metadata; -1 if there is none.
    pub fn read(&mut self, asked: Asked, offset: i64, metadata: &str) -> Checked {
        let Asked {
            group,
            partition,
            stored,
        } = asked;
        let place = format!("group {group}, partition {partition}");
        let Stored { generation, newest } = stored;
        if offset < 0 && newest == 0 {
            return Ok(());
        }
        if offset < 0 {
            let what = format!("{place}: no offset, but commit {newest} was there");
            return broken(Promise::Lost, what);
        }
        let now = self.tick();
        let offsets = self.offsets(group, partition);
        let number = metadata.parse().unwrap_or(0);
        let commit = offsets.commits.get(&number);
        let Some(commit) = commit.filter(|commit| commit.offset == offset && !commit.refused)
        else {
            let what = format!("{place}: offset {offset} with {metadata:?} was not committed so");
            return broken(Promise::Phantom, what);
        };
        let was_replaced = commit.stored.is_some_and(|at| at < newest);
        if commit.generation < generation || was_replaced {
            let what = format!(
                "{place}: offset {offset} of commit {number}, generation {}, comes back after \
                 commit {newest}, generation {generation}",
                commit.generation
            );
            return broken(Promise::Lost, what);
        }
        offsets.take_effect(number, now);
        Ok(())
    }
}

impl Offsets {
    /// A commit is known to have taken effect by now; its generation.
    fn take_effect(&mut self, number: u64, now: u64) -> i32 {
        let commit = self.commits.get_mut(&number).expect("it was sent");
        commit.stored.get_or_insert(now);
        self.stored.generation = self.stored.generation.max(commit.generation);
        self.stored.newest = self.stored.newest.max(number);
        commit.generation
    }
}
