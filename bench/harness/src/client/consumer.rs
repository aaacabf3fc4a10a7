//! Consumers: each fetches one partition, again and again, and drops what comes.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;

use engine_rt::{Buf, BufMut, Piece, Stream, Task, now, spawn};
use net_wire::frame::{FRAME_PREFIX_BYTES, RESPONSE_BYTES_MIN};
use net_wire::frame::{decode_response, encode_request, frame_len};
use net_wire::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};

use super::connection::Done;
use super::{Outcome, latencies};

/// Topics by name, no session.
pub(crate) const FETCH_VERSION: i16 = 12;
/// Where a batch says its first offset, its length behind the length, and its last offset less
/// the first.
const BATCH_LENGTH_AT: usize = 8;
const BATCH_LENGTH_END: usize = 12;
const LAST_DELTA_AT: usize = 23;
/// What stands in an answer around the records of one partition, with room to spare.
const AROUND_BYTES: usize = 1 << 10;

/// What a consumer reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) topic: &'static str,
    pub(crate) partition: i32,
    /// Offset behind the last one; from there it begins again at 0.
    pub(crate) until: i64,
    /// Bytes wanted of one fetch; a batch comes whole.
    pub(crate) max_bytes: i32,
    /// Bytes of the largest batch.
    pub(crate) batch_bytes: usize,
    /// How long a fetch may wait for records.
    pub(crate) max_wait_ms: i32,
}

/// A consumer with its connection.
#[derive(Debug)]
pub(crate) struct Consumer {
    stream: Stream,
    window: BufMut,
    reading: Reading,
    offset: i64,
    next_id: i32,
}

/// What one fetch brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fetched {
    /// Bytes of whole batches.
    pub(crate) bytes: u64,
    /// Offset behind the last record; `None` without a batch.
    next: Option<i64>,
}

impl Consumer {
    /// Connects; it will read from `offset` on.
    pub(crate) async fn connect(
        addr: SocketAddr,
        reading: Reading,
        offset: i64,
    ) -> io::Result<Self> {
        let answer = reading.max_bytes as usize + reading.batch_bytes + AROUND_BYTES;
        Ok(Self {
            stream: Stream::connect(addr).await?,
            window: BufMut::with_capacity(answer),
            reading,
            offset,
            next_id: 0,
        })
    }

    /// One fetch; its answer may have no records.
    pub(crate) async fn fetch(&mut self) -> io::Result<Fetched> {
        let id = self.next_id;
        self.next_id += 1;
        let piece = Piece::Mem(self.request(id)?);
        self.stream.send(&[piece]).await?;
        let len = self.receive().await?;
        let frame = &self.window[FRAME_PREFIX_BYTES..FRAME_PREFIX_BYTES + len];
        let fetched = fetched(frame, id)?;
        if let Some(next) = fetched.next {
            self.offset = if next < self.reading.until { next } else { 0 };
        }
        Ok(fetched)
    }

