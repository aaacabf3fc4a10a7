//! Exact lookup by time (`ListOffsets`): the first record at or after a timestamp.

use std::cell::RefCell;
use std::rc::Rc;

use engine_rt::mutant::{self, Mutant};
use net_wire::batch::{BatchHeader, BatchView, Batches, DECOMPRESSED_BYTES_MAX, RecordIter};
use net_wire::codec::Codecs;

use crate::files::SegmentFiles;
use crate::load::load;
use crate::partition::PartitionLog;
use crate::read::{ReadAt, ReadError, read_chunk_ranges, read_memory};
use crate::segment::index::Lookup;

/// A record's place by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Its timestamp.
    pub timestamp: i64,
    /// Its offset.
    pub offset: i64,
    /// Epoch that wrote it.
    pub leader_epoch: i32,
}

/// Bytes read at a time while searching.
const STEP_BYTES: usize = 1 << 20;

/// The record with the largest timestamp (KIP-734); the first such one.
pub fn max_timestamp(log: &PartitionLog) -> Option<TimestampOffset> {
    let mut best: Option<(i64, i64)> = None;
    for segment in log.segments().filter(|segment| segment.max_timestamp >= 0) {
        let newer = |(timestamp, _)| {
            segment.max_timestamp > timestamp || mutant::is_active(Mutant::MaxTimestampOfLast)
        };
        if best.is_none_or(newer) {
            best = Some((segment.max_timestamp, segment.max_timestamp_offset));
        }
    }
    let (timestamp, offset) = best?;
    let leader_epoch = log.epochs().epoch_of(offset).unwrap_or(-1);
    Some(TimestampOffset {
        timestamp,
        offset,
        leader_epoch,
    })
}

/// The first record below the high watermark whose timestamp is at least `timestamp`.
pub async fn find_timestamp(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    timestamp: i64,
    codecs: &RefCell<Codecs>,
) -> Result<Option<TimestampOffset>, ReadError> {
    let (mut from, bound) = {
        let log = partition.borrow();
        (log.log_start(), log.high_watermark())
    };
    while from < bound {
        let Some(start) = candidate(partition, files, from, timestamp).await? else {
            return Ok(None);
        };
        from = start.max(from);
        let at = ReadAt {
            offset: from,
            bytes_max: STEP_BYTES,
            min_one: true,
            bound,
        };
        let records = read_memory(partition, files, at).await?;
        if records.is_empty() {
            return Ok(None);
        }
        let bytes: Vec<u8> = records
            .iter()
            .flat_map(|part| part.iter().copied())
            .collect();
        for batch in Batches::new(&bytes).map_while(Result::ok) {
            let header = *batch.header();
            if header.max_timestamp >= timestamp
                && let Some(found) = in_batch(&batch, from, timestamp, &mut codecs.borrow_mut())?
            {
                return Ok(Some(found));
            }
            from = header.next_offset();
        }
    }
    Ok(None)
}

/// Where to start reading: the first range at or after `from` that may hold the timestamp.
async fn candidate(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    from: i64,
    timestamp: i64,
) -> Result<Option<i64>, ReadError> {
    let segment = {
        let log = partition.borrow();
        let mut segments = log.segments();
        segments
            .find(|segment| segment.durable_offset > from && segment.max_timestamp >= timestamp)
            .map(|segment| segment.base_offset)
    };
    let Some(base) = segment else { return Ok(None) };
    load(partition, files, base).await?;
    let lookup = {
        let log = partition.borrow();
        let Some(index) = log.segment(base).and_then(|segment| segment.index.as_ref()) else {
            return Ok(Some(from));
        };
        index.find_timestamp(timestamp)
    };
    let first = match lookup {
        Lookup::Range(Some(range)) => range.first_offset,
        // In what no range covers: behind the last one.
        Lookup::Range(None) => {
            let log = partition.borrow();
            let index = log.segment(base).and_then(|segment| segment.index.as_ref());
            index
                .and_then(super::segment::index::SegmentIndex::open_offset)
                .unwrap_or(base)
        },
        Lookup::Chunk(chunk) => {
            let ranges = read_chunk_ranges(partition, files, base, &chunk).await?;
            let found = ranges.iter().find(|range| range.max_timestamp >= timestamp);
            found.map_or(chunk.first_offset, |range| range.first_offset)
        },
    };
    Ok(Some(first.max(from)))
}

/// The first record of a batch at or after both `from` and `timestamp`.
fn in_batch(
    batch: &BatchView<'_>,
    from: i64,
    timestamp: i64,
    codecs: &mut Codecs,
) -> Result<Option<TimestampOffset>, ReadError> {
    let header = *batch.header();
    let search = |payload: &[u8]| {
        RecordIter::new(&header, payload)
            .map_while(Result::ok)
            .find_map(|record| {
                let (at, offset) = (header.timestamp_of(&record), header.offset_of(&record));
                let late = at == timestamp && mutant::is_active(Mutant::LookupAfterTime);
                (at >= timestamp && offset >= from && !late).then(|| found(&header, at, offset))
            })
    };
    codecs
        .with_decompressed(batch, DECOMPRESSED_BYTES_MAX, |payload, _| {
            Ok(search(payload))
        })
        .map_err(|error| ReadError::Io(error.to_string()))
}

fn found(header: &BatchHeader, timestamp: i64, offset: i64) -> TimestampOffset {
    TimestampOffset {
        timestamp,
        offset,
        leader_epoch: header.partition_leader_epoch,
    }
}

#[cfg(test)]
mod tests {
    use net_wire::batch::{BatchBuilder, TimestampType, retain_records, without_records};

    use super::*;

    /// Where the broker's clock stamps batches, all records of one have its time.
    #[test]
    fn records_that_compaction_took_are_not_found() {
        let mut codecs = Codecs::new();
        let by_broker = TimestampType::LogAppendTime;
        let mut builder = BatchBuilder::new().timestamp_type(by_broker).placed(40, 3);
        for value in ["a", "b", "c"] {
            builder.append(900, Some(b"k"), Some(value.as_bytes()), &[]);
        }
        let whole = builder.build(&mut codecs).unwrap();
        let (batch, _) = BatchView::split(&whole).unwrap();
        let is_last = |record: &net_wire::batch::Record<'_>| record.offset_delta == 2;
        let left = retain_records(&batch, batch.payload(), None, is_last, &mut codecs).unwrap();
        let none = without_records(batch.header()).unwrap();
        let mut search = |bytes: &[u8]| {
            let (batch, _) = BatchView::split(bytes).unwrap();
            let found = in_batch(&batch, 40, 900, &mut codecs).unwrap()?;
            Some((found.timestamp, found.offset))
        };
        assert_eq!(search(&whole), Some((900, 40)));
        assert_eq!(search(&left), Some((900, 42)));
        assert_eq!(search(&none), None);
    }
}
