//! Every message in every version beside the codecs of another library: what ours encodes, theirs
//! decodes and encodes again, and ours decodes to the same value.

use std::ops::RangeInclusive;

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};
use proptest::prelude::*;

use crate::api::ApiKey;
use crate::header::{RequestHeader, ResponseHeader};
use crate::messages::api_versions::ApiVersionsResponse;
use crate::messages::create_topics::CreateTopicsResponse;
use crate::messages::fetch::{FetchRequest, FetchResponse};
use crate::messages::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use crate::messages::produce::ProduceResponse;
use crate::sample::{Sample, sample_and_encode};
use crate::wire::Message;
use crate::writer::Writer;

/// `ListOffsets` 0, which they have given up, is shown below byte by byte.
fn known_to_both(api: ApiKey) -> RangeInclusive<i16> {
    let ours = api.versions();
    let first = i16::from(api == ApiKey::ListOffsets);
    first.max(*ours.start())..=*ours.end()
}

fn differ<Ours, Theirs>(seed: u64)
where
    Ours: Message<'static> + Sample<'static> + PartialEq + std::fmt::Debug,
    Theirs: Decodable + Encodable + std::fmt::Debug,
{
    for version in known_to_both(Ours::API) {
        let at = format!("{:?} version {version}", Ours::API);
        let (value, bytes) = sample_and_encode::<Ours>(seed, version);
        let mut unread = Bytes::from(bytes.clone());
        let theirs = Theirs::decode(&mut unread, version)
            .unwrap_or_else(|error| panic!("{at}: {error}, {value:?}"));
        assert!(
            unread.is_empty(),
            "{at}: they leave {} bytes of {value:?}",
            unread.len()
        );

        let mut again = BytesMut::new();
        theirs
            .encode(&mut again, version)
            .unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(again, bytes, "{at}: {value:?} became {theirs:?}");
        assert_eq!(
            Ours::decode(again.to_vec().leak(), version).unwrap(),
            value,
            "{at}"
        );
    }
}

macro_rules! tests_of {
    ($module:ident $($name:ident)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

            #[test]
            fn $module(seed: u64) {
                use crate::messages::$module as ours;
                use kafka_protocol::messages as theirs;
                $( differ::<ours::$name, theirs::$name>(seed); )*
            }
        }
    };
}

each_message!(tests_of);

#[test]
fn headers() {
    for &api in ApiKey::KNOWN {
        for version in api.versions() {
            let header = RequestHeader {
                api,
                version,
                correlation_id: 77,
                client_id: Some("client"),
            };
            let mut w = Writer::new(false);
            header.encode(&mut w);
            let mut bytes = Bytes::from(w.finish().unwrap().bytes);
            let theirs = kafka_protocol::messages::RequestHeader::decode(
                &mut bytes,
                api.request_header_version(version),
            )
            .unwrap();
            assert!(bytes.is_empty());
            assert_eq!(theirs.request_api_key, api.code());
            assert_eq!(theirs.request_api_version, version);
            assert_eq!(theirs.correlation_id, 77);
            assert_eq!(theirs.client_id.as_deref(), Some("client"));

            let mut w = Writer::new(false);
            ResponseHeader { correlation_id: 77 }.encode(&mut w, api, version);
            let key = kafka_protocol::messages::ApiKey::try_from(api.code()).unwrap();
            assert_eq!(
                key.request_header_version(version),
                api.request_header_version(version)
            );
            let header_version = key.response_header_version(version);
            assert_eq!(header_version, api.response_header_version(version));
            let mut bytes = Bytes::from(w.finish().unwrap().bytes);
            let theirs =
                kafka_protocol::messages::ResponseHeader::decode(&mut bytes, header_version)
                    .unwrap();
            assert_eq!((theirs.correlation_id, bytes.len()), (77, 0));
        }
    }
}

/// Versions we know are versions that exist.
#[test]
fn versions() {
    for &api in ApiKey::KNOWN {
        let key = kafka_protocol::messages::ApiKey::try_from(api.code()).unwrap();
        let theirs = key.valid_versions();
        let ours = known_to_both(api);
        assert!(
            theirs.min <= *ours.start() && *ours.end() <= theirs.max,
            "{api:?}"
        );
    }
}

/// The bytes are those of Kafka 3.9, the last that had this version.
#[test]
fn list_offsets_0() {
    let topic = b"\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x07";
    let asked = b"\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x02";
    let bytes = [&b"\xff\xff\xff\xff"[..], topic, asked].concat();
    let request = ListOffsetsRequest::decode(&bytes, 0).unwrap();
    let one = &request.topics[0].partitions[0];
    assert_eq!((request.replica_id, request.topics[0].name), (-1, "t"));
    assert_eq!((one.partition_index, one.timestamp), (7, -1));
    assert_eq!(one.max_num_offsets, 2);
    assert_eq!(ours(&request, 0), bytes);
    let found = b"\0\0\0\0\0\x01\0\0\0\0\0\0\0\x05";
    let bytes = [&topic[..], found].concat();
    let response = ListOffsetsResponse::decode(&bytes, 0).unwrap();
    let one = &response.topics[0].partitions[0];
    assert!(one.error_code.is_none());
    assert_eq!(one.old_style_offsets, [5]);
    assert_eq!(ours(&response, 0), bytes);
}

