//! Blocks of memory: allocated once, kept by the thread that drops them, taken again.
#![expect(
    unsafe_code,
    reason = "blocks are allocated by hand, for their alignment"
)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::BLOCK_BYTES;

/// Size classes are powers of two from [`BLOCK_BYTES`] up to this; larger blocks are not pooled.
const POOLED_BYTES_MAX: usize = 1 << 20;
const CLASSES: usize = (POOLED_BYTES_MAX / BLOCK_BYTES).ilog2() as usize + 1;
/// What one thread keeps for later. A thread that only drops what others allocate would otherwise
/// hoard memory for ever.
const IDLE_BYTES_MAX: usize = 32 << 20;

static USED_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Bytes in blocks that some [`Buf`](crate::Buf) or [`BufMut`](crate::BufMut) of this process refers
/// to now.
pub fn memory_used() -> usize {
    USED_BYTES.load(Ordering::Relaxed)
}

/// Memory of many blocks in one piece, for registration with a ring.
pub(crate) struct Arena {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: an arena only owns memory; its blocks are handed out once.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

/// Sizes that are read and written most: group writes and read-ahead.
const ARENA_BLOCKS: [usize; 2] = [64 * 1024, 256 * 1024];

impl Arena {
    /// Allocates `len` bytes and gives them as blocks to the pool of the calling thread. At most
    /// what a pool keeps, at least one block of each size.
    pub(crate) fn seed(len: usize) -> Arc<Self> {
        let both = ARENA_BLOCKS[0] + ARENA_BLOCKS[1];
        let len = (len.min(IDLE_BYTES_MAX) / both).max(1) * both;
        let arena = Arc::new(Self {
            start: allocate_zeroed(len),
            len,
        });
        let mut pos = 0;
        while pos < len {
            for capacity in ARENA_BLOCKS {
                // SAFETY: both sizes fit as often as their sum divides the length.
                let data = unsafe { arena.start.add(pos) };
                let memory = Memory {
                    data,
                    capacity,
                    arena: Some(Arc::clone(&arena)),
                };
                // What finds no room in the pool is not used.
                let _kept = POOL.with(|pool| pool.borrow_mut().keep(memory));
                pos += capacity;
            }
        }
        arena
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        free(self.start, self.len);
    }
}

/// The memory of one block, in use or idle.
struct Memory {
    data: NonNull<u8>,
    capacity: usize,
    arena: Option<Arc<Arena>>,
}

impl Memory {
    fn free(self) {
        if self.arena.is_none() {
            free(self.data, self.capacity);
        }
    }
}

/// The free blocks of one thread.
struct Pool {
    free: [Vec<Memory>; CLASSES],
    idle_bytes: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool { free: [const { Vec::new() }; CLASSES], idle_bytes: 0 })
    };
}

impl Pool {
    fn take(&mut self, capacity: usize) -> Option<Memory> {
        let memory = self.free.get_mut(class_of(capacity)?)?.pop()?;
        self.idle_bytes -= capacity;
        Some(memory)
    }

    /// Keeps a block for later, or gives it back to be freed.
    fn keep(&mut self, memory: Memory) -> Result<(), Memory> {
        match class_of(memory.capacity) {
            Some(class) if self.idle_bytes + memory.capacity <= IDLE_BYTES_MAX => {
                self.idle_bytes += memory.capacity;
                self.free[class].push(memory);
                Ok(())
            },
            _ => Err(memory),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.free
            .iter_mut()
            .flat_map(|class| class.drain(..))
            .for_each(Memory::free);
    }
}

const fn class_of(capacity: usize) -> Option<usize> {
    if capacity > POOLED_BYTES_MAX {
        return None;
    }
    Some((capacity / BLOCK_BYTES).ilog2() as usize)
}

const fn capacity_for(len: usize) -> usize {
    if len <= BLOCK_BYTES {
        BLOCK_BYTES
    } else if len <= POOLED_BYTES_MAX {
        len.next_power_of_two()
    } else {
        len.next_multiple_of(BLOCK_BYTES)
    }
}

fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(capacity, BLOCK_BYTES).expect("a block's size fits an address space")
}

fn allocate_zeroed(len: usize) -> NonNull<u8> {
    let layout = layout(len);
    // SAFETY: no caller asks for zero bytes.
    let data = unsafe { alloc_zeroed(layout) };
    NonNull::new(data).unwrap_or_else(|| handle_alloc_error(layout))
}

fn free(data: NonNull<u8>, len: usize) {
    // SAFETY: it comes from `allocate_zeroed` with the same length; its last owner calls this once.
    unsafe { dealloc(data.as_ptr(), layout(len)) }
}

/// What buffers share. Its bytes are always initialised: zeroed when mapped, old contents when
/// reused.
pub(super) struct Block {
    /// Taken by drop only.
    memory: ManuallyDrop<Memory>,
}

// SAFETY: a block is plain memory; ranges are written only through the one BufMut that owns them.
unsafe impl Send for Block {}
// SAFETY: as above; shared ranges are read only.
unsafe impl Sync for Block {}

impl Block {
    pub(super) fn new(len: usize) -> Arc<Self> {
        let capacity = capacity_for(len);
        let pooled = POOL
            .try_with(|pool| pool.borrow_mut().take(capacity))
            .ok()
            .flatten();
        let memory = pooled.unwrap_or_else(|| Memory {
            data: allocate_zeroed(capacity),
            capacity,
            arena: None,
        });
        USED_BYTES.fetch_add(capacity, Ordering::Relaxed);
        Arc::new(Self {
            memory: ManuallyDrop::new(memory),
        })
    }

    pub(super) fn at(&self, start: usize) -> NonNull<u8> {
        // SAFETY: buffers keep start within the block, as checked where they are cut.
        unsafe { self.memory.data.add(start) }
    }

    pub(super) fn capacity(&self) -> usize {
        self.memory.capacity
    }

    pub(super) fn is_in(&self, arena: Option<&Arc<Arena>>) -> bool {
        match (&self.memory.arena, arena) {
            (Some(own), Some(arena)) => Arc::ptr_eq(own, arena),
            _ => false,
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: a value is dropped once, and nothing looks at the field afterwards.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        USED_BYTES.fetch_sub(memory.capacity, Ordering::Relaxed);
        // A thread that is ending may have lost its pool already: it gives the block back.
        let mut memory = Some(memory);
        let _pooled = POOL.try_with(|pool| {
            memory = memory
                .take()
                .and_then(|memory| pool.borrow_mut().keep(memory).err());
        });
        if let Some(memory) = memory {
            memory.free();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buf::BufMut;

    #[test]
    fn a_thread_keeps_a_bounded_amount() {
        let many: Vec<_> = (0..64).map(|_| BufMut::with_capacity(1 << 20)).collect();
        drop(many);
        assert_eq!(POOL.with(|pool| pool.borrow().idle_bytes), IDLE_BYTES_MAX);
    }

    #[test]
    fn an_arena_serves_blocks_of_its_sizes() {
        let arena = Arena::seed(1);
        assert_eq!(arena.len(), ARENA_BLOCKS.iter().sum::<usize>());
        let own = BufMut::with_capacity(200_000);
        assert!(own.is_in(Some(&arena)) && !own.is_in(None));
        let second = BufMut::with_capacity(200_000);
        assert!(!second.is_in(Some(&arena)), "there was one");
        let place = own.freeze().block_id();
        let again = BufMut::with_capacity(200_000).freeze();
        assert!(
            again.is_in(Some(&arena)) && again.block_id() == place,
            "it comes back"
        );
        assert!(!again.is_in(Some(&Arena::seed(1))));
    }
}
