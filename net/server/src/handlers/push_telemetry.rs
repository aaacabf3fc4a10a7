//! `PushTelemetry` (key 72, KIP-714): metrics of a client, as OpenTelemetry encodes them.
//!
//! Behaviour:
//! - served only with the operator's switch; else the connection is closed, as for any unknown key;
//! - in this order: an id that is none, or a client that has said goodbye, is `INVALID_REQUEST`, one
//!   that pushes too often `THROTTLING_QUOTA_EXCEEDED`, one that was asked for something else
//!   `UNKNOWN_SUBSCRIPTION_ID`, then `UNSUPPORTED_COMPRESSION_TYPE` and `TELEMETRY_TOO_LARGE`;
//! - what is far larger than it came is `TELEMETRY_TOO_LARGE`, what is not such metrics
//!   `INVALID_RECORD`.

use std::rc::Rc;

use net_wire::messages::push_telemetry::{PushTelemetryRequest, PushTelemetryResponse};
use net_wire::{ErrorCode, Uuid};

use crate::connection::Context;
use crate::request::{Outcome, Request};
use crate::telemetry::{Received, take_push};

/// Ids that Kafka gives nobody.
const RESERVED: [Uuid; 2] = [Uuid::ZERO, Uuid::METADATA_TOPIC];

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: PushTelemetryRequest<'_> = request.body()?;
    let instance = body.client_instance_id;
    let error_code = if RESERVED.contains(&instance) {
        ErrorCode::INVALID_REQUEST
    } else {
        let telemetry = &broker.telemetry;
        let subscription = telemetry.subscription(&context, request.client_id(), instance);
        let received = Received {
            instance,
            subscription_id: body.subscription_id,
            is_last: body.terminating,
            compression: body.compression_type,
            metrics: body.metrics,
        };
        take_push(broker, &subscription, received).await
    };
    broker.metrics.error(error_code);
    request.respond(&PushTelemetryResponse {
        error_code,
        ..PushTelemetryResponse::default()
    })
}
