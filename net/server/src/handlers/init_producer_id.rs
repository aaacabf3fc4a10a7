//! `InitProducerId` (key 22, KIP-98): an id that makes a producer's retries recognisable.
//!
//! Behaviour:
//! - every call gets a new id with epoch 0, also one that names the id it had: as in Kafka, an
//!   idempotent producer without transactional id has nothing to go on from;
//! - ids come from blocks that are durable before the first of them is handed out;
//! - transactions are not served yet: a transactional id is `INVALID_REQUEST`. No version has room
//!   for a message.
//!
//! Version notes:
//! - 3: id and epoch after an epoch error (KIP-360), both or neither; 4 and 5: errors of
//!   transactions only.

use std::rc::Rc;

use net_wire::ErrorCode;
use net_wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use crate::connection::Context;
use crate::error_map::propose_code;
use crate::producer_ids::next_producer_id;
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: InitProducerIdRequest<'_> = request.body()?;
    let granted = match check(&body) {
        Err(code) => Err(code),
        Ok(()) => next_producer_id(broker)
            .await
            .map_err(|error| match propose_code(&error) {
                // Producers do not look for a controller: they ask this broker again.
                ErrorCode::NOT_CONTROLLER => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
                code => code,
            }),
    };
    let response = match granted {
        Ok(producer_id) => InitProducerIdResponse {
            producer_id,
            producer_epoch: 0,
            ..Default::default()
        },
        Err(error_code) => {
            broker.metrics.error(error_code);
            InitProducerIdResponse {
                error_code,
                producer_epoch: -1,
                ..Default::default()
            }
        },
    };
    request.respond(&response)
}

fn check(body: &InitProducerIdRequest<'_>) -> Result<(), ErrorCode> {
    let half_named = (body.producer_id == -1) != (body.producer_epoch == -1);
    if body.transactional_id.is_some() || half_named {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactional_ids_are_refused() {
        let mut body = InitProducerIdRequest::default();
        assert_eq!(check(&body), Ok(()));
        for id in ["", "tx"] {
            body.transactional_id = Some(id);
            assert_eq!(check(&body), Err(ErrorCode::INVALID_REQUEST));
        }
    }

    #[test]
    fn id_and_epoch_come_together() {
        let body = |producer_id, producer_epoch| InitProducerIdRequest {
            producer_id,
            producer_epoch,
            ..Default::default()
        };
        assert_eq!(check(&body(5, 1)), Ok(()));
        assert_eq!(check(&body(5, -1)), Err(ErrorCode::INVALID_REQUEST));
        assert_eq!(check(&body(-1, 1)), Err(ErrorCode::INVALID_REQUEST));
    }
}
