//! Reading a sealed segment from its begin to its end, each range checked against its checksum:
//! nothing that was not written gets a new checksum.

use std::io;

use engine_rt::Buf;
use engine_rt::fs::File;

use super::cleaning::CleanError;
use crate::files::SegmentFiles;
use crate::ids::TopicPartition;
use crate::partition::PartitionLog;
use crate::segment::SegmentPin;
use crate::segment::layout::{
    BLOCK, CHUNK_BYTES, SegmentName, decode_index_block, file_pos, index_block_pos, range_crc,
    sealed_index_pos,
};

/// A segment on its way through a cleaning.
#[derive(Debug)]
pub(crate) struct Source {
    id: TopicPartition,
    name: SegmentName,
    file: File,
    len: u64,
    /// The next chunk; behind the last one, none.
    chunk: Option<u64>,
    #[expect(dead_code, reason = "held for its drop")]
    pin: SegmentPin,
}

/// A chunk as it was read.
#[derive(Debug)]
pub(crate) struct ChunkRead {
    id: TopicPartition,
    name: SegmentName,
    number: u64,
    bytes: Buf,
    /// Bytes of batches in it.
    len: usize,
    /// Bytes of batches of the segment, if it is its last chunk.
    ends_at: Option<u64>,
}

/// The bytes of a range that goes on in the next chunk.
#[derive(Debug, Default)]
pub(crate) struct Carry {
    bytes: Vec<u8>,
    pos: u64,
    /// The segment that was read last.
    of: Option<SegmentName>,
}

impl Carry {
    /// What was read is not batches back to back, though its checksum is right.
    pub(crate) fn no_batch(&self) -> CleanError {
        CleanError::Damaged {
            segment: self.of.unwrap_or(SegmentName::appended(-1)),
            what: "a batch",
            pos: file_pos(self.pos),
        }
    }
}

/// What is known of a segment that is read.
pub(crate) type Pinned = (TopicPartition, SegmentName, u64, SegmentPin);

/// Keeps a segment's file for reading; `None` if the log does not have it any more.
pub(crate) fn pinned(log: &PartitionLog, name: SegmentName) -> Option<Pinned> {
    let segment = log.segment(name.base_offset)?;
    (segment.name() == name).then(|| (log.id(), name, segment.len, segment.pin.clone()))
}

impl Source {
    pub(crate) async fn open(pinned: Pinned, files: &SegmentFiles) -> io::Result<Self> {
        let (id, name, len, pin) = pinned;
        let file = files.open_once(id, name).await?;
        Ok(Self {
            id,
            name,
            file,
            len,
            chunk: Some(0),
            pin,
        })
    }

    /// Reads the next chunk with its index block.
    pub(crate) async fn next(&mut self) -> io::Result<Option<ChunkRead>> {
        let Some(number) = self.chunk else {
            return Ok(None);
        };
        let start = number * CHUNK_BYTES;
        let is_whole = start + CHUNK_BYTES <= self.len;
        let (index_pos, len) = if is_whole {
            (index_block_pos(number), CHUNK_BYTES)
        } else {
            (sealed_index_pos(self.len), self.len - start)
        };
        let from = file_pos(start);
        let bytes = (index_pos + BLOCK - from) as usize;
        let bytes = self.file.read_at(from, bytes).await?;
        self.chunk = is_whole.then_some(number + 1);
        Ok(Some(ChunkRead {
            id: self.id,
            name: self.name,
            number,
            bytes,
            len: len as usize,
            ends_at: (!is_whole).then_some(self.len),
        }))
    }
}

impl ChunkRead {
    /// Bytes read.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The batches of every range that ends in the chunk, back to back; the begin of the next range
    /// is carried along.
    pub(crate) fn batches(&self, carry: &mut Carry) -> Result<Vec<u8>, CleanError> {
        let damaged = |what, pos| CleanError::Damaged {
            segment: self.name,
            what,
            pos,
        };
        let start = self.number * CHUNK_BYTES;
        if self.number == 0 {
            *carry = Carry {
                of: Some(self.name),
                ..Carry::default()
            };
        }
        let at = self.bytes.len().saturating_sub(BLOCK as usize);
        let ranges = decode_index_block(self.number, self.name.base_offset, &self.bytes[at..])
            .filter(|_| at >= self.len)
            .ok_or_else(|| damaged("the index block", file_pos(start) + at as u64))?;
        carry.bytes.extend_from_slice(&self.bytes[..self.len]);
        let mut end = carry.pos;
        for range in &ranges {
            let bytes = range
                .pos
                .checked_sub(carry.pos)
                .and_then(|at| {
                    carry
                        .bytes
                        .get(at as usize..at as usize + range.bytes as usize)
                })
                .filter(|_| range.pos == end);
            end = range.end();
            let crc = bytes.map(|bytes| range_crc(self.id, self.name, range.pos, bytes));
            if crc != Some(range.crc) {
                return Err(damaged("a range of batches", file_pos(range.pos)));
            }
        }
        if self.ends_at.is_some_and(|len| len != end) {
            return Err(damaged("the last range", file_pos(end)));
        }
        let rest = carry.bytes.split_off((end - carry.pos) as usize);
        carry.pos = end;
        Ok(std::mem::replace(&mut carry.bytes, rest))
    }
}
