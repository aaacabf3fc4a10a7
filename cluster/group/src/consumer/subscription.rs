//! What subscriptions stand for: names and regular expressions to topics that exist.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::Uuid;

use super::{ConsumerConfig, ConsumerGroup, Member, Pattern, Regex, Topics};
use crate::effect::Now;
use crate::record::{ConsumerRecord, ResolvedRegex};

impl ConsumerGroup {
    /// Knows a regular expression from now on.
    pub(super) fn add_regex(
        &mut self,
        now: Now,
        text: &str,
        pattern: Pattern,
        topics: &dyn Topics,
    ) {
        let names = matching(&pattern, topics);
        self.write_regex(now, text, &names, topics);
        let pattern = Some(pattern);
        self.regexes
            .insert(text.to_owned(), Regex { pattern, names });
    }

    fn write_regex(&mut self, now: Now, text: &str, names: &BTreeSet<String>, topics: &dyn Topics) {
        let resolved = ResolvedRegex {
            topics: names.clone(),
            version: topics.version() as i64,
            timestamp_ms: now.wall_ms,
        };
        let record = ConsumerRecord::Regex(text.to_owned(), Some(resolved));
        self.unwritten.push(record);
    }

    pub(super) fn drop_unused_regexes(&mut self) {
        let used: BTreeSet<&String> = self.used_regexes().collect();
        if used.len() < self.regexes.len() {
            let unused = self.regexes.keys().filter(|text| !used.contains(text));
            let unused: Vec<String> = unused.cloned().collect();
            for text in unused {
                self.regexes.remove(&text);
                self.unwritten.push(ConsumerRecord::Regex(text, None));
            }
        }
    }

    pub(super) fn used_regexes(&self) -> impl Iterator<Item = &String> {
        let members = self.members.values();
        members.filter_map(|member| member.subscription.topic_regex.as_ref())
    }

    /// Whether somebody is subscribed to a topic of this name.
    pub(crate) fn is_subscribed_to(&self, name: &str) -> bool {
        let by_name = |member: &Member| member.subscription.topic_names.contains(name);
        self.members.values().any(by_name)
            || self
                .regexes
                .values()
                .any(|regex| regex.names.contains(name))
    }

    /// Somebody reads less: topics that nobody reads any more are not looked at.
    pub(super) fn forget_unread_topics(&mut self) {
        // After a start they are counted with the first heartbeat.
        if self.looked_up.is_none() {
            return;
        }
        let members = self.members.values();
        let read: BTreeSet<&Uuid> = members.flat_map(|member| &member.topics).collect();
        self.partitions.retain(|topic, _| read.contains(topic));
        self.metadata_hash = hash(&self.partitions);
    }

    /// Looks the subscription of one member up.
    pub(super) fn look_up(&self, member: &mut Member, topics: &dyn Topics) {
        let regex = member.subscription.topic_regex.as_ref();
        let matched = regex.and_then(|text| self.regexes.get(text));
        let names = member.subscription.topic_names.iter();
        let names = names.chain(matched.into_iter().flat_map(|regex| &regex.names));
        let found = names.filter_map(|name| topics.by_name(name));
        member.topics = found.map(|topic| topic.id).collect();
    }

    /// Looks everything up again if topics have changed. Says whether a regular expression matches
    /// others now; whether names stand for others shows in their partitions.
    pub(super) fn refresh(
        &mut self,
        now: Now,
        topics: &dyn Topics,
        config: &ConsumerConfig,
    ) -> bool {
        let version = Some(topics.version());
        let may_match = now.monotonic_ms >= self.match_again_at || self.regexes.is_empty();
        if self.looked_up == version && (self.matched == version || !may_match) {
            return false;
        }
        let mut is_changed = false;
        if may_match {
            is_changed = self.match_again(now, topics);
            self.matched = version;
            self.match_again_at = now.monotonic_ms.saturating_add(config.regex_refresh_ms);
        }
        self.looked_up = version;
        self.partitions_counted = false;
        let mut members = std::mem::take(&mut self.members);
        for member in members.values_mut() {
            self.look_up(member, topics);
        }
        self.members = members;
        is_changed
    }

    /// Matches all regular expressions again; says whether any matches others than before.
    fn match_again(&mut self, now: Now, topics: &dyn Topics) -> bool {
        let mut regexes = std::mem::take(&mut self.regexes);
        let mut is_changed = false;
        for (text, regex) in &mut regexes {
            let Some(pattern) = &regex.pattern else {
                continue;
            };
            let names = matching(pattern, topics);
            if names != regex.names {
                self.write_regex(now, text, &names, topics);
                regex.names = names;
                is_changed = true;
            }
        }
        self.regexes = regexes;
        is_changed
    }

    /// Counts the partitions of the topics that anybody is subscribed to, if that may have changed;
    /// says whether it has.
    pub(super) fn count_partitions(&mut self, topics: &dyn Topics) -> bool {
        if std::mem::replace(&mut self.partitions_counted, true) {
            return false;
        }
        let members = self.members.values();
        let names = members.flat_map(|member| &member.subscription.topic_names);
        let matched = self.regexes.values().flat_map(|regex| &regex.names);
        let names: BTreeSet<&String> = names.chain(matched).collect();
        let found = names.into_iter().filter_map(|name| topics.by_name(name));
        let partitions: BTreeMap<Uuid, i32> =
            found.map(|topic| (topic.id, topic.partitions)).collect();
        self.partitions = partitions;
        let hash = hash(&self.partitions);
        std::mem::replace(&mut self.metadata_hash, hash) != hash
    }
}

/// The hash of topics and their partitions that goes into the log (FNV-1a): zero for none, as in
/// Kafka, whose function is another one. A log that comes from there has one more epoch for it.
fn hash(partitions: &BTreeMap<Uuid, i32>) -> i64 {
    if partitions.is_empty() {
        return 0;
    }
    let bytes = partitions.iter().flat_map(|(topic, count)| {
        let count = count.to_be_bytes();
        topic.as_bytes().iter().copied().chain(count)
    });
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash as i64
}

fn matching(pattern: &Pattern, topics: &dyn Topics) -> BTreeSet<String> {
    let names = topics.names().filter(|name| pattern.matches(name));
    names.map(str::to_owned).collect()
}
