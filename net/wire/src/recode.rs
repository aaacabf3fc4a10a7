//! Every message of the protocol by its number: bytes are read and written again. For tools that
//! look whether what is read means what it says.

use crate::api::ApiKey;
use crate::error::WireError;
use crate::messages::{
    alter_client_quotas, alter_configs, alter_partition_reassignments,
    alter_user_scram_credentials, api_versions, consumer_group_describe, consumer_group_heartbeat,
    create_acls, create_partitions, create_topics, delete_acls, delete_groups, delete_records,
    delete_topics, describe_acls, describe_client_quotas, describe_cluster, describe_configs,
    describe_groups, describe_log_dirs, describe_producers, describe_quorum,
    describe_topic_partitions, describe_transactions, describe_user_scram_credentials,
    elect_leaders, fetch, find_coordinator, get_telemetry_subscriptions, heartbeat,
    incremental_alter_configs, init_producer_id, join_group, leave_group, list_config_resources,
    list_groups, list_offsets, list_partition_reassignments, list_transactions, metadata,
    offset_commit, offset_delete, offset_fetch, offset_for_leader_epoch, produce, push_telemetry,
    sync_group, update_features,
};
use crate::wire::Message;
use crate::writer::Writer;

fn again<'a, M: Message<'a>>(body: &'a [u8], version: i16) -> Result<Vec<u8>, WireError> {
    M::API.check_version(version)?;
    let mut writer = Writer::new(false);
    M::decode(body, version)?.encode(&mut writer, version);
    Ok(writer.finish()?.bytes)
}

fn default<'a, M: Message<'a>>(version: i16) -> Result<Vec<u8>, WireError> {
    let mut writer = Writer::new(false);
    M::default().encode(&mut writer, version);
    Ok(writer.finish()?.bytes)
}

macro_rules! recoders {
    ($( $api:ident $module:ident $request:ident $response:ident, )*) => {
        /// Reads the body of a request and writes it again: the same bytes, if they were written by
        /// this crate. Nothing that is known is left out, or this does not compile.
        pub fn recode_request(api: ApiKey, version: i16, body: &[u8]) -> Result<Vec<u8>, WireError> {
            match api {
                $( ApiKey::$api => again::<$module::$request>(body, version), )*
            }
        }

        /// The same for the body of a response.
        pub fn recode_response(api: ApiKey, version: i16, body: &[u8]) -> Result<Vec<u8>, WireError> {
            match api {
                $( ApiKey::$api => again::<$module::$response>(body, version), )*
            }
        }

        /// The body of a request of defaults: something to begin with.
        pub fn default_request(api: ApiKey, version: i16) -> Result<Vec<u8>, WireError> {
            match api {
                $( ApiKey::$api => default::<$module::$request>(version), )*
            }
        }

        /// The same for a response.
        pub fn default_response(api: ApiKey, version: i16) -> Result<Vec<u8>, WireError> {
            match api {
                $( ApiKey::$api => default::<$module::$response>(version), )*
            }
        }
    };
}

