//! Chunks of segment files that readers of old data share: read once by direct I/O, read ahead
//! while somebody reads on, in a budget of their own so that they never push out the tail.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::rc::Rc;

use engine_rt::fs::File;
use engine_rt::{Buf, Event, spawn};

use crate::ids::TopicPartition;
use crate::pace::Pace;
use crate::segment::layout::{BLOCK, CHUNK_BYTES, CHUNK_FILE_BYTES, Range, SegmentName, file_pos};

/// A whole, flushed chunk: partition, segment, number.
pub(crate) type ChunkKey = (TopicPartition, SegmentName, u64);

/// A chunk in memory, and what was found out about it.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Its bytes, with the index block at their end.
    pub bytes: Buf,
    ranges: OnceCell<Rc<[Range]>>,
    /// Ranges that agree with their checksum: position and checksum.
    checked: RefCell<BTreeSet<(u64, u32)>>,
}

/// Why a chunk is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Somebody reads it.
    Read,
    /// Somebody will.
    Ahead,
}

#[derive(Debug)]
enum Entry {
    /// Somebody reads it from the disk.
    Loading(Rc<Event>),
    Here(Here),
}

#[derive(Debug)]
struct Here {
    chunk: Rc<Chunk>,
    /// When it was used last.
    used: u64,
    /// Whether it was read ahead and nobody has read it yet.
    is_ahead: bool,
}

#[derive(Debug, Default)]
struct Cache {
    chunks: BTreeMap<ChunkKey, Entry>,
    by_use: BTreeMap<u64, ChunkKey>,
    clock: u64,
    /// Chunks that were read ahead and that nobody has read yet.
    ahead: usize,
}

/// The cache of one shard.
#[derive(Debug)]
pub(crate) struct Chunks {
    /// Most chunks in memory.
    capacity: usize,
    cache: RefCell<Cache>,
    pub(crate) pace: Pace,
}

impl Chunk {
    fn new(bytes: Buf) -> Rc<Self> {
        Rc::new(Self {
            bytes,
            ranges: OnceCell::new(),
            checked: RefCell::default(),
        })
    }

    /// The ranges that end in it, which `decode` finds in its index block the first time.
    pub(crate) fn ranges(
        &self,
        decode: impl FnOnce(&[u8]) -> Option<Vec<Range>>,
    ) -> Option<Rc<[Range]>> {
        if let Some(ranges) = self.ranges.get() {
            return Some(Rc::clone(ranges));
        }
        let at = self.bytes.len().saturating_sub(BLOCK as usize);
        let ranges = decode(&self.bytes[at..])?.into();
        Some(Rc::clone(self.ranges.get_or_init(|| ranges)))
    }

    /// Whether a range that lies in this chunk alone was found to agree with its checksum.
    pub(crate) fn is_checked(&self, range: &Range) -> bool {
        self.checked.borrow().contains(&(range.pos, range.crc))
    }

    /// Notes that it does.
    pub(crate) fn checked(&self, range: &Range) {
        self.checked.borrow_mut().insert((range.pos, range.crc));
    }
}

impl Chunks {
    pub(crate) fn new(chunks_max: usize) -> Rc<Self> {
        Rc::new(Self {
            capacity: chunks_max.max(2),
            cache: RefCell::default(),
            pace: Pace::default(),
        })
    }

    pub(crate) fn clear(&self) {
        let mut cache = self.cache.borrow_mut();
        cache
            .chunks
            .retain(|_, entry| matches!(entry, Entry::Loading(_)));
        cache.by_use.clear();
        cache.ahead = 0;
    }

    /// The chunk, from memory or from `file`.
    pub(crate) async fn get(&self, key: ChunkKey, file: &File) -> io::Result<Rc<Chunk>> {
        self.get_for(Purpose::Read, key, file).await
    }

    async fn get_for(&self, purpose: Purpose, key: ChunkKey, file: &File) -> io::Result<Rc<Chunk>> {
        loop {
            let found = self.cache.borrow_mut().look_up(&key, purpose);
            let loading = match found {
                Some(Ok(chunk)) => return Ok(chunk),
                Some(Err(loading)) => loading,
                None => return self.load(purpose, key, file).await,
            };
            loading.wait().await;
        }
    }

