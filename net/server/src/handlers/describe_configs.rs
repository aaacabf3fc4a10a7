//! `DescribeConfigs` (key 32, KIP-133): configurations with their sources.
//!
//! Behaviour:
//! - a topic, or a broker by its number; a broker without name stands for the dynamic defaults of
//!   all of them;
//! - `BROKER_LOGGER` answers the level of Flumen's log as that of Kafka's root logger;
//! - a group or a subscription to client metrics that nobody configured has its defaults;
//! - null or no keys asked for means all.
//!
//! Version notes:
//! - 1: sources and synonyms (KIP-226), if asked for; 3: types and documentation, if asked for
//!   (KIP-569).

use std::borrow::Cow;

use cluster_meta::State;
use cluster_meta::config::describe::{
    broker_rows, client_metrics_rows, cluster_default_rows, group_rows, topic_rows,
};
use cluster_meta::config::{ConfigRow, ConfigSource, ConfigType, StaticConfig, Synonym};
use net_wire::ErrorCode;
use net_wire::messages::ConfigResource;
use net_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use net_wire::topic_name::check_topic_name;
use tracing::level_filters::LevelFilter;

use crate::connection::Context;
use crate::error_map::Refusal;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let broker = &context.broker;
    let body: DescribeConfigsRequest<'_> = request.body()?;
    let rows: Vec<_> = body
        .resources
        .iter()
        .map(|resource| broker.with_state(|state| rows(&broker.config.fixed, state, resource)))
        .collect();
    let shown = Shown {
        synonyms: body.include_synonyms,
        documentation: body.include_documentation,
    };
    let results: Vec<_> = body
        .resources
        .iter()
        .zip(&rows)
        .map(|(resource, rows)| result(resource, rows, shown))
        .collect();
    for one in &results {
        broker.metrics.error(one.error_code);
    }
    request.respond(&DescribeConfigsResponse {
        results,
        ..DescribeConfigsResponse::default()
    })
}

/// What of a row the client asked for.
#[derive(Clone, Copy)]
struct Shown {
    synonyms: bool,
    documentation: bool,
}

fn rows(
    fixed: &StaticConfig,
    state: &State,
    resource: &DescribeConfigsResource<'_>,
) -> Result<Vec<ConfigRow>, Refusal> {
    let name = resource.resource_name;
    let layers = state.broker_layers(fixed);
    let rows = match resource.resource_type {
        ConfigResource::TOPIC => rows_of_topic(fixed, state, name)?,
        ConfigResource::BROKER if name.is_empty() => cluster_default_rows(&layers),
        ConfigResource::BROKER => {
            check_broker_name(state, name, " or empty string,")?;
            broker_rows(&layers)
        },
        ConfigResource::BROKER_LOGGER if name.is_empty() => {
            return Err(invalid_request("Broker id must not be empty"));
        },
        ConfigResource::BROKER_LOGGER => {
            check_broker_name(state, name, "")?;
            vec![logger_row()]
        },
        ConfigResource::CLIENT_METRICS if name.is_empty() => {
            let message = "Client metrics subscription name must not be empty";
            return Err(invalid_request(message));
        },
        ConfigResource::CLIENT_METRICS => client_metrics_rows(state.client_metrics().get(name)),
        ConfigResource::GROUP if name.is_empty() => {
            return Err(invalid_request("Group name must not be empty"));
        },
        ConfigResource::GROUP => group_rows(&layers, state.group_configs().get(name)),
        other => {
            let message = format!("Unexpected resource type {other} for resource {name}");
            return Err(invalid_request(message));
        },
    };
    let asked = |row: &ConfigRow| is_asked_for(resource, row.name);
    Ok(rows.into_iter().filter(asked).collect())
}

fn rows_of_topic(
    fixed: &StaticConfig,
    state: &State,
    name: &str,
) -> Result<Vec<ConfigRow>, Refusal> {
    check_topic_name(name).map_err(|error| {
        let message = format!("Topic name is invalid: {error}");
        Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message)
    })?;
    let topic = state
        .topic_by_name(name)
        .ok_or_else(|| Refusal::of(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))?;
    Ok(topic_rows(&state.topic_layers(topic, fixed)))
}

fn invalid_request(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, message)
}

fn is_asked_for(resource: &DescribeConfigsResource<'_>, name: &str) -> bool {
    let keys = resource.configuration_keys.as_deref().unwrap_or_default();
    keys.is_empty() || keys.contains(&name)
}

/// `or_else` is what Kafka says could stand there besides.
fn check_broker_name(state: &State, name: &str, or_else: &str) -> Result<(), Refusal> {
    let Ok(number) = name.parse::<i32>() else {
        let message = format!("Broker id must be an integer, but it is: {name}");
        return Err(invalid_request(message));
    };
    let node = state.cluster().map(|cluster| cluster.node_id.0);
    if node == Some(number) {
        return Ok(());
    }
    let expected = node.unwrap_or(-1);
    Err(invalid_request(format!(
        "Unexpected broker id, expected {expected}{or_else} but received {name}"
    )))
}

