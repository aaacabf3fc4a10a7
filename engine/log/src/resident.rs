//! Reading by sendfile: ranges whose pages a helper brought into the page cache leave the broker
//! without passing through user space (rule 13).
//!
//! The first reader of a chunk gets bytes that direct I/O read. Then every range that ends in the
//! chunk is checked, and a helper reads the chunk through the page cache and compares: what later
//! readers are given as ranges is what was checked (rule 14), as long as the kernel has the pages.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use engine_rt::fs::File;
use engine_rt::mutant::{self, Mutant};
use engine_rt::{Buf, spawn};

use crate::chunks::ChunkKey;
use crate::ids::TopicPartition;
use crate::segment::SegmentPin;
use crate::segment::layout::{CHUNK_BYTES, Range, SegmentName, file_pos};

/// Chunks that are remembered at most; when there are more, all are made resident anew.
const CHUNKS_MAX: usize = 1 << 16;

/// `fetch.read.path`: how old data is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadPath {
    /// What costs less where both were measured, which is [`ReadPath::Direct`] so far: from memory
    /// to a socket is cheaper than sendfile.
    #[default]
    Auto,
    /// The first time by direct I/O, then from resident pages of the file by sendfile.
    Sendfile,
    /// Always by direct I/O and shared memory.
    Direct,
}

/// Bytes of whole batches in resident pages of a segment file. Opens on any shard; the file keeps
/// its name while this exists.
#[derive(Clone, Debug)]
pub struct ResidentRange {
    /// The partition.
    pub id: TopicPartition,
    /// The segment.
    pub segment: SegmentName,
    /// Position in the file.
    pub file_pos: u64,
    /// Bytes.
    pub len: usize,
    #[expect(dead_code, reason = "held for its drop")]
    pin: SegmentPin,
}

/// How far a chunk is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A helper reads its pages.
    Coming,
    /// Its pages were all there.
    Here,
    /// The page cache has other bytes than the disk, or none: read by direct I/O from now on.
    Refused,
}

/// Which chunks were made resident.
#[derive(Debug)]
pub(crate) struct Residents {
    path: ReadPath,
    chunks: RefCell<BTreeMap<ChunkKey, Stage>>,
}

/// A place in a segment whose ranges may be resident.
pub(crate) struct Candidate<'a> {
    pub id: TopicPartition,
    pub segment: SegmentName,
    pub file: &'a File,
    pub pin: &'a SegmentPin,
}

impl Candidate<'_> {
    const fn key(&self, chunk: u64) -> ChunkKey {
        (self.id, self.segment, chunk)
    }
}

impl Residents {
    pub(crate) fn new(path: ReadPath) -> Rc<Self> {
        Rc::new(Self {
            path,
            chunks: RefCell::default(),
        })
    }

    pub(crate) fn clear(&self) {
        self.chunks.borrow_mut().clear();
    }

    /// The ranges as pieces of the file, if all their pages are resident.
    pub(crate) fn pieces(
        &self,
        place: &Candidate<'_>,
        ranges: &[Range],
    ) -> Option<Vec<ResidentRange>> {
        let (from, to) = (ranges.first()?.pos, ranges.last()?.end());
        let mut pieces = Vec::new();
        let mut pos = from;
        while pos < to {
            let chunk = pos / CHUNK_BYTES;
            let until = to.min((chunk + 1) * CHUNK_BYTES);
            let len = (until - pos) as usize;
            if !self.has(place, chunk, pos, len) {
                return None;
            }
            pieces.push(ResidentRange {
                id: place.id,
                segment: place.segment,
                file_pos: file_pos(pos),
                len,
                pin: place.pin.clone(),
            });
            pos = until;
        }
        Some(pieces)
    }

    /// Whether a range of a chunk is resident. If the kernel let go of its pages, the chunk has to
    /// be made resident again: pages that come back by themselves may still be under I/O.
    fn has(&self, place: &Candidate<'_>, chunk: u64, pos: u64, len: usize) -> bool {
        let mut chunks = self.chunks.borrow_mut();
        let key = place.key(chunk);
        if mutant::is_active(Mutant::ResidentTooEarly) && chunks.contains_key(&key) {
            return true;
        }
        if chunks.get(&key) != Some(&Stage::Here) {
            return false;
        }
        let resident = place.file.is_resident(file_pos(pos), len);
        if !resident {
            chunks.remove(&key);
        }
        resident
    }

    /// Those of the chunks that ranges lie in that should be made resident.
    pub(crate) fn wanted(&self, place: &Candidate<'_>, ranges: &[Range]) -> Vec<u64> {
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
            return Vec::new();
        };
        if self.path != ReadPath::Sendfile {
            return Vec::new();
        }
        let chunks = self.chunks.borrow();
        (first.pos / CHUNK_BYTES..=(last.end() - 1) / CHUNK_BYTES)
            .filter(|chunk| !chunks.contains_key(&place.key(*chunk)))
            .collect()
    }

    /// Makes a whole chunk resident, in the background. `bytes` are those that were checked.
    pub(crate) fn warm(self: &Rc<Self>, place: &Candidate<'_>, chunk: u64, bytes: Buf) {
        let key = place.key(chunk);
        let mut chunks = self.chunks.borrow_mut();
        if chunks.len() >= CHUNKS_MAX {
            chunks.clear();
        }
        chunks.insert(key, Stage::Coming);
        let (residents, file) = (Rc::clone(self), place.file.clone());
        spawn(async move {
            let pos = file_pos(chunk * CHUNK_BYTES);
            let made = file.make_resident(pos, bytes).await;
            let mut chunks = residents.chunks.borrow_mut();
            // Nothing is noted of a segment that was deleted meanwhile.
            let Some(stage) = chunks.get_mut(&key) else {
                return;
            };
            *stage = Stage::Here;
            if let Err(error) = made {
                *stage = Stage::Refused;
                tracing::warn!(partition = %key.0, segment = key.1.base_offset, chunk, %error, "a chunk is not sent by sendfile: the page cache does not have its bytes");
            }
        })
        .detach();
    }

    /// The segment is deleted.
    pub(crate) fn forget(&self, id: TopicPartition, segment: SegmentName) {
        let mut chunks = self.chunks.borrow_mut();
        chunks.retain(|(other, name, _), _| (*other, *name) != (id, segment));
    }
}
