//! Offsets that nobody has asked for in a long time go (KIP-211).
//!
//! A walk over all groups begins at intervals, and goes on in portions: a coordinator with many
//! offsets does not hold up its shard.

use std::ops::Bound::{Excluded, Unbounded};

use crate::classic::ClassicGroup;
use crate::config::Config;
use crate::coordinator::{Coordinator, remove_group, remove_offsets};
use crate::effect::{Now, Outbox};
use crate::group::{Group, Members};
use crate::offsets::CommittedOffset;
use crate::state::GroupState;

/// Offsets that are looked at before others have their turn.
const PORTION: usize = 10_000;

/// Where the walk is.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    /// When it goes on; `None` before the log is read.
    at: Option<u64>,
    /// The last group that was looked at.
    after: Option<String>,
}

impl Expiry {
    pub(crate) const fn at(&self) -> Option<u64> {
        self.at
    }

    /// The first walk begins after one interval, so that members of before a restart are heard of.
    pub(crate) fn begin(&mut self, now: Now, config: &Config) {
        self.after = None;
        self.at = Some(now.monotonic_ms.saturating_add(config.retention_check_ms));
    }
}

impl Coordinator {
    /// Goes on with the walk if it is time.
    pub(crate) fn expire(&mut self, now: Now, out: &mut Outbox) {
        if self.expiry.at.is_none_or(|at| at > now.monotonic_ms) {
            return;
        }
        let mut seen = 0;
        while let Some(id) = self.next_group() {
            self.with_group(now, &id, out, |group, turn| {
                seen += 1 + group.offsets.len();
                let gone = expired(group, turn.config.offsets_retention_ms, now.wall_ms);
                remove_offsets(&id, group, turn, gone);
                if group.offsets.is_empty() && group.members.is_vacant() {
                    remove_group(&id, group, turn);
                }
            });
            self.expiry.after = Some(id);
            if seen >= PORTION {
                self.expiry.at = Some(now.monotonic_ms.saturating_add(1));
                return;
            }
        }
        self.expiry.begin(now, &self.config);
    }

    fn next_group(&self) -> Option<String> {
        let after = self.expiry.after.as_ref().map_or(Unbounded, Excluded);
        let mut rest = self.groups.range::<String, _>((after, Unbounded));
        rest.next().map(|(id, _)| id.clone())
    }
}

/// The offsets of a group whose time is over.
fn expired(group: &Group, retention_ms: i64, now_ms: i64) -> Vec<(String, i32)> {
    if !may_expire(&group.members) {
        return Vec::new();
    }
    // A group of the consumer protocol does not know since when it is empty.
    let emptied = group.members.classic().and_then(ClassicGroup::emptied_at);
    let is_over = |offset: &CommittedOffset| {
        let since = emptied.unwrap_or(offset.commit_timestamp_ms);
        let expires = since.saturating_add(retention_ms);
        now_ms >= offset.expire_timestamp_ms.unwrap_or(expires)
    };
    let all = group.offsets.iter();
    all.filter(|(topic, _, offset)| !group.members.is_subscribed_to(topic) && is_over(offset))
        .map(|(topic, partition, _)| (topic.to_owned(), partition))
        .collect()
}

/// Whether offsets expire while the group is as it is: without members, or with members that are
/// known to read other topics.
fn may_expire(members: &Members) -> bool {
    members
        .classic()
        .is_none_or(|classic| match classic.state() {
            GroupState::Empty => true,
            GroupState::Stable => classic.knows_subscriptions(),
            _ => false,
        })
}
