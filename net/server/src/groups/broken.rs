//! Deliberate bugs of group coordinators, see [`engine_rt::mutant`]: the coordinator itself has none,
//! but is asked something else than what was asked.

use std::rc::Rc;

use cluster_group::{Answer, Request};
use engine_rt::mutant::{Mutant, is_active};
use net_wire::ErrorCode;

use super::seat::Seat;
use crate::broker::Broker;

/// How many later generations a request is tried for.
const TRIES: usize = 50;
/// What sessions last at most, by Kafka's default.
const SESSION_MS: i32 = 1_800_000;

/// Whether requests are spoilt.
pub(super) fn is_broken() -> bool {
    is_active(Mutant::CommitUnfenced)
        || is_active(Mutant::AssignmentUnfenced)
        || is_active(Mutant::SessionsForever)
}

/// Asks as the mutant has it.
pub(super) async fn ask(seat: &Rc<Seat>, broker: &Rc<Broker>, mut request: Request) -> Answer {
    if let Request::JoinGroup(join) = &mut request
        && is_active(Mutant::SessionsForever)
    {
        join.session_timeout_ms = SESSION_MS;
    }
    let refusal = Answer::Refused(ErrorCode::ILLEGAL_GENERATION);
    for _ in 0..TRIES {
        let answer = seat.ask(broker, request.clone()).await;
        let is_old = answer == refusal;
        match &mut request {
            Request::OffsetCommit(commit) if is_old && is_active(Mutant::CommitUnfenced) => {
                commit.generation_id += 1;
            },
            Request::SyncGroup(sync) if is_old && is_active(Mutant::AssignmentUnfenced) => {
                sync.generation_id += 1;
            },
            _ => return answer,
        }
    }
    refusal
}
