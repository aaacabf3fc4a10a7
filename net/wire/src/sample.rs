//! Values of every message for tests, drawn from a seed: `schema!` composes them as it does codecs.

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::uuid::Uuid;
use crate::wire::{Float64, Message, Records};
use crate::writer::Writer;

/// Texts that fields borrow; one of them is above 127 bytes, so that lengths take two bytes.
const TEXTS: [&str; 5] = [
    "",
    "t",
    "orders.eu-west_1",
    "größe",
    "a-name-of-more-than-one-hundred-and-twenty-seven-bytes-so-that-its-compact-length-is-a-varint-\
     of-two-bytes-and-not-of-one-byte-as-others",
];

/// A source of values from a seed (xorshift; quality does not matter here).
#[derive(Debug)]
pub(crate) struct Sampler<'a> {
    state: u64,
    depth: u32,
    blob: &'a [u8],
}

impl<'a> Sampler<'a> {
    pub(crate) fn new(seed: u64, blob: &'a [u8]) -> Self {
        Self {
            state: seed | 1,
            depth: 0,
            blob,
        }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Small numbers, borders and any others.
    fn number(&mut self) -> i64 {
        let raw = self.next();
        match raw >> 61 {
            0 => -1,
            1 => i64::MAX,
            2 => i64::MIN,
            3 => raw as i64,
            _ => (raw % 1000) as i64,
        }
    }
}

pub(crate) trait Sample<'a> {
    fn sample(s: &mut Sampler<'a>, version: i16) -> Self;
}

macro_rules! sample_numbers {
    ($($type:ty),*) => { $(
        impl<'a> Sample<'a> for $type {
            fn sample(s: &mut Sampler<'a>, _version: i16) -> Self {
                s.number() as Self
            }
        }
    )* };
}

sample_numbers!(i8, i16, u16, i32);

impl<'a> Sample<'a> for i64 {
    fn sample(s: &mut Sampler<'a>, _version: i16) -> Self {
        s.number()
    }
}

impl<'a> Sample<'a> for bool {
    fn sample(s: &mut Sampler<'a>, _version: i16) -> Self {
        s.next() >> 63 == 1
    }
}

impl<'a> Sample<'a> for Float64 {
    fn sample(s: &mut Sampler<'a>, _version: i16) -> Self {
        Self(s.number() as f64 / 8.0)
    }
}

impl<'a> Sample<'a> for ErrorCode {
    fn sample(s: &mut Sampler<'a>, _version: i16) -> Self {
        // Only codes that exist: a differential peer may map others.
        Self::new((s.next() >> 33) as i16 % 134)
    }
}

impl<'a> Sample<'a> for Uuid {
    fn sample(s: &mut Sampler<'a>, _version: i16) -> Self {
        let (high, low) = (s.next(), s.next());
        Self::from_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
    }
}

impl<'a> Sample<'a> for &'a str {
    fn sample(s: &mut Sampler<'a>, _version: i16) -> Self {
        TEXTS[(s.next() >> 33) as usize % TEXTS.len()]
    }
}

impl<'a> Sample<'a> for Cow<'a, str> {
    fn sample(s: &mut Sampler<'a>, version: i16) -> Self {
        Cow::Borrowed(Sample::sample(s, version))
    }
}

impl<'a> Sample<'a> for Records<'a> {
    fn sample(s: &mut Sampler<'a>, version: i16) -> Self {
        Records::Bytes(Sample::sample(s, version))
    }
}

impl<'a> Sample<'a> for &'a [u8] {
    fn sample(s: &mut Sampler<'a>, _version: i16) -> Self {
        let len = (s.next() >> 33) as usize % (s.blob.len() + 1);
        &s.blob[..len]
    }
}

impl<'a, T: Sample<'a>> Sample<'a> for Box<T> {
    fn sample(s: &mut Sampler<'a>, version: i16) -> Self {
        Self::new(T::sample(s, version))
    }
}

impl<'a, T: Sample<'a>> Sample<'a> for Option<T> {
    fn sample(s: &mut Sampler<'a>, version: i16) -> Self {
        (s.next() >> 62 != 0).then(|| T::sample(s, version))
    }
}

impl<'a, T: Sample<'a>> Sample<'a> for Vec<T> {
    fn sample(s: &mut Sampler<'a>, version: i16) -> Self {
        // Outer lists are short, inner ones may be empty or of many elements.
        let len = if s.depth == 0 {
            1 + (s.next() >> 62)
        } else {
            s.next() >> 61
        };
        s.depth += 1;
        let items = (0..len).map(|_| T::sample(s, version)).collect();
        s.depth -= 1;
        items
    }
}

