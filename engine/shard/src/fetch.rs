//! Reads and everything else that asks about a partition without changing it; and the waits.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use engine_log::segment::layout::SegmentName;
use engine_log::{
    ReadAt, ReadError, ResidentRange, Stored, TopicPartition, find_timestamp, max_timestamp, read,
};
use engine_rt::fs::File;
use engine_rt::mutant::{self, Mutant};
use engine_rt::{Event, Instant, Piece, timeout};

use crate::api::{FetchPart, Fetched, OffsetQuery, ShardError, TimestampOffset};
use crate::shard::Shard;
use crate::slot::Slot;

impl Shard {
    /// Reads partitions in order, `max_bytes` in all.
    pub async fn fetch(
        self: &Rc<Self>,
        parts: &[FetchPart],
        max_bytes: usize,
    ) -> Vec<Result<Fetched, ShardError>> {
        let mut left = max_bytes;
        let mut results = Vec::with_capacity(parts.len());
        for part in parts {
            let result = self.fetch_one(*part, left).await;
            if let Ok(fetched) = &result {
                let bytes = fetched.bytes();
                left = left.saturating_sub(bytes);
                self.stats.borrow_mut().fetched_bytes += bytes as u64;
            }
            results.push(result);
        }
        results
    }

    async fn fetch_one(
        self: &Rc<Self>,
        part: FetchPart,
        left: usize,
    ) -> Result<Fetched, ShardError> {
        let _under_way = self.begin_read().await;
        let slot = self.slot(part.id)?;
        Self::check_epoch(&slot, part.current_leader_epoch)?;
        let (high_watermark, log_start_offset) = {
            let log = slot.log.borrow();
            (log.high_watermark(), log.log_start())
        };
        let mut fetched = Fetched {
            high_watermark,
            log_start_offset,
            ..Fetched::default()
        };
        if let Some(diverging) = diverging_epoch(&slot, &part) {
            fetched.diverging_epoch = Some(diverging);
            return Ok(fetched);
        }
        let at = ReadAt {
            offset: part.offset,
            bytes_max: part.max_bytes.min(left),
            min_one: part.min_one,
            bound: if mutant::is_active(Mutant::ReadsBeyondHighWatermark) {
                slot.log.borrow().next_offset()
            } else {
                high_watermark
            },
        };
        let stored = read(&slot.log, &self.files, at).await;
        match stored.map_err(|error| self.read_error(&slot, &part, &error))? {
            Stored::Memory(records) => fetched.records = records,
            Stored::Resident(ranges) => fetched.resident = ranges,
        }
        // The log start may have moved past what was read, even past what was its end then.
        let log = slot.log.borrow();
        fetched.log_start_offset = log.log_start();
        fetched.high_watermark = log.high_watermark();
        drop(log);
        Ok(fetched)
    }

    /// Resident ranges as pieces for a socket of this shard, whichever shard owns the partition.
    /// Keep the ranges until the pieces are sent: they keep the segment from being deleted.
    pub async fn open_resident(&self, ranges: &[ResidentRange]) -> std::io::Result<Vec<Piece>> {
        let mut pieces = Vec::with_capacity(ranges.len());
        let mut last: Option<((TopicPartition, SegmentName), File)> = None;
        for range in ranges {
            let key = (range.id, range.segment);
            let file = match last.take().filter(|(of, _)| *of == key) {
                Some((_, file)) => file,
                None if self.slot(range.id).is_ok() => self.files.open(key.0, key.1).await?,
                // Not to be kept open: this shard does not hear when the segment is deleted.
                None => self.files.open_once(key.0, key.1).await?,
            };
            pieces.push(Piece::File {
                file: file.clone(),
                pos: range.file_pos,
                len: range.len,
            });
            last = Some((key, file));
        }
        Ok(pieces)
    }

    fn read_error(&self, slot: &Slot, part: &FetchPart, error: &ReadError) -> ShardError {
        // Its segments went away under the read.
        if slot.deleted.get() {
            return ShardError::UnknownPartition(part.id);
        }
        let (log_start_offset, high_watermark) = {
            let log = slot.log.borrow();
            (log.log_start(), log.high_watermark())
        };
        if matches!(error, ReadError::OutOfRange) || part.offset < log_start_offset {
            return ShardError::OffsetOutOfRange {
                offset: part.offset,
                log_start_offset,
                high_watermark,
            };
        }
        tracing::error!(shard = self.index(), partition = %part.id, offset = part.offset, %error, "FL2003: read failed");
        ShardError::Storage(error.to_string())
    }

