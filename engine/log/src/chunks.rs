//! Chunks of segment files that readers of old data share: read once by direct I/O, read ahead
//! while somebody reads on, in a budget of their own so that they never push out the tail.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use engine_rt::fs::File;
use engine_rt::{Buf, Event, spawn};

use crate::ids::TopicPartition;
use crate::segment::layout::{CHUNK_BYTES, CHUNK_FILE_BYTES, file_pos};

/// A whole, flushed chunk: partition, segment, number.
pub(crate) type ChunkKey = (TopicPartition, i64, u64);

#[derive(Debug)]
enum Entry {
    /// Somebody reads it from the disk.
    Loading(Rc<Event>),
    /// Bytes with the index block at their end; when it was used last.
    Here(Buf, u64),
}

#[derive(Debug, Default)]
struct Cache {
    chunks: BTreeMap<ChunkKey, Entry>,
    by_use: BTreeMap<u64, ChunkKey>,
    clock: u64,
}

/// The cache of one shard.
#[derive(Debug)]
pub(crate) struct Chunks {
    chunks_max: usize,
    cache: RefCell<Cache>,
}

impl Chunks {
    pub(crate) fn new(chunks_max: usize) -> Rc<Self> {
        let cache = RefCell::default();
        Rc::new(Self {
            chunks_max: chunks_max.max(2),
            cache,
        })
    }

    pub(crate) fn clear(&self) {
        let mut cache = self.cache.borrow_mut();
        cache
            .chunks
            .retain(|_, entry| matches!(entry, Entry::Loading(_)));
        cache.by_use.clear();
    }

    /// The chunk's bytes, from memory or from `file`.
    pub(crate) async fn get(&self, key: ChunkKey, file: &File) -> io::Result<Buf> {
        loop {
            let loading = match self.look_up(&key) {
                Some(Ok(bytes)) => return Ok(bytes),
                Some(Err(loading)) => loading,
                None => return self.load(key, file).await,
            };
            loading.wait().await;
        }
    }

    /// Begins to read a chunk that will be wanted soon.
    pub(crate) fn read_ahead(self: &Rc<Self>, key: ChunkKey, file: &File) {
        if self.look_up(&key).is_some() {
            return;
        }
        let (chunks, file) = (Rc::clone(self), file.clone());
        spawn(async move {
            // Whoever wants the chunk meets the error again.
            let _unwanted = chunks.get(key, &file).await;
        })
        .detach();
    }

    /// Forgets the chunks of a segment that is deleted.
    pub(crate) fn forget(&self, id: TopicPartition, segment_base: i64) {
        let mut cache = self.cache.borrow_mut();
        let range = (id, segment_base, 0)..=(id, segment_base, u64::MAX);
        let keys: Vec<ChunkKey> = cache.chunks.range(range).map(|(key, _)| *key).collect();
        for key in keys {
            cache.remove(&key);
        }
    }

    fn look_up(&self, key: &ChunkKey) -> Option<Result<Buf, Rc<Event>>> {
        let mut cache = self.cache.borrow_mut();
        let (bytes, used) = match cache.chunks.get(key)? {
            Entry::Loading(event) => return Some(Err(Rc::clone(event))),
            Entry::Here(bytes, used) => (bytes.clone(), *used),
        };
        cache.by_use.remove(&used);
        cache.insert(*key, bytes.clone());
        Some(Ok(bytes))
    }

    async fn load(&self, key: ChunkKey, file: &File) -> io::Result<Buf> {
        let loading = Loading {
            chunks: self,
            key,
            event: Rc::new(Event::new()),
        };
        let entry = Entry::Loading(Rc::clone(&loading.event));
        self.cache.borrow_mut().chunks.insert(key, entry);
        let bytes = file
            .read_at(file_pos(key.2 * CHUNK_BYTES), CHUNK_FILE_BYTES as usize)
            .await?;
        let mut cache = self.cache.borrow_mut();
        while cache.by_use.len() >= self.chunks_max {
            let Some((_, oldest)) = cache.by_use.pop_first() else {
                break;
            };
            cache.chunks.remove(&oldest);
        }
        cache.insert(key, bytes.clone());
        Ok(bytes)
    }
}

impl Cache {
    fn insert(&mut self, key: ChunkKey, bytes: Buf) {
        self.clock += 1;
        self.by_use.insert(self.clock, key);
        self.chunks.insert(key, Entry::Here(bytes, self.clock));
    }

    fn remove(&mut self, key: &ChunkKey) {
        if let Some(Entry::Here(_, used)) = self.chunks.remove(key) {
            self.by_use.remove(&used);
        }
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