/// Calls a macro with every message; other tests reuse the list.
macro_rules! each_message {
    ($do:ident) => {
        $do!(alter_client_quotas AlterClientQuotasRequest AlterClientQuotasResponse);
        $do!(alter_configs AlterConfigsRequest AlterConfigsResponse);
        $do!(
            alter_partition_reassignments
            AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse
        );
        $do!(
            alter_user_scram_credentials
            AlterUserScramCredentialsRequest AlterUserScramCredentialsResponse
        );
        $do!(api_versions ApiVersionsRequest ApiVersionsResponse);
        $do!(consumer_group_describe ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse);
        $do!(consumer_group_heartbeat ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse);
        $do!(create_acls CreateAclsRequest CreateAclsResponse);
        $do!(create_partitions CreatePartitionsRequest CreatePartitionsResponse);
        $do!(create_topics CreateTopicsRequest CreateTopicsResponse);
        $do!(delete_acls DeleteAclsRequest DeleteAclsResponse);
        $do!(delete_groups DeleteGroupsRequest DeleteGroupsResponse);
        $do!(delete_records DeleteRecordsRequest DeleteRecordsResponse);
        $do!(delete_topics DeleteTopicsRequest DeleteTopicsResponse);
        $do!(describe_acls DescribeAclsRequest DescribeAclsResponse);
        $do!(describe_client_quotas DescribeClientQuotasRequest DescribeClientQuotasResponse);
        $do!(describe_cluster DescribeClusterRequest DescribeClusterResponse);
        $do!(describe_configs DescribeConfigsRequest DescribeConfigsResponse);
        $do!(describe_groups DescribeGroupsRequest DescribeGroupsResponse);
        $do!(describe_log_dirs DescribeLogDirsRequest DescribeLogDirsResponse);
        $do!(describe_producers DescribeProducersRequest DescribeProducersResponse);
        $do!(describe_quorum DescribeQuorumRequest DescribeQuorumResponse);
        $do!(
            describe_topic_partitions
            DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse
        );
        $do!(describe_transactions DescribeTransactionsRequest DescribeTransactionsResponse);
        $do!(
            describe_user_scram_credentials
            DescribeUserScramCredentialsRequest DescribeUserScramCredentialsResponse
        );
        $do!(elect_leaders ElectLeadersRequest ElectLeadersResponse);
        $do!(fetch FetchRequest FetchResponse);
        $do!(find_coordinator FindCoordinatorRequest FindCoordinatorResponse);
        $do!(
            get_telemetry_subscriptions
            GetTelemetrySubscriptionsRequest GetTelemetrySubscriptionsResponse
        );
        $do!(heartbeat HeartbeatRequest HeartbeatResponse);
        $do!(
            incremental_alter_configs
            IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse
        );
        $do!(init_producer_id InitProducerIdRequest InitProducerIdResponse);
        $do!(join_group JoinGroupRequest JoinGroupResponse);
        $do!(leave_group LeaveGroupRequest LeaveGroupResponse);
        $do!(list_config_resources ListConfigResourcesRequest ListConfigResourcesResponse);
        $do!(list_groups ListGroupsRequest ListGroupsResponse);
        $do!(list_offsets ListOffsetsRequest ListOffsetsResponse);
        $do!(
            list_partition_reassignments
            ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse
        );
        $do!(list_transactions ListTransactionsRequest ListTransactionsResponse);
        $do!(metadata MetadataRequest MetadataResponse);
        $do!(offset_commit OffsetCommitRequest OffsetCommitResponse);
        $do!(offset_delete OffsetDeleteRequest OffsetDeleteResponse);
        $do!(offset_fetch OffsetFetchRequest OffsetFetchResponse);
        $do!(offset_for_leader_epoch OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse);
        $do!(produce ProduceRequest ProduceResponse);
        $do!(push_telemetry PushTelemetryRequest PushTelemetryResponse);
        $do!(sync_group SyncGroupRequest SyncGroupResponse);
        $do!(update_features UpdateFeaturesRequest UpdateFeaturesResponse);
    };
}

/// Bytes that sampled records borrow.
pub(crate) const BLOB: [u8; 300] = [0xab; 300];

pub(crate) fn sample_and_encode<M: Message<'static> + Sample<'static>>(
    seed: u64,
    version: i16,
) -> (M, Vec<u8>) {
    static BLOB_REF: &[u8] = &BLOB;
    let value = M::sample(&mut Sampler::new(seed, BLOB_REF), version);
    let mut w = Writer::new(false);
    value.encode(&mut w, version);
    (value, w.finish().unwrap().bytes)
}
