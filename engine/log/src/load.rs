//! First use of a segment after a start: its index is read back, and batches that end behind the
//! flushed blocks are put together in memory. A segment that was rolled but not sealed is sealed.

use std::cell::RefCell;
use std::rc::Rc;

use engine_rt::fs::File;
use engine_rt::mutant::{self, Mutant};
use engine_rt::{Buf, Event};
use net_wire::batch::MAGIC;

use crate::entry::{BATCH_HEADER_BYTES, SegmentPos};
use crate::files::SegmentFiles;
use crate::header::StoredHeader;
use crate::ids::TopicPartition;
use crate::partition::PartitionLog;
use crate::read::{ReadError, header_at, slice_parts, until_sound};
use crate::segment::footer::Footer;
use crate::segment::index::SegmentIndex;
use crate::segment::layout::{
    BLOCK, CHUNK_BYTES, Range, SegmentName, decode_index_block, file_pos, index_block_pos,
};
use crate::segment::{SegmentPin, whole_blocks};
use crate::tail::{Prefix, StoredBatch};

/// What loading needs to know of a segment.
struct Unloaded {
    id: TopicPartition,
    name: SegmentName,
    base_offset: i64,
    written: u64,
    durable: u64,
    sealed: bool,
    last: bool,
    /// Keeps the file's name until the segment is loaded.
    #[expect(dead_code, reason = "held for its drop")]
    pin: SegmentPin,
}

/// Brings a segment's index into memory if it is not there. What is damaged is read again: an index
/// of bytes that are not on the disk would refuse those that are, for ever once it is sealed.
pub async fn load(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    segment_base: i64,
) -> Result<(), ReadError> {
    until_sound(async || {
        while !load_once(partition, files, segment_base).await? {}
        Ok(())
    })
    .await
}

/// Whether it is there. It may not be if another task was waited for, whose seal came to nothing.
async fn load_once(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    segment_base: i64,
) -> Result<bool, ReadError> {
    let Some(segment) = partition.borrow().unloaded(segment_base) else {
        return Ok(!sealed_by_another(partition, segment_base).await);
    };
    let loader = Loader {
        files,
        segment: &segment,
    };
    if segment.written == 0 {
        let batches = loader.batches(partition, 0, Vec::new())?;
        let index = SegmentIndex::new(segment.id, segment.name);
        return loader.install(partition, index, batches).await;
    }
    let file = files
        .open(segment.id, segment.name)
        .await
        .map_err(|e| loader.io(&e))?;
    if segment.sealed {
        let index = loader.read_footer(&file).await?;
        return loader.install(partition, index, Vec::new()).await;
    }
    let index = loader.read_index_blocks(&file).await?;
    let rest = loader.read_rest(&file, index.end()).await?;
    let batches = loader.batches(partition, index.end(), rest)?;
    loader.install(partition, index, batches).await
}

/// Set while a task seals a segment that a crash left rolled.
fn sealing_of(partition: &Rc<RefCell<PartitionLog>>, segment_base: i64) -> Option<Rc<Event>> {
    let log = partition.borrow();
    log.segment(segment_base)?.sealing.clone()
}

/// Waits while another task that loaded the segment is sealing it; whether one was.
async fn sealed_by_another(partition: &Rc<RefCell<PartitionLog>>, segment_base: i64) -> bool {
    let sealing = sealing_of(partition, segment_base);
    if let Some(sealing) = &sealing {
        sealing.wait().await;
    }
    sealing.is_some()
}

impl PartitionLog {
    fn unloaded(&self, segment_base: i64) -> Option<Unloaded> {
        let segment = self
            .segment(segment_base)
            .filter(|segment| segment.index.is_none())?;
        Some(Unloaded {
            id: self.id,
            name: segment.name(),
            base_offset: segment_base,
            written: segment.written,
            durable: segment.durable,
            sealed: segment.sealed,
            pin: segment.pin.clone(),
            last: self
                .segments
                .back()
                .is_some_and(|last| last.base_offset == segment_base),
        })
    }

