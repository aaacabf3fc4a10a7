//! Pooled, block-aligned, reference-counted memory: what disks, sockets and readers share.
//!
//! A [`BufMut`] is the only writer of its range; [`BufMut::split_to`] cuts a finished front off a
//! larger buffer, [`BufMut::freeze`] makes it a [`Buf`], which never changes again and may be
//! sliced, cloned and sent to other executors. Memory returns to the pool of the thread that drops
//! the last reference: no malloc and no page faults on the hot path.
#![expect(
    unsafe_code,
    reason = "one block is shared by writers and readers of disjoint ranges"
)]

use std::fmt;
use std::ops::{Bound, Deref, DerefMut, RangeBounds};
use std::ptr::NonNull;
use std::sync::Arc;

mod pool;

pub(crate) use pool::Arena;
use pool::Block;
pub use pool::{keep_idle, memory_used, memory_used_here};

/// Alignment and granule of direct I/O, in bytes.
pub const BLOCK_BYTES: usize = 4096;

/// A range of a block with one owner, who may write it.
pub struct BufMut {
    block: Arc<Block>,
    start: usize,
    len: usize,
}

/// A range of a block that never changes again while this exists.
#[derive(Clone, Default)]
pub struct Buf {
    block: Option<Arc<Block>>,
    start: usize,
    len: usize,
}

impl BufMut {
    /// A buffer of `len` bytes, block-aligned. Its contents are unspecified: zeros or what an
    /// earlier user left there.
    pub fn with_capacity(len: usize) -> Self {
        Self {
            block: Block::new(len),
            start: 0,
            len,
        }
    }

    /// A buffer of `len` zero bytes, block-aligned.
    pub fn zeroed(len: usize) -> Self {
        let mut buf = Self::with_capacity(len);
        buf.fill(0);
        buf
    }

    /// Cuts off the front `[0, at)` and returns it; `self` keeps the rest.
    ///
    /// # Panics
    /// If `at` is beyond the end.
    #[must_use = "the front is no longer in the rest"]
    pub fn split_to(&mut self, at: usize) -> Self {
        assert!(at <= self.len, "split at {at} of {} bytes", self.len);
        let front = Self {
            block: Arc::clone(&self.block),
            start: self.start,
            len: at,
        };
        self.start += at;
        self.len -= at;
        front
    }

    /// Whether the memory lies in that arena.
    pub(crate) fn is_in(&self, arena: Option<&Arc<Arena>>) -> bool {
        self.block.is_in(arena)
    }

    /// Gives up everything behind the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Ends the writing: from here on the bytes are shared and never change.
    pub fn freeze(self) -> Buf {
        Buf {
            block: Some(self.block),
            start: self.start,
            len: self.len,
        }
    }
}

impl Deref for BufMut {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the range lies within the block, is initialised, and only `self` can write it.
        unsafe { NonNull::slice_from_raw_parts(self.block.at(self.start), self.len).as_ref() }
    }
}

impl DerefMut for BufMut {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for deref; `split_to` makes disjoint ranges, `try_into_mut` asks for the only
        // reference to the block, so that no other buffer covers this range.
        unsafe { NonNull::slice_from_raw_parts(self.block.at(self.start), self.len).as_mut() }
    }
}

