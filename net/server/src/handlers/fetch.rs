//! Fetch (key 1): reads record batches, and waits for them.
//!
//! Behaviour:
//! - whole batches; the first one even where it exceeds every limit, so that a consumer always
//!   moves on; then as many partitions, in the order of the request or of the session's turns, as
//!   `max_bytes` allows;
//! - waits up to `max_wait_ms` for `min_bytes`, woken by appends; errors answer at once;
//! - sessions (KIP-227): see `fetch_session_cache.rs`;
//! - the last stable offset is the high watermark as long as there are no transactions;
//! - no follower is served yet: a replica id gets `NOT_LEADER_OR_FOLLOWER`;
//! - a client whose quota is used up gets no records and the time to rest, and its session stays as
//!   it is (KIP-219);
//! - no check of codecs: old clients do read zstd with an old Fetch.
//!
//! Version notes:
//! - 5: log start offset; 7: sessions; 9: fencing by leader epoch (KIP-320);
//! - 12: diverging epochs (KIP-595), tagged fields;
//! - 13: topics by id only (KIP-516): an unknown one is `UNKNOWN_TOPIC_ID`; a session opened the
//!   other way is `FETCH_SESSION_TOPIC_ID_ERROR`. `INCONSISTENT_TOPIC_ID` cannot arise: ids are
//!   keys here, there is no name to contradict them;
//! - 15: the replica id in a tagged field (KIP-903); 16: the current leader and its endpoint
//!   (KIP-951); 17: nothing for consumers.

use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Piece, now};
use engine_shard::Fetched;
use net_wire::messages::fetch::{
    EpochEndOffset, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
    READ_COMMITTED,
};
use net_wire::messages::leader::{LeaderIdAndEpoch, NodeEndpoint};
use net_wire::{ErrorCode, Records, Uuid};

use super::fetch_read::{Read, Terms, open_files, read};
use crate::broker::Broker;
use crate::connection::Context;
use crate::fetch_session::{PartitionKey, Told, TopicKey, Wanted};
use crate::fetch_session_cache::{Kind, NO_SESSION, Opened, SessionRequest};
use crate::quotas::Meter;
use crate::request::{Outcome, RecordPieces, Request};

/// First version that names topics by id.
const TOPIC_ID_VERSION: i16 = 13;
/// What is said of a partition that does not exist.
const UNKNOWN: [ErrorCode; 2] = [
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::UNKNOWN_TOPIC_ID,
];
/// First version that tells the current leader.
const LEADER_VERSION: i16 = 16;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: FetchRequest<'_> = request.body()?;
    let by_id = request.version >= TOPIC_ID_VERSION;
    let opened = match open(broker, &body, by_id) {
        Ok(opened) => opened,
        Err(code) => return request.respond(&failed(broker, code)),
    };
    let meter = request.meter.as_deref();
    let terms = terms(broker, &body, meter);
    let Read {
        mut parts,
        reservation,
    } = read(&context, &opened.partitions, &terms).await;
    if let Some(meter) = meter
        && !meter.admit_fetch(broker, bytes_of(&parts)).await
    {
        return request.respond(&throttled(broker, &opened));
    }
    let files = open_files(broker, &mut parts).await;
    let session_id = match settle(broker, &opened, &mut parts, by_id) {
        Ok(session_id) => session_id,
        Err(code) => return request.respond(&failed(broker, code)),
    };
    let answer = Answer {
        context: &context,
        version: request.version,
        read_committed: body.isolation_level == READ_COMMITTED,
    };
    let (response, records) =
        answer.response(session_id, &opened.partitions, parts.into_iter().zip(files));
    let mut response = request.respond_with_records(&response, records)?;
    if let Some(response) = &mut response {
        response.reservation = Some(reservation);
    }
    Ok(response)
}

/// What became of one partition; none where the session knows it already.
pub(crate) type Part = Option<Result<Fetched, ErrorCode>>;

fn failed(broker: &Broker, code: ErrorCode) -> FetchResponse<'static> {
    broker.metrics.error(code);
    FetchResponse {
        error_code: code,
        ..FetchResponse::default()
    }
}

