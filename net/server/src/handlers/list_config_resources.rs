//! `ListConfigResources` (key 74, KIP-1142): what has configurations, by type and name.
//!
//! Behaviour:
//! - all topics, this broker and its loggers; groups and subscriptions to client metrics that have
//!   values of their own;
//! - a type that is none of these is `UNSUPPORTED_VERSION`.
//!
//! Version notes:
//! - 0: subscriptions to client metrics alone (KIP-714); 1: the types asked for, none for all.

use cluster_meta::State;
use net_wire::ErrorCode;
use net_wire::messages::ConfigResource as Type;
use net_wire::messages::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};

use crate::connection::Context;
use crate::request::{Outcome, Request};

const ALL: [i8; 5] = [
    Type::TOPIC,
    Type::BROKER,
    Type::BROKER_LOGGER,
    Type::CLIENT_METRICS,
    Type::GROUP,
];

const CLIENT_METRICS: [i8; 1] = [Type::CLIENT_METRICS];

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let broker = &context.broker;
    let body: ListConfigResourcesRequest = request.body()?;
    let found = broker.with_state(|state| names(state, &body, request.version));
    let response = match &found {
        Ok(names) => ListConfigResourcesResponse {
            config_resources: names
                .iter()
                .map(|(resource_type, resource_name)| ConfigResource {
                    resource_name,
                    resource_type: *resource_type,
                })
                .collect(),
            ..ListConfigResourcesResponse::default()
        },
        Err(error_code) => ListConfigResourcesResponse {
            error_code: *error_code,
            ..ListConfigResourcesResponse::default()
        },
    };
    broker.metrics.error(response.error_code);
    request.respond(&response)
}

/// Types and names of the resources.
fn names(
    state: &State,
    body: &ListConfigResourcesRequest,
    version: i16,
) -> Result<Vec<(i8, String)>, ErrorCode> {
    let wanted: &[i8] = match &body.resource_types[..] {
        _ if version == 0 => &CLIENT_METRICS,
        [] => &ALL,
        types if types.iter().all(|one| ALL.contains(one)) => types,
        _ => return Err(ErrorCode::UNSUPPORTED_VERSION),
    };
    // In this order and each once, however often a type is asked for.
    let types = ALL.into_iter().filter(|one| wanted.contains(one));
    Ok(types.flat_map(|one| names_of_type(state, one)).collect())
}

fn names_of_type(state: &State, resource_type: i8) -> Vec<(i8, String)> {
    let names: Vec<String> = match resource_type {
        Type::TOPIC => state
            .topics_by_name()
            .map(|topic| topic.name.clone())
            .collect(),
        Type::CLIENT_METRICS => state.client_metrics().keys().cloned().collect(),
        Type::GROUP => state.group_configs().keys().cloned().collect(),
        _ => state.brokers().map(|node| node.0.to_string()).collect(),
    };
    names
        .into_iter()
        .map(|name| (resource_type, name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;
    use cluster_meta::command::{AlterOp, ConfigOp, ResourceName, incremental_alter_configs};
    use cluster_meta::config::StaticConfig;

    fn listed(state: &State, types: &[i8], version: i16) -> Result<Vec<(i8, String)>, ErrorCode> {
        let body = ListConfigResourcesRequest {
            resource_types: types.to_vec(),
        };
        names(state, &body, version)
    }

    #[test]
    fn what_has_configurations_is_listed_by_type() {
        let mut state = state_with(&[("b", 1), ("a", 1)]);
        let op = ConfigOp {
            name: "interval.ms",
            op: AlterOp::Set,
            value: Some("500"),
        };
        let metrics = ResourceName::ClientMetrics("m");
        let record =
            incremental_alter_configs(&state, &StaticConfig::default(), metrics, &[op]).unwrap();
        state.apply(&record.unwrap());
        let owned = |list: &[(i8, &str)]| {
            let list = list.iter().map(|(kind, name)| (*kind, (*name).to_owned()));
            Ok(list.collect::<Vec<_>>())
        };
        let all = [(2, "a"), (2, "b"), (4, "1"), (8, "1"), (16, "m")];
        assert_eq!(listed(&state, &[], 1), owned(&all));
        assert_eq!(listed(&state, &[4, 4], 1), owned(&[(4, "1")]));
        assert_eq!(listed(&state, &[], 0), owned(&[(16, "m")]));
        assert_eq!(
            listed(&state, &[2, 1], 1),
            Err(ErrorCode::UNSUPPORTED_VERSION)
        );
    }
}
