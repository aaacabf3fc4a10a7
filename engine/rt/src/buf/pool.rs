//! Blocks of memory: allocated once, kept by the thread that drops them, taken again.
//!
//! A page that is touched for the first time costs more than the record that is written to it. So a
//! thread keeps as many bytes as it was told to ([`keep_idle`]). What is beyond goes back to the
//! system at once: memory in use and idle is all there is.
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
use crate::world;

/// Larger blocks are not pooled.
const POOLED_BYTES_MAX: usize = 8 << 20;
/// Sizes between one power of two and the next: at most an eighth of a block is not asked for.
const STEPS: usize = 8;
const CLASSES: usize = ((POOLED_BYTES_MAX / BLOCK_BYTES).ilog2() as usize - 2) * STEPS;
/// What one thread keeps for later, unless it says otherwise.
const IDLE_BYTES_DEFAULT: usize = 32 << 20;
/// What a thread keeps at least that plays simulated worlds: all shards and clients of one seed after
/// the other.
const IDLE_BYTES_SIMULATED: usize = 256 << 20;
/// Blocks of this size and more are mappings of their own; the system's allocator has the others.
const MAPPED_BYTES_MIN: usize = 64 << 10;

static USED_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Bytes in blocks that some [`Buf`](crate::Buf) or [`BufMut`](crate::BufMut) of this process refers
/// to now.
pub fn memory_used() -> usize {
    USED_BYTES.load(Ordering::Relaxed)
}

/// Bytes in blocks that the calling thread has taken and not given back: all that there are in the
/// simulated world that it plays.
pub fn memory_used_here() -> usize {
    POOL.with(|pool| usize::try_from(pool.borrow().used_bytes).unwrap_or(0))
}

/// Sets how many bytes of idle blocks the calling thread keeps: as much as it will soon want again.
pub fn keep_idle(bytes: usize) {
    let bytes = if world::is_simulated() {
        bytes.max(IDLE_BYTES_SIMULATED)
    } else {
        bytes
    };
    POOL.with(|pool| pool.borrow_mut().idle_bytes_max = bytes);
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
        let len = (len.min(IDLE_BYTES_DEFAULT) / both).max(1) * both;
        let arena = Arc::new(Self {
            start: map(len),
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
                let _kept = POOL.with(|pool| pool.borrow_mut().add(memory));
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
        unmap(self.start, self.len);
    }
}

/// Maps zeroed memory, its pages there already: each fault costs more than the page. Memory that
/// cannot be had ends the process, as with any allocation.
fn map(len: usize) -> NonNull<u8> {
    let (protection, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
    );
    // SAFETY: a new private mapping touches no memory that exists.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
    assert!(
        start != libc::MAP_FAILED,
        "FL9001: no memory for {len} bytes: {}",
        std::io::Error::last_os_error()
    );
    NonNull::new(start.cast()).expect("nothing is mapped at address zero")
}

fn unmap(start: NonNull<u8>, len: usize) {
    // SAFETY: `map` made it with this length; its last owner calls this once.
    let unmapped = unsafe { libc::munmap(start.as_ptr().cast(), len) };
    assert_eq!(unmapped, 0, "what was mapped can be unmapped");
}

fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(capacity, BLOCK_BYTES).expect("a block's size fits an address space")
}

/// The memory of one block, in use or idle.
struct Memory {
    data: NonNull<u8>,
    capacity: usize,
    arena: Option<Arc<Arena>>,
}

impl Memory {
    fn new(capacity: usize) -> Self {
        let data = if capacity >= MAPPED_BYTES_MIN {
            map(capacity)
        } else {
            let layout = layout(capacity);
            // SAFETY: no block has zero bytes.
            let data = unsafe { alloc_zeroed(layout) };
            NonNull::new(data).unwrap_or_else(|| handle_alloc_error(layout))
        };
        Self {
            data,
            capacity,
            arena: None,
        }
    }

