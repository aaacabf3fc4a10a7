//! Blocks of memory: cut from large arenas, kept by the thread that drops them, taken again.
//!
//! A page that is touched for the first time costs more than the record that is written to it. So a
//! arena is mapped once for many blocks of a size, in huge pages where it is large enough, and a
//! thread keeps as much as it was told to ([`keep_idle`]). An arena is unmapped with its last block.
#![expect(
    unsafe_code,
    reason = "blocks are allocated by hand, for their alignment"
)]

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::BLOCK_BYTES;

/// Larger blocks are not pooled.
const POOLED_BYTES_MAX: usize = 8 << 20;
/// Sizes between one power of two and the next: at most an eighth of a block is not asked for.
const STEPS: usize = 8;
const CLASSES: usize = ((POOLED_BYTES_MAX / BLOCK_BYTES).ilog2() as usize - 2) * STEPS;
/// What one thread keeps for later, unless it says otherwise.
const IDLE_BYTES_DEFAULT: usize = 32 << 20;
/// Arenas of a size begin small and double.
const ARENA_BYTES_MIN: usize = 64 << 10;
const ARENA_BYTES_MAX: usize = 8 << 20;
/// Mappings of whole huge pages are aligned to them by the kernel.
const HUGE_PAGE_BYTES: usize = 2 << 20;

static USED_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Bytes in blocks that some [`Buf`](crate::Buf) or [`BufMut`](crate::BufMut) of this process refers
/// to now.
pub fn memory_used() -> usize {
    USED_BYTES.load(Ordering::Relaxed)
}

/// Sets how many bytes of idle blocks the calling thread keeps: as much as it will soon want again.
pub fn keep_idle(bytes: usize) {
    POOL.with(|pool| pool.borrow_mut().idle_bytes_max = bytes);
}

/// Memory of many blocks in one piece.
pub(crate) struct Arena {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: an arena only owns memory; its blocks are handed out once.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

/// Sizes that are read and written most: group writes and read-ahead.
const REGISTERED_BLOCKS: [usize; 2] = [64 * 1024, 256 * 1024];

impl Arena {
    /// Allocates `len` bytes for registration with a ring and gives them as blocks to the pool of
    /// the calling thread. At most what a pool keeps, at least one block of each size.
    pub(crate) fn seed(len: usize) -> Arc<Self> {
        let both = REGISTERED_BLOCKS[0] + REGISTERED_BLOCKS[1];
        let len = (len.min(IDLE_BYTES_DEFAULT) / both).max(1) * both;
        let arena = Arc::new(Self::map(len));
        let mut pos = 0;
        while pos < len {
            for capacity in REGISTERED_BLOCKS {
                let block = Memory::in_arena(&arena, pos, capacity);
                // What finds no room in the pool is not used.
                POOL.with(|pool| pool.borrow_mut().keep(block));
                pos += capacity;
            }
        }
        arena
    }

    /// Maps zeroed memory. Memory that cannot be had ends the process, as with any allocation.
    fn map(len: usize) -> Self {
        let (protection, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new private mapping touches no memory that exists.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        assert!(
            start != libc::MAP_FAILED,
            "FL9001: no memory for {len} bytes: {}",
            std::io::Error::last_os_error()
        );
        if len.is_multiple_of(HUGE_PAGE_BYTES) {
            // SAFETY: advice on the mapping just made. Without huge pages it is merely slower.
            unsafe { libc::madvise(start, len, libc::MADV_HUGEPAGE) };
        }
        let start = NonNull::new(start.cast()).expect("nothing is mapped at address zero");
        Self { start, len }
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
        // SAFETY: `map` made it with this length; no block refers to it any more.
        let unmapped = unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
        assert_eq!(unmapped, 0, "an arena is mapped until it is dropped");
    }
}

/// The memory of one block, in use or idle.
struct Memory {
    data: NonNull<u8>,
    capacity: usize,
    arena: Arc<Arena>,
}

impl Memory {
    fn in_arena(arena: &Arc<Arena>, pos: usize, capacity: usize) -> Self {
        assert!(pos + capacity <= arena.len, "a block lies within its arena");
        Self {
            // SAFETY: just checked.
            data: unsafe { arena.start.add(pos) },
            capacity,
            arena: Arc::clone(arena),
        }
    }
}

/// The free blocks of one thread.
struct Pool {
    free: [Vec<Memory>; CLASSES],
    /// Size of the next arena, by class.
    grown: [usize; CLASSES],
    idle_bytes: usize,
    idle_bytes_max: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool {
            free: [const { Vec::new() }; CLASSES],
            grown: [ARENA_BYTES_MIN; CLASSES],
            idle_bytes: 0,
            idle_bytes_max: IDLE_BYTES_DEFAULT,
        })
    };
}

impl Pool {
    fn take(&mut self, capacity: usize) -> Memory {
        let Some(class) = class_of(capacity) else {
            return Memory::in_arena(&Arc::new(Arena::map(capacity)), 0, capacity);
        };
        if self.free[class].is_empty() {
            self.grow(class, capacity);
        }
        self.idle_bytes -= capacity;
        self.free[class].pop().expect("the class has just grown")
    }