    /// Waits until a partition has something at its offset or has changed, or until `deadline`, or
    /// until `left` says that nobody wants to know any more.
    pub async fn wait_for_data(
        self: &Rc<Self>,
        parts: Vec<(TopicPartition, i64)>,
        deadline: Instant,
        left: impl Future<Output = ()>,
    ) {
        let event = Rc::new(Event::new());
        let (mut arrived, mut left) = (pin!(event.wait()), pin!(left));
        for (id, offset) in parts {
            let Ok(slot) = self.slot(id) else { return };
            if slot.log.borrow().high_watermark() > offset || self.stopping.get() {
                return;
            }
            slot.watch(&event);
        }
        let over = poll_fn(|cx| {
            let left = left.as_mut().poll(cx).is_ready();
            if left || arrived.as_mut().poll(cx).is_ready() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        // Passing the deadline is an answer too.
        let _passed = timeout(deadline, over).await;
    }

    /// The offset that `query` asks for.
    pub async fn offset_for(
        self: &Rc<Self>,
        id: TopicPartition,
        query: OffsetQuery,
        current_leader_epoch: i32,
    ) -> Result<TimestampOffset, ShardError> {
        let _under_way = self.begin_read().await;
        let slot = self.slot(id)?;
        Self::check_epoch(&slot, current_leader_epoch)?;
        let found = match query {
            OffsetQuery::Earliest => return Ok(slot.at_offset(slot.log.borrow().log_start())),
            OffsetQuery::Latest => return Ok(slot.at_offset(slot.log.borrow().high_watermark())),
            OffsetQuery::MaxTimestamp => max_timestamp(&slot.log.borrow()),
            OffsetQuery::Timestamp(timestamp) => {
                let found = find_timestamp(&slot.log, &self.files, timestamp, &self.codecs).await;
                if slot.deleted.get() {
                    return Err(ShardError::UnknownPartition(id));
                }
                found.map_err(|error| ShardError::Storage(error.to_string()))?
            },
        };
        Ok(found.map_or(
            TimestampOffset {
                timestamp: -1,
                offset: -1,
                leader_epoch: -1,
            },
            |found| TimestampOffset {
                timestamp: found.timestamp,
                offset: found.offset,
                leader_epoch: found.leader_epoch,
            },
        ))
    }

    /// Where `epoch` ended: the largest known epoch at or below it, and its end offset
    /// (`OffsetForLeaderEpoch`); `(-1, -1)` if nothing that old is known, or the epoch is yet to come.
    pub fn epoch_end(
        &self,
        id: TopicPartition,
        current_leader_epoch: i32,
        epoch: i32,
    ) -> Result<(i32, i64), ShardError> {
        let slot = self.slot(id)?;
        Self::check_epoch(&slot, current_leader_epoch)?;
        let log = slot.log.borrow();
        // The epoch in force may not have written anything yet.
        if epoch == log.leader_epoch() {
            return Ok((epoch, log.high_watermark()));
        }
        let known = epoch < log.leader_epoch();
        Ok(known
            .then(|| log.epochs().end_offset_for(epoch, log.high_watermark()))
            .flatten()
            .unwrap_or((-1, -1)))
    }
}

impl Fetched {
    /// Bytes of batches.
    pub fn bytes(&self) -> usize {
        let memory: usize = self.records.iter().map(|records| records.len()).sum();
        memory + self.resident.iter().map(|range| range.len).sum::<usize>()
    }
}

impl Slot {
    /// An offset without a timestamp, with the epoch in force there.
    fn at_offset(&self, offset: i64) -> TimestampOffset {
        let log = self.log.borrow();
        let leader_epoch = match log.epochs().epoch_of(offset) {
            Some(epoch) if offset < log.high_watermark() => epoch,
            _ => log.leader_epoch(),
        };
        TimestampOffset {
            timestamp: -1,
            offset,
            leader_epoch,
        }
    }
}

/// Where the client's log and this one part, if the epoch of its last record says so (KIP-595).
fn diverging_epoch(slot: &Slot, part: &FetchPart) -> Option<(i32, i64)> {
    if part.last_fetched_epoch < 0 {
        return None;
    }
    let log = slot.log.borrow();
    let (epoch, end) = log
        .epochs()
        .end_offset_for(part.last_fetched_epoch, log.high_watermark())?;
    let diverges = epoch < part.last_fetched_epoch || end < part.offset;
    diverges.then_some((epoch, end))
}
