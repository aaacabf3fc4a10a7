//! One request of each API, with something in every list.

use net_wire::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterableConfig,
};
use net_wire::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use net_wire::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use net_wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use net_wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use net_wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use net_wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use net_wire::messages::incremental_alter_configs as incremental;
use net_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use net_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use net_wire::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use net_wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use net_wire::{ApiKey, Message, Records, Writer, default_request};

use super::{picking, whole};

/// Every API, in its oldest and its newest version, as picked and as a whole frame.
pub(super) fn all() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for &api in ApiKey::KNOWN {
        let versions = api.versions();
        for version in [*versions.start(), *versions.end()] {
            let body = body(api, version);
            seeds.push((format!("{api:?}-{version}"), picking(api, version, &body)));
        }
        let version = *versions.end();
        seeds.push((
            format!("{api:?}-frame"),
            whole(api, version, &body(api, version)),
        ));
    }
    seeds
}

fn encoded<'m, M: Message<'m>>(message: &M, version: i16) -> Vec<u8> {
    let mut writer = Writer::new(false);
    message.encode(&mut writer, version);
    writer.finish().expect("a small message").bytes
}

/// The body of a request with something in every list.
pub fn body(api: ApiKey, version: i16) -> Vec<u8> {
    match api {
        ApiKey::Produce => produce(version),
        ApiKey::Fetch => fetch(version),
        ApiKey::ListOffsets => list_offsets(version),
        ApiKey::Metadata => metadata(version),
        ApiKey::CreateTopics => create_topics(version),
        ApiKey::DeleteTopics => delete_topics(version),
        ApiKey::DeleteRecords => delete_records(version),
        ApiKey::OffsetForLeaderEpoch => offset_for_leader_epoch(version),
        ApiKey::DescribeConfigs => describe_configs(version),
        ApiKey::AlterConfigs => alter_configs(version),
        ApiKey::IncrementalAlterConfigs => incremental_alter_configs(version),
        ApiKey::CreatePartitions => create_partitions(version),
        _ => default_request(api, version).expect("a small message"),
    }
}

fn produce(version: i16) -> Vec<u8> {
    let partition_data = vec![PartitionProduceData {
        index: 1,
        records: Some(Records::Bytes(b"a batch")),
    }];
    let topic = TopicProduceData {
        name: "t",
        partition_data,
    };
    let request = ProduceRequest {
        acks: -1,
        topic_data: vec![topic],
        ..Default::default()
    };
    encoded(&request, version)
}

fn fetch(version: i16) -> Vec<u8> {
    let partition = FetchPartition {
        partition: 1,
        fetch_offset: 2,
        ..Default::default()
    };
    let topic = FetchTopic {
        topic: "t",
        partitions: vec![partition],
        ..Default::default()
    };
    let forgotten = ForgottenTopic {
        topic: "u",
        partitions: vec![3],
        ..Default::default()
    };
    let request = FetchRequest {
        session_id: 1,
        topics: vec![topic],
        forgotten_topics_data: vec![forgotten],
        cluster_id: Some("c"),
        ..Default::default()
    };
    encoded(&request, version)
}

fn list_offsets(version: i16) -> Vec<u8> {
    let partition = ListOffsetsPartition {
        timestamp: -1,
        ..Default::default()
    };
    let topic = ListOffsetsTopic {
        name: "t",
        partitions: vec![partition],
    };
    encoded(
        &ListOffsetsRequest {
            topics: vec![topic],
            ..Default::default()
        },
        version,
    )
}

fn metadata(version: i16) -> Vec<u8> {
    let topic = MetadataRequestTopic {
        name: Some("t"),
        ..Default::default()
    };
    encoded(
        &MetadataRequest {
            topics: Some(vec![topic]),
            ..Default::default()
        },
        version,
    )
}

fn create_topics(version: i16) -> Vec<u8> {
    let assignment = CreatableReplicaAssignment {
        partition_index: 0,
        broker_ids: vec![1],
    };
    let config = CreatableTopicConfig {
        name: "retention.ms",
        value: Some("5"),
    };
    let topic = CreatableTopic {
        name: "t",
        assignments: vec![assignment],
        configs: vec![config],
        ..Default::default()
    };
    encoded(
        &CreateTopicsRequest {
            topics: vec![topic],
            ..Default::default()
        },
        version,
    )
}

fn delete_topics(version: i16) -> Vec<u8> {
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: Some("t"),
            ..Default::default()
        }],
        topic_names: vec!["t", "u"],
        ..Default::default()
    };
    encoded(&request, version)
}

fn delete_records(version: i16) -> Vec<u8> {
    let partitions = vec![DeleteRecordsPartition {
        partition_index: 0,
        offset: 5,
    }];
    let topic = DeleteRecordsTopic {
        name: "t",
        partitions,
    };
    encoded(
        &DeleteRecordsRequest {
            topics: vec![topic],
            ..Default::default()
        },
        version,
    )
}

fn offset_for_leader_epoch(version: i16) -> Vec<u8> {
    let partitions = vec![OffsetForLeaderPartition::default()];
    let topic = OffsetForLeaderTopic {
        topic: "t",
        partitions,
    };
    encoded(
        &OffsetForLeaderEpochRequest {
            topics: vec![topic],
            ..Default::default()
        },
        version,
    )
}

fn describe_configs(version: i16) -> Vec<u8> {
    let resource = DescribeConfigsResource {
        resource_type: 2,
        resource_name: "t",
        configuration_keys: Some(vec!["retention.ms"]),
    };
    encoded(
        &DescribeConfigsRequest {
            resources: vec![resource],
            ..Default::default()
        },
        version,
    )
}

fn alter_configs(version: i16) -> Vec<u8> {
    let configs = vec![AlterableConfig {
        name: "retention.ms",
        value: Some("5"),
    }];
    let resource = AlterConfigsResource {
        resource_type: 2,
        resource_name: "t",
        configs,
    };
    encoded(
        &AlterConfigsRequest {
            resources: vec![resource],
            ..Default::default()
        },
        version,
    )
}

fn incremental_alter_configs(version: i16) -> Vec<u8> {
    let configs = vec![incremental::AlterableConfig {
        name: "retention.ms",
        config_operation: 0,
        value: Some("5"),
    }];
    let resource = incremental::AlterConfigsResource {
        resource_type: 2,
        resource_name: "t",
        configs,
    };
    let request = incremental::IncrementalAlterConfigsRequest {
        resources: vec![resource],
        ..Default::default()
    };
    encoded(&request, version)
}

fn create_partitions(version: i16) -> Vec<u8> {
    let topic = CreatePartitionsTopic {
        name: "t",
        count: 3,
        assignments: None,
    };
    encoded(
        &CreatePartitionsRequest {
            topics: vec![topic],
            ..Default::default()
        },
        version,
    )
}
