//! One file per API, named as in Kafka; each opens with what it does and what its versions changed.
//!
//! A handler takes a request and gives the response. Where there is something to decide, a pure
//! function decides and the handler awaits around it.

mod alter_client_quotas;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_user_scram_credentials;
mod api_versions;
mod config_resource;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_acls;
mod create_partitions;
mod create_topics;
mod delete_acls;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_acls;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod describe_transactions;
mod describe_user_scram_credentials;
mod elect_leaders;
mod fetch;
mod fetch_read;
mod find_coordinator;
mod get_telemetry_subscriptions;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod produce_check;
mod push_telemetry;
mod sync_group;
mod update_features;

use std::cell::Cell;
use std::rc::Rc;

use net_wire::{ApiKey, WireError};

use crate::connection::Context;
use crate::metrics::Stage;
use crate::propose::LocalFuture;
use crate::quotas::answer_metered;
use crate::request::{Outcome, Request};

pub(crate) use create_topics::free_topic_id;

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
    let Some(meter) = request.meter.clone() else {
        return answer(context, request, started);
    };
    let is_produce = request.api == ApiKey::Produce;
    let produced_bytes = if is_produce { request.len() } else { 0 };
    let work = answer(Rc::clone(&context), request, started);
    Box::pin(answer_metered(context, meter, produced_bytes, work))
}

/// What the API's handler answers.
fn answer(
    context: Rc<Context>,
    request: Request,
    started: &Rc<Cell<bool>>,
) -> LocalFuture<Outcome> {
    match request.api {
        ApiKey::Produce => Box::pin(produce::handle(context, request, Rc::clone(started))),
        ApiKey::Fetch => Box::pin(fetch::handle(context, request)),
        ApiKey::ListOffsets => Box::pin(list_offsets::handle(context, request)),
        ApiKey::Metadata => Box::pin(metadata::handle(context, request)),
        ApiKey::OffsetCommit => Box::pin(offset_commit::handle(context, request)),
        ApiKey::OffsetFetch => Box::pin(offset_fetch::handle(context, request)),
        ApiKey::FindCoordinator => Box::pin(find_coordinator::handle(context, request)),
        ApiKey::JoinGroup => Box::pin(join_group::handle(context, request)),
        ApiKey::Heartbeat => Box::pin(heartbeat::handle(context, request)),
        ApiKey::LeaveGroup => Box::pin(leave_group::handle(context, request)),
        ApiKey::SyncGroup => Box::pin(sync_group::handle(context, request)),
        ApiKey::DescribeGroups => Box::pin(describe_groups::handle(context, request)),
        ApiKey::ListGroups => Box::pin(list_groups::handle(context, request)),
        ApiKey::DeleteGroups => Box::pin(delete_groups::handle(context, request)),
        ApiKey::OffsetDelete => Box::pin(offset_delete::handle(context, request)),
        ApiKey::ConsumerGroupHeartbeat => {
            Box::pin(consumer_group_heartbeat::handle(context, request))
        },
        ApiKey::ConsumerGroupDescribe => {
            Box::pin(consumer_group_describe::handle(context, request))
        },
        ApiKey::ApiVersions => Box::pin(async move { api_versions::handle(&context, &request) }),
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
        _ => admin(context, request),
    }
}

/// Answers a request of a tool: what is asked once in a while and mostly answered from the metadata.
fn admin(context: Rc<Context>, request: Request) -> LocalFuture<Outcome> {
    match request.api {
        ApiKey::AlterClientQuotas => Box::pin(alter_client_quotas::handle(context, request)),
        ApiKey::AlterUserScramCredentials => {
            Box::pin(alter_user_scram_credentials::handle(context, request))
        },
        ApiKey::DescribeProducers => Box::pin(describe_producers::handle(context, request)),
        ApiKey::GetTelemetrySubscriptions => {
            Box::pin(get_telemetry_subscriptions::handle(context, request))
        },
        ApiKey::PushTelemetry => Box::pin(push_telemetry::handle(context, request)),
        _ => Box::pin(async move { admin_now(&context, &request) }),
    }
}

fn admin_now(context: &Context, request: &Request) -> Outcome {
    match request.api {
        ApiKey::DescribeAcls => describe_acls::handle(context, request),
        ApiKey::CreateAcls => create_acls::handle(context, request),
        ApiKey::DeleteAcls => delete_acls::handle(context, request),
        ApiKey::ElectLeaders => elect_leaders::handle(context, request),
        ApiKey::AlterPartitionReassignments => {
            alter_partition_reassignments::handle(context, request)
        },
        ApiKey::ListPartitionReassignments => list_partition_reassignments::handle(request),
        ApiKey::DescribeClientQuotas => describe_client_quotas::handle(context, request),
        ApiKey::DescribeUserScramCredentials => {
            describe_user_scram_credentials::handle(context, request)
        },
        ApiKey::DescribeQuorum => describe_quorum::handle(context, request),
        ApiKey::UpdateFeatures => update_features::handle(context, request),
        ApiKey::DescribeTransactions => describe_transactions::handle(context, request),
        ApiKey::ListTransactions => list_transactions::handle(request),
        ApiKey::ListConfigResources => list_config_resources::handle(context, request),
        ApiKey::DescribeTopicPartitions => describe_topic_partitions::handle(context, request),
        // A header of an API that is only known is not even read; see `net_wire::api`.
        _ => Err(WireError::UnknownApi(request.api.code()).into()),
    }
}
