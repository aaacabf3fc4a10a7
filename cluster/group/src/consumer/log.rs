//! What stands in the log of a consumer group, and the group that this makes again.
//!
//! Records tell states, not changes, so that any order which compaction leaves makes the same group.

use super::{ConsumerConfig, ConsumerGroup, Member, Pattern, Regex};
use crate::effect::Now;
use crate::record::{ConsumerRecord, CurrentAssignment, GroupEpoch};

impl ConsumerGroup {
    /// What changed since the last call, for the log.
    pub fn take_records(&mut self) -> Vec<ConsumerRecord> {
        std::mem::take(&mut self.unwritten)
    }

    /// Takes a record of the log into the state.
    pub fn replay(&mut self, record: ConsumerRecord) {
        match record {
            ConsumerRecord::Group(value) => {
                let GroupEpoch {
                    epoch,
                    metadata_hash,
                } = value.unwrap_or_default();
                self.epoch = epoch;
                self.metadata_hash = metadata_hash;
            },
            ConsumerRecord::TargetEpoch(value) => {
                self.assignment_epoch = value.unwrap_or_default();
            },
            ConsumerRecord::Member(id, Some(value)) => {
                self.members.entry(id).or_default().subscription = value;
            },
            ConsumerRecord::Member(id, None) => {
                self.members.remove(&id);
            },
            ConsumerRecord::Target(id, Some(value)) => {
                self.target.insert(id, value);
            },
            ConsumerRecord::Target(id, None) => {
                self.target.remove(&id);
            },
            ConsumerRecord::Current(id, Some(value)) => {
                self.members.entry(id).or_default().current = value;
            },
            ConsumerRecord::Current(id, None) => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.current = CurrentAssignment::default();
                }
            },
            ConsumerRecord::Regex(text, Some(value)) => {
                let names = value.topics;
                let regex = Regex {
                    pattern: None,
                    names,
                };
                self.regexes.insert(text, regex);
            },
            ConsumerRecord::Regex(text, None) => {
                self.regexes.remove(&text);
            },
        }
    }

    /// The log is read: what follows from its records is made, and sessions begin.
    pub fn loaded(&mut self, now: Now, config: &ConsumerConfig) {
        let used: Vec<String> = self.used_regexes().cloned().collect();
        for text in used {
            self.regexes.entry(text).or_default();
        }
        for (text, regex) in &mut self.regexes {
            regex.pattern = Pattern::new(text).ok();
        }
        self.drop_unused_regexes();
        self.begin_sessions(now, config);
    }

    pub(super) fn begin_sessions(&mut self, now: Now, config: &ConsumerConfig) {
        for (id, member) in &mut self.members {
            self.taken.extend(member.held());
            self.bytes += member.subscription.bytes();
            if let Some(instance_id) = &member.subscription.instance_id {
                self.instances.insert(instance_id.clone(), id.clone());
            }
            member.start_session(now, config.timing);
            member.start_revocation(now);
        }
        self.wakes_at = self.members.values().map(Member::deadline).min();
    }

    /// Whether nothing of it stands in the log.
    pub fn is_blank(&self) -> bool {
        let has_epoch = self.epoch != 0 || self.assignment_epoch != 0;
        !has_epoch && self.members.is_empty() && self.target.is_empty() && self.regexes.is_empty()
    }

    /// What takes all of it out of the log.
    pub fn tombstones(&self) -> Vec<ConsumerRecord> {
        let regexes = self.regexes.keys();
        let mut records: Vec<ConsumerRecord> =
            self.members.keys().flat_map(|id| gone(id)).collect();
        records.extend(regexes.map(|text| ConsumerRecord::Regex(text.clone(), None)));
        records.extend([
            ConsumerRecord::TargetEpoch(None),
            ConsumerRecord::Group(None),
        ]);
        records
    }

    pub(super) fn write_gone(&mut self, member_id: &str) {
        self.unwritten.extend(gone(member_id));
    }

    pub(super) fn write_member(&mut self, member_id: &str) {
        if let Some(member) = self.members.get(member_id) {
            let value = Some(member.subscription.clone());
            let record = ConsumerRecord::Member(member_id.to_owned(), value);
            self.unwritten.push(record);
        }
    }

    pub(super) fn write_current(&mut self, member_id: &str) {
        if let Some(member) = self.members.get(member_id) {
            let value = Some(member.current.clone());
            let record = ConsumerRecord::Current(member_id.to_owned(), value);
            self.unwritten.push(record);
        }
    }
}

/// What takes a member out of the log.
fn gone(member_id: &str) -> [ConsumerRecord; 3] {
    let id = || member_id.to_owned();
    [
        ConsumerRecord::Current(id(), None),
        ConsumerRecord::Target(id(), None),
        ConsumerRecord::Member(id(), None),
    ]
}
