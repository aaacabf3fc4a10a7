//! Laying batches into a segment file: whole blocks in one contiguous write, with the index blocks
//! that belong between them. No block is ever written twice with other bytes (rule 2).

use engine_rt::mutant::{self, Mutant};
use engine_rt::{Buf, BufMut};

use crate::bytes::crc32c;
use crate::entry::Extent;
use crate::partition::PartitionLog;
use crate::segment::SegmentPin;
use crate::segment::footer::Footer;
use crate::segment::index::SegmentIndex;
use crate::segment::layout::{
    BLOCK, CHUNK_BYTES, SegmentHeader, SegmentName, file_pos, sealed_index_pos,
};
use crate::tail::Tail;

/// One write to a segment file.
#[derive(Clone, Debug)]
pub struct SegmentWrite {
    /// The segment.
    pub segment: SegmentName,
    /// Position in the file.
    pub file_pos: u64,
    /// Whole blocks.
    pub bytes: Buf,
    /// Position of the first byte of batches, which names the write when it is done.
    pub from: u64,
    /// Position after the last.
    pub to: u64,
    /// The file's final size, if this write seals the segment.
    pub seals_at: Option<u64>,
    /// Keeps the file's name until the write is done.
    #[expect(dead_code, reason = "held for its drop")]
    pub(crate) pin: SegmentPin,
}

impl SegmentWrite {
    /// Whether it begins in the file where `other` ends.
    pub fn follows(&self, other: &Self) -> bool {
        self.segment == other.segment && self.file_pos == other.file_end()
    }

    /// Position in the file after its last byte.
    pub(crate) fn file_end(&self) -> u64 {
        self.file_pos + self.bytes.len() as u64
    }

    /// The reference that the journal keeps of this write.
    pub fn extent(&self) -> Extent {
        Extent {
            file_pos: self.file_pos,
            file_bytes: self.bytes.len() as u64,
            crc: crc32c(&self.bytes),
        }
    }
}

/// Rounds down to whole blocks.
const fn floor(pos: u64) -> u64 {
    pos - pos % BLOCK
}

/// File bytes from the place of `from` to the end of what belongs to `to`, index block included.
fn file_range(from: u64, to: u64) -> (u64, u64) {
    let start = if from == 0 { 0 } else { file_pos(from) };
    let end = (file_pos(to - 1) + 1).next_multiple_of(BLOCK);
    (
        start,
        end + if to.is_multiple_of(CHUNK_BYTES) {
            BLOCK
        } else {
            0
        },
    )
}

impl PartitionLog {
    /// Stages the whole blocks of a segment that are in memory, not yet given to the file, and
    /// below `limit` (`len` for a bypassed append, `durable` for write-behind), at most about
    /// `bytes_max`. `None` if there is no whole block. The segment is loaded.
    pub fn stage(
        &mut self,
        disk_id: u128,
        segment_base: i64,
        limit: u64,
        bytes_max: u64,
    ) -> Option<SegmentWrite> {
        let at = self
            .segments
            .binary_search_by_key(&segment_base, |s| s.base_offset)
            .ok()?;
        let id = self.id;
        let segment = &mut self.segments[at];
        let name = segment.name();
        let header = SegmentHeader { disk_id, id, name };
        let rewrites = mutant::is_active(Mutant::RewriteSegmentBlock);
        let submitted = segment.submitted;
        let from = floor(submitted);
        let to = if rewrites { limit } else { floor(limit) }
            .min(floor(from.saturating_add(bytes_max.max(BLOCK))));
        if to <= submitted {
            return None;
        }
        let (file_from, file_to) = file_range(from, to);
        let mut bytes = BufMut::with_capacity((file_to - file_from) as usize);
        let mut filler = Filler {
            tail: &self.tail,
            segment_base,
            into: &mut bytes,
            at: 0,
        };
        if from == 0 {
            header.encode(filler.block());
        }
        let index = segment
            .index
            .as_mut()
            .expect("a segment is loaded before it is staged");
        filler.chunks(index, from, to);
        filler.zeros();
        segment.submit(to);
        let bytes = bytes.freeze();
        let from = submitted;
        let pin = segment.pin.clone();
        let file_pos = file_from;
        Some(SegmentWrite {
            segment: name,
            file_pos,
            bytes,
            from,
            to,
            seals_at: None,
            pin,
        })
    }