impl fmt::Debug for BufMut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufMut")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl Buf {
    /// An empty buffer, without memory.
    pub const fn new() -> Self {
        Self {
            block: None,
            start: 0,
            len: 0,
        }
    }

    /// A buffer with a copy of `bytes`.
    pub fn copy_from_slice(bytes: &[u8]) -> Self {
        let mut buf = BufMut::with_capacity(bytes.len());
        buf.copy_from_slice(bytes);
        buf.freeze()
    }

    /// A part of this buffer, sharing its memory.
    ///
    /// # Panics
    /// If the range is not within the buffer.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let from = match range.start_bound() {
            Bound::Included(&from) => from,
            Bound::Excluded(&before) => before + 1,
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(&last) => last + 1,
            Bound::Excluded(&to) => to,
            Bound::Unbounded => self.len,
        };
        assert!(
            from <= to && to <= self.len,
            "slice {from}..{to} of {} bytes",
            self.len
        );
        Self {
            block: self.block.clone(),
            start: self.start + from,
            len: to - from,
        }
    }

    /// Appends `next` if it lies right behind this buffer in the same block: no byte moves.
    pub fn try_join(&mut self, next: &Self) -> bool {
        let follows = self.same_block(next) && self.start + self.len == next.start;
        if follows {
            self.len += next.len;
        }
        follows
    }

    /// Whether address and length are multiples of [`BLOCK_BYTES`], as direct I/O wants them.
    pub fn is_block_aligned(&self) -> bool {
        // Blocks begin at an aligned address.
        self.start.is_multiple_of(BLOCK_BYTES) && self.len.is_multiple_of(BLOCK_BYTES)
    }

    /// The buffer for writing again, if nobody else refers to its block.
    pub fn try_into_mut(self) -> Result<BufMut, Self> {
        let Self { block, start, len } = self;
        let Some(mut block) = block else {
            return Ok(BufMut::with_capacity(0));
        };
        // There are no weak references: get_mut succeeds for the last strong one, having
        // synchronised with whoever dropped the others.
        if Arc::get_mut(&mut block).is_none() {
            return Err(Self {
                block: Some(block),
                start,
                len,
            });
        }
        Ok(BufMut { block, start, len })
    }

    /// Whether the memory lies in that arena.
    pub(crate) fn is_in(&self, arena: Option<&Arc<Arena>>) -> bool {
        self.block.as_ref().is_some_and(|block| block.is_in(arena))
    }

    /// Size of the block that this buffer keeps from being used again.
    pub fn backing_bytes(&self) -> usize {
        self.block.as_ref().map_or(0, |block| block.capacity())
    }

    /// Whether both lie in the same block, and so pin it only once.
    pub fn same_block(&self, other: &Self) -> bool {
        match (&self.block, &other.block) {
            (Some(block), Some(other)) => Arc::ptr_eq(block, other),
            _ => false,
        }
    }

    /// Names the block among those alive: zero for an empty buffer without memory.
    pub fn block_id(&self) -> usize {
        self.block
            .as_ref()
            .map_or(0, |block| block.at(0).addr().get())
    }
}

impl Deref for Buf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let Some(block) = &self.block else { return &[] };
        // SAFETY: the range lies within the block, is initialised, and nobody writes a range that
        // was frozen while a Buf of it exists.
        unsafe { NonNull::slice_from_raw_parts(block.at(self.start), self.len).as_ref() }
    }
}

impl AsRef<[u8]> for Buf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Buf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buf")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_parts_are_independent_and_share_one_block() {
        let mut rest = BufMut::zeroed(3 * BLOCK_BYTES);
        let mut front = rest.split_to(BLOCK_BYTES);
        front.fill(1);
        rest.fill(2);
        let (front, rest) = (front.freeze(), rest.freeze());
        assert!(front.iter().all(|&byte| byte == 1));
        assert!(rest.iter().all(|&byte| byte == 2));
        assert!(front.same_block(&rest));
        assert_eq!(front.block_id(), rest.block_id());
        assert_eq!(front.backing_bytes(), 3 * BLOCK_BYTES);
        assert!(front.is_block_aligned() && rest.is_block_aligned());
        assert!(!rest.slice(1..).is_block_aligned());
        assert!(!rest.slice(..=BLOCK_BYTES).is_block_aligned());
    }

    #[test]
    fn only_the_last_reference_may_write_again() {
        let buf = Buf::copy_from_slice(b"hello");
        let tail = buf.slice(1..=2);
        assert_eq!(&*tail, b"el");
        let buf = buf.try_into_mut().unwrap_err();
        drop(tail);
        let mut writable = buf.try_into_mut().unwrap();
        writable[0] = b'j';
        assert_eq!(&*writable.freeze(), b"jello");
    }

    #[test]
    fn blocks_return_to_the_pool_and_large_ones_to_the_system() {
        let first = BufMut::with_capacity(100_000).freeze();
        let id = first.block_id();
        assert_eq!(first.backing_bytes(), 106_496);
        drop(first);
        assert_eq!(BufMut::with_capacity(99_000).freeze().block_id(), id);
        assert_eq!(
            BufMut::with_capacity((9 << 20) + 1)
                .freeze()
                .backing_bytes(),
            (9 << 20) + 4096
        );
    }

    #[test]
    fn memory_is_accounted_across_threads() {
        let buf = Buf::copy_from_slice(&vec![7; 9 << 20]);
        assert!(memory_used() >= buf.backing_bytes());
        let there = std::thread::Builder::new()
            .spawn(move || buf[8 << 20])
            .unwrap();
        assert_eq!(there.join().unwrap(), 7);
    }

    #[test]
    #[should_panic(expected = "slice 2..9 of 5 bytes")]
    fn slices_stay_within() {
        drop(Buf::copy_from_slice(b"hello").slice(2..9));
    }

    #[test]
    fn the_empty_buffer_has_no_memory() {
        let empty = Buf::new();
        assert_eq!(
            (empty.len(), empty.backing_bytes(), empty.block_id()),
            (0, 0, 0)
        );
        assert!(empty.is_block_aligned());
        assert!(!empty.same_block(&Buf::new()));
        assert!(empty.try_into_mut().unwrap().is_empty());
    }
}
