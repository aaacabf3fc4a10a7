//! A shard's start: read the checkpoint, fold the journal's tail, make durable what was accepted,
//! begin a new life. No system call per partition.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use engine_log::entry::{Entry, decode, encode_change};
use engine_log::{Flushes, RecoveredPartition, Recovering, SegmentFiles, TopicPartition, shared};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{Event, Semaphore, fs, spawn, wall_clock_ms};
use engine_wal::{
    EntryKind, Journal, JournalObserver, JournalOptions, Position, Recovered, recover,
};
use net_wire::codec::Codecs;

use crate::checkpoint::{Checkpoint, CheckpointOwner};
use crate::options::{OpenError, PartitionSpec, ShardOptions, ShardStats};
use crate::shard::Shard;
use crate::slot::Slot;

/// Idle memory that a shard keeps beside what relief frees.
const IDLE_BYTES: usize = 16 << 20;

/// What a journal and its checkpoint hold.
pub(crate) struct Found {
    pub partitions: BTreeMap<TopicPartition, RecoveredPartition>,
    pub checkpoint: Checkpoint,
    pub journal: Recovered,
}

impl ShardOptions {
    /// The directory of a shard's journal and checkpoint in a generation of the ownership table.
    pub(crate) fn dir(&self) -> PathBuf {
        generation_dir(&self.data_dir, self.generation).join(self.index.to_string())
    }

    /// The directory of all segments.
    pub(crate) fn topics_dir(&self) -> PathBuf {
        self.data_dir.join("topics")
    }

    pub(crate) fn journal_options(&self) -> JournalOptions {
        JournalOptions {
            dir: self.dir(),
            disk_id: self.disk_id,
            journal_id: self.index as u32,
            file_bytes: self.journal_file_bytes,
            first_file_bytes: self.journal_first_file_bytes,
            files_max: self.journal_files_max,
        }
    }

    pub(crate) fn segment_files(&self) -> SegmentFiles {
        SegmentFiles::new(
            &self.topics_dir(),
            self.disk_id,
            self.open_files_max,
            self.read_chunks_max,
            self.read_path,
        )
    }
}

/// The directory of a generation's journals and checkpoints.
pub(crate) fn generation_dir(data_dir: &Path, generation: u64) -> PathBuf {
    data_dir.join("shards").join(format!("{generation:08}"))
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.display().to_string();
    move |source| OpenError::Io { path, source }
}

/// Makes the shard's directory, with durable names: also those that are there already, for the life
/// that made them may have been killed before its sync.
pub(crate) async fn make_dirs(options: &ShardOptions) -> Result<(), OpenError> {
    let dir = options.dir();
    let generation = generation_dir(&options.data_dir, options.generation);
    let shards = options.data_dir.join("shards");
    fs::create_dir_all(&dir).await.map_err(io_error(&dir))?;
    let topics = options.topics_dir();
    fs::create_dir_all(&topics)
        .await
        .map_err(io_error(&topics))?;
    for parent in [&generation, &shards, &options.data_dir] {
        fs::sync_dir(parent).await.map_err(io_error(parent))?;
    }
    Ok(())
}

