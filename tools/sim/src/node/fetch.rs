//! Fetches with all that the protocol has: sessions, topics by name or by id, long polls.

use std::collections::BTreeMap;

use flumen::client::{ClientError, Connection};
use net_wire::frame::decode_response;
use net_wire::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic,
};
use net_wire::{ErrorCode, Uuid, WireError};

use super::game::Game;
use super::plan::Reading;

/// Newest version of Fetch that names topics by name.
const BY_NAME: i16 = 12;

/// Where to read a log, and how much at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub offset: i64,
    pub max_bytes: i32,
}

/// What a fetch waits for and how much it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    pub max_bytes: i32,
}

/// What came of a log.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub log: u32,
    pub error: ErrorCode,
    pub high_watermark: i64,
    pub log_start: i64,
    pub bytes: Vec<u8>,
}

/// A client's side of fetching over one connection: its session, if it keeps one (KIP-227).
#[derive(Debug, Default)]
pub(super) struct Fetcher {
    id: i32,
    epoch: i32,
    /// What the node knows of the session.
    known: BTreeMap<u32, Wanted>,
}

impl Fetcher {
    /// Asks for these logs. With a session, what the node knows already is not said again.
    pub(super) async fn fetch(
        &mut self,
        game: &Game,
        connection: &Connection,
        reading: Reading,
        wanted: &BTreeMap<u32, Wanted>,
        terms: Terms,
    ) -> Result<Vec<Part>, ClientError> {
        let changed: BTreeMap<u32, Wanted> = wanted
            .iter()
            .filter(|(log, wanted)| !reading.session || self.known.get(log) != Some(wanted))
            .map(|(log, wanted)| (*log, *wanted))
            .collect();
        let forgotten = self.known.keys().filter(|log| !wanted.contains_key(log));
        let forgotten: Vec<u32> = forgotten.copied().collect();
        let places: BTreeMap<u32, _> = changed
            .keys()
            .chain(&forgotten)
            .map(|log| (*log, game.place(*log)))
            .collect();
        let topics = changed.iter().map(|(log, wanted)| FetchTopic {
            topic: &places[log].topic.name,
            topic_id: places[log].topic.id.get(),
            partitions: vec![FetchPartition {
                partition: places[log].partition,
                fetch_offset: wanted.offset,
                partition_max_bytes: wanted.max_bytes,
                ..Default::default()
            }],
        });
        let forgotten = forgotten.iter().map(|log| ForgottenTopic {
            topic: &places[log].topic.name,
            topic_id: places[log].topic.id.get(),
            partitions: vec![places[log].partition],
        });
        let request = FetchRequest {
            max_wait_ms: terms.max_wait_ms,
            min_bytes: terms.min_bytes,
            max_bytes: terms.max_bytes,
            session_id: self.id,
            session_epoch: if reading.session { self.epoch } else { -1 },
            topics: topics.collect(),
            forgotten_topics_data: forgotten.collect(),
            ..Default::default()
        };
        let most = if reading.by_id { i16::MAX } else { BY_NAME };
        let read = |frame: &[u8], version| read_answer(game, frame, version);
        let answer = connection.call_up_to(most, &request, read).await?;
        let (session_id, parts) = answer?;
        if reading.session {
            self.id = session_id;
            self.epoch += 1;
            self.known.clone_from(wanted);
        }
        Ok(parts)
    }
}

type Answer = Result<(i32, Vec<Part>), ClientError>;

fn read_answer(game: &Game, frame: &[u8], version: i16) -> Result<Answer, WireError> {
    let (_, answer) = decode_response::<FetchResponse<'_>>(frame, version)?;
    if let Err(error) = ClientError::check(answer.error_code, None) {
        return Ok(Err(error));
    }
    let mut parts = Vec::new();
    for topic in &answer.responses {
        for part in &topic.partitions {
            let log = if topic.topic_id == Uuid::ZERO {
                game.log_of(topic.topic, part.partition_index)
            } else {
                game.log_by_id(topic.topic_id, part.partition_index)
            };
            let Some(log) = log else {
                return Ok(Err(ClientError::Missing("a partition that exists")));
            };
            let records = part.records.as_ref();
            parts.push(Part {
                log,
                error: part.error_code,
                high_watermark: part.high_watermark,
                log_start: part.log_start_offset,
                bytes: records.map_or_else(Vec::new, |records| records.bytes().to_vec()),
            });
        }
    }
    Ok(Ok((answer.session_id, parts)))
}