    /// The offset after those records of a segment that are not in memory as batches.
    fn unloaded_end(&self, segment_base: i64) -> Option<i64> {
        let in_memory = self.tail.batches_behind(segment_base, 0).next();
        match in_memory {
            Some(batch) => Some(batch.base_offset),
            None => Some(self.segment(segment_base)?.next_offset),
        }
    }
}

struct Loader<'a> {
    files: &'a SegmentFiles,
    segment: &'a Unloaded,
}

impl Loader<'_> {
    fn io(&self, error: &std::io::Error) -> ReadError {
        let path = self.files.path(self.segment.id, self.segment.name);
        ReadError::Io(format!("{}: {error}", path.display()))
    }

    fn corrupt(&self, what: &'static str, pos: u64) -> ReadError {
        let path = self.files.path(self.segment.id, self.segment.name);
        ReadError::Corrupt {
            file: path.display().to_string(),
            what,
            pos,
        }
    }

    async fn read_footer(&self, file: &File) -> Result<SegmentIndex, ReadError> {
        let len = file.len().await.map_err(|e| self.io(&e))?;
        let corrupt = || self.corrupt("footer", len);
        let last = len.checked_sub(BLOCK).filter(|at| at.is_multiple_of(BLOCK));
        let last = file
            .read_at(last.ok_or_else(corrupt)?, BLOCK as usize)
            .await
            .map_err(|e| self.io(&e))?;
        let bytes = Footer::blocks_bytes(&last).filter(|bytes| *bytes <= len);
        let bytes = bytes.ok_or_else(corrupt)?;
        let blocks = file
            .read_at(len - bytes, bytes as usize)
            .await
            .map_err(|e| self.io(&e))?;
        let footer = Footer::decode(&blocks)
            .filter(|footer| footer.base_offset == self.segment.base_offset)
            .ok_or_else(corrupt)?;
        let mut index = SegmentIndex::new(self.segment.id, self.segment.name);
        index.add_summaries(footer.chunks, footer.bytes);
        Ok(index)
    }

    /// The index blocks of every chunk that is wholly in flushed blocks.
    async fn read_index_blocks(&self, file: &File) -> Result<SegmentIndex, ReadError> {
        let mut index = SegmentIndex::new(self.segment.id, self.segment.name);
        for chunk in 0..self.segment.written / CHUNK_BYTES {
            let pos = index_block_pos(chunk);
            let block = file
                .read_at(pos, BLOCK as usize)
                .await
                .map_err(|e| self.io(&e))?;
            let ranges: Vec<Range> = decode_index_block(chunk, self.segment.base_offset, &block)
                .ok_or_else(|| self.corrupt("index block", pos))?;
            index.add_chunk(chunk, &ranges);
        }
        Ok(index)
    }

    /// The bytes of batches from `from` to the end of the flushed blocks.
    async fn read_rest(&self, file: &File, from: u64) -> Result<Vec<Buf>, ReadError> {
        let mut parts = Vec::new();
        let mut pos = from;
        while pos < self.segment.written {
            let until = self
                .segment
                .written
                .min((pos / CHUNK_BYTES + 1) * CHUNK_BYTES);
            let start = file_pos(pos) - file_pos(pos) % BLOCK;
            let end = (file_pos(until - 1) + 1).next_multiple_of(BLOCK);
            let block = file
                .read_at(start, (end - start) as usize)
                .await
                .map_err(|e| self.io(&e))?;
            let (from, to) = (file_pos(pos) - start, file_pos(until - 1) + 1 - start);
            if (block.len() as u64) < to {
                return Err(self.corrupt("a flushed block", start));
            }
            parts.push(block.slice(from as usize..to as usize));
            pos = until;
        }
        Ok(parts)
    }

    /// Batches from `from` on: those in `flushed` blocks, and the one that crosses into memory.
    fn batches(
        &self,
        partition: &Rc<RefCell<PartitionLog>>,
        from: u64,
        mut parts: Vec<Buf>,
    ) -> Result<Vec<StoredBatch>, ReadError> {
        let log = partition.borrow();
        let segment = log.segment(self.segment.base_offset);
        if segment.is_none_or(|segment| segment.index.is_some()) {
            // Deleted, or loaded by another task, which took the bytes in memory.
            return Ok(Vec::new());
        }
        if let Some(prefix) = log.tail.prefix(self.segment.base_offset) {
            parts.push(prefix.bytes.clone());
        }
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let (mut batches, mut at): (Vec<StoredBatch>, usize) = (Vec::new(), 0);
        while let Some(header) = header_at::<BATCH_HEADER_BYTES>(&parts, at)
            && let Some(header) = StoredHeader::decode(&header)
            && at + header.bytes <= total
        {
            let pos = from + at as u64;
            let bytes = slice_parts(&parts, at, at + header.bytes);
            let follows = |before: &StoredBatch| before.last_offset + 1 == header.base_offset;
            let epoch = log.epochs().epoch_of(header.base_offset);
            let is_of_its_epoch = epoch.is_none_or(|epoch| epoch == header.leader_epoch);
            if !is_intact(&bytes) || !batches.last().is_none_or(follows) || !is_of_its_epoch {
                break;
            }
            batches.push(self.stored(&header, pos, &bytes));
            at += header.bytes;
        }
        // A batch's checksum leaves out its base offset and its epoch: only a row of offsets without
        // gaps, up to the one that is known, and the epochs that are known tell damaged ones.
        let end = batches.last().map(|last| last.last_offset + 1);
        if at < total
            || end.is_some_and(|end| Some(end) != log.unloaded_end(self.segment.base_offset))
        {
            // The index would vouch for whatever stands here.
            return Err(self.corrupt("a batch", file_pos(from + at as u64)));
        }
        Ok(batches)
    }

    fn stored(&self, header: &StoredHeader, pos: u64, parts: &[Buf]) -> StoredBatch {
        let parts = match parts {
            [whole] => [whole.clone(), Buf::new()],
            [front, back] => [front.clone(), back.clone()],
            many => {
                let bytes: Vec<u8> = many.iter().flat_map(|part| part.iter().copied()).collect();
                [Buf::copy_from_slice(&bytes), Buf::new()]
            },
        };
        StoredBatch {
            base_offset: header.base_offset,
            last_offset: header.last_offset,
            leader_epoch: header.leader_epoch,
            max_timestamp: header.max_timestamp,
            max_timestamp_delta: 0,
            at: SegmentPos {
                segment_base: self.segment.base_offset,
                pos,
            },
            parts,
        }
    }

    /// Puts the index in place, and into the memory tail what is not in readable ranges yet.
    async fn install(
        &self,
        partition: &Rc<RefCell<PartitionLog>>,
        mut index: SegmentIndex,
        batches: Vec<StoredBatch>,
    ) -> Result<bool, ReadError> {
        let base = self.segment.base_offset;
        for batch in &batches {
            index.add(
                batch.base_offset,
                batch.at.pos,
                batch.max_timestamp,
                &batch.parts,
            );
        }
        if !self.put(&mut partition.borrow_mut(), index, &batches) {
            return Ok(!sealed_by_another(partition, base).await);
        }
        let Some(event) = sealing_of(partition, base) else {
            return Ok(true);
        };
        let _sealing = Sealing {
            partition,
            base,
            event,
        };
        self.seal(partition).await?;
        Ok(true)
    }

    /// What a mutant that rewrites the last block begins it with.
    fn last_block(&self, batches: &[StoredBatch]) -> Prefix {
        let from = batches.first().map_or(0, |batch| batch.at.pos);
        let bytes: Vec<&[u8]> = batches
            .iter()
            .flat_map(|batch| batch.parts.iter().map(|part| &part[..]))
            .collect();
        let pos = whole_blocks(self.segment.written).max(from);
        let bytes = bytes.concat();
        Prefix {
            at: SegmentPos {
                segment_base: self.segment.base_offset,
                pos,
            },
            bytes: Buf::copy_from_slice(bytes.get((pos - from) as usize..).unwrap_or_default()),
        }
    }

    /// False if the segment is gone, or another task was first.
    fn put(&self, log: &mut PartitionLog, index: SegmentIndex, batches: &[StoredBatch]) -> bool {
        let base = self.segment.base_offset;
        let Ok(at) = log.segments.binary_search_by_key(&base, |s| s.base_offset) else {
            return false;
        };
        // Compaction may have put another one in its place, or another task was first.
        if log.segments[at].index.is_some() || log.segments[at].name() != self.segment.name {
            return false;
        }
        // A segment that got appends in this life and was rolled since may not be durable yet: it is
        // sealed in its turn, as any other.
        let growing = log.segments[at].durable < log.segments[at].len;
        if self.segment.last || growing {
            // Who rewrites the last block needs what it begins with.
            let kept = if mutant::is_active(Mutant::RewriteSegmentBlock) {
                whole_blocks(self.segment.written)
            } else {
                self.segment.written
            };
            let readable = index.whole_ranges_end(kept);
            let unread = |batch: &&StoredBatch| batch.at.pos >= readable;
            for batch in batches.iter().filter(unread).rev() {
                log.tail.push_front(batch.clone());
            }
            log.tail.drop_prefix(base);
        } else if !self.segment.sealed {
            if mutant::is_active(Mutant::RewriteSegmentBlock) {
                log.tail.set_prefix(self.last_block(batches));
            }
            log.segments[at].sealing = Some(Rc::new(Event::new()));
        }
        log.segments[at].index = Some(index);
        true
    }

    /// Seals a segment that a crash left rolled and open.
    async fn seal(&self, partition: &Rc<RefCell<PartitionLog>>) -> Result<(), ReadError> {
        assert!(self.segment.durable > 0, "a rolled segment has batches");
        let staged = partition
            .borrow_mut()
            .stage_seal(self.files.disk_id(), self.segment.base_offset);
        match staged {
            Some(write) => crate::write::write(partition, self.files, std::slice::from_ref(&write))
                .await
                .map_err(|e| self.io(&e)),
            None => Ok(()),
        }
    }
}

