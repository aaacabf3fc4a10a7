//! One file per API, named as in Kafka; each opens with what it does and what its versions changed.
//!
//! A handler takes a request and gives the response. Where there is something to decide, a pure
//! function decides and the handler awaits around it.

mod alter_configs;
mod api_versions;
mod config_resource;
mod create_partitions;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_log_dirs;
mod fetch;
mod fetch_read;
mod incremental_alter_configs;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod offset_for_leader_epoch;
mod produce;
mod produce_check;

use std::cell::Cell;
use std::rc::Rc;

use net_wire::{ApiKey, WireError};

use crate::connection::Context;
use crate::metrics::Stage;
use crate::propose::LocalFuture;
use crate::request::{Outcome, Request};

/// Answers a request that waited until those before it were computed.
pub(crate) async fn dispatch_in_turn(context: Rc<Context>, request: Request) -> Outcome {
    dispatch(context, request, &Rc::default()).await
}

/// Answers a request: a future of the size of its own handler.
///
/// `started` is set when what follows on the connection may start although this is not answered:
/// by a produce whose records have their place.
pub(crate) fn dispatch(
    context: Rc<Context>,
    request: Request,
    started: &Rc<Cell<bool>>,
) -> LocalFuture<Outcome> {
    let waited = engine_rt::now() - request.received;
    context.broker.metrics.stage(Stage::Queue, waited);
    match request.api {
        ApiKey::Produce => Box::pin(produce::handle(context, request, Rc::clone(started))),
        ApiKey::Fetch => Box::pin(fetch::handle(context, request)),
        ApiKey::ListOffsets => Box::pin(list_offsets::handle(context, request)),
        ApiKey::Metadata => Box::pin(metadata::handle(context, request)),
        ApiKey::ApiVersions => Box::pin(async move { api_versions::handle(&request) }),
        ApiKey::CreateTopics => Box::pin(create_topics::handle(context, request)),
        ApiKey::DeleteTopics => Box::pin(delete_topics::handle(context, request)),
        ApiKey::DeleteRecords => Box::pin(delete_records::handle(context, request)),
        ApiKey::InitProducerId => Box::pin(init_producer_id::handle(context, request)),
        ApiKey::OffsetForLeaderEpoch => Box::pin(offset_for_leader_epoch::handle(context, request)),
        ApiKey::DescribeConfigs => {
            Box::pin(async move { describe_configs::handle(&context, &request) })
        },
        ApiKey::AlterConfigs => Box::pin(alter_configs::handle(context, request)),
        ApiKey::DescribeLogDirs => Box::pin(describe_log_dirs::handle(context, request)),
        ApiKey::CreatePartitions => Box::pin(create_partitions::handle(context, request)),
        ApiKey::IncrementalAlterConfigs => {
            Box::pin(incremental_alter_configs::handle(context, request))
        },
        ApiKey::DescribeCluster => {
            Box::pin(async move { describe_cluster::handle(&context, &request) })
        },
        // A header of an API that is only known is not even read; see `net_wire::api`.
        _ => Box::pin(async move { Err(WireError::UnknownApi(request.api.code()).into()) }),
    }
}
