//! Topics for a measurement.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use engine_rt::{Buf, Instant, now, sleep};
use net_wire::frame::{decode_response, encode_request};
use net_wire::messages::ConfigResource;
use net_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse,
};
use net_wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use net_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, OP_SET,
};
use net_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use net_wire::{ErrorCode, Uuid};

use super::connection::Connection;
use super::frame::Frame;

const CREATE_TOPICS_VERSION: i16 = 7;
const METADATA_VERSION: i16 = 12;
const ALTER_VERSION: i16 = 1;
/// The last that names topics.
const FETCH_VERSION: i16 = 12;
/// How long a broker may take to start and make topics.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(1);

/// Makes topics of so many partitions on a broker that may still be starting, and waits until
/// they are led.
pub(crate) async fn create_topics(addr: SocketAddr, topics: &[(&str, i32)]) -> io::Result<()> {
    create(addr, topics.iter().map(creatable).collect()).await?;
    wait_until_led(addr, topics).await
}

/// Makes a topic with configurations of its own, and gives its id.
pub(crate) async fn create_topic_with(
    addr: SocketAddr,
    topic: (&str, i32),
    configs: &[(&str, &str)],
) -> io::Result<Uuid> {
    let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
        name,
        value: Some(value),
    });
    let wanted = CreatableTopic {
        configs: configs.collect(),
        ..creatable(&topic)
    };
    let ids = create(addr, vec![wanted]).await?;
    wait_until_led(addr, &[topic]).await?;
    ids.first()
        .copied()
        .ok_or_else(|| io::Error::other("no topic"))
}

async fn create(addr: SocketAddr, topics: Vec<CreatableTopic<'_>>) -> io::Result<Vec<Uuid>> {
    let connection = connect(addr, now() + PATIENCE).await?;
    let request = CreateTopicsRequest {
        topics,
        ..CreateTopicsRequest::default()
    };
    let answer = connection.request(CREATE_TOPICS_VERSION, &request).await?;
    let (_, answer) = decode_response::<CreateTopicsResponse<'_>>(&answer, CREATE_TOPICS_VERSION)
        .map_err(io::Error::other)?;
    let id_of = |topic: &CreatableTopicResult<'_>| {
        passed(topic.name, topic.error_code)?;
        Ok(topic.topic_id)
    };
    answer.topics.iter().map(id_of).collect()
}

/// Changes a configuration of a topic.
pub(crate) async fn alter_topic(
    addr: SocketAddr,
    topic: &str,
    (name, value): (&str, &str),
) -> io::Result<()> {
    let config = AlterableConfig {
        name,
        config_operation: OP_SET,
        value: Some(value),
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: ConfigResource::TOPIC,
            resource_name: topic,
            configs: vec![config],
        }],
        validate_only: false,
    };
    let connection = connect(addr, now() + PATIENCE).await?;
    let answer = connection.request(ALTER_VERSION, &request).await?;
    let answer = decode_response::<IncrementalAlterConfigsResponse<'_>>(&answer, ALTER_VERSION);
    let (_, answer) = answer.map_err(io::Error::other)?;
    let mut codes = answer.responses.iter().map(|one| one.error_code);
    codes.try_for_each(|code| passed(topic, code))
}

/// An error that names what it is about.
pub(super) fn passed(name: &str, code: ErrorCode) -> io::Result<()> {
    if code.is_none() {
        return Ok(());
    }
    Err(io::Error::other(format!("{name}: {}", code.name())))
}

/// Waits until topics are led on a broker that may still be starting.
pub(crate) async fn wait_until_led(addr: SocketAddr, topics: &[(&str, i32)]) -> io::Result<()> {
    let deadline = now() + PATIENCE;
    let connection = connect(addr, deadline).await?;
    for (name, partitions) in topics {
        while !is_led(&connection, name, *partitions).await? {
            pause(deadline).await?;
        }
    }
    Ok(())
}

fn creatable<'a>((name, partitions): &(&'a str, i32)) -> CreatableTopic<'a> {
    CreatableTopic {
        name,
        num_partitions: *partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    }
}

/// Waits until a broker that may still be starting acknowledges a produce.
pub(crate) async fn first_answer(addr: SocketAddr, frame: &Frame) -> io::Result<()> {
    connect(addr, now() + PATIENCE).await?.produce(frame).await
}

pub(super) async fn connect(addr: SocketAddr, deadline: Instant) -> io::Result<Connection> {
    loop {
        match Connection::connect(addr).await {
            Ok(connection) => return Ok(connection),
            Err(_) => pause(deadline).await?,
        }
    }
}

pub(super) async fn pause(deadline: Instant) -> io::Result<()> {
    if now() > deadline {
        return Err(io::ErrorKind::TimedOut.into());
    }
    sleep(PAUSE).await;
    Ok(())
}

/// Asks for a topic, or for all of them.
pub(crate) fn metadata_request(topic: Option<&str>) -> io::Result<Buf> {
    let of_topic = |name| {
        vec![MetadataRequestTopic {
            name: Some(name),
            ..MetadataRequestTopic::default()
        }]
    };
    let request = MetadataRequest {
        topics: topic.map(of_topic),
        ..MetadataRequest::default()
    };
    let frame = encode_request(METADATA_VERSION, 2, Some("bench"), &request);
    Ok(Buf::copy_from_slice(
        &frame.map_err(io::Error::other)?.bytes,
    ))
}

/// Asks for the records of a partition from its start, without a session and without waiting.
pub(crate) fn fetch_request(topic: &str, partition: i32, bytes: i32) -> io::Result<Buf> {
    let partition = FetchPartition {
        partition,
        partition_max_bytes: bytes,
        ..FetchPartition::default()
    };
    let request = FetchRequest {
        topics: vec![FetchTopic {
            topic,
            partitions: vec![partition],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    let frame = encode_request(FETCH_VERSION, 3, Some("bench"), &request);
    Ok(Buf::copy_from_slice(
        &frame.map_err(io::Error::other)?.bytes,
    ))
}

async fn is_led(connection: &Connection, topic: &str, partitions: i32) -> io::Result<bool> {
    let answer = connection.call(&metadata_request(Some(topic))?).await?;
    let (_, answer) = decode_response::<MetadataResponse<'_>>(&answer, METADATA_VERSION)
        .map_err(io::Error::other)?;
    let led = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let led =
        led.filter(|partition| partition.error_code == ErrorCode::NONE && partition.leader_id >= 0);
    Ok(led.count() == partitions as usize)
}
