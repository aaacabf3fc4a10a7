//! Topics for a measurement.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use engine_rt::{Buf, Instant, now, sleep};
use net_wire::ErrorCode;
use net_wire::frame::{decode_response, encode_request};
use net_wire::messages::create_topics::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse,
};
use net_wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use net_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};

use super::connection::Connection;
use super::frame::Frame;

const CREATE_TOPICS_VERSION: i16 = 7;
const METADATA_VERSION: i16 = 12;
/// The last that names topics.
const FETCH_VERSION: i16 = 12;
/// How long a broker may take to start and make topics.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(1);

/// Makes topics of so many partitions on a broker that may still be starting, and waits until
/// they are led.
pub(crate) async fn create_topics(addr: SocketAddr, topics: &[(&str, i32)]) -> io::Result<()> {
    let deadline = now() + PATIENCE;
    let connection = connect(addr, deadline).await?;
    let request = CreateTopicsRequest {
        topics: topics.iter().map(creatable).collect(),
        ..CreateTopicsRequest::default()
    };
    let frame = encode_request(CREATE_TOPICS_VERSION, 1, Some("bench"), &request);
    let answer = connection
        .call(&frame.map_err(io::Error::other)?.bytes)
        .await?;
    let (_, answer) = decode_response::<CreateTopicsResponse<'_>>(&answer, CREATE_TOPICS_VERSION)
        .map_err(io::Error::other)?;
    for topic in &answer.topics {
        if !topic.error_code.is_none() {
            return Err(io::Error::other(format!(
                "{}: {}",
                topic.name,
                topic.error_code.name()
            )));
        }
    }
    wait_until_led(addr, topics).await
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

async fn connect(addr: SocketAddr, deadline: Instant) -> io::Result<Connection> {
    loop {
        match Connection::connect(addr).await {
            Ok(connection) => return Ok(connection),
            Err(_) => pause(deadline).await?,
        }
    }
}

async fn pause(deadline: Instant) -> io::Result<()> {
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
