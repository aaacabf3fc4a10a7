//! The segment files of one shard: where they are, and a bounded cache of open ones.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use engine_rt::fs::{self, File, OpenOptions};
use engine_rt::mutant::{self, Mutant};

use net_wire::Uuid;

use crate::chunks::Chunks;
use crate::ids::TopicPartition;
use crate::pace::Flushes;
use crate::resident::{ReadPath, Residents};
use crate::segment::layout::{SegmentName, segment_file_name};

type Key = (TopicPartition, SegmentName);

#[derive(Debug, Default)]
struct Cache {
    open: BTreeMap<Key, (u64, File)>,
    by_use: BTreeMap<u64, Key>,
    clock: u64,
}

/// Opens segment files and keeps the most recently used ones open.
#[derive(Debug)]
pub struct SegmentFiles {
    root: PathBuf,
    disk_id: u128,
    open_max: usize,
    cache: RefCell<Cache>,
    /// Topics whose directory this life has made durable in its parent.
    durable_dirs: RefCell<BTreeSet<Uuid>>,
    pub(crate) chunks: Rc<Chunks>,
    pub(crate) residents: Rc<Residents>,
}

impl SegmentFiles {
    /// Segment files below `root`, at most `open_max` of them open; readers of old data share at
    /// most `chunks_max` chunks of 1 MiB in memory.
    pub fn new(
        root: &Path,
        disk_id: u128,
        open_max: usize,
        chunks_max: usize,
        read_path: ReadPath,
    ) -> Self {
        Self {
            root: root.to_path_buf(),
            disk_id,
            open_max,
            cache: RefCell::default(),
            durable_dirs: RefCell::default(),
            chunks: Chunks::new(chunks_max),
            residents: Residents::new(read_path),
        }
    }

    /// The same files, or those below another `root`, with caches of their own.
    #[must_use]
    pub fn beside(&self, root: &Path) -> Self {
        Self::new(root, self.disk_id, self.open_max, 2, ReadPath::Direct)
    }

    /// Readers of old data give way to the flushes that `probe` tells of. Once only.
    pub fn give_way_to(&self, probe: impl Fn() -> Flushes + 'static) {
        self.chunks.pace.give_way_to(probe);
    }

    /// Forgets what was read: bytes that were never acknowledged may be written anew. Nobody reads
    /// now.
    pub fn forget_reads(&self) {
        self.chunks.clear();
        self.residents.clear();
    }

    /// The data directory's identity, in every file's header.
    pub fn disk_id(&self) -> u128 {
        self.disk_id
    }

    /// The directory of all topics.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of a partition's topic.
    pub fn topic_dir(&self, id: TopicPartition) -> PathBuf {
        self.root.join(TopicPartition::topic_dir(id.topic_id))
    }

    /// The path of a segment.
    pub fn path(&self, id: TopicPartition, name: SegmentName) -> PathBuf {
        self.topic_dir(id)
            .join(segment_file_name(id.partition, name))
    }

    /// Opens a segment that exists.
    pub async fn open(&self, id: TopicPartition, name: SegmentName) -> io::Result<File> {
        self.open_with(id, name, OpenOptions::default()).await
    }

    /// Forgets what was read of a segment: the disk does not have it any more.
    pub fn forget_segment_reads(&self, id: TopicPartition, name: SegmentName) {
        self.chunks.forget(id, name);
        self.residents.forget(id, name);
    }

    /// Opens a segment for reading, past the cache: one that another shard owns, or of which nothing
    /// shall be kept.
    pub async fn open_once(&self, id: TopicPartition, name: SegmentName) -> io::Result<File> {
        let options = OpenOptions {
            read_only: true,
            ..OpenOptions::default()
        };
        File::open(&self.path(id, name), options).await
    }

    /// Opens a segment, creating it and its directory; the names are durable on return. That a name
    /// exists does not say so: the life that made it may have been killed before its sync.
    pub async fn create(&self, id: TopicPartition, name: SegmentName) -> io::Result<File> {
        let known = self.durable_dirs.borrow().contains(&id.topic_id);
        if !known {
            fs::create_dir_all(&self.topic_dir(id)).await?;
        }
        let options = OpenOptions {
            create: true,
            ..OpenOptions::default()
        };
        let file = self.open_with(id, name, options).await?;
        if !mutant::is_active(Mutant::SegmentNameVolatile) {
            self.make_name_durable(id).await?;
        }
        Ok(file)
    }

    /// Makes the names of a topic's segments durable, with that of its directory.
    pub(crate) async fn make_name_durable(&self, id: TopicPartition) -> io::Result<()> {
        fs::sync_dir(&self.topic_dir(id)).await?;
        if !self.durable_dirs.borrow().contains(&id.topic_id) {
            fs::sync_dir(&self.root).await?;
            self.durable_dirs.borrow_mut().insert(id.topic_id);
        }
        Ok(())
    }

    /// Closes a segment and removes its name.
    pub async fn remove(&self, id: TopicPartition, name: SegmentName) -> io::Result<()> {
        self.forget(&(id, name));
        self.chunks.forget(id, name);
        self.residents.forget(id, name);
        match fs::remove_file(&self.path(id, name)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    async fn open_with(
        &self,
        id: TopicPartition,
        name: SegmentName,
        options: OpenOptions,
    ) -> io::Result<File> {
        let key = (id, name);
        if let Some(file) = self.cached(&key) {
            return Ok(file);
        }
        let file = File::open(&self.path(id, name), options).await?;
        // Another task may have opened it meanwhile: keep one descriptor.
        if let Some(file) = self.cached(&key) {
            return Ok(file);
        }
        let mut cache = self.cache.borrow_mut();
        while cache.open.len() >= self.open_max {
            let Some((_, oldest)) = cache.by_use.pop_first() else {
                break;
            };
            cache.open.remove(&oldest);
        }
        cache.clock += 1;
        let now = cache.clock;
        cache.open.insert(key, (now, file.clone()));
        cache.by_use.insert(now, key);
        Ok(file)
    }

    fn cached(&self, key: &Key) -> Option<File> {
        let mut cache = self.cache.borrow_mut();
        let (used, file) = cache
            .open
            .get(key)
            .map(|(used, file)| (*used, file.clone()))?;
        cache.clock += 1;
        let now = cache.clock;
        cache.by_use.remove(&used);
        cache.by_use.insert(now, *key);
        cache.open.insert(*key, (now, file.clone()));
        Some(file)
    }

    fn forget(&self, key: &Key) {
        let mut cache = self.cache.borrow_mut();
        if let Some((used, _)) = cache.open.remove(key) {
            cache.by_use.remove(&used);
        }
    }
}
