//! Who wins: a topic's own value, else the broker's dynamic one, else the cluster's dynamic
//! default, else the static one, else the table's default (KIP-226).

use super::describe::{ConfigSource, Synonym};
use super::{ConfigMap, StaticConfig, TopicKey, broker_key};

const MS_PER_MINUTE: i64 = 60_000;
const MS_PER_HOUR: i64 = 60 * MS_PER_MINUTE;

/// The layers of one resource, the strongest first.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// A topic's own values.
    pub topic: Option<&'a ConfigMap>,
    /// Dynamic values of this broker.
    pub broker: Option<&'a ConfigMap>,
    /// Dynamic defaults of the cluster's brokers.
    pub cluster: Option<&'a ConfigMap>,
    /// What the start was given.
    pub fixed: &'a StaticConfig,
}

impl<'a> Layers<'a> {
    /// The value in force for a topic key, in the topic key's own unit.
    pub fn topic_value(&self, row: &TopicKey) -> Option<String> {
        if let Some(own) = self.topic.and_then(|map| map.get(row.key.name)) {
            return Some(own.clone());
        }
        let inherited = row.synonyms.iter().find_map(|name| {
            let value = self.broker_value(name)?;
            Some(in_topic_unit(name, value))
        });
        inherited.or_else(|| row.key.default.map(str::to_owned))
    }

    /// The value in force for a broker key.
    pub fn broker_value(&self, name: &str) -> Option<&'a str> {
        let map = |layer: Option<&'a ConfigMap>| layer?.get(name).map(String::as_str);
        map(self.broker)
            .or_else(|| map(self.cluster))
            .or_else(|| self.fixed.get(name))
            .or_else(|| broker_key(name)?.key.default)
    }

    /// Every layer's value for these broker keys, the strongest layer first.
    ///
    /// Kafka leaves out what stands before the first value of the key asked for, so that a time
    /// set in hours alone is not named behind one in milliseconds; scripts compare these lists.
    pub fn synonyms(&self, asked: &str, names: &[&'static str]) -> Vec<Synonym> {
        let mut all = Vec::new();
        for (layer, source) in [
            (self.broker, ConfigSource::DynamicBroker),
            (self.cluster, ConfigSource::DynamicDefaultBroker),
        ] {
            let values = names
                .iter()
                .filter_map(|name| Some((*name, layer?.get(*name)?.as_str())));
            all.extend(values.map(|(name, value)| Synonym::new(name, value, source)));
        }
        let fixed = names
            .iter()
            .filter_map(|name| Some((*name, self.fixed.get(name)?)));
        all.extend(
            fixed.map(|(name, value)| Synonym::new(name, value, ConfigSource::StaticBroker)),
        );
        let defaults = names
            .iter()
            .filter_map(|name| Some((*name, broker_key(name)?.key.default?)));
        all.extend(defaults.map(|(name, value)| Synonym::new(name, value, ConfigSource::Default)));
        all.into_iter()
            .skip_while(|synonym| synonym.name != asked)
            .collect()
    }
}

/// A broker's time in the unit of the topic key; a negative one means no limit in each unit.
pub(super) fn in_topic_unit(name: &str, value: &str) -> String {
    let unit = match name.rsplit_once('.') {
        Some((_, "hours")) => MS_PER_HOUR,
        Some((_, "minutes")) => MS_PER_MINUTE,
        _ => return value.to_owned(),
    };
    let count: i64 = value.parse().unwrap_or(-1);
    if count < 0 {
        "-1".to_owned()
    } else {
        count.saturating_mul(unit).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::super::topic_key;
    use super::*;

    fn map(values: &[(&str, &str)]) -> ConfigMap {
        values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_strongest_layer_wins() {
        let row = topic_key("retention.ms").unwrap();
        let topic = map(&[("retention.ms", "1")]);
        let broker = map(&[("log.retention.ms", "2")]);
        let cluster = map(&[("log.retention.ms", "3")]);
        let fixed = StaticConfig::from_settings([("log.retention.hours", "4")]).unwrap();
        let mut layers = Layers {
            topic: Some(&topic),
            broker: Some(&broker),
            cluster: Some(&cluster),
            fixed: &fixed,
        };
        let value = |layers: &Layers<'_>| layers.topic_value(row).unwrap();
        assert_eq!(value(&layers), "1");
        layers.topic = None;
        assert_eq!(value(&layers), "2");
        layers.broker = None;
        assert_eq!(value(&layers), "3");
        layers.cluster = None;
        assert_eq!(value(&layers), "14400000");
        let nothing = StaticConfig::default();
        layers.fixed = &nothing;
        assert_eq!(value(&layers), "604800000");
    }

    #[test]
    fn milliseconds_win_over_minutes_over_hours() {
        let row = topic_key("retention.ms").unwrap();
        let value = |settings: &[(&str, &str)]| {
            let fixed = StaticConfig::from_settings(settings.iter().copied()).unwrap();
            Layers {
                topic: None,
                broker: None,
                cluster: None,
                fixed: &fixed,
            }
            .topic_value(row)
        };
        let all = [
            ("log.retention.hours", "1"),
            ("log.retention.minutes", "2"),
            ("log.retention.ms", "3"),
        ];
        assert_eq!(value(&all).as_deref(), Some("3"));
        assert_eq!(value(&all[..2]).as_deref(), Some("120000"));
        assert_eq!(value(&all[..1]).as_deref(), Some("3600000"));
        assert_eq!(
            value(&[("log.retention.hours", "-1")]).as_deref(),
            Some("-1")
        );
    }

    #[test]
    fn flush_ms_falls_back_to_the_scheduler() {
        let row = topic_key("flush.ms").unwrap();
        let fixed =
            StaticConfig::from_settings([("log.flush.scheduler.interval.ms", "9")]).unwrap();
        let layers = Layers {
            topic: None,
            broker: None,
            cluster: None,
            fixed: &fixed,
        };
        assert_eq!(layers.topic_value(row).as_deref(), Some("9"));
    }
}
