//! The reading behind a fetch: resolve, read, and wait until there is enough.

use std::time::Duration;

use engine_rt::{Instant, Piece, now, sleep};
use engine_shard::{FetchPart, Fetched, ShardError, TopicPartition};
use net_wire::ErrorCode;
use tracing::error;

use super::fetch::Part;
use crate::broker::Broker;
use crate::budget::Reservation;
use crate::connection::Context;
use crate::error_map::shard_code;
use crate::fetch_session::{PartitionKey, TopicKey, Wanted};
use crate::futures::race;

/// A client may ask to wait for weeks; what waits for it on the shards is renewed this often.
const WATCH_MAX: Duration = Duration::from_secs(5);
/// Pause before reading again for a client that wants many bytes at once: an append of a few bytes
/// must not make the shard plan the whole read anew.
const GATHER_MIN: Duration = Duration::from_micros(500);
const GATHER_MAX: Duration = Duration::from_millis(16);

/// How much to read and how long to wait for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) min_bytes: usize,
    pub(crate) max_bytes: usize,
    pub(crate) deadline: Instant,
    /// Asked by a replica, of which there are none.
    pub(crate) from_follower: bool,
}

/// What was read, and the bytes of the shard's budget that it holds.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) parts: Vec<Part>,
    pub(crate) reservation: Reservation,
}

/// Reads the partitions until there is enough, something is wrong, or time is up.
pub(crate) async fn read(
    context: &Context,
    wanted: &[(PartitionKey, Wanted)],
    terms: &Terms,
) -> Read {
    let mut gather = GATHER_MIN;
    loop {
        let round = read_once(&context.broker, wanted, terms).await;
        if round.is_enough(terms) || now() >= terms.deadline || context.ending.is_set() {
            return round.into_read();
        }
        // Nothing is held while waiting.
        let has_some = round.bytes > 0;
        wait(context, round, terms).await;
        if has_some {
            sleep(gather.min(terms.deadline.since(now()))).await;
            gather = (gather * 2).min(GATHER_MAX);
        }
    }
}

/// One pass over the partitions.
struct Round {
    parts: Vec<Part>,
    /// The partitions that can be waited for, each with the offset from which on there is news.
    watch: Vec<(TopicPartition, i64)>,
    bytes: usize,
    has_exception: bool,
    reservation: Reservation,
}

impl Round {
    fn is_enough(&self, terms: &Terms) -> bool {
        self.bytes >= terms.min_bytes || self.has_exception || self.watch.is_empty()
    }

    fn into_read(self) -> Read {
        let Self {
            parts,
            bytes,
            mut reservation,
            ..
        } = self;
        reservation.shrink_to(bytes);
        Read { parts, reservation }
    }
}

async fn wait(context: &Context, round: Round, terms: &Terms) {
    let broker = &context.broker;
    let deadline = terms.deadline.min(now() + WATCH_MAX);
    let Round {
        watch,
        reservation,
        parts,
        ..
    } = round;
    drop((reservation, parts));
    let data = broker
        .shards
        .wait_for_data(watch, deadline, |id| broker.owner(id));
    race(data, context.ending.wait()).await;
}

async fn read_once(broker: &Broker, wanted: &[(PartitionKey, Wanted)], terms: &Terms) -> Round {
    let reservation = broker.response_bytes.reserve(terms.max_bytes).await;
    let resolved: Vec<_> = wanted
        .iter()
        .map(|one| resolve(broker, one, terms))
        .collect();
    let asked: Vec<_> = resolved
        .iter()
        .filter_map(|one| one.as_ref().ok().copied())
        .collect();
    let share = terms.max_bytes / owners(broker, &asked);
    let mut results = broker
        .shards
        .fetch(&asked, share, |id| broker.owner(id))
        .await;
    read_oversized(broker, &asked, share, &mut results).await;
    let mut results = asked.into_iter().zip(results);
    let mut round = Round {
        parts: Vec::new(),
        watch: Vec::new(),
        bytes: 0,
        has_exception: false,
        reservation,
    };
    for resolved in resolved {
        round.add(resolved.and_then(|_| {
            let (part, result) = results.next().ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
            result
                .map(|fetched| (part, fetched))
                .map_err(|error| shard_code(&error))
        }));
    }
    round
}

type FetchResult = Result<Fetched, ShardError>;