    /// Maps another arena of a class, with one block at least.
    fn grow(&mut self, class: usize, capacity: usize) {
        let room = self.idle_bytes_max.saturating_sub(self.idle_bytes);
        let wanted = self.grown[class].min(room).max(capacity);
        self.grown[class] = (self.grown[class] * 2).min(ARENA_BYTES_MAX);
        let len = if wanted < HUGE_PAGE_BYTES {
            wanted - wanted % capacity
        } else {
            wanted.next_multiple_of(HUGE_PAGE_BYTES)
        };
        let arena = Arc::new(Arena::map(len));
        for block in (0..len / capacity).rev() {
            self.free[class].push(Memory::in_arena(&arena, block * capacity, capacity));
            self.idle_bytes += capacity;
        }
    }

    /// Keeps a block for later if there is room.
    fn keep(&mut self, memory: Memory) {
        if let Some(class) = class_of(memory.capacity)
            && self.idle_bytes + memory.capacity <= self.idle_bytes_max
        {
            self.idle_bytes += memory.capacity;
            self.free[class].push(memory);
        }
    }
}

/// The class of a capacity: those below eight [`BLOCK_BYTES`] by block, then [`STEPS`] for each
/// doubling.
const fn class_of(capacity: usize) -> Option<usize> {
    if capacity > POOLED_BYTES_MAX {
        return None;
    }
    let blocks = capacity / BLOCK_BYTES;
    if blocks <= STEPS {
        return Some(blocks - 1);
    }
    let doubling = (blocks - 1).ilog2() as usize - 3;
    let beyond = blocks - (STEPS << doubling);
    Some(STEPS + doubling * STEPS + (beyond >> doubling) - 1)
}

/// The bytes of a block for `len` bytes.
const fn capacity_for(len: usize) -> usize {
    if len <= BLOCK_BYTES {
        return BLOCK_BYTES;
    }
    let blocks = len.div_ceil(BLOCK_BYTES);
    if blocks <= STEPS || len > POOLED_BYTES_MAX {
        return blocks * BLOCK_BYTES;
    }
    let step = 1 << ((blocks - 1).ilog2() - 3);
    blocks.next_multiple_of(step) * BLOCK_BYTES
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
        let pooled = POOL.try_with(|pool| pool.borrow_mut().take(capacity));
        // A thread that is ending may have lost its pool already.
        let memory = pooled
            .unwrap_or_else(|_| Memory::in_arena(&Arc::new(Arena::map(capacity)), 0, capacity));
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
        arena.is_some_and(|arena| Arc::ptr_eq(&self.memory.arena, arena))
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: a value is dropped once, and nothing looks at the field afterwards.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        USED_BYTES.fetch_sub(memory.capacity, Ordering::Relaxed);
        // Without a pool, on a thread that is ending, the block goes back to its arena.
        let _pooled = POOL.try_with(|pool| pool.borrow_mut().keep(memory));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buf::BufMut;

    #[test]
    fn a_thread_keeps_a_bounded_amount() {
        let idle = || POOL.with(|pool| pool.borrow().idle_bytes);
        let many = || -> Vec<_> { (0..64).map(|_| BufMut::with_capacity(1 << 20)).collect() };
        drop(many());
        assert_eq!(idle(), IDLE_BYTES_DEFAULT);
        keep_idle(48 << 20);
        drop(many());
        assert_eq!(idle(), 48 << 20);
    }

    #[test]
    fn every_size_has_a_class_that_wastes_little() {
        let mut last = 0;
        for blocks in 1..=POOLED_BYTES_MAX / BLOCK_BYTES {
            let len = blocks * BLOCK_BYTES;
            let capacity = capacity_for(len);
            assert!(capacity >= len && capacity - len <= len / STEPS, "{len}");
            assert_eq!(capacity_for(capacity), capacity);
            let class = class_of(capacity).expect("pooled");
            assert!(
                class == last || class == last + 1,
                "{len}: {class} after {last}"
            );
            last = class;
        }
        assert_eq!(last, CLASSES - 1);
        assert_eq!(class_of(POOLED_BYTES_MAX + 1), None);
        assert_eq!(
            capacity_for(POOLED_BYTES_MAX + 1),
            POOLED_BYTES_MAX + BLOCK_BYTES
        );
    }

    #[test]
    fn blocks_of_an_arena_do_not_overlap() {
        let mut many: Vec<_> = (0..100).map(|_| BufMut::with_capacity(20_000)).collect();
        for (buf, byte) in many.iter_mut().zip(0..) {
            assert!(buf.iter().all(|&byte| byte == 0), "new memory is zero");
            buf.fill(byte);
        }
        for (buf, byte) in many.iter().zip(0..) {
            assert!(buf.iter().all(|&found| found == byte));
        }
    }

    #[test]
    fn a_registered_arena_serves_blocks_of_its_sizes() {
        let arena = Arena::seed(1);
        assert_eq!(arena.len(), REGISTERED_BLOCKS.iter().sum::<usize>());
        let own = BufMut::with_capacity(256 << 10);
        assert!(own.is_in(Some(&arena)) && !own.is_in(None));
        let second = BufMut::with_capacity(256 << 10);
        assert!(!second.is_in(Some(&arena)), "there was one");
        let place = own.freeze().block_id();
        let again = BufMut::with_capacity(256 << 10).freeze();
        assert!(
            again.is_in(Some(&arena)) && again.block_id() == place,
            "it comes back"
        );
        assert!(!again.is_in(Some(&Arena::seed(1))));
    }
}