/// Encodes with our codec.
fn ours<'a>(message: &impl Message<'a>, version: i16) -> Vec<u8> {
    let mut w = Writer::new(false);
    message.encode(&mut w, version);
    w.finish().unwrap().bytes
}

/// Encodes with their codec.
fn theirs(message: &impl Encodable, version: i16) -> &'static [u8] {
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes, version).unwrap();
    bytes.to_vec().leak()
}

// A tagged field that our table gave to too few versions would be missing on both sides above: a
// sample does not have it, and the bytes do not tell. So they set each one in its first version.

#[test]
fn tagged_fields_of_api_versions_and_create_topics() {
    use kafka_protocol::messages::api_versions_response as av;
    use kafka_protocol::messages::create_topics_response as ct;
    let message = av::ApiVersionsResponse::default()
        .with_supported_features(vec![av::SupportedFeatureKey::default()])
        .with_finalized_features(vec![av::FinalizedFeatureKey::default()])
        .with_finalized_features_epoch(5)
        .with_zk_migration_ready(true);
    let ours = ApiVersionsResponse::decode(theirs(&message, 3), 3).unwrap();
    assert_eq!(
        (ours.supported_features.len(), ours.finalized_features.len()),
        (1, 1)
    );
    assert_eq!(
        (ours.finalized_features_epoch, ours.zk_migration_ready),
        (5, true)
    );

    let topic = ct::CreatableTopicResult::default().with_topic_config_error_code(29);
    let message = ct::CreateTopicsResponse::default().with_topics(vec![topic]);
    let ours = CreateTopicsResponse::decode(theirs(&message, 5), 5).unwrap();
    assert_eq!(ours.topics[0].topic_config_error_code.code(), 29);
}

#[test]
fn tagged_fields_of_produce() {
    use kafka_protocol::messages::produce_response as pr;
    let leader = pr::LeaderIdAndEpoch::default().with_leader_epoch(4);
    let partition = pr::PartitionProduceResponse::default().with_current_leader(leader);
    let topic = pr::TopicProduceResponse::default().with_partition_responses(vec![partition]);
    let message = pr::ProduceResponse::default()
        .with_responses(vec![topic])
        .with_node_endpoints(vec![pr::NodeEndpoint::default()]);
    let ours = ProduceResponse::decode(theirs(&message, 10), 10).unwrap();
    assert_eq!(
        ours.responses[0].partition_responses[0]
            .current_leader
            .leader_epoch,
        4
    );
    assert_eq!(ours.node_endpoints.len(), 1);
}

#[test]
fn tagged_fields_of_fetch_requests() {
    use kafka_protocol::messages::fetch_request as fr;
    let cluster = kafka_protocol::protocol::StrBytes::from_static_str("cluster");
    let mut message = fr::FetchRequest::default().with_cluster_id(Some(cluster));
    assert_eq!(
        FetchRequest::decode(theirs(&message, 12), 12)
            .unwrap()
            .cluster_id,
        Some("cluster")
    );

    message = message.with_replica_state(fr::ReplicaState::default().with_replica_epoch(6));
    let ours = FetchRequest::decode(theirs(&message, 15), 15).unwrap();
    assert_eq!(ours.replica_state.replica_epoch, 6);

    let mut partition = fr::FetchPartition::default();
    partition.replica_directory_id = "03030303-0303-0303-0303-030303030303".parse().unwrap();
    let topic = fr::FetchTopic::default().with_partitions(vec![partition]);
    let ours = FetchRequest::decode(theirs(&message.with_topics(vec![topic]), 17), 17).unwrap();
    assert_eq!(
        ours.topics[0].partitions[0].replica_directory_id.as_bytes(),
        &[3; 16]
    );
}

#[test]
fn tagged_fields_of_fetch_responses() {
    use kafka_protocol::messages::fetch_response as fr;
    let partition = fr::PartitionData::default()
        .with_diverging_epoch(fr::EpochEndOffset::default().with_epoch(1))
        .with_current_leader(fr::LeaderIdAndEpoch::default().with_leader_epoch(2))
        .with_snapshot_id(fr::SnapshotId::default().with_epoch(3));
    let topic = fr::FetchableTopicResponse::default().with_partitions(vec![partition]);
    let message = fr::FetchResponse::default().with_responses(vec![topic]);
    let ours = FetchResponse::decode(theirs(&message, 12), 12).unwrap();
    let partition = &ours.responses[0].partitions[0];
    assert_eq!(
        (
            partition.diverging_epoch.epoch,
            partition.current_leader.leader_epoch
        ),
        (1, 2)
    );
    assert_eq!(partition.snapshot_id.epoch, 3);

    let message = message.with_node_endpoints(vec![fr::NodeEndpoint::default()]);
    assert_eq!(
        FetchResponse::decode(theirs(&message, 16), 16)
            .unwrap()
            .node_endpoints
            .len(),
        1
    );
}
