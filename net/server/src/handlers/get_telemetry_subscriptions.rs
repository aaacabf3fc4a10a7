//! `GetTelemetrySubscriptions` (key 71, KIP-714): which metrics of its own a client shall push.
//!
//! Behaviour:
//! - served only with the operator's switch; else the connection is closed, as for any unknown key;
//! - a client without an instance id gets one;
//! - who asks again before its interval is over is `THROTTLING_QUOTA_EXCEEDED`, unless it was told to.

use std::rc::Rc;

use net_wire::messages::get_telemetry_subscriptions::{
    GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse,
};

use super::create_topics::uuid_v4;
use crate::connection::Context;
use crate::request::{Outcome, Request};
use crate::telemetry::{COMPRESSIONS, admit_ask};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: GetTelemetrySubscriptionsRequest = request.body()?;
    let mut instance = body.client_instance_id;
    if instance.is_zero() {
        let [high, low] = [engine_rt::random_u64(), engine_rt::random_u64()];
        instance = uuid_v4(u128::from(high) << 64 | u128::from(low));
    }
    let telemetry = &broker.telemetry;
    let subscription = telemetry.subscription(&context, request.client_id(), instance);
    let error_code = admit_ask(broker, instance, &subscription).await;
    broker.metrics.error(error_code);
    if !error_code.is_none() {
        return request.respond(&GetTelemetrySubscriptionsResponse {
            error_code,
            ..GetTelemetrySubscriptionsResponse::default()
        });
    }
    let max = broker.config.limits.telemetry_bytes_max;
    request.respond(&GetTelemetrySubscriptionsResponse {
        client_instance_id: instance,
        subscription_id: subscription.id,
        accepted_compression_types: COMPRESSIONS.map(|codec| codec.id().cast_signed()).to_vec(),
        push_interval_ms: subscription.interval.as_millis() as i32,
        telemetry_max_bytes: max as i32,
        delta_temporality: true,
        requested_metrics: subscription.metrics.iter().map(String::as_str).collect(),
        ..GetTelemetrySubscriptionsResponse::default()
    })
}