    /// Stages the end of a segment that was rolled and is durable: the last block filled up with
    /// zeros, the last chunk's index, the footer. The segment is loaded.
    pub fn stage_seal(&mut self, disk_id: u128, segment_base: i64) -> Option<SegmentWrite> {
        let at = self
            .segments
            .binary_search_by_key(&segment_base, |s| s.base_offset)
            .ok()?;
        let (mut epochs, mut producers) = (self.epochs.clone(), self.producers.clone());
        let id = self.id;
        let segment = &mut self.segments[at];
        if segment.sealed {
            return None;
        }
        let name = segment.name();
        let header = SegmentHeader { disk_id, id, name };
        epochs.truncate(segment.next_offset);
        producers.truncate(segment.next_offset);
        let (from, len) = (floor(segment.submitted), segment.len);
        let index = segment
            .index
            .as_mut()
            .expect("a segment is loaded before it is sealed");
        let mut index_block = vec![0; BLOCK as usize];
        let file_from = if from == 0 { 0 } else { file_pos(from) };
        let file_data_end = sealed_index_pos(len);
        let mut data = BufMut::with_capacity((file_data_end - file_from) as usize);
        let mut filler = Filler {
            tail: &self.tail,
            segment_base,
            into: &mut data,
            at: 0,
        };
        if from == 0 {
            header.encode(filler.block());
        }
        filler.chunks(index, from, len);
        filler.zeros();
        let chunks = index.finish_segment(&mut index_block);
        let footer = Footer {
            base_offset: segment_base,
            next_offset: segment.next_offset,
            bytes: len,
            max_timestamp: segment.max_timestamp,
            max_timestamp_offset: segment.max_timestamp_offset,
            epochs,
            producers,
            chunks,
        };
        let footer = footer.encode();
        let bytes = concat(&[&data, &index_block, &footer]);
        let submitted = segment.submitted;
        segment.submit(len);
        Some(SegmentWrite {
            segment: name,
            file_pos: file_from,
            seals_at: Some(file_from + bytes.len() as u64),
            bytes,
            from: submitted,
            to: len,
            pin: segment.pin.clone(),
        })
    }
}

/// One aligned buffer of several.
fn concat(parts: &[&[u8]]) -> Buf {
    let mut joined = BufMut::with_capacity(parts.iter().map(|part| part.len()).sum());
    let mut at = 0;
    for part in parts {
        joined[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    joined.freeze()
}

/// Fills a write from the memory tail.
struct Filler<'a> {
    tail: &'a Tail,
    segment_base: i64,
    into: &'a mut BufMut,
    at: usize,
}

impl Filler<'_> {
    /// The next block, to be filled by the caller.
    fn block(&mut self) -> &mut [u8] {
        let start = self.at;
        self.at += BLOCK as usize;
        &mut self.into[start..start + BLOCK as usize]
    }

    /// Batches from `from` to `to`, each full chunk followed by its index block.
    fn chunks(&mut self, index: &mut SegmentIndex, from: u64, to: u64) {
        let mut pos = from;
        while pos < to {
            let chunk = pos / CHUNK_BYTES;
            let chunk_end = (chunk + 1) * CHUNK_BYTES;
            let until = to.min(chunk_end);
            let end = self.at + (until - pos) as usize;
            self.tail
                .copy_range(self.segment_base, pos, &mut self.into[self.at..end]);
            self.at = end;
            self.index_batches(index, until);
            if until == chunk_end {
                index.finish_chunk(chunk, self.block());
                if mutant::is_active(Mutant::IndexBlockMissing) {
                    self.into[self.at - BLOCK as usize..self.at].fill(0);
                }
            }
            pos = until;
        }
    }

    /// Adds the batches that end by `until` to the index.
    fn index_batches(&self, index: &mut SegmentIndex, until: u64) {
        for batch in self.tail.batches_behind(self.segment_base, index.end()) {
            if batch.end_pos() > until {
                break;
            }
            index.add(
                batch.base_offset,
                batch.at.pos,
                batch.max_timestamp,
                &batch.parts,
            );
        }
    }

    /// Zeros to the end of the write.
    fn zeros(&mut self) {
        let start = self.at;
        self.into[start..].fill(0);
        self.at = self.into.len();
    }
}
