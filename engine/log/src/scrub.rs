//! Reading what was flushed long ago, chunk by chunk, to see whether the disk still has it (rule 14).
//!
//! Nothing of this enters the caches of readers, and no index is kept: a chunk and its index block
//! are read in one piece, and a range that goes on in the next chunk takes its checksum along.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use crc_fast::Digest;
use engine_rt::Buf;
use engine_rt::fs::File;
use engine_rt::mutant::{self, Mutant};

use crate::files::SegmentFiles;
use crate::ids::TopicPartition;
use crate::partition::PartitionLog;
use crate::segment::SegmentPin;
use crate::segment::footer::Footer;
use crate::segment::layout::{
    BLOCK, CHUNK_BYTES, Range, SegmentHeader, SegmentName, decode_index_block, file_pos,
    index_block_pos, place_digest, sealed_index_pos,
};

/// Something at rest that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub file: String,
    /// What is wrong.
    pub what: String,
    /// Where, in the file.
    pub pos: u64,
    /// First offset that cannot be read.
    pub first_offset: i64,
    /// Last offset that cannot be read; below the first if all can.
    pub last_offset: i64,
}

/// What one step read.
#[derive(Debug, Default)]
pub struct Scrubbed {
    /// Bytes.
    pub bytes: u64,
    /// What is wrong with them.
    pub damage: Vec<Damage>,
}

/// One segment on its way through the scrubber.
#[derive(Debug)]
pub struct SegmentScrub {
    id: TopicPartition,
    name: SegmentName,
    base: i64,
    /// The next chunk.
    chunk: u64,
    /// Where the range begins that goes on there, with the checksum so far; none behind damage.
    open: Option<(u64, Digest)>,
    ended: bool,
}

/// What a step needs to know of the segment.
struct Extent {
    /// Bytes of batches that never change any more.
    flushed: u64,
    len: u64,
    sealed: bool,
    next_offset: i64,
    #[expect(dead_code, reason = "held for its drop")]
    pin: SegmentPin,
}

impl PartitionLog {
    /// The first segment behind the one named `after` that has flushed chunks.
    pub fn next_to_scrub(&self, after: Option<i64>) -> Option<i64> {
        let next = self.segments.iter().find(|segment| {
            let whole = segment.sealed || segment.kept_blocks() >= CHUNK_BYTES;
            after.is_none_or(|after| segment.base_offset > after) && whole
        });
        next.map(|segment| segment.base_offset)
    }
}

impl SegmentScrub {
    /// That segment of `id`, from its start.
    pub fn new(id: TopicPartition, name: SegmentName) -> Self {
        Self {
            id,
            name,
            base: name.base_offset,
            chunk: 0,
            open: Some((0, place_digest(id, name, 0))),
            ended: false,
        }
    }

    /// Reads the next chunk; `None` at the end of what is flushed, or if the segment is gone or
    /// was replaced.
    pub async fn step(
        &mut self,
        partition: &Rc<RefCell<PartitionLog>>,
        files: &SegmentFiles,
    ) -> Option<Scrubbed> {
        let extent = self.extent(&partition.borrow())?;
        let is_whole = (self.chunk + 1) * CHUNK_BYTES <= extent.flushed;
        if self.ended || !(is_whole || extent.sealed) {
            return None;
        }
        self.ended = !is_whole;
        let mut look = Look {
            scrub: self,
            files,
            extent: &extent,
            found: Scrubbed::default(),
        };
        let read = look.chunk(is_whole).await;
        let mut found = look.found;
        if let Err(error) = read {
            let missing = error.kind() == io::ErrorKind::NotFound;
            found.damage.push(Damage {
                file: files.path(self.id, self.name).display().to_string(),
                what: format!("cannot be read ({error})"),
                pos: file_pos(self.chunk * CHUNK_BYTES),
                first_offset: self.base,
                last_offset: extent.next_offset - 1,
            });
            self.open = None;
            self.ended |= missing;
        }
        self.chunk += 1;
        // Deleted or replaced meanwhile: nothing that was seen counts.
        self.extent(&partition.borrow())?;
        Some(found)
    }

    fn extent(&self, log: &PartitionLog) -> Option<Extent> {
        let segment = log.segment(self.base)?;
        if segment.name() != self.name {
            return None;
        }
        Some(Extent {
            flushed: segment.kept_blocks(),
            len: segment.len,
            sealed: segment.sealed,
            next_offset: segment.next_offset,
            pin: segment.pin.clone(),
        })
    }
}

/// One step.
struct Look<'a> {
    scrub: &'a mut SegmentScrub,
    files: &'a SegmentFiles,
    extent: &'a Extent,
    found: Scrubbed,
}