recoders! {
    AlterClientQuotas alter_client_quotas AlterClientQuotasRequest AlterClientQuotasResponse,
    AlterConfigs alter_configs AlterConfigsRequest AlterConfigsResponse,
    AlterPartitionReassignments alter_partition_reassignments
        AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse,
    AlterUserScramCredentials alter_user_scram_credentials
        AlterUserScramCredentialsRequest AlterUserScramCredentialsResponse,
    ApiVersions api_versions ApiVersionsRequest ApiVersionsResponse,
    ConsumerGroupDescribe consumer_group_describe
        ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeat consumer_group_heartbeat
        ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse,
    CreateAcls create_acls CreateAclsRequest CreateAclsResponse,
    CreatePartitions create_partitions CreatePartitionsRequest CreatePartitionsResponse,
    CreateTopics create_topics CreateTopicsRequest CreateTopicsResponse,
    DeleteAcls delete_acls DeleteAclsRequest DeleteAclsResponse,
    DeleteGroups delete_groups DeleteGroupsRequest DeleteGroupsResponse,
    DeleteRecords delete_records DeleteRecordsRequest DeleteRecordsResponse,
    DeleteTopics delete_topics DeleteTopicsRequest DeleteTopicsResponse,
    DescribeAcls describe_acls DescribeAclsRequest DescribeAclsResponse,
    DescribeClientQuotas describe_client_quotas
        DescribeClientQuotasRequest DescribeClientQuotasResponse,
    DescribeCluster describe_cluster DescribeClusterRequest DescribeClusterResponse,
    DescribeConfigs describe_configs DescribeConfigsRequest DescribeConfigsResponse,
    DescribeGroups describe_groups DescribeGroupsRequest DescribeGroupsResponse,
    DescribeLogDirs describe_log_dirs DescribeLogDirsRequest DescribeLogDirsResponse,
    DescribeProducers describe_producers DescribeProducersRequest DescribeProducersResponse,
    DescribeQuorum describe_quorum DescribeQuorumRequest DescribeQuorumResponse,
    DescribeTopicPartitions describe_topic_partitions
        DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse,
    DescribeTransactions describe_transactions
        DescribeTransactionsRequest DescribeTransactionsResponse,
    DescribeUserScramCredentials describe_user_scram_credentials
        DescribeUserScramCredentialsRequest DescribeUserScramCredentialsResponse,
    ElectLeaders elect_leaders ElectLeadersRequest ElectLeadersResponse,
    Fetch fetch FetchRequest FetchResponse,
    FindCoordinator find_coordinator FindCoordinatorRequest FindCoordinatorResponse,
    GetTelemetrySubscriptions get_telemetry_subscriptions
        GetTelemetrySubscriptionsRequest GetTelemetrySubscriptionsResponse,
    Heartbeat heartbeat HeartbeatRequest HeartbeatResponse,
    IncrementalAlterConfigs incremental_alter_configs
        IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse,
    InitProducerId init_producer_id InitProducerIdRequest InitProducerIdResponse,
    JoinGroup join_group JoinGroupRequest JoinGroupResponse,
    LeaveGroup leave_group LeaveGroupRequest LeaveGroupResponse,
    ListConfigResources list_config_resources
        ListConfigResourcesRequest ListConfigResourcesResponse,
    ListGroups list_groups ListGroupsRequest ListGroupsResponse,
    ListOffsets list_offsets ListOffsetsRequest ListOffsetsResponse,
    ListPartitionReassignments list_partition_reassignments
        ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse,
    ListTransactions list_transactions ListTransactionsRequest ListTransactionsResponse,
    Metadata metadata MetadataRequest MetadataResponse,
    OffsetCommit offset_commit OffsetCommitRequest OffsetCommitResponse,
    OffsetDelete offset_delete OffsetDeleteRequest OffsetDeleteResponse,
    OffsetFetch offset_fetch OffsetFetchRequest OffsetFetchResponse,
    OffsetForLeaderEpoch offset_for_leader_epoch
        OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse,
    Produce produce ProduceRequest ProduceResponse,
    PushTelemetry push_telemetry PushTelemetryRequest PushTelemetryResponse,
    SyncGroup sync_group SyncGroupRequest SyncGroupResponse,
    UpdateFeatures update_features UpdateFeaturesRequest UpdateFeaturesResponse,
}

#[cfg(test)]
mod tests {
    use super::*;

    type Recode = fn(ApiKey, i16, &[u8]) -> Result<Vec<u8>, WireError>;

    /// Whether a default is read; if so, it is read again as it was written. It may have a null that
    /// a version does not have, and is then not even written.
    fn reads_itself(
        recode: Recode,
        api: ApiKey,
        version: i16,
        default: Result<Vec<u8>, WireError>,
    ) -> bool {
        let once = default.and_then(|body| recode(api, version, &body));
        if let Ok(once) = &once {
            let again = recode(api, version, once);
            assert_eq!(again.as_ref(), Ok(once), "{api:?} {version}");
        }
        once.is_ok()
    }

    #[test]
    fn what_is_read_and_written_is_read_again() {
        let mut read = 0;
        for &api in ApiKey::KNOWN {
            for version in api.versions() {
                let request = default_request(api, version);
                read += usize::from(reads_itself(recode_request, api, version, request));
                let response = default_response(api, version);
                read += usize::from(reads_itself(recode_response, api, version, response));
            }
            let newer = api.api().version_max + 1;
            assert!(recode_request(api, newer, &[0; 200]).is_err());
        }
        assert!(read > ApiKey::KNOWN.len(), "{read} messages were read");
    }
}
