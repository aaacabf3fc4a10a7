//! `AlterConfigs` (key 33, KIP-133): gives a resource exactly these configurations.
//!
//! Behaviour:
//! - what the request does not name goes back to its default; old tools use it, new ones use
//!   `IncrementalAlterConfigs`;
//! - each resource is judged by itself; one named twice is `INVALID_REQUEST`.
//!
//! Version notes:
//! - 2: tagged fields.

use std::rc::Rc;

use cluster_meta::command::alter_configs;
use net_wire::ErrorCode;
use net_wire::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};

use super::config_resource::{Alteration, Judge, Target, alter};
use crate::connection::Context;
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let body: AlterConfigsRequest<'_> = request.body()?;
    let alterations = body.resources.iter().map(alteration).collect();
    let refusals = alter(&context.broker, alterations, body.validate_only).await;
    let responses = body
        .resources
        .iter()
        .zip(refusals)
        .map(|(resource, refusal)| {
            let (code, message) = refusal.map_or((ErrorCode::NONE, None), |refusal| {
                (refusal.code, Some(refusal.message))
            });
            AlterConfigsResourceResponse {
                error_code: code,
                error_message: message,
                resource_type: resource.resource_type,
                resource_name: resource.resource_name,
            }
        });
    let responses = responses.collect();
    request.respond(&AlterConfigsResponse {
        responses,
        ..AlterConfigsResponse::default()
    })
}

fn alteration<'a>(resource: &AlterConfigsResource<'a>) -> Alteration<'a> {
    let key = (resource.resource_type, resource.resource_name);
    Alteration {
        key,
        judge: Target::new(key).map(|target| judge(target, resource)),
    }
}

fn judge(target: Target, resource: &AlterConfigsResource<'_>) -> Judge {
    let configs = resource.configs.iter();
    let configs: Vec<(String, Option<String>)> = configs
        .map(|one| (one.name.to_owned(), one.value.map(str::to_owned)))
        .collect();
    Box::new(move |state, fixed| {
        let configs: Vec<_> = configs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        alter_configs(state, fixed, target.resource(), &configs)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_map::Refusal;
    use crate::testing::state_with;
    use cluster_meta::State;
    use cluster_meta::config::StaticConfig;
    use net_wire::messages::alter_configs::AlterableConfig;

    fn judged(resource: &AlterConfigsResource<'_>, state: &State) -> Option<Refusal> {
        match alteration(resource).judge {
            Ok(judge) => judge(state, &StaticConfig::default())
                .err()
                .map(Refusal::from),
            Err(refusal) => Some(refusal),
        }
    }

    fn resource<'a>(name: &'a str, config: (&'a str, Option<&'a str>)) -> AlterConfigsResource<'a> {
        AlterConfigsResource {
            resource_type: 2,
            resource_name: name,
            configs: vec![AlterableConfig {
                name: config.0,
                value: config.1,
            }],
        }
    }

    #[test]
    fn topics_and_values_are_checked() {
        let state = state_with(&[("t", 1)]);
        let code =
            |name, config| judged(&resource(name, config), &state).map(|refusal| refusal.code);
        assert_eq!(code("t", ("retention.ms", Some("5"))), None);
        assert_eq!(
            code("t", ("retention.ms", Some("x"))),
            Some(ErrorCode::INVALID_CONFIG)
        );
        assert_eq!(
            code("t", ("no.such.key", Some("x"))),
            Some(ErrorCode::INVALID_CONFIG)
        );
        assert_eq!(
            code("t", ("retention.ms", None)),
            Some(ErrorCode::INVALID_REQUEST)
        );
        let unknown = code("gone", ("retention.ms", Some("5")));
        assert_eq!(unknown, Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    }
}
