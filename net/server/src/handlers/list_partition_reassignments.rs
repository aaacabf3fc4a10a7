//! `ListPartitionReassignments` (key 46, KIP-455): nothing moves on one node, so the list is empty,
//! as Kafka's is for partitions that do not move or are not known.

use net_wire::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use crate::request::{Outcome, Request};

pub(crate) fn handle(request: &Request) -> Outcome {
    let _body: ListPartitionReassignmentsRequest<'_> = request.body()?;
    request.respond(&ListPartitionReassignmentsResponse::default())
}
