//! One fetch session: the partitions of a client, in turns, and what it was told of each.
//!
//! Pure: the cache of `fetch_session_cache.rs` owns sessions and decides on their lives.

use std::collections::BTreeMap;
use std::rc::Rc;

use engine_rt::Instant;
use net_wire::Uuid;

/// How requests of a session name topics: one way for all its life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TopicKey {
    /// Up to version 12.
    Name(Rc<str>),
    /// From version 13 (KIP-516).
    Id(Uuid),
}

/// A partition as requests name it.
pub(crate) type PartitionKey = (TopicKey, i32);

/// What a client wants of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) offset: i64,
    pub(crate) max_bytes: i32,
    pub(crate) current_leader_epoch: i32,
    pub(crate) last_fetched_epoch: i32,
}

/// What a response says of a partition, as far as sessions care.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) high_watermark: i64,
    pub(crate) log_start_offset: i64,
    pub(crate) records_bytes: usize,
    /// An error, a diverging epoch: told every time until it is over.
    pub(crate) is_exception: bool,
}

#[derive(Clone, Debug)]
struct CachedPartition {
    wanted: Wanted,
    /// What the client was told last; -1 makes sure that it is told again.
    high_watermark: i64,
    log_start_offset: i64,
    order: u64,
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    /// The epoch that its next request must have.
    pub(crate) epoch: i32,
    /// Whether its requests name topics by id.
    pub(crate) by_id: bool,
    pub(crate) created: Instant,
    pub(crate) used: Instant,
    partitions: BTreeMap<PartitionKey, CachedPartition>,
    /// Partitions by turns: one that gave records goes to the end.
    order: BTreeMap<u64, PartitionKey>,
    next_order: u64,
}

impl Session {
    /// A session that was just opened: its next request has the epoch 1.
    pub(crate) fn new(by_id: bool, now: Instant) -> Self {
        Self {
            epoch: 1,
            by_id,
            created: now,
            used: now,
            partitions: BTreeMap::new(),
            order: BTreeMap::new(),
            next_order: 0,
        }
    }

    /// Notes a partition and what the client was told of it.
    pub(crate) fn add(&mut self, key: PartitionKey, wanted: Wanted, told: &Told) {
        let order = self.next_order();
        let high_watermark = if told.is_exception {
            -1
        } else {
            told.high_watermark
        };
        let cached = CachedPartition {
            wanted,
            high_watermark,
            log_start_offset: told.log_start_offset,
            order,
        };
        self.order.insert(order, key.clone());
        if let Some(before) = self.partitions.insert(key, cached) {
            self.order.remove(&before.order);
        }
    }

    fn next_order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    /// Takes what a request changes.
    pub(crate) fn update(
        &mut self,
        wanted: Vec<(PartitionKey, Wanted)>,
        forgotten: &[PartitionKey],
    ) {
        for (key, wanted) in wanted {
            if let Some(known) = self.partitions.get_mut(&key) {
                known.wanted = wanted;
            } else {
                let nothing = Told {
                    high_watermark: -1,
                    log_start_offset: -1,
                    records_bytes: 0,
                    is_exception: true,
                };
                self.add(key, wanted, &nothing);
            }
        }
        for key in forgotten {
            if let Some(gone) = self.partitions.remove(key) {
                self.order.remove(&gone.order);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.partitions.len()
    }

    /// All partitions, those first that gave no records for longest.
    pub(crate) fn in_order(&self) -> Vec<(PartitionKey, Wanted)> {
        let wanted = |key: &PartitionKey| Some((key.clone(), self.partitions.get(key)?.wanted));
        self.order.values().filter_map(wanted).collect()
    }

    /// Notes what a response tells of a partition; says whether it has to.
    pub(crate) fn tell(&mut self, key: &PartitionKey, told: &Told) -> bool {
        let turn = if told.records_bytes > 0 {
            Some(self.next_order())
        } else {
            None
        };
        let Some(known) = self.partitions.get_mut(key) else {
            return true;
        };
        let is_new = told.high_watermark != known.high_watermark
            || told.log_start_offset != known.log_start_offset;
        known.log_start_offset = told.log_start_offset;
        // An exception is told until it is over, and its end is told too.
        known.high_watermark = if told.is_exception {
            -1
        } else {
            told.high_watermark
        };
        if let Some(turn) = turn {
            self.order.remove(&known.order);
            self.order.insert(turn, key.clone());
            known.order = turn;
        }
        is_new || told.records_bytes > 0 || told.is_exception
    }
}

/// The epoch after this one; after the last comes the first that does not open a session.
pub(crate) const fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}