fn logger_row() -> ConfigRow {
    let level = match LevelFilter::current() {
        LevelFilter::OFF => "FATAL".to_owned(),
        level => level.to_string().to_ascii_uppercase(),
    };
    ConfigRow {
        name: "root",
        value: Some(level),
        read_only: true,
        source: ConfigSource::DynamicBrokerLogger,
        sensitive: false,
        synonyms: Vec::new(),
        kind: ConfigType::String,
        documentation: "Level of the log, set at start.",
    }
}

fn result<'a>(
    resource: &DescribeConfigsResource<'a>,
    rows: &'a Result<Vec<ConfigRow>, Refusal>,
    shown: Shown,
) -> DescribeConfigsResult<'a> {
    let (error_code, error_message, configs) = match rows {
        Err(refusal) => (refusal.code, Some(refusal.message.clone()), Vec::new()),
        Ok(rows) => (
            ErrorCode::NONE,
            None,
            rows.iter().map(|row| config(row, shown)).collect(),
        ),
    };
    DescribeConfigsResult {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        configs,
    }
}

fn config(row: &ConfigRow, shown: Shown) -> DescribeConfigsResourceResult<'_> {
    let synonyms = if shown.synonyms {
        row.synonyms.as_slice()
    } else {
        &[]
    };
    DescribeConfigsResourceResult {
        name: row.name,
        value: row.value.as_deref().map(Cow::Borrowed),
        read_only: row.read_only,
        config_source: row.source as i8,
        is_sensitive: row.sensitive,
        synonyms: synonyms.iter().map(synonym).collect(),
        config_type: row.kind as i8,
        documentation: shown
            .documentation
            .then_some(Cow::Borrowed(row.documentation)),
    }
}

fn synonym(synonym: &Synonym) -> DescribeConfigsSynonym<'_> {
    DescribeConfigsSynonym {
        name: &synonym.name,
        value: synonym.value.as_deref().map(Cow::Borrowed),
        source: synonym.source as i8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;

    fn resource<'a>(
        resource_type: i8,
        name: &'a str,
        keys: &[&'a str],
    ) -> DescribeConfigsResource<'a> {
        let configuration_keys = Some(keys.to_vec());
        DescribeConfigsResource {
            resource_type,
            resource_name: name,
            configuration_keys,
        }
    }

    fn described(resource: &DescribeConfigsResource<'_>) -> Result<Vec<ConfigRow>, Refusal> {
        rows(&StaticConfig::default(), &state_with(&[("t", 1)]), resource)
    }

    fn code(resource_type: i8, name: &str) -> ErrorCode {
        described(&resource(resource_type, name, &[]))
            .unwrap_err()
            .code
    }

    #[test]
    fn topics_show_all_keys_or_those_asked_for() {
        let all = described(&resource(2, "t", &[])).unwrap();
        assert_eq!(all.len(), 33);
        let one = described(&resource(2, "t", &["flush.messages"])).unwrap();
        let [row] = &one[..] else { panic!("one row") };
        // Flumen flushes before every acknowledgement unless told otherwise, and says so.
        assert_eq!((row.value.as_deref(), row.source as i8), (Some("1"), 5));
        assert_eq!(code(2, "gone"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(code(2, "a b"), ErrorCode::INVALID_TOPIC_EXCEPTION);
    }

    #[test]
    fn brokers_are_named_by_number_or_not_at_all() {
        assert_eq!(described(&resource(4, "1", &[])).unwrap().len(), 316);
        assert!(described(&resource(4, "", &[])).unwrap().is_empty());
        assert_eq!(code(4, "2"), ErrorCode::INVALID_REQUEST);
        assert_eq!(code(4, "x"), ErrorCode::INVALID_REQUEST);
    }

    #[test]
    fn loggers_have_an_answer_and_unknown_types_have_none() {
        let rows = described(&resource(8, "1", &[])).unwrap();
        assert_eq!((rows[0].name, rows[0].source as i8), ("root", 6));
        assert_eq!(code(8, ""), ErrorCode::INVALID_REQUEST);
        assert_eq!(code(99, "x"), ErrorCode::INVALID_REQUEST);
    }

    #[test]
    fn groups_and_subscriptions_that_nobody_configured_have_defaults() {
        assert_eq!(described(&resource(32, "g", &[])).unwrap().len(), 10);
        assert_eq!(described(&resource(16, "m", &[])).unwrap().len(), 3);
        assert_eq!(code(32, ""), ErrorCode::INVALID_REQUEST);
        assert_eq!(code(16, ""), ErrorCode::INVALID_REQUEST);
    }

    #[test]
    fn synonyms_and_documentation_only_when_asked_for() {
        let rows = described(&resource(2, "t", &["max.message.bytes"]));
        let asked = resource(2, "t", &[]);
        let bare = result(
            &asked,
            &rows,
            Shown {
                synonyms: false,
                documentation: false,
            },
        );
        assert!(bare.configs[0].synonyms.is_empty() && bare.configs[0].documentation.is_none());
        let full = result(
            &asked,
            &rows,
            Shown {
                synonyms: true,
                documentation: true,
            },
        );
        assert!(!full.configs[0].synonyms.is_empty() && full.configs[0].documentation.is_some());
    }
}
