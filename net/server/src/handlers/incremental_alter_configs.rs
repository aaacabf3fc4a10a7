//! `IncrementalAlterConfigs` (key 44, KIP-339): changes single configurations of a resource.
//!
//! Behaviour:
//! - SET, DELETE, and for lists APPEND and SUBTRACT, applied in order; what is not named stays;
//! - each resource is judged by itself; one named twice is `INVALID_REQUEST`, so is an unknown
//!   operation.
//!
//! Version notes:
//! - 1: tagged fields.

use std::rc::Rc;

use cluster_meta::command::{AlterOp, ConfigOp, incremental_alter_configs};
use net_wire::ErrorCode;
use net_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};

use super::config_resource::{Alteration, Judge, Target, alter};
use crate::connection::Context;
use crate::error_map::Refusal;
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let body: IncrementalAlterConfigsRequest<'_> = request.body()?;
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
    let response = IncrementalAlterConfigsResponse {
        responses,
        ..IncrementalAlterConfigsResponse::default()
    };
    request.respond(&response)
}

fn alteration<'a>(resource: &AlterConfigsResource<'a>) -> Alteration<'a> {
    let key = (resource.resource_type, resource.resource_name);
    Alteration {
        key,
        judge: Target::new(key).and_then(|target| judge(target, resource)),
    }
}

/// A change of one key, owned: it is judged on another executor.
type Op = (String, AlterOp, Option<String>);

fn judge(target: Target, resource: &AlterConfigsResource<'_>) -> Result<Judge, Refusal> {
    let ops = resource.configs.iter().map(|one| {
        let op = AlterOp::from_code(one.config_operation).ok_or_else(|| {
            let code = one.config_operation;
            Refusal::new(
                ErrorCode::INVALID_REQUEST,
                format!("Unknown operation type {code}"),
            )
        })?;
        Ok((one.name.to_owned(), op, one.value.map(str::to_owned)))
    });
    let ops: Vec<Op> = ops.collect::<Result<_, Refusal>>()?;
    Ok(Box::new(move |state, fixed| {
        let ops: Vec<_> = ops
            .iter()
            .map(|(name, op, value)| ConfigOp {
                name,
                op: *op,
                value: value.as_deref(),
            })
            .collect();
        incremental_alter_configs(state, fixed, target.resource(), &ops)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;
    use cluster_meta::config::StaticConfig;
    use net_wire::messages::incremental_alter_configs::{
        AlterableConfig, OP_APPEND, OP_DELETE, OP_SET, OP_SUBTRACT,
    };

    fn judged(name: &str, op: i8, value: Option<&str>) -> Option<ErrorCode> {
        let resource = AlterConfigsResource {
            resource_type: 2,
            resource_name: "t",
            configs: vec![AlterableConfig {
                name,
                config_operation: op,
                value,
            }],
        };
        let state = state_with(&[("t", 1)]);
        let result = match alteration(&resource).judge {
            Ok(judge) => judge(&state, &StaticConfig::default()).map_err(Refusal::from),
            Err(refusal) => Err(refusal),
        };
        result.err().map(|refusal| refusal.code)
    }

    #[test]
    fn operations_are_those_of_kafka() {
        assert_eq!(judged("retention.ms", OP_SET, Some("5")), None);
        assert_eq!(judged("retention.ms", OP_DELETE, None), None);
        assert_eq!(judged("cleanup.policy", OP_APPEND, Some("compact")), None);
        assert_eq!(judged("cleanup.policy", OP_SUBTRACT, Some("delete")), None);
        assert_eq!(
            judged("retention.ms", OP_APPEND, Some("5")),
            Some(ErrorCode::INVALID_CONFIG)
        );
        assert_eq!(
            judged("retention.ms", OP_SET, None),
            Some(ErrorCode::INVALID_REQUEST)
        );
        assert_eq!(
            judged("retention.ms", 9, Some("5")),
            Some(ErrorCode::INVALID_REQUEST)
        );
    }
}
