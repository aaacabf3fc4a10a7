//! Reading by sendfile: ranges whose pages a helper brought into the page cache leave the broker
//! without passing through user space (rule 13).
//!
//! A chunk becomes resident after it was read and checked by direct I/O once: the first reader gets
//! bytes, later ones ranges, as long as the kernel still has the pages.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use engine_rt::fs::File;
use engine_rt::spawn;

use crate::chunks::ChunkKey;
use crate::ids::TopicPartition;
use crate::segment::SegmentPin;
use crate::segment::layout::{CHUNK_BYTES, CHUNK_FILE_BYTES, Range, file_pos};

/// `fetch.read.path`: how old data is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadPath {
    /// From resident pages where they are known to be resident, else by direct I/O. Brings nothing
    /// into the page cache itself: memory to socket costs less than sendfile where both were
    /// measured.
    #[default]
    Auto,
    /// From resident pages; makes them resident.
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
    pub segment_base: i64,
    /// Position in the file.
    pub file_pos: u64,
    /// Bytes.
    pub len: usize,
    #[expect(dead_code, reason = "held for its drop")]
    pin: SegmentPin,
}

/// Which chunks were made resident.
#[derive(Debug)]
pub(crate) struct Residents {
    path: ReadPath,
    chunks: RefCell<BTreeSet<ChunkKey>>,
}

/// A place in a segment whose ranges may be resident.
pub(crate) struct Candidate<'a> {
    pub id: TopicPartition,
    pub segment_base: i64,
    pub file: &'a File,
    pub pin: &'a SegmentPin,
}

impl Residents {
    pub(crate) fn new(path: ReadPath) -> Rc<Self> {
        Rc::new(Self {
            path,
            chunks: RefCell::default(),
        })
    }

    /// The ranges as pieces of the file, if all their pages are resident.
    pub(crate) fn pieces(
        &self,
        place: &Candidate<'_>,
        ranges: &[Range],
    ) -> Option<Vec<ResidentRange>> {
        if self.path == ReadPath::Direct {
            return None;
        }
        let (from, to) = (ranges.first()?.pos, ranges.last()?.end());
        let mut pieces = Vec::new();
        let mut pos = from;
        while pos < to {
            let chunk = pos / CHUNK_BYTES;
            let until = to.min((chunk + 1) * CHUNK_BYTES);
            let known = self
                .chunks
                .borrow()
                .contains(&(place.id, place.segment_base, chunk));
            let len = (until - pos) as usize;
            if !known || !place.file.is_resident(file_pos(pos), len) {
                return None;
            }
            pieces.push(ResidentRange {
                id: place.id,
                segment_base: place.segment_base,
                file_pos: file_pos(pos),
                len,
                pin: place.pin.clone(),
            });
            pos = until;
        }
        Some(pieces)
    }

    /// Makes the whole chunks of checked ranges resident, in the background.
    pub(crate) fn warm(
        self: &Rc<Self>,
        place: &Candidate<'_>,
        ranges: &[Range],
        is_whole: impl Fn(u64) -> bool,
    ) {
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
            return;
        };
        if self.path != ReadPath::Sendfile {
            return;
        }
        for chunk in first.pos / CHUNK_BYTES..=(last.end() - 1) / CHUNK_BYTES {
            let key = (place.id, place.segment_base, chunk);
            if !is_whole(chunk) || self.chunks.borrow().contains(&key) {
                continue;
            }
            let (residents, file) = (Rc::clone(self), place.file.clone());
            spawn(async move {
                let pos = file_pos(chunk * CHUNK_BYTES);
                if file
                    .make_resident(pos, CHUNK_FILE_BYTES as usize)
                    .await
                    .is_ok()
                {
                    residents.chunks.borrow_mut().insert(key);
                }
            })
            .detach();
        }
    }

    /// The kernel let go of pages of this chunk, or the segment is deleted.
    pub(crate) fn forget(&self, id: TopicPartition, segment_base: i64) {
        let mut chunks = self.chunks.borrow_mut();
        chunks.retain(|(other, base, _)| (*other, *base) != (id, segment_base));
    }
}
