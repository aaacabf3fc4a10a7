//! What must hold of a log as a whole, beyond what each record says of itself: checksums promise that
//! it is what was written, not that what was written makes sense.

use thiserror::Error;

use crate::config::{
    ConfigKey, ConfigMap, broker_canonical, broker_key, client_metrics_key, group_key, topic_key,
};
use crate::record::{ConfigResource, Partition, Record};
use crate::state::State;

/// A log that says what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("record {record} breaks the rule that {rule}")]
pub struct Contradiction {
    /// Its place in the log, counted from zero.
    pub record: usize,
    /// What holds of every log.
    pub rule: &'static str,
}

impl State {
    /// The state that the records of a log add up to.
    pub fn replay(records: &[Record]) -> Result<Self, Contradiction> {
        let mut state = Self::default();
        for (record, change) in records.iter().enumerate() {
            let broken = |rule| Contradiction { record, rule };
            state.try_apply(change).map_err(broken)?;
        }
        // A snapshot has the starts behind the partitions that count them, so this comes last.
        if state.has_wrong_epoch() {
            let record = records.len().saturating_sub(1);
            let rule = "a leader epoch is a number, and more can follow";
            return Err(Contradiction { record, rule });
        }
        Ok(state)
    }

    fn has_wrong_epoch(&self) -> bool {
        let mut partitions = self.topics().flat_map(|topic| &topic.partitions);
        partitions.any(|partition| !self.can_have_epoch(partition))
    }

    fn can_have_epoch(&self, partition: &Partition) -> bool {
        let starts = self.unclean_starts();
        (0..=i32::MAX / 2).contains(&partition.leader_epoch_base)
            && partition.unclean_starts_base <= starts
    }
}

/// Whether a topic's values are such as commands let through. What has no row says nothing here.
pub(crate) fn are_topic_configs(configs: &ConfigMap) -> bool {
    are_canonical(configs, |name| topic_key(name).map(|row| &row.key))
}

/// Whether a resource's values are.
pub(crate) fn are_configs(resource: &ConfigResource, configs: &ConfigMap) -> bool {
    match resource {
        ConfigResource::Topic(_) => are_topic_configs(configs),
        ConfigResource::Broker(_) | ConfigResource::ClusterDefault => are_broker_configs(configs),
        ConfigResource::Group(_) => {
            are_canonical(configs, |name| group_key(name).map(|row| &row.key))
        },
        ConfigResource::ClientMetrics(_) => are_canonical(configs, client_metrics_key),
    }
}

fn are_canonical(configs: &ConfigMap, find: impl Fn(&str) -> Option<&'static ConfigKey>) -> bool {
    configs.iter().all(|(name, value)| {
        find(name).is_none_or(|key| key.canonical(value).as_ref() == Ok(value))
    })
}

fn are_broker_configs(configs: &ConfigMap) -> bool {
    configs.iter().all(|(name, value)| {
        broker_key(name).is_none_or(|row| broker_canonical(row, value).as_ref() == Ok(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{create_cluster, unclean_start};
    use crate::record::PartitionRun;
    use crate::{NodeId, TopicId, TopicNumber};

    const ID: TopicId = TopicId::from_bytes([7; 16]);

    fn partition(unclean_starts_base: u32) -> Partition {
        Partition {
            replicas: vec![NodeId(1)],
            leader_epoch_base: 0,
            unclean_starts_base,
            partition_epoch: 0,
        }
    }

    fn topic(name: &str, partition: Partition, configs: &[(&str, &str)]) -> Record {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Record::TopicCreated {
            topic_id: ID,
            name: name.to_owned(),
            number: TopicNumber(0),
            config_version: 0,
            configs: configs.iter().map(own).collect(),
            partitions: vec![PartitionRun {
                count: 2,
                partition,
            }],
        }
    }

    /// What a log of these records behind the first is told.
    fn told(records: &[Record]) -> Option<Contradiction> {
        let first = create_cluster("c", NodeId(1));
        let records: Vec<Record> = std::iter::once(first)
            .chain(records.iter().cloned())
            .collect();
        State::replay(&records).err()
    }

    fn rule(records: &[Record]) -> &'static str {
        told(records).expect("it says what cannot be").rule
    }

    #[test]
    fn a_log_that_contradicts_itself_is_named_with_its_record() {
        let whole = topic("t", partition(0), &[("retention.ms", "5")]);
        assert_eq!(told(std::slice::from_ref(&whole)), None);
        let gone = Record::TopicDeleted { topic_id: ID };
        let twice = told(&[whole, gone.clone(), gone]).unwrap();
        assert_eq!(
            twice.to_string(),
            "record 3 breaks the rule that a deleted topic was there"
        );
    }

    #[test]
    fn what_no_command_lets_through_is_no_log() {
        let of_another = Partition {
            replicas: vec![NodeId(2)],
            ..partition(0)
        };
        let twice = Partition {
            replicas: vec![NodeId(1), NodeId(1)],
            ..partition(0)
        };
        let replicas = "replicas are brokers of the cluster, each once";
        assert_eq!(rule(&[topic("t", of_another, &[])]), replicas);
        assert_eq!(rule(&[topic("t", twice, &[])]), replicas);
        assert_eq!(
            rule(&[topic("../t", partition(0), &[])]),
            "a topic's name is one"
        );
        for value in ["soon", " 5", "-2"] {
            let topic = topic("t", partition(0), &[("retention.ms", value)]);
            let values = "configurations hold values that were checked";
            assert_eq!(rule(&[topic]), values, "{value}");
        }
        let removed = Record::ConfigsChanged {
            resource: ConfigResource::ClusterDefault,
            set: [("log.retention.ms".to_owned(), "never".to_owned())].into(),
            removed: Vec::new(),
        };
        assert!(told(&[removed]).is_some());
    }

    /// A snapshot names the starts last, so a partition may be ahead of them for a while.
    #[test]
    fn epochs_are_looked_at_in_the_end() {
        let ahead = topic("t", partition(1), &[]);
        assert!(told(std::slice::from_ref(&ahead)).is_some());
        let start = unclean_start(&State::default());
        assert_eq!(told(&[ahead, start]), None);
    }

    #[test]
    fn counters_have_room() {
        let last = u32::MAX;
        assert!(told(&[Record::UncleanStart { total: last }]).is_some());
        assert!(told(&[Record::ProducerIdBlock { next: i64::MAX }]).is_some());
        let counters = Record::Counters {
            next_topic_number: TopicNumber(last),
            broker_config_version: last,
        };
        assert!(told(&[counters]).is_some());
        let ownership = |generation, shards| Record::Ownership {
            generation,
            shards,
            overrides: Vec::new(),
        };
        assert!(told(&[ownership(last, 1)]).is_some());
        assert!(told(&[ownership(1, last)]).is_some());
        assert_eq!(told(&[ownership(1, 2)]), None);
    }
}
