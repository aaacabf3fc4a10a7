//! `DescribeCluster` (key 60, KIP-700): the brokers, and one to send cluster requests to.
//!
//! Behaviour:
//! - the controller is a live broker and the cluster id is never null, as in Metadata;
//! - without an authorizer every operation is authorized; they are told only when asked for.
//!
//! Version notes:
//! - 1: endpoint types (KIP-919): this is a broker, controllers have no endpoint here; 2: fenced
//!   brokers (KIP-1073), of which there are none.

use net_wire::ErrorCode;
use net_wire::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};

use super::metadata::CLUSTER_OPERATIONS;
use crate::connection::Context;
use crate::error_map::Refusal;
use crate::request::{Outcome, Request};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let broker = &context.broker;
    let body: DescribeClusterRequest = request.body()?;
    if let Err(refusal) = check_endpoint_type(body.endpoint_type) {
        broker.metrics.error(refusal.code);
        return request.respond(&DescribeClusterResponse {
            error_code: refusal.code,
            error_message: Some(refusal.message),
            ..Default::default()
        });
    }
    let cluster = broker.cluster();
    let listener = &broker.config.listeners[context.listener];
    let mut response = DescribeClusterResponse {
        cluster_id: &cluster.cluster_id,
        controller_id: cluster.node_id.0,
        brokers: vec![DescribeClusterBroker {
            broker_id: cluster.node_id.0,
            host: &listener.host,
            port: listener.port.into(),
            rack: broker.config.fixed.value("broker.rack"),
            is_fenced: false,
        }],
        ..DescribeClusterResponse::default()
    };
    if body.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    request.respond(&response)
}

fn check_endpoint_type(endpoint_type: i8) -> Result<(), Refusal> {
    match endpoint_type {
        BROKERS => Ok(()),
        CONTROLLERS => Err(Refusal::new(
            ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of \
             type CONTROLLER",
        )),
        other => Err(Refusal::new(
            ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
            format!("Unsupported endpoint type {other}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brokers_are_here() {
        assert_eq!(check_endpoint_type(1), Ok(()));
        let code = |endpoint_type| check_endpoint_type(endpoint_type).unwrap_err().code;
        assert_eq!(code(2), ErrorCode::MISMATCHED_ENDPOINT_TYPE);
        assert_eq!(code(0), ErrorCode::UNSUPPORTED_ENDPOINT_TYPE);
    }
}