    fn request(&self, id: i32) -> io::Result<Buf> {
        let reading = &self.reading;
        let request = FetchRequest {
            max_wait_ms: reading.max_wait_ms,
            min_bytes: 1,
            max_bytes: reading.max_bytes,
            topics: vec![FetchTopic {
                topic: reading.topic,
                partitions: vec![FetchPartition {
                    partition: reading.partition,
                    fetch_offset: self.offset,
                    partition_max_bytes: reading.max_bytes,
                    ..FetchPartition::default()
                }],
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        let frame = encode_request(FETCH_VERSION, id, Some("bench"), &request);
        Ok(Buf::copy_from_slice(
            &frame.map_err(io::Error::other)?.bytes,
        ))
    }

    /// Receives one answer and gives its length.
    async fn receive(&mut self) -> io::Result<usize> {
        let (mut filled, mut wanted) = (0, FRAME_PREFIX_BYTES);
        while filled < wanted {
            match self.stream.recv(&mut self.window[filled..]).await? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                received => filled += received,
            }
            if wanted == FRAME_PREFIX_BYTES && filled >= wanted {
                let prefix = self.window.first_chunk().copied().unwrap_or_default();
                let most = self.window.len() - FRAME_PREFIX_BYTES;
                let len = frame_len(prefix, RESPONSE_BYTES_MIN, most).map_err(io::Error::other)?;
                wanted += len;
            }
        }
        Ok(wanted - FRAME_PREFIX_BYTES)
    }

    /// Fetches while that is wanted, by the bytes of batches that have come.
    async fn read(&mut self, goes_on: impl Fn(u64) -> bool) -> io::Result<Done> {
        let (mut came, mut latencies) = (0, latencies());
        while goes_on(came) {
            let started = now();
            let fetched = self.fetch().await?;
            if fetched.next.is_none() {
                return Err(io::Error::other("a fetch brought nothing"));
            }
            latencies.saturating_record(now().since(started).as_nanos() as u64);
            came += fetched.bytes;
        }
        Ok(Done {
            bytes: came,
            latencies,
        })
    }
}

/// Reads an answer: its error codes, and how many bytes of batches it has.
fn fetched(frame: &[u8], id: i32) -> io::Result<Fetched> {
    let (answered, answer) =
        decode_response::<FetchResponse<'_>>(frame, FETCH_VERSION).map_err(io::Error::other)?;
    if answered != id {
        return Err(io::Error::other(format!(
            "answer {answered} instead of {id}"
        )));
    }
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let mut codes = partitions.clone().map(|partition| partition.error_code);
    let failed = codes.find(|code| !code.is_none());
    let failed = failed.or_else(|| (!answer.error_code.is_none()).then_some(answer.error_code));
    if let Some(code) = failed {
        return Err(io::Error::other(code.name()));
    }
    let records = partitions.filter_map(|partition| Some(partition.records.as_ref()?.bytes()));
    let mut fetched = Fetched::default();
    for records in records {
        fetched.bytes += records.len() as u64;
        fetched.next = behind_last(records)?.or(fetched.next);
    }
    Ok(fetched)
}

/// The offset behind the last of whole batches; their records are not looked at.
fn behind_last(mut batches: &[u8]) -> io::Result<Option<i64>> {
    let mut next = None;
    while !batches.is_empty() {
        let (first, len, delta) = batch_head(batches).ok_or(ErrorKind::InvalidData)?;
        next = Some(first + i64::from(delta) + 1);
        let whole = BATCH_LENGTH_END + usize::try_from(len).map_err(io::Error::other)?;
        batches = batches.get(whole..).ok_or(ErrorKind::InvalidData)?;
    }
    Ok(next)
}

fn batch_head(batch: &[u8]) -> Option<(i64, i32, i32)> {
    let first = i64::from_be_bytes(*batch.first_chunk()?);
    let len = i32::from_be_bytes(*batch.get(BATCH_LENGTH_AT..)?.first_chunk()?);
    let delta = i32::from_be_bytes(*batch.get(LAST_DELTA_AT..)?.first_chunk()?);
    Some((first, len, delta))
}

/// Lets all consumers read at the same time until `bytes` have come, an equal share to each; gives
/// them back.
pub(crate) async fn consume(
    consumers: Vec<Consumer>,
    bytes: u64,
) -> io::Result<(Vec<Consumer>, Outcome)> {
    let each = bytes / consumers.len() as u64;
    let started = now();
    let read = |mut consumer: Consumer| {
        spawn(async move {
            let done = consumer.read(|came| came < each).await?;
            Ok((consumer, done))
        })
    };
    let tasks: Vec<Task<io::Result<(Consumer, Done)>>> = consumers.into_iter().map(read).collect();
    let mut outcome = Outcome::none();
    let mut consumers = Vec::new();
    for task in tasks {
        let (consumer, done) = task.await?;
        consumers.push(consumer);
        outcome.add(&done)?;
    }
    outcome.elapsed = now() - started;
    Ok((consumers, outcome))
}

/// Lets a consumer read until it is told not to go on; the bytes that came.
pub(crate) async fn read_while(mut consumer: Consumer, goes_on: Rc<Cell<bool>>) -> io::Result<u64> {
    Ok(consumer.read(|_| goes_on.get()).await?.bytes)
}

#[cfg(test)]
mod tests {
    use bench_micro::batches::random_batch;

    use super::*;

    #[test]
    fn batches_are_walked_by_their_heads() {
        let mut batches = random_batch(3, 100, 0, 1).unwrap();
        assert_eq!(behind_last(&batches).unwrap(), Some(3));
        let mut second = random_batch(5, 10, 0, 2).unwrap();
        second[..8].copy_from_slice(&7_i64.to_be_bytes());
        batches.extend(&second);
        assert_eq!(behind_last(&batches).unwrap(), Some(12));
        batches.pop();
        assert!(behind_last(&batches).is_err());
        assert_eq!(behind_last(&[]).unwrap(), None);
    }
}
