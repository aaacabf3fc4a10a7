//! Pooled, block-aligned, reference-counted memory: what disks, sockets and readers share.
//!
//! A [`BufMut`] is the only writer of its range; [`BufMut::split_to`] cuts a finished front off a
//! larger buffer, [`BufMut::freeze`] makes it a [`Buf`], which never changes again and may be
//! sliced, cloned and sent to other executors. Memory returns to the pool of the thread that drops
//! the last reference.

/// Alignment and granule of direct I/O, in bytes.
pub const BLOCK_BYTES: usize = 4096;

// API (to be implemented by the ring's author):
// BufMut::with_capacity(len) -> BufMut        // pooled, size classes, len bytes long, contents UNSPECIFIED BUT INITIALISED (zeroed once when mapped)
// BufMut::zeroed(len) ; BufMut: Deref<Target=[u8]> + DerefMut, Send, len(), is_empty()
// BufMut::split_to(&mut self, at) -> BufMut   // front [0,at), self keeps the rest
// BufMut::truncate(len); BufMut::freeze(self) -> Buf
// Buf: Clone + Send + Sync + Deref<[u8]> + AsRef<[u8]> + Debug(len only); Buf::slice(range) -> Buf; Buf::copy_from_slice(&[u8]); Buf::new() empty;
// Buf::is_block_aligned() -> bool (address and len multiples of BLOCK_BYTES)
// Buf::try_into_mut(self) -> Result<BufMut, Buf> when unique
// Buf::backing_bytes(&self) -> usize  // size of the whole pooled block it pins
// Buf::same_block(&self, other:&Buf) -> bool ; Buf::block_id(&self) -> usize
// memory_used() -> usize  // bytes in pooled blocks now referenced, all threads of the process (sim: too)
