//! Carrying staged writes to segment files.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use engine_rt::fs::Durability;
use engine_rt::mutant::{self, Mutant};

use crate::files::SegmentFiles;
use crate::partition::PartitionLog;
use crate::stage::SegmentWrite;

/// Smallest and largest step in which a segment file's space is reserved.
const ALLOCATE_MIN: u64 = 64 << 10;
const ALLOCATE_MAX: u64 = 64 << 20;

/// Writes and flushes `writes`, at least one, of which each follows the one before in its file, as one
/// write; then the partition knows their bytes as written. The file's name is durable too.
/// Concurrent writes to one segment may finish in any order.
pub async fn write(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    writes: &[SegmentWrite],
) -> io::Result<()> {
    assert!(
        writes.is_sorted_by(|before, after| after.follows(before)),
        "writes with a gap between them"
    );
    let (first, last) = (&writes[0], &writes[writes.len() - 1]);
    let (id, named) = {
        let log = partition.borrow();
        let segment = log.segment(first.segment.base_offset);
        // Flushed blocks have a durable name.
        (log.id(), segment.is_some_and(|segment| segment.written > 0))
    };
    let file = if named {
        files.open(id, first.segment).await?
    } else {
        files.create(id, first.segment).await?
    };
    if let Some((from, len)) = reserve(partition, first.segment.base_offset, last.file_end()) {
        match file.allocate(from, len).await {
            // What is reserved goes beyond what is written now, for which there may be room.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {},
            other => other?,
        }
    }
    let durability = if mutant::is_active(Mutant::ReuseBeforeSegmentFlush) {
        Durability::Volatile
    } else {
        Durability::Durable
    };
    if writes.len() == 1 {
        let bytes = first.bytes.clone();
        file.write_at(first.file_pos, bytes, durability).await?;
    } else {
        let bytes = writes.iter().map(|write| write.bytes.clone()).collect();
        file.write_bufs_at(first.file_pos, bytes, durability)
            .await?;
    }
    if let Some(size) = last.seals_at {
        file.set_len(size).await?;
        if !mutant::is_active(Mutant::SealUnflushed) {
            file.sync().await?;
        }
    }
    written(&mut partition.borrow_mut(), writes);
    Ok(())
}

fn written(log: &mut PartitionLog, writes: &[SegmentWrite]) {
    for write in writes {
        // The segment may have been deleted meanwhile.
        if let Some(segment) = log.segment_mut(write.segment.base_offset) {
            segment.sealed |= write.seals_at.is_some();
            segment.flushed(write.from);
        }
        if write.seals_at.is_some() {
            log.tail.drop_prefix(write.segment.base_offset);
        }
    }
}

/// Space to reserve so that the file reaches `end`: doubling, so that small partitions stay small
/// and large ones extend their file rarely.
fn reserve(
    partition: &Rc<RefCell<PartitionLog>>,
    segment_base: i64,
    end: u64,
) -> Option<(u64, u64)> {
    let mut log = partition.borrow_mut();
    let segment = log.segment_mut(segment_base)?;
    let from = segment.allocated;
    if end <= from {
        return None;
    }
    let step = from.clamp(ALLOCATE_MIN, ALLOCATE_MAX);
    segment.allocated = end.max(from + step);
    Some((from, segment.allocated - from))
}