impl Look<'_> {
    async fn chunk(&mut self, is_whole: bool) -> io::Result<()> {
        let file = self.files.open_once(self.scrub.id, self.scrub.name).await?;
        if self.scrub.chunk == 0 {
            self.header(&file).await?;
        }
        let start = self.scrub.chunk * CHUNK_BYTES;
        let (index_pos, len) = if is_whole {
            (index_block_pos(self.scrub.chunk), CHUNK_BYTES)
        } else {
            (sealed_index_pos(self.extent.len), self.extent.len - start)
        };
        let from = file_pos(start);
        let bytes = self.read(&file, from, index_pos + BLOCK - from).await?;
        let (at, len) = ((index_pos - from) as usize, len as usize);
        let whole = bytes.len() == at + BLOCK as usize;
        let index = bytes.get(at..).unwrap_or_default();
        let ranges = decode_index_block(self.scrub.chunk, self.scrub.base, index);
        let behind = self.first_offset_behind(&file, is_whole).await;
        if let Some(ranges) = ranges.filter(|_| whole) {
            self.ranges(&ranges, &bytes[..len], behind);
        } else {
            let first = offset_at(&bytes, self.scrub.open.as_ref(), start);
            self.scrub.open = None;
            let first = first.unwrap_or(self.scrub.base);
            self.tell("the index block", index_pos, first, behind);
        }
        if self.scrub.ended {
            self.footer(&file).await?;
        }
        Ok(())
    }

    async fn read(&mut self, file: &File, from: u64, len: u64) -> io::Result<Buf> {
        let bytes = file.read_at(from, len as usize).await?;
        self.found.bytes += bytes.len() as u64;
        Ok(bytes)
    }

    async fn header(&mut self, file: &File) -> io::Result<()> {
        let block = self.read(file, 0, BLOCK).await?;
        let wanted = SegmentHeader {
            disk_id: self.files.disk_id(),
            id: self.scrub.id,
            name: self.scrub.name,
        };
        if SegmentHeader::decode(&block) != Some(wanted) {
            // Readers do not need it: all that they read is bound to its place by itself.
            let base = self.scrub.base;
            self.tell("the header", 0, base, base);
        }
        Ok(())
    }

    async fn footer(&mut self, file: &File) -> io::Result<()> {
        let len = file.len().await?;
        let from = sealed_index_pos(self.extent.len) + BLOCK;
        let blocks = if len > from && len.is_multiple_of(BLOCK) {
            self.read(file, from, len - from).await?
        } else {
            Buf::new()
        };
        let footer = Footer::decode(&blocks).filter(|footer| {
            footer.base_offset == self.scrub.base && footer.bytes == self.extent.len
        });
        if footer.is_none() {
            let (first, behind) = (self.scrub.base, self.extent.next_offset);
            self.tell("the footer", from, first, behind);
        }
        Ok(())
    }

    /// The first offset of what the next index block covers.
    async fn first_offset_behind(&self, file: &File, is_whole: bool) -> i64 {
        let next = self.scrub.chunk + 1;
        let (pos, number) = if !is_whole {
            return self.extent.next_offset;
        } else if (next + 1) * CHUNK_BYTES <= self.extent.flushed {
            (index_block_pos(next), next)
        } else if self.extent.sealed {
            let len = self.extent.len;
            (sealed_index_pos(len), len / CHUNK_BYTES)
        } else {
            return self.extent.next_offset;
        };
        let block = file.read_at(pos, BLOCK as usize).await.unwrap_or_default();
        let ranges = decode_index_block(number, self.scrub.base, &block).unwrap_or_default();
        let first = ranges.first().map(|range| range.first_offset);
        first.unwrap_or(self.extent.next_offset)
    }

    /// Compares ranges with their checksums. `data` are the chunk's bytes of batches, `behind` is the
    /// first offset that follows them.
    fn ranges(&mut self, ranges: &[Range], data: &[u8], behind: i64) {
        let start = self.scrub.chunk * CHUNK_BYTES;
        for (at, range) in ranges.iter().enumerate() {
            let begun = self.scrub.open.take().filter(|open| open.0 == range.pos);
            let mut digest = match begun {
                Some((_, digest)) => digest,
                None if range.pos >= start => {
                    place_digest(self.scrub.id, self.scrub.name, range.pos)
                },
                // It began before damage, or where nobody looked.
                None => continue,
            };
            let range = if mutant::is_active(Mutant::ScrubWrongRange) {
                &ranges[at.saturating_sub(1)]
            } else {
                range
            };
            let (from, to) = (range.pos.max(start) - start, range.end().max(start) - start);
            let bytes = data.get(from as usize..to as usize);
            digest.update(bytes.unwrap_or_default());
            if bytes.is_none() || digest.finalize() as u32 != range.crc {
                let next = ranges.get(at + 1).map(|next| next.first_offset);
                self.tell(
                    "a range of batches",
                    file_pos(range.pos),
                    range.first_offset,
                    next.unwrap_or(behind),
                );
            }
        }
        let goes_on = ranges.last().map(Range::end);
        if let Some(pos) = goes_on {
            self.scrub.open = Some((pos, place_digest(self.scrub.id, self.scrub.name, pos)));
        }
        if let Some((pos, digest)) = &mut self.scrub.open {
            let from = pos.saturating_sub(start) as usize;
            digest.update(data.get(from..).unwrap_or_default());
        }
    }

    fn tell(&mut self, what: &str, pos: u64, first_offset: i64, behind: i64) {
        let file = self.files.path(self.scrub.id, self.scrub.name);
        self.found.damage.push(Damage {
            file: file.display().to_string(),
            what: format!("{what} is damaged"),
            pos,
            first_offset,
            last_offset: behind - 1,
        });
    }
}

/// The offset that stands at the begin of the range that goes on in a chunk, if that is in it.
fn offset_at(chunk: &[u8], open: Option<&(u64, Digest)>, start: u64) -> Option<i64> {
    let at = open?.0.checked_sub(start)? as usize;
    let bytes = chunk.get(at..at + 8)?;
    Some(i64::from_be_bytes(bytes.try_into().expect("eight bytes")))
}