/// While a segment is sealed. If that comes to nothing, or nobody waits for it any more, whoever uses
/// the segment next begins anew.
struct Sealing<'a> {
    partition: &'a RefCell<PartitionLog>,
    base: i64,
    event: Rc<Event>,
}

impl Drop for Sealing<'_> {
    fn drop(&mut self) {
        // The segment may be gone: those who wait are told all the same.
        if let Some(segment) = self.partition.borrow_mut().segment_mut(self.base) {
            segment.sealing = None;
            if !segment.sealed {
                segment.lay_out_anew();
            }
        }
        self.event.notify();
    }
}

/// Whether a batch has its magic and its own checksum, which covers all but what stands before it:
/// base offset, length, epoch and magic.
pub(crate) fn is_intact(batch: &[Buf]) -> bool {
    const MAGIC_AT: usize = 16;
    let Some([magic, crc @ ..]) = header_at::<5>(batch, MAGIC_AT) else {
        return false;
    };
    if i8::from_be_bytes([magic]) != MAGIC {
        return false;
    }
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    let mut skip = MAGIC_AT + 1 + crc.len();
    for part in batch {
        digest.update(&part[skip.min(part.len())..]);
        skip = skip.saturating_sub(part.len());
    }
    digest.finalize() as u32 == u32::from_be_bytes(crc)
}