/// The answer to a client that is throttled: nothing, and its session stays as it is.
fn throttled(broker: &Broker, opened: &Opened) -> FetchResponse<'static> {
    let mut sessions = broker.fetch_sessions.borrow_mut();
    if let Err(code) = sessions.select(opened.kind, std::iter::empty()) {
        return failed(broker, code);
    }
    let session_id = match opened.kind {
        Kind::Incremental(id, _) => id,
        Kind::Full | Kind::Sessionless => NO_SESSION,
    };
    FetchResponse {
        session_id,
        ..FetchResponse::default()
    }
}

/// Bytes of records that were read.
fn bytes_of(parts: &[Part]) -> usize {
    let read = parts.iter().filter_map(|part| part.as_ref()?.as_ref().ok());
    read.map(Fetched::bytes).sum()
}

fn open(broker: &Broker, body: &FetchRequest<'_>, by_id: bool) -> Result<Opened, ErrorCode> {
    let key = |topic: &str, id: Uuid| {
        if by_id {
            TopicKey::Id(id)
        } else {
            TopicKey::Name(topic.into())
        }
    };
    let mut wanted = Vec::new();
    for topic in &body.topics {
        let key = key(topic.topic, topic.topic_id);
        wanted.extend(topic.partitions.iter().map(|one| {
            let wanted = Wanted {
                offset: one.fetch_offset,
                max_bytes: one.partition_max_bytes,
                current_leader_epoch: one.current_leader_epoch,
                last_fetched_epoch: one.last_fetched_epoch,
            };
            ((key.clone(), one.partition), wanted)
        }));
    }
    let mut forgotten: Vec<PartitionKey> = Vec::new();
    for topic in &body.forgotten_topics_data {
        let key = key(topic.topic, topic.topic_id);
        forgotten.extend(topic.partitions.iter().map(|one| (key.clone(), *one)));
    }
    let session = SessionRequest {
        session_id: body.session_id,
        epoch: body.session_epoch,
        by_id,
    };
    broker
        .fetch_sessions
        .borrow_mut()
        .open(session, wanted, &forgotten, now())
}

/// How much to read and how long to wait.
fn terms(broker: &Broker, body: &FetchRequest<'_>, meter: Option<&Meter>) -> Terms {
    let size = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    let limits = &broker.config.limits;
    // A budget smaller than a response would hold the shard's other consumers up for good.
    let max_bytes = size(body.max_bytes)
        .min(limits.fetch_bytes_max)
        .min(limits.shard_response_bytes_max / 8);
    // More than the windows of a quota hold would never be let through.
    let allowed = meter.map(|meter| meter.fetch_bytes_max(broker.quota_windows()));
    let max_bytes = allowed.map_or(max_bytes, |allowed| allowed.min(max_bytes));
    let wait_ms = u64::try_from(body.max_wait_ms).unwrap_or(0);
    Terms {
        max_bytes,
        min_bytes: size(body.min_bytes).min(max_bytes),
        deadline: now() + Duration::from_millis(wait_ms),
        from_follower: body.replica_id >= 0 || body.replica_state.replica_id >= 0,
    }
}

/// Notes in the session what is told, and takes out what need not be; gives the session's id.
fn settle(
    broker: &Broker,
    opened: &Opened,
    parts: &mut [Part],
    by_id: bool,
) -> Result<i32, ErrorCode> {
    let mut sessions = broker.fetch_sessions.borrow_mut();
    let told: Vec<Told> = parts.iter().map(told).collect();
    match opened.kind {
        Kind::Sessionless => Ok(NO_SESSION),
        Kind::Full => {
            let partitions = opened.partitions.iter().zip(told);
            let partitions = partitions.map(|((key, wanted), told)| (key.clone(), *wanted, told));
            Ok(sessions.create(by_id, partitions, now(), engine_rt::random_u64))
        },
        Kind::Incremental(id, _) => {
            let keys = opened.partitions.iter().map(|(key, _)| key);
            let selected = sessions.select(opened.kind, keys.zip(told))?;
            for (part, selected) in parts.iter_mut().zip(selected) {
                if !selected {
                    *part = None;
                }
            }
            Ok(id)
        },
    }
}

fn told(part: &Part) -> Told {
    match part {
        Some(Ok(fetched)) => Told {
            high_watermark: fetched.high_watermark,
            log_start_offset: fetched.log_start_offset,
            records_bytes: fetched.bytes(),
            is_exception: fetched.diverging_epoch.is_some(),
        },
        Some(Err(_)) | None => Told {
            high_watermark: -1,
            log_start_offset: -1,
            records_bytes: 0,
            is_exception: true,
        },
    }
}