    /// Begins to read chunks that will be wanted soon, the nearest first. The first one is always
    /// worth it; more are for readers that have the memory to themselves.
    pub(crate) fn read_ahead(self: &Rc<Self>, keys: impl Iterator<Item = ChunkKey>, file: &File) {
        for (number, key) in keys.enumerate() {
            let mut cache = self.cache.borrow_mut();
            if number > 0 && cache.ahead >= self.capacity / 4 {
                return;
            }
            if cache.look_up(&key, Purpose::Ahead).is_some() {
                continue;
            }
            let (chunks, file) = (Rc::clone(self), file.clone());
            spawn(async move {
                // Whoever wants the chunk meets the error again.
                let _unwanted = chunks.get_for(Purpose::Ahead, key, &file).await;
            })
            .detach();
        }
    }

    /// Forgets the chunks of a segment that is deleted.
    pub(crate) fn forget(&self, id: TopicPartition, segment: SegmentName) {
        let mut cache = self.cache.borrow_mut();
        let range = (id, segment, 0)..=(id, segment, u64::MAX);
        let keys: Vec<ChunkKey> = cache.chunks.range(range).map(|(key, _)| *key).collect();
        for key in keys {
            cache.remove(&key);
        }
    }

    /// Forgets a chunk that is not as it was written: the next read may bring it whole.
    pub(crate) fn forget_damaged(&self, key: &ChunkKey) {
        self.cache.borrow_mut().remove(key);
    }

    async fn load(&self, purpose: Purpose, key: ChunkKey, file: &File) -> io::Result<Rc<Chunk>> {
        let loading = Loading {
            chunks: self,
            key,
            event: Rc::new(Event::new()),
        };
        let entry = Entry::Loading(Rc::clone(&loading.event));
        self.cache.borrow_mut().chunks.insert(key, entry);
        self.pace.admit(CHUNK_FILE_BYTES).await;
        let bytes = file
            .read_at(file_pos(key.2 * CHUNK_BYTES), CHUNK_FILE_BYTES as usize)
            .await?;
        let chunk = Chunk::new(bytes);
        let mut cache = self.cache.borrow_mut();
        cache.make_room(self.capacity);
        cache.insert(key, Rc::clone(&chunk), purpose);
        Ok(chunk)
    }
}

impl Cache {
    /// The chunk, or what tells that its load has ended.
    fn look_up(
        &mut self,
        key: &ChunkKey,
        purpose: Purpose,
    ) -> Option<Result<Rc<Chunk>, Rc<Event>>> {
        let here = match self.chunks.get_mut(key)? {
            Entry::Loading(event) => return Some(Err(Rc::clone(event))),
            Entry::Here(here) => here,
        };
        if purpose == Purpose::Read && mem::take(&mut here.is_ahead) {
            self.ahead -= 1;
        }
        // What was used last stays that: most lookups come in rows.
        if here.used != self.clock {
            self.by_use.remove(&here.used);
            self.clock += 1;
            here.used = self.clock;
            self.by_use.insert(self.clock, *key);
        }
        Some(Ok(Rc::clone(&here.chunk)))
    }

    fn make_room(&mut self, chunks_max: usize) {
        while self.by_use.len() >= chunks_max {
            let Some((_, oldest)) = self.by_use.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            self.remove(&oldest);
        }
    }

    fn insert(&mut self, key: ChunkKey, chunk: Rc<Chunk>, purpose: Purpose) {
        let is_ahead = purpose == Purpose::Ahead;
        self.ahead += usize::from(is_ahead);
        self.clock += 1;
        let here = Here {
            chunk,
            used: self.clock,
            is_ahead,
        };
        self.by_use.insert(self.clock, key);
        self.chunks.insert(key, Entry::Here(here));
    }

