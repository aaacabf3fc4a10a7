//! What happened over a run of seeds: a run that met nothing proves nothing.

use std::collections::BTreeMap;
use std::fmt;

/// Counted happenings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// An acknowledged append.
    Commit,
    /// A retry that the server recognised.
    DuplicateAnswered,
    /// A batch that came with a fetch.
    BatchRead,
    /// `kill -9`.
    Kill,
    /// A power cut.
    PowerCut,
    /// A life that ended as asked.
    CleanStop,
    /// A crash while a shard recovered.
    CrashInRecovery,
    /// A crash while partitions moved to another number of shards.
    CrashInReshard,
    /// A change of `--shards`.
    Reshard,
    /// A checkpoint.
    Checkpoint,
    /// The journal went on to another file.
    JournalTurn,
    /// The journal used a file again.
    JournalWrap,
    /// A segment was begun.
    SegmentRoll,
    /// A segment was sealed.
    SegmentSeal,
    /// A segment was deleted.
    SegmentDelete,
    /// A log start moved by itself.
    Retention,
    /// A log start moved on request.
    DeleteRecords,
    /// An append that bypassed the journal.
    Bypassed,
    /// A log with both kinds of appends.
    MixedLog,
    /// A lookup by time that was checked.
    TimeLookup,
    /// A topic was created.
    TopicCreated,
    /// A topic was deleted.
    TopicDeleted,
    /// A topic got another configuration.
    Configured,
    /// Connections were reset or the link was cut.
    NetworkTrouble,
}

/// Every event with its name in reports.
const NAMES: &[(Event, &str)] = &[
    (Event::Commit, "commits"),
    (Event::DuplicateAnswered, "duplicates answered"),
    (Event::BatchRead, "batches read"),
    (Event::Kill, "kills"),
    (Event::PowerCut, "power cuts"),
    (Event::CleanStop, "clean stops"),
    (Event::CrashInRecovery, "crashes in recovery"),
    (Event::CrashInReshard, "crashes in re-sharding"),
    (Event::Reshard, "changes of the shard count"),
    (Event::Checkpoint, "checkpoints"),
    (Event::JournalTurn, "journal turn-overs"),
    (Event::JournalWrap, "journal wraps"),
    (Event::SegmentRoll, "segment rolls"),
    (Event::SegmentSeal, "segment seals"),
    (Event::SegmentDelete, "segments deleted"),
    (Event::Retention, "log starts moved by retention"),
    (Event::DeleteRecords, "log starts moved by request"),
    (Event::Bypassed, "bypassed appends"),
    (Event::MixedLog, "logs with bypassed and journaled appends"),
    (Event::TimeLookup, "lookups by time"),
    (Event::TopicCreated, "topics created"),
    (Event::TopicDeleted, "topics deleted"),
    (Event::Configured, "configurations changed"),
    (Event::NetworkTrouble, "troubles of the network"),
];

/// Counts by event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    counts: BTreeMap<Event, u64>,
    seeds: u64,
}

impl Coverage {
    /// Counts one more.
    pub fn count(&mut self, event: Event) {
        self.add(event, 1);
    }

    /// Counts `more`.
    pub fn add(&mut self, event: Event, more: u64) {
        *self.counts.entry(event).or_default() += more;
    }

    /// How often an event happened.
    pub fn of(&self, event: Event) -> u64 {
        self.counts.get(&event).copied().unwrap_or(0)
    }

    /// Notes that this is the whole of a seed.
    pub fn end_seed(&mut self) {
        self.seeds += 1;
    }

    /// Takes in another run's counts.
    pub fn merge(&mut self, other: &Self) {
        for (event, count) in &other.counts {
            self.add(*event, *count);
        }
        self.seeds += other.seeds;
    }

    /// What did not happen often enough for the run to mean something.
    pub fn shortfalls(&self) -> Vec<String> {
        let mut shortfalls = Vec::new();
        let mut ask = |what: &str, found: u64, floor: u64| {
            if found < floor {
                shortfalls.push(format!("{what}: {found}, at least {floor} are due"));
            }
        };
        let crashes = self.of(Event::Kill) + self.of(Event::PowerCut);
        ask("commits", self.of(Event::Commit), 200 * self.seeds);
        ask("crashes", crashes, 5 * self.seeds);
        ask("power cuts", self.of(Event::PowerCut) * 2, crashes);
        for (event, name) in NAMES {
            ask(name, self.of(*event), 1);
        }
        shortfalls
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (event, name) in NAMES {
            let count = self.of(*event);
            let average = count as f64 / self.seeds.max(1) as f64;
            writeln!(f, "{count:>10}  {average:>8.1} a seed  {name}")?;
        }
        Ok(())
    }
}
