//! What the operator set before the start: a file, the command line, the listeners in use.

use thiserror::Error;

use super::{ConfigMap, Layers, broker_canonical, broker_key, check_group};

/// The static layer of a broker's configuration, the same on every shard of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StaticConfig {
    values: ConfigMap,
}

/// Why an operator's setting is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StaticConfigError {
    /// Not a key of the table.
    #[error("Unknown broker config name: {name}")]
    Unknown {
        /// The key as written.
        name: String,
    },
    /// A value outside of what the key takes.
    #[error("{0}")]
    Invalid(String),
}

impl StaticConfig {
    /// The settings of a start, a later one of a key winning over an earlier one.
    pub fn from_settings<'a>(
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, StaticConfigError> {
        let mut config = Self::default();
        for (name, value) in settings {
            config.set(name, value)?;
        }
        Ok(config)
    }

    /// Sets one key.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), StaticConfigError> {
        let row = broker_key(name).ok_or_else(|| StaticConfigError::Unknown {
            name: name.to_owned(),
        })?;
        let value = broker_canonical(row, value).map_err(StaticConfigError::Invalid)?;
        self.values.insert(name.to_owned(), value);
        Ok(())
    }

    /// Refuses values that are fine one by one and not together.
    pub fn check(&self) -> Result<(), StaticConfigError> {
        let layers = Layers {
            topic: None,
            broker: None,
            cluster: None,
            fixed: self,
        };
        // What a group has that sets nothing must be what a group may set.
        check_group(&ConfigMap::new(), &layers)
            .map_err(|why| StaticConfigError::Invalid(format!("group.{why}")))
    }

    /// What was set, without defaults.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// What is in force for a key that is fixed for the run: set, or the table's default.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).or_else(|| broker_key(name)?.key.default)
    }

    /// The same, as a number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.value(name)?.parse().ok()
    }

    /// The same, as a truth value; a key without value is false.
    pub fn flag(&self, name: &str) -> bool {
        self.value(name) == Some("true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_settings_win_and_defaults_fill() {
        let config =
            StaticConfig::from_settings([("num.partitions", "3"), ("num.partitions", " 5 ")])
                .unwrap();
        assert_eq!(config.integer("num.partitions"), Some(5));
        assert_eq!(config.integer("default.replication.factor"), Some(1));
        assert!(config.flag("auto.create.topics.enable"));
        assert_eq!(config.get("auto.create.topics.enable"), None);
    }

    #[test]
    fn timeouts_of_groups_keep_to_their_bounds() {
        assert_eq!(StaticConfig::default().check(), Ok(()));
        let short = ("group.consumer.session.timeout.ms", "6000");
        let config = StaticConfig::from_settings([short]).unwrap();
        assert_eq!(
            config.check().unwrap_err().to_string(),
            "group.consumer.session.timeout.ms must be greater than or equal to \
             group.consumer.min.session.timeout.ms"
        );
        let least = ("group.consumer.min.session.timeout.ms", "6000");
        let config = StaticConfig::from_settings([short, least]).unwrap();
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn unknown_and_invalid_settings_are_refused() {
        let refusal = |name, value| StaticConfig::from_settings([(name, value)]).unwrap_err();
        assert_eq!(
            refusal("no.such.key", "1").to_string(),
            "Unknown broker config name: no.such.key"
        );
        assert_eq!(
            refusal("num.partitions", "0").to_string(),
            "Invalid value 0 for configuration num.partitions: Value must be at least 1"
        );
    }
}