/// Reads a shard's checkpoint and journal. Writes nothing, but makes what it accepts durable.
pub(crate) async fn find(
    options: &ShardOptions,
    specs: &BTreeMap<TopicPartition, PartitionSpec>,
) -> Result<Found, OpenError> {
    let dir = options.dir();
    let owner = CheckpointOwner {
        disk_id: options.disk_id,
        shard: options.index as u32,
    };
    let (checkpoint, contents) = Checkpoint::load(&dir, owner)
        .await
        .map_err(io_error(&dir))?;
    let config_of = |id: &TopicPartition| specs.get(id).map(|spec| spec.config);
    let mut recovering = BTreeMap::new();
    for (id, state) in &contents.states {
        let Some(config) = config_of(id) else {
            continue;
        };
        let partition = Recovering::from_state(state, config)
            .ok_or_else(|| OpenError::Checkpoint(dir.display().to_string()))?;
        recovering.insert(*id, partition);
    }
    let from = contents.position.unwrap_or(Position::START);
    let journal_options = options.journal_options();
    let journal = recover(&journal_options, from, |frame| {
        for entry in frame
            .entries()
            .filter(|entry| entry.kind.0 >= EntryKind::FIRST_USER)
        {
            let Some((id, change)) = decode(entry.kind.0, &entry.payload) else {
                continue;
            };
            let Some(config) = config_of(&id) else {
                continue;
            };
            let partition = recovering
                .entry(id)
                .or_insert_with(|| Recovering::empty(id, config));
            partition.add(frame.sequence, change);
        }
    })
    .await?;
    if !mutant::is_active(Mutant::RecoveryNotDurable) {
        journal.make_durable(&dir).await.map_err(io_error(&dir))?;
        checkpoint.make_durable().await.map_err(io_error(&dir))?;
    }
    let files = options.segment_files();
    let now_ms = wall_clock_ms();
    let mut partitions = BTreeMap::new();
    for (id, partition) in recovering {
        partitions.insert(
            id,
            partition
                .finish(&files, journal.flushed_mark, now_ms)
                .await?,
        );
    }
    Ok(Found {
        partitions,
        checkpoint,
        journal,
    })
}

/// The partitions whose end recovery cut, with their new ends.
pub(crate) fn truncated(
    partitions: &BTreeMap<TopicPartition, RecoveredPartition>,
) -> Vec<(TopicPartition, i64)> {
    let cut = partitions.iter();
    cut.filter_map(|(id, partition)| Some((*id, partition.truncated_to?)))
        .collect()
}

impl Shard {
    /// Recovers this shard's journal and opens it for a new life. When this returns, everything
    /// recovered is durable and may be served. `specs` are the partitions that the metadata gives
    /// to this shard; what else the journal holds was deleted and is dropped.
    pub async fn open(
        options: ShardOptions,
        specs: Vec<PartitionSpec>,
    ) -> Result<Rc<Self>, OpenError> {
        make_dirs(&options).await?;
        // Relief frees this much at once, and appends want it again soon.
        engine_rt::keep_idle((options.tail_bytes_max / 4) as usize + IDLE_BYTES);
        tracing::info!(shard = options.index, "recovery started");
        let specs: BTreeMap<_, _> = specs.into_iter().map(|spec| (spec.id, spec)).collect();
        let Found {
            mut partitions,
            checkpoint,
            mut journal,
        } = find(&options, &specs).await?;
        let truncated = truncated(&partitions);
        let shard = Rc::new(Self::new(options, checkpoint));
        for (id, spec) in &specs {
            shard.insert(spec, partitions.remove(id));
        }
        shard.make_room(&mut journal).await?;
        shard.open_journal(journal);
        let weak = Rc::downgrade(&shard);
        let flushes = move || {
            weak.upgrade()
                .map_or_else(Flushes::default, |shard| shard.flushes())
        };
        shard.files.give_way_to(flushes);
        shard.begin_life(&truncated).await?;
        tracing::info!(
            shard = shard.index(),
            partitions = specs.len(),
            truncated = truncated.len(),
            "recovery finished"
        );
        shard.look_at_space().await;
        spawn(Rc::clone(&shard).relieve_when_due()).detach();
        spawn(Rc::clone(&shard).turn_when_due()).detach();
        spawn(Rc::clone(&shard).keep_house()).detach();
        spawn(Rc::clone(&shard).watch_space()).detach();
        spawn(Rc::clone(&shard).mend()).detach();
        spawn(Rc::clone(&shard).scrub()).detach();
        spawn(Rc::clone(&shard).flush_when_due()).detach();
        spawn(Rc::clone(&shard).compact()).detach();
        Ok(shard)
    }

