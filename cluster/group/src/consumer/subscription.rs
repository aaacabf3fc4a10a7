//! What subscriptions stand for: names and regular expressions to topics that exist.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::Uuid;

use super::{ConsumerConfig, ConsumerGroup, Member, Pattern, Regex, Topics};

impl ConsumerGroup {
    /// Knows a regular expression from now on.
    pub(super) fn add_regex(&mut self, text: &str, pattern: Pattern, topics: &dyn Topics) {
        let names = matching(&pattern, topics);
        let regex = Regex { pattern, names };
        self.regexes.insert(text.to_owned(), regex);
    }

    pub(super) fn drop_unused_regexes(&mut self) {
        let used: BTreeSet<&String> = self.used_regexes().collect();
        if used.len() < self.regexes.len() {
            let unused = self.regexes.keys().filter(|text| !used.contains(text));
            let unused: Vec<String> = unused.cloned().collect();
            for text in unused {
                self.regexes.remove(&text);
            }
        }
    }

    fn used_regexes(&self) -> impl Iterator<Item = &String> {
        let members = self.members.values();
        members.filter_map(|member| member.topic_regex.as_ref())
    }

    /// Looks the subscription of one member up.
    pub(super) fn look_up(&self, member: &mut Member, topics: &dyn Topics) {
        let regex = member.topic_regex.as_ref();
        let matched = regex.and_then(|text| self.regexes.get(text));
        let names = member.topic_names.iter();
        let names = names.chain(matched.into_iter().flat_map(|regex| &regex.names));
        let found = names.filter_map(|name| topics.by_name(name));
        member.topics = found.map(|topic| topic.id).collect();
    }

    /// Looks everything up again if topics have changed. Says whether anybody is subscribed to others
    /// now.
    pub(super) fn refresh(
        &mut self,
        now_ms: u64,
        topics: &dyn Topics,
        config: &ConsumerConfig,
    ) -> bool {
        let version = Some(topics.version());
        let may_match = now_ms >= self.match_again_at || self.regexes.is_empty();
        if self.looked_up == version && (self.matched == version || !may_match) {
            return false;
        }
        if may_match {
            for regex in self.regexes.values_mut() {
                regex.names = matching(&regex.pattern, topics);
            }
            self.matched = version;
            self.match_again_at = now_ms.saturating_add(config.regex_refresh_ms);
        }
        self.looked_up = version;
        self.partitions_counted = false;
        let mut is_changed = false;
        let mut members = std::mem::take(&mut self.members);
        for member in members.values_mut() {
            let before = std::mem::take(&mut member.topics);
            self.look_up(member, topics);
            is_changed |= member.topics != before;
        }
        self.members = members;
        is_changed
    }

    /// Counts the partitions of the topics that anybody is subscribed to, if that may have changed;
    /// says whether it has.
    pub(super) fn count_partitions(&mut self, topics: &dyn Topics) -> bool {
        if std::mem::replace(&mut self.partitions_counted, true) {
            return false;
        }
        let names = self.members.values().flat_map(|member| &member.topic_names);
        let matched = self.regexes.values().flat_map(|regex| &regex.names);
        let names: BTreeSet<&String> = names.chain(matched).collect();
        let found = names.into_iter().filter_map(|name| topics.by_name(name));
        let partitions: BTreeMap<Uuid, i32> =
            found.map(|topic| (topic.id, topic.partitions)).collect();
        let is_changed = partitions != self.partitions;
        self.partitions = partitions;
        is_changed
    }
}

fn matching(pattern: &Pattern, topics: &dyn Topics) -> BTreeSet<String> {
    let names = topics.names().filter(|name| pattern.matches(name));
    names.map(str::to_owned).collect()
}