/// What is sent of a partition: pieces of its file, or of memory.
fn record_pieces(part: Result<Fetched, ErrorCode>, files: Vec<Piece>) -> RecordPieces {
    let Ok(fetched) = part else {
        return RecordPieces::default();
    };
    let memory = fetched.records.into_iter().map(Piece::Mem);
    RecordPieces {
        pieces: memory.chain(files).collect(),
        _pins: fetched.resident,
    }
}

/// What a response depends on besides what was read.
struct Answer<'a> {
    context: &'a Context,
    version: i16,
    read_committed: bool,
}

impl<'a> Answer<'a> {
    fn response(
        &self,
        session_id: i32,
        partitions: &'a [(PartitionKey, Wanted)],
        parts: impl Iterator<Item = (Part, Vec<Piece>)>,
    ) -> (FetchResponse<'a>, Vec<RecordPieces>) {
        let mut topics: Vec<FetchableTopicResponse<'a>> = Vec::new();
        let (mut records, mut led_elsewhere) = (Vec::new(), false);
        for (((topic, index), _), (part, files)) in partitions.iter().zip(parts) {
            let Some(part) = part else { continue };
            let mut data = self.partition(*index, &part);
            led_elsewhere |= self.tell_leader(topic, &mut data);
            records.push(record_pieces(part, files));
            let (name, id) = match topic {
                TopicKey::Name(name) => (&**name, Uuid::ZERO),
                TopicKey::Id(id) => ("", *id),
            };
            match topics.last_mut() {
                Some(last) if last.topic == name && last.topic_id == id => {
                    last.partitions.push(data);
                },
                _ => topics.push(FetchableTopicResponse {
                    topic: name,
                    topic_id: id,
                    partitions: vec![data],
                }),
            }
        }
        let node_endpoints = if led_elsewhere {
            vec![self.endpoint()]
        } else {
            Vec::new()
        };
        let response = FetchResponse {
            session_id,
            responses: topics,
            node_endpoints,
            ..Default::default()
        };
        (response, records)
    }

    fn partition(&self, index: i32, part: &Result<Fetched, ErrorCode>) -> PartitionData<'a> {
        match part {
            Ok(fetched) => PartitionData {
                partition_index: index,
                high_watermark: fetched.high_watermark,
                last_stable_offset: fetched.high_watermark,
                log_start_offset: fetched.log_start_offset,
                aborted_transactions: self.read_committed.then(Vec::new),
                records: Some(Records::Cut(fetched.bytes())),
                diverging_epoch: fetched
                    .diverging_epoch
                    .map_or_else(EpochEndOffset::default, |(epoch, end_offset)| {
                        EpochEndOffset { epoch, end_offset }
                    }),
                ..PartitionData::default()
            },
            Err(code) => {
                self.context.broker.metrics.error(*code);
                PartitionData {
                    partition_index: index,
                    error_code: *code,
                    high_watermark: -1,
                    // As Kafka: empty where there is no such partition, else none.
                    aborted_transactions: UNKNOWN.contains(code).then(Vec::new),
                    records: Some(Records::Cut(0)),
                    ..PartitionData::default()
                }
            },
        }
    }

    /// Tells who leads a partition to a client that is wrong about it (KIP-951).
    fn tell_leader(&self, topic: &TopicKey, data: &mut PartitionData<'a>) -> bool {
        let wrong = [
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::FENCED_LEADER_EPOCH,
        ];
        if self.version < LEADER_VERSION || !wrong.contains(&data.error_code) {
            return false;
        }
        let leader = self.context.broker.leader(topic, data.partition_index);
        let Some((leader_id, leader_epoch)) = leader else {
            return false;
        };
        data.current_leader = LeaderIdAndEpoch {
            leader_id,
            leader_epoch,
        };
        true
    }

    fn endpoint(&self) -> NodeEndpoint<'a> {
        let broker = &self.context.broker;
        let listener = &broker.config.listeners[self.context.listener];
        NodeEndpoint {
            node_id: broker.cluster().node_id.0,
            host: &listener.host,
            port: listener.port.into(),
            rack: broker.config.fixed.value("broker.rack"),
        }
    }
}