    fn free(self) {
        if self.arena.is_some() {
            return;
        }
        if self.capacity >= MAPPED_BYTES_MIN {
            unmap(self.data, self.capacity);
        } else {
            // SAFETY: it was allocated with this layout; its last owner calls this once.
            unsafe { dealloc(self.data.as_ptr(), layout(self.capacity)) }
        }
    }
}

/// The free blocks of one thread.
struct Pool {
    free: [Vec<Memory>; CLASSES],
    idle_bytes: usize,
    idle_bytes_max: usize,
    /// Blocks taken by this thread, less those that it gave back; below zero where others took them.
    used_bytes: isize,
}

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool {
            free: [const { Vec::new() }; CLASSES],
            idle_bytes: 0,
            idle_bytes_max: IDLE_BYTES_DEFAULT,
            used_bytes: 0,
        })
    };
}

impl Pool {
    fn take(&mut self, capacity: usize) -> Option<Memory> {
        self.used_bytes += capacity as isize;
        let memory = self.free.get_mut(class_of(capacity)?)?.pop()?;
        self.idle_bytes -= capacity;
        Some(memory)
    }

    /// Takes back a block of somebody.
    fn keep(&mut self, memory: Memory) -> Result<(), Memory> {
        self.used_bytes -= memory.capacity as isize;
        self.add(memory)
    }

    /// Keeps a block for later, or gives it back to be freed. Sizes that nobody takes make room for
    /// those that are dropped now.
    fn add(&mut self, memory: Memory) -> Result<(), Memory> {
        let Some(class) = class_of(memory.capacity) else {
            return Err(memory);
        };
        if self.idle_bytes + memory.capacity > self.idle_bytes_max {
            let idle = |class: &usize| {
                self.free[*class].first().map_or(0, |m| m.capacity) * self.free[*class].len()
            };
            let most = (0..CLASSES).max_by_key(idle).expect("there are classes");
            if most == class || idle(&most) < memory.capacity {
                return Err(memory);
            }
            while self.idle_bytes + memory.capacity > self.idle_bytes_max {
                let Some(victim) = self.free[most].pop() else {
                    return Err(memory);
                };
                self.idle_bytes -= victim.capacity;
                victim.free();
            }
        }
        self.idle_bytes += memory.capacity;
        self.free[class].push(memory);
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let all = self.free.iter_mut().flat_map(|class| class.drain(..));
        all.for_each(Memory::free);
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
        // A thread that is ending may have lost its pool already.
        let pooled = POOL.try_with(|pool| pool.borrow_mut().take(capacity));
        let memory = pooled.ok().flatten();
        let memory = memory.unwrap_or_else(|| Memory::new(capacity));
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
        let idle = || POOL.with(|pool| pool.borrow().idle_bytes);
        let many = || -> Vec<_> { (0..64).map(|_| BufMut::with_capacity(1 << 20)).collect() };
        drop(many());
        assert_eq!(idle(), IDLE_BYTES_DEFAULT);
        keep_idle(48 << 20);
        drop(many());
        assert_eq!(idle(), 48 << 20);
    }

    #[test]
    fn a_size_that_nobody_takes_makes_room() {
        let idle =
            |capacity| POOL.with(|pool| pool.borrow().free[class_of(capacity).unwrap()].len());
        keep_idle(4 << 20);
        drop(
            (0..4)
                .map(|_| BufMut::with_capacity(1 << 20))
                .collect::<Vec<_>>(),
        );
        assert_eq!(idle(1 << 20), 4);
        drop(
            (0..8)
                .map(|_| BufMut::with_capacity(256 << 10))
                .collect::<Vec<_>>(),
        );
        assert_eq!((idle(1 << 20), idle(256 << 10)), (2, 8));
        assert_eq!(POOL.with(|pool| pool.borrow().idle_bytes), 4 << 20);
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
    fn blocks_do_not_overlap() {
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
        assert_eq!(arena.len(), ARENA_BLOCKS.iter().sum::<usize>());
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