    fn new(options: ShardOptions, checkpoint: Checkpoint) -> Self {
        let (files, compaction) = (options.segment_files(), options.compaction);
        Self {
            options,
            slots: RefCell::default(),
            journal: RefCell::new(None),
            files,
            checkpoint: RefCell::new(Rc::new(checkpoint)),
            in_frames: RefCell::default(),
            durable_frame: Cell::new(0),
            gate: Semaphore::new(1),
            gate_queue: Cell::new(0),
            tail_bytes: Cell::new(0),
            tail_order: RefCell::default(),
            unfreeable: Cell::new(0),
            log_bytes: Cell::new(0),
            wanted_bytes: Cell::new(0),
            pressure: Event::new(),
            relieved: Event::new(),
            removed: RefCell::default(),
            compaction: Cell::new(compaction),
            last_cleaning: Cell::new(0),
            removing: RefCell::default(),
            space_left: Cell::new(u64::MAX),
            space_low: Cell::new(false),
            stopping: Cell::new(false),
            exchanging: Cell::new(false),
            under_way: Cell::new(0),
            settled: Event::new(),
            turning: Semaphore::new(1),
            flush_due: Cell::new(None),
            flush_sooner: Event::new(),
            codecs: RefCell::new(Codecs::new()),
            stats: RefCell::new(ShardStats::default()),
        }
    }

    /// Takes a partition with what was found of it.
    pub(crate) fn insert(&self, spec: &PartitionSpec, found: Option<RecoveredPartition>) {
        let Some(found) = found else {
            return self.create_partition(*spec);
        };
        let mut log = found.log;
        log.set_config(spec.config);
        log.set_leader_epoch(spec.leader_epoch);
        let bytes = log.tail_bytes();
        let slot = Slot::new(shared(log));
        // The journal may hold entries of it: the next checkpoint must cover them.
        slot.dirty.set(true);
        if bytes > 0 {
            self.tail_bytes.set(self.tail_bytes.get() + bytes);
            self.enqueue_tail(&slot);
        }
        self.slots.borrow_mut().insert(spec.id, slot);
    }

    /// Before journal files are used again, the copies of the checkpoint are made the same. Lives that
    /// ended before their first checkpoint each hold a file of the journal. When there is none left
    /// for a new life, the checkpoint is taken now.
    pub(crate) async fn make_room(&self, journal: &mut Recovered) -> Result<(), OpenError> {
        self.checkpoint().mend().await;
        if !journal.is_exhausted(self.options.journal_files_max) {
            return Ok(());
        }
        let end = journal.end;
        let checkpoint = self.checkpoint();
        let written = async {
            let mut record = checkpoint.begin(true).await?;
            self.capture(&mut record, Vec::new(), true).await?;
            record.finish(end).await
        };
        written.await.map_err(io_error(&self.options.dir()))?;
        journal.release_before(end.generation);
        self.stats.borrow_mut().checkpoints += 1;
        Ok(())
    }

    pub(crate) fn open_journal(self: &Rc<Self>, recovered: Recovered) {
        let strong: Rc<dyn JournalObserver> = Rc::<Self>::clone(self);
        let observer: Weak<dyn JournalObserver> = Rc::downgrade(&strong);
        let last = recovered.end.sequence - 1;
        self.durable_frame.set(last);
        let journal = Journal::open(self.options.journal_options(), recovered, observer);
        *self.journal.borrow_mut() = Some(journal);
    }

    /// The first frame of the new life: it voids what lies behind the end of the last one (rule 5),
    /// and cuts what recovery cut.
    pub(crate) async fn begin_life(
        &self,
        truncated: &[(TopicPartition, i64)],
    ) -> Result<(), OpenError> {
        for (id, end) in truncated {
            if mutant::is_active(Mutant::TruncateNotJournaled) {
                break;
            }
            let entry = encode_change(*id, &Entry::Truncate(*end));
            let fields = &entry.fields;
            self.journal()
                .append(EntryKind(entry.kind), fields.len(), true, |into| {
                    into.copy_from_slice(fields);
                });
        }
        self.journal()
            .sync()
            .await
            .map_err(io_error(&self.options.dir()))
    }
}