/// Where nothing fitted although there is something, gives the first batch of the first partition
/// that has one, whatever its size: a consumer would never get beyond it otherwise (KIP-74).
async fn read_oversized(
    broker: &Broker,
    asked: &[FetchPart],
    share: usize,
    results: &mut [FetchResult],
) {
    let fits = |result: &FetchResult| result.as_ref().is_ok_and(|one| one.bytes() > 0);
    if results.iter().any(fits) {
        return;
    }
    let has_more = |(part, result): (&FetchPart, &FetchResult)| {
        let fetched = result.as_ref().ok();
        fetched.is_some_and(|one| one.diverging_epoch.is_none() && one.high_watermark > part.offset)
    };
    let Some(place) = asked.iter().zip(results.iter()).position(has_more) else {
        return;
    };
    let part = FetchPart {
        min_one: true,
        ..asked[place]
    };
    let found = broker
        .shards
        .fetch(&[part], share, |id| broker.owner(id))
        .await;
    if let Some(result) = found.into_iter().next() {
        results[place] = result;
    }
}

impl Round {
    fn add(&mut self, part: Result<(FetchPart, Fetched), ErrorCode>) {
        let part = part.map(|(part, fetched)| {
            self.bytes += fetched.bytes();
            self.has_exception |= fetched.diverging_epoch.is_some();
            self.watch
                .push((part.id, part.offset.max(fetched.high_watermark)));
            fetched
        });
        self.has_exception |= part.is_err();
        self.parts.push(Some(part));
    }
}

/// The pieces of files that answer partitions, by their place: none where memory does. A partition
/// whose file cannot be opened is an error that the client tries again.
pub(crate) async fn open_files(broker: &Broker, parts: &mut [Part]) -> Vec<Vec<Piece>> {
    let mut files = Vec::with_capacity(parts.len());
    for part in parts {
        let mut pieces = Vec::new();
        if let Some(Ok(fetched)) = part
            && !fetched.resident.is_empty()
        {
            match broker.shards.local().open_resident(&fetched.resident).await {
                Ok(opened) => pieces = opened,
                Err(error) => {
                    error!(partition = %fetched.resident[0].id, %error, "FL2003: a segment cannot be opened");
                    *part = Some(Err(ErrorCode::KAFKA_STORAGE_ERROR));
                },
            }
        }
        files.push(pieces);
    }
    files
}

/// How many shards own some of the partitions.
fn owners(broker: &Broker, parts: &[FetchPart]) -> usize {
    if parts.len().min(broker.shards.count()) <= 1 {
        return 1;
    }
    let mut owners: Vec<usize> = parts.iter().map(|part| broker.owner(part.id)).collect();
    owners.sort_unstable();
    owners.dedup();
    owners.len()
}

/// Finds the partition that a client means.
fn resolve(
    broker: &Broker,
    (key, wanted): &(PartitionKey, Wanted),
    terms: &Terms,
) -> Result<FetchPart, ErrorCode> {
    let id = broker.partition(key)?;
    if terms.from_follower {
        return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
    Ok(FetchPart {
        id,
        offset: wanted.offset,
        max_bytes: usize::try_from(wanted.max_bytes).unwrap_or(0),
        min_one: false,
        current_leader_epoch: wanted.current_leader_epoch,
        last_fetched_epoch: wanted.last_fetched_epoch,
    })
}

impl Broker {
    /// The partition of this key, if it exists.
    fn partition(&self, (topic, index): &PartitionKey) -> Result<TopicPartition, ErrorCode> {
        self.with_state(|state| {
            let found = match topic {
                TopicKey::Name(name) => state
                    .topic_by_name(name)
                    .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                TopicKey::Id(id) => state.topic(*id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID),
            }?;
            let partition = u32::try_from(*index).ok();
            let partition = partition.filter(|index| (*index as usize) < found.partitions.len());
            let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
            Ok(TopicPartition {
                topic_id: found.topic_id,
                partition,
            })
        })
    }

    /// The leader of a partition and its epoch.
    pub(crate) fn leader(&self, topic: &TopicKey, index: i32) -> Option<(i32, i32)> {
        self.with_state(|state| {
            let found = match topic {
                TopicKey::Name(name) => state.topic_by_name(name),
                TopicKey::Id(id) => state.topic(*id),
            }?;
            let partition = found.partitions.get(usize::try_from(index).ok()?)?;
            Some((partition.replicas.first()?.0, state.leader_epoch(partition)))
        })
    }
}