    /// What is on its way stays so: it comes in once.
    fn remove(&mut self, key: &ChunkKey) {
        let Some(Entry::Here(here)) = self.chunks.get(key) else {
            return;
        };
        self.by_use.remove(&here.used);
        self.ahead -= usize::from(here.is_ahead);
        self.chunks.remove(key);
    }
}

/// Tells those who wait that a load ended, well or not, even if its task was dropped.
struct Loading<'a> {
    chunks: &'a Chunks,
    key: ChunkKey,
    event: Rc<Event>,
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        let mut cache = self.chunks.cache.borrow_mut();
        if matches!(cache.chunks.get(&self.key), Some(Entry::Loading(_))) {
            cache.chunks.remove(&self.key);
        }
        drop(cache);
        self.event.notify();
    }
}

#[cfg(test)]
mod tests {
    use engine_rt::BufMut;
    use net_wire::Uuid;

    use super::*;

    fn key(number: u64) -> ChunkKey {
        let id = TopicPartition {
            topic_id: Uuid::ZERO,
            partition: 0,
        };
        (id, SegmentName::appended(0), number)
    }

    fn chunk() -> Rc<Chunk> {
        Chunk::new(BufMut::zeroed(2 * BLOCK as usize).freeze())
    }

    fn numbers(cache: &Cache) -> Vec<u64> {
        cache.by_use.values().map(|key| key.2).collect()
    }

    #[test]
    fn the_chunk_that_was_used_longest_ago_leaves() {
        let mut cache = Cache::default();
        for number in 0..3 {
            cache.make_room(3);
            cache.insert(key(number), chunk(), Purpose::Read);
        }
        assert!(cache.look_up(&key(0), Purpose::Read).is_some());
        assert!(cache.look_up(&key(0), Purpose::Read).is_some());
        cache.make_room(3);
        cache.insert(key(3), chunk(), Purpose::Read);
        assert_eq!(numbers(&cache), [2, 0, 3]);
        assert!(cache.look_up(&key(1), Purpose::Read).is_none());
    }

    #[test]
    fn what_was_read_ahead_counts_until_it_is_read_or_leaves() {
        let mut cache = Cache::default();
        for number in 0..3 {
            cache.insert(key(number), chunk(), Purpose::Ahead);
        }
        assert!(cache.look_up(&key(0), Purpose::Ahead).is_some());
        assert_eq!(cache.ahead, 3);
        for _ in 0..2 {
            assert!(cache.look_up(&key(0), Purpose::Read).is_some());
            assert_eq!(cache.ahead, 2);
        }
        cache.make_room(1);
        assert_eq!((cache.ahead, numbers(&cache).len()), (0, 0));
    }

    #[test]
    fn a_chunk_that_is_forgotten_on_its_way_comes_in_once() {
        let mut cache = Cache::default();
        let loading = Rc::new(Event::new());
        cache.chunks.insert(key(0), Entry::Loading(loading));
        cache.remove(&key(0));
        assert!(matches!(
            cache.look_up(&key(0), Purpose::Read),
            Some(Err(_))
        ));
        cache.insert(key(0), chunk(), Purpose::Read);
        assert_eq!(numbers(&cache), [0]);
        cache.remove(&key(0));
        assert!(cache.look_up(&key(0), Purpose::Read).is_none());
        assert_eq!(numbers(&cache), [0; 0]);
    }

    #[test]
    fn an_index_is_decoded_once_and_a_damaged_one_again() {
        let chunk = chunk();
        assert!(chunk.ranges(|_| None).is_none());
        let range = Range {
            first_offset: 0,
            pos: 8,
            bytes: 4,
            max_timestamp: 0,
            crc: 7,
        };
        let decoded = chunk.ranges(|block| {
            assert_eq!(block.len(), BLOCK as usize);
            Some(vec![range])
        });
        assert_eq!(decoded.as_deref(), Some(&[range][..]));
        let again = chunk.ranges(|_| panic!("it is known"));
        assert_eq!(again.as_deref(), Some(&[range][..]));
        assert!(!chunk.is_checked(&range));
        chunk.checked(&range);
        assert!(chunk.is_checked(&range));
        assert!(!chunk.is_checked(&Range { crc: 8, ..range }));
    }
}
