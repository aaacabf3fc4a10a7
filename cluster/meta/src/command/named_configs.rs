//! Whether a group, or a subscription to client metrics, may have these configurations.

use net_wire::ErrorCode;

use crate::config::{
    CLIENT_MATCH, ConfigKey, ConfigMap, PUSH_INTERVAL, StaticConfig, check_group,
    client_metrics_key, elements, group_key,
};
use crate::error::MetaError;
use crate::state::State;

/// Milliseconds between two pushes of a client.
const PUSH_INTERVAL_MIN: i64 = 100;
const PUSH_INTERVAL_MAX: i64 = 3_600_000;

/// What of a client a subscription can name (`ClientMetricsConfigs`).
const CLIENT_PARAMETERS: &[&str] = &[
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

fn invalid_config(message: String) -> MetaError {
    MetaError::new(ErrorCode::INVALID_CONFIG, message)
}

fn invalid_request(message: String) -> MetaError {
    MetaError::new(ErrorCode::INVALID_REQUEST, message)
}

/// A group's configuration of these values in canonical form.
pub(super) fn checked_group<'a>(
    state: &State,
    fixed: &StaticConfig,
    values: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<ConfigMap, MetaError> {
    let find = |name: &str| group_key(name).map(|row| &row.key);
    let configs = canonical(values, find).map_err(|unknown| match unknown {
        Refused::Unknown(name) => invalid_config(format!("Unknown group config name: {name}")),
        Refused::Value(why) => invalid_config(why),
    })?;
    check_group(&configs, &state.broker_layers(fixed)).map_err(invalid_config)?;
    Ok(configs)
}

/// The same for a subscription to client metrics.
///
/// Patterns are kept as they came: one that is no expression matches no client, and the log says so
/// when clients ask.
pub(super) fn checked_client_metrics<'a>(
    values: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<ConfigMap, MetaError> {
    let configs = canonical(values, client_metrics_key).map_err(|unknown| match unknown {
        Refused::Unknown(name) => {
            invalid_request(format!("Unknown client metrics configuration: {name}"))
        },
        Refused::Value(why) => invalid_config(why),
    })?;
    if let Some(interval) = configs.get(PUSH_INTERVAL) {
        let in_bounds = |ms| (PUSH_INTERVAL_MIN..=PUSH_INTERVAL_MAX).contains(&ms);
        if !interval.parse().is_ok_and(in_bounds) {
            return Err(invalid_request(format!(
                "Invalid value {interval} for {PUSH_INTERVAL}, interval must be between \
                 {PUSH_INTERVAL_MIN} and {PUSH_INTERVAL_MAX} (1 hour)"
            )));
        }
    }
    let patterns = configs.get(CLIENT_MATCH).map_or("", String::as_str);
    if let Some(pattern) = elements(patterns).find(|pattern| !is_client_match(pattern)) {
        let message = format!("Illegal client matching pattern: {pattern}");
        return Err(invalid_config(message));
    }
    Ok(configs)
}

enum Refused {
    Unknown(String),
    Value(String),
}

/// Values in canonical form. Kafka judges all names before any value.
fn canonical<'a>(
    values: impl Iterator<Item = (&'a str, &'a str)>,
    find: impl Fn(&str) -> Option<&'static ConfigKey>,
) -> Result<ConfigMap, Refused> {
    let found = values.map(|(name, value)| match find(name) {
        Some(key) => Ok((key, value)),
        None => Err(Refused::Unknown(name.to_owned())),
    });
    let found: Vec<_> = found.collect::<Result<_, _>>()?;
    let checked = found
        .into_iter()
        .map(|(key, value)| Ok((key.name.to_owned(), key.canonical(value)?)));
    checked
        .collect::<Result<_, String>>()
        .map_err(Refused::Value)
}

/// Whether an element is a known parameter and a pattern, with one sign between.
fn is_client_match(element: &str) -> bool {
    let mut parts = element.split('=');
    let (parameter, pattern) = (parts.next(), parts.next());
    let known = parameter.is_some_and(|name| CLIENT_PARAMETERS.contains(&name.trim()));
    known && pattern.is_some_and(|pattern| !pattern.is_empty()) && parts.next().is_none()
}
