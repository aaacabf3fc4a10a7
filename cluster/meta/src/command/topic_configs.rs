//! Whether a topic may have these configurations.

use net_wire::ErrorCode;

use crate::config::{ConfigMap, Layers, RETIRED_TOPIC_KEYS, StaticConfig, topic_key};
use crate::error::MetaError;
use crate::state::State;

/// A topic's configuration of these values in canonical form, without retired keys.
pub(super) fn checked<'a>(
    state: &State,
    fixed: &StaticConfig,
    values: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<ConfigMap, MetaError> {
    let invalid = |message| MetaError::new(ErrorCode::INVALID_CONFIG, message);
    let live = |(name, _): &(&str, &str)| !RETIRED_TOPIC_KEYS.contains(name);
    let values: Vec<(&str, &str)> = values.into_iter().filter(live).collect();
    // Kafka judges all names before any value.
    if let Some((name, _)) = values.iter().find(|(name, _)| topic_key(name).is_none()) {
        return Err(invalid(format!("Unknown topic config name: {name}")));
    }
    let mut configs = ConfigMap::new();
    for (name, value) in values {
        let Some(row) = topic_key(name) else { continue };
        configs.insert(name.to_owned(), row.key.canonical(value).map_err(invalid)?);
    }
    check_together(state, fixed, &configs).map_err(invalid)?;
    Ok(configs)
}

/// Rules over more than one key.
fn check_together(state: &State, fixed: &StaticConfig, configs: &ConfigMap) -> Result<(), String> {
    let layers = Layers {
        topic: Some(configs),
        ..state.broker_layers(fixed)
    };
    let number = |name: &str| -> i64 {
        let value = topic_key(name).and_then(|row| layers.topic_value(row));
        value.and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    let (min, max) = (
        number("min.compaction.lag.ms"),
        number("max.compaction.lag.ms"),
    );
    if min > max {
        return Err(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms \
             ({max})"
        ));
    }
    if configs
        .get("remote.storage.enable")
        .is_some_and(|value| value == "true")
    {
        return Err(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be \
                    configured with remote log storage."
                .to_owned(),
        );
    }
    Ok(())
}
