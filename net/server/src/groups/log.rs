//! A coordinator's partition: read from its start, appended to.

use std::rc::Rc;
use std::time::Duration;

use cluster_group::record::{Record, TOPIC_ID_HEADER};
use cluster_group::{Config, Coordinator};
use engine_rt::{Buf, sleep};
use engine_shard::{FetchPart, ProduceBatch, ProducerStamp, Shard, ShardError, TopicPartition};
use net_wire::Uuid;
use net_wire::batch::{
    BatchBuilder, BatchError, Batches, DECOMPRESSED_BYTES_MAX, Headers, RecordHeader, RecordIter,
};
use net_wire::codec::Codecs;
use tracing::warn;

/// Bytes that are read at a time.
const READ_BYTES: usize = 1 << 20;
/// Wait for appends of before to become durable, or not.
const PAUSE: Duration = Duration::from_millis(10);

/// The coordinator that the partition's records make.
pub(super) async fn load(
    shard: &Rc<Shard>,
    id: TopicPartition,
    config: Config,
) -> Result<Coordinator, ShardError> {
    let mut coordinator = Coordinator::new(config);
    let mut codecs = Codecs::new();
    let mut offset = shard.position(id)?.log_start_offset;
    loop {
        let position = shard.position(id)?;
        if offset < position.high_watermark {
            let bytes = read(shard, id, offset).await?;
            offset = replay(&mut coordinator, &mut codecs, id, &bytes, offset)
                .map_err(|error| ShardError::Storage(format!("offset {offset}: {error}")))?;
        } else if position.high_watermark < position.log_end_offset {
            // An append of a former life of the coordinator is on its way.
            sleep(PAUSE).await;
        } else {
            return Ok(coordinator);
        }
    }
}

/// Whole batches from the one that has `offset` on, in memory.
async fn read(shard: &Rc<Shard>, id: TopicPartition, offset: i64) -> Result<Vec<u8>, ShardError> {
    let part = |max_bytes| FetchPart::new(id, offset, max_bytes);
    // Pages that could be sent from the file are not bytes; a single batch always is.
    for max_bytes in [READ_BYTES, 1] {
        for fetched in shard.fetch(&[part(max_bytes)], max_bytes).await {
            let fetched = fetched?;
            if fetched.resident.is_empty() {
                let parts: Vec<&[u8]> = fetched.records.iter().map(|buf| &**buf).collect();
                return Ok(parts.concat());
            }
        }
    }
    Err(ShardError::Storage(
        "records cannot be read into memory".to_owned(),
    ))
}

/// Takes batches into the coordinator; gives the offset behind them.
fn replay(
    coordinator: &mut Coordinator,
    codecs: &mut Codecs,
    id: TopicPartition,
    bytes: &[u8],
    mut offset: i64,
) -> Result<i64, BatchError> {
    let from = offset;
    for batch in Batches::new(bytes) {
        let batch = batch?;
        let header = *batch.header();
        if header.attributes.is_control() {
            offset = header.next_offset();
            continue;
        }
        codecs.with_decompressed(&batch, DECOMPRESSED_BYTES_MAX, |records, _| {
            for record in RecordIter::new(&header, records) {
                let record = record?;
                if header.offset_of(&record) < from {
                    continue;
                }
                let key = record.key.unwrap_or_default();
                match Record::decode(key, record.value, topic_id_of(&record.headers)) {
                    Ok(Some(record)) => coordinator.replay(record),
                    Ok(None) => {},
                    Err(error) => warn!(partition = %id, %error, "record skipped"),
                }
            }
            Ok(())
        })?;
        offset = header.next_offset();
    }
    Ok(offset)
}

fn topic_id_of(headers: &Headers<'_>) -> Option<Uuid> {
    let header = headers.iter().find(|one| one.key == TOPIC_ID_HEADER)?;
    Some(Uuid::from_bytes(header.value?.try_into().ok()?))
}

/// Appends records as one batch; returns when it is durable.
pub(super) async fn append(
    shard: &Rc<Shard>,
    id: TopicPartition,
    records: &[Record],
) -> Result<(), ShardError> {
    let batch = batch_of(id, records)?;
    let outcomes = shard.append(vec![batch]).await;
    let outcome = outcomes.into_iter().next();
    outcome.unwrap_or(Err(ShardError::Stopping)).map(|_| ())
}

fn batch_of(id: TopicPartition, records: &[Record]) -> Result<ProduceBatch, ShardError> {
    let impossible = |error: &dyn std::fmt::Display| ShardError::Storage(error.to_string());
    let now_ms = engine_rt::wall_clock_ms();
    let mut builder = BatchBuilder::new();
    for record in records {
        let bytes = record.encode().map_err(|error| impossible(&error))?;
        let header = bytes.topic_id.as_ref().map(|id| RecordHeader {
            key: TOPIC_ID_HEADER,
            value: Some(id.as_bytes()),
        });
        let (key, value) = (Some(&*bytes.key), bytes.value.as_deref());
        builder.append(now_ms, key, value, header.as_slice());
    }
    let bytes = builder
        .build(&mut Codecs::new())
        .map_err(|error| impossible(&error))?;
    Ok(ProduceBatch {
        id,
        bytes: Buf::copy_from_slice(&bytes),
        records: records.len() as i32,
        max_timestamp: now_ms,
        max_timestamp_delta: 0,
        stamp: ProducerStamp::NONE,
    })
}
