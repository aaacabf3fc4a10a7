//! `FindCoordinator` (key 10): which broker has a group.
//!
//! Behaviour:
//! - this node has every group; the first who asks has `__consumer_offsets` created;
//! - transactions and share groups are not served yet: their keys are `INVALID_REQUEST`.
//!
//! Version notes:
//! - 1: the type of the key, and a message (KIP-98); 4: many keys (KIP-699); 6: share groups.

use std::borrow::Cow;
use std::rc::Rc;

use net_wire::ErrorCode;
use net_wire::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse, KEY_GROUP,
};

use crate::connection::Context;
use crate::error_map::Refusal;
use crate::groups::create_offsets_topic;
use crate::request::{Outcome, Request};

/// First version with many keys.
const KEYS_VERSION: i16 = 4;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: FindCoordinatorRequest<'_> = request.body()?;
    let refusal = if body.key_type == KEY_GROUP {
        create_offsets_topic(broker).await.err().map(Refusal::of)
    } else {
        let message = "only groups have coordinators here";
        Some(Refusal::new(ErrorCode::INVALID_REQUEST, message))
    };
    if let Some(refusal) = &refusal {
        broker.metrics.error(refusal.code);
    }
    let listener = &broker.config.listeners[context.listener];
    let place = Coordinator {
        node_id: broker.cluster().node_id.0,
        host: &listener.host,
        port: listener.port.into(),
        ..Coordinator::default()
    };
    let found = |key| answer(key, &place, refusal.as_ref());
    if request.version >= KEYS_VERSION {
        let keys = body.coordinator_keys.iter();
        return request.respond(&FindCoordinatorResponse {
            coordinators: keys.map(|key| found(key)).collect(),
            ..FindCoordinatorResponse::default()
        });
    }
    let one = found(body.key);
    request.respond(&FindCoordinatorResponse {
        error_code: one.error_code,
        error_message: one.error_message,
        node_id: one.node_id,
        host: one.host,
        port: one.port,
        ..FindCoordinatorResponse::default()
    })
}

fn answer<'a>(key: &'a str, place: &Coordinator<'a>, refusal: Option<&Refusal>) -> Coordinator<'a> {
    match refusal {
        None => Coordinator {
            key,
            ..place.clone()
        },
        Some(refusal) => Coordinator {
            key,
            node_id: -1,
            host: "",
            port: -1,
            error_code: refusal.code,
            error_message: Some(Cow::Owned(refusal.message.clone().into_owned())),
        },
    }
}
