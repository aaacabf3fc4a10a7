//! What happened over a run of seeds: a run that met nothing proves nothing.

use std::collections::BTreeMap;
use std::fmt;

use crate::node::fault_names;

/// Counted happenings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// An acknowledged append.
    Commit,
    /// A retry that the server recognised.
    DuplicateAnswered,
    /// A request with acks=0.
    SentBlindly,
    /// A producer that lost what was acknowledged to it, of a weak topic, and took another id.
    ProducerBeganAnew,
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
    /// A cleaning of a compacted log.
    Cleaning,
    /// A record that compaction took.
    CleanedRecord,
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
    /// A seed with consumer groups.
    SeedWithGroups,
    /// A member joined a generation.
    GroupJoined,
    /// A member got an assignment.
    GroupAssigned,
    /// A member went, as it said.
    MemberLeft,
    /// A member was told that it is none.
    MemberLost,
    /// A late request of a member was refused.
    LateRefused,
    /// An offset was committed.
    OffsetCommitted,
    /// Committed offsets were read.
    OffsetsRead,
    /// A group that settled after the faults, with its offsets.
    GroupSettled,
    /// A fault that was drawn struck.
    Fault,
    /// A life whose disk failed.
    StruckLife,
    /// A batch that could not be read any more at the end, and was refused.
    RefusedBatch,
    /// A batch that went without a word, where no more is promised.
    Vanished,
    /// A log that took another batch at the end.
    Writable,
    /// A log that takes no batch for damage.
    NotWritable,
    /// A node that did not start any more, for damage that explains it.
    RefusedForGood,
}

/// Every event with its name in reports.
const NAMES: &[(Event, &str)] = &[
    (Event::Commit, "commits"),
    (Event::DuplicateAnswered, "duplicates answered"),
    (Event::SentBlindly, "requests without an answer"),
    (Event::ProducerBeganAnew, "producers that took another id"),
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
    (Event::Cleaning, "cleanings of compacted logs"),
    (Event::CleanedRecord, "records taken by compaction"),
    (Event::Retention, "log starts moved by retention"),
    (Event::DeleteRecords, "log starts moved by request"),
    (Event::Bypassed, "bypassed appends"),
    (Event::MixedLog, "logs with bypassed and journaled appends"),
    (Event::TimeLookup, "lookups by time"),
    (Event::TopicCreated, "topics created"),
    (Event::TopicDeleted, "topics deleted"),
    (Event::Configured, "configurations changed"),
    (Event::NetworkTrouble, "troubles of the network"),
    (Event::Writable, "appends at the very end"),
    (Event::SeedWithGroups, "seeds with consumer groups"),
    (Event::GroupJoined, "joins of groups"),
    (Event::GroupAssigned, "assignments"),
    (Event::MemberLeft, "members that left"),
    (Event::MemberLost, "members that were taken out"),
    (Event::LateRefused, "late requests of members, refused"),
    (Event::OffsetCommitted, "offsets committed"),
    (Event::OffsetsRead, "reads of committed offsets"),
    (Event::GroupSettled, "groups that settled at the end"),
    (Event::Vanished, "unflushed batches gone with the power"),
];

/// What happens only with faults.
const NAMES_OF_FAULTS: &[(Event, &str)] = &[
    (Event::Fault, "faults struck"),
    (Event::StruckLife, "lives whose disk failed"),
    (Event::RefusedBatch, "batches refused for damage"),
    (Event::NotWritable, "logs not writable for damage"),
    (Event::RefusedForGood, "starts refused for damage, for good"),
];

/// What a seed has on average, at least.
const COMMITS_OF_A_SEED: u64 = 1000;
const CRASHES_OF_A_SEED: u64 = 20;

/// Numbers, codes and branches of a start that faults should reach.
const EXPECTED: &[&str] = &[
    "FL2001",
    "FL2002",
    "FL2003",
    "FL2004",
    "FL2005",
    "FL2006",
    "FL2007",
    "FL2008",
    "FL2009",
    "FL2101",
    "FL2102",
    "start: after a crash",
    "start: a superblock is written again",
    "start: a metadata log is written again",
    "the journal is recovered; appends are taken again",
    "start refused: FL1006",
    "start refused: FL1010",
    "start refused: FL1011",
    "start refused: FL1012",
    "start refused: FL1015",
    "answered KAFKA_STORAGE_ERROR(56)",
    "answered NOT_CONTROLLER(41)",
    "answered NOT_LEADER_OR_FOLLOWER(6)",
    "answered OFFSET_OUT_OF_RANGE(1)",
    "answered UNKNOWN_TOPIC_OR_PARTITION(3)",
    "answered UNKNOWN_TOPIC_ID(100)",
    "answered OUT_OF_ORDER_SEQUENCE_NUMBER(45)",
    "answered COORDINATOR_LOAD_IN_PROGRESS(14)",
    "answered NOT_COORDINATOR(16)",
    "answered ILLEGAL_GENERATION(22)",
    "answered UNKNOWN_MEMBER_ID(25)",
    "answered REBALANCE_IN_PROGRESS(27)",
];

/// How a fault is named among what was reached.
pub fn fault_key(name: &str) -> String {
    format!("fault {name}")
}

/// Counts by event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    counts: BTreeMap<Event, u64>,
    /// Faults, numbers and codes, by their names.
    reached: BTreeMap<String, u64>,
    /// The most that was held of something, and the bound that it came nearest to, in percent.
    most: BTreeMap<&'static str, (u64, u64)>,
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

    /// Counts something that has a name.
    pub fn reach(&mut self, name: String) {
        *self.reached.entry(name).or_default() += 1;
    }

    /// So much of something was held, of at most so much.
    pub fn note_most(&mut self, what: &'static str, held: u64, bound: u64) {
        let (most, percent) = self.most.entry(what).or_default();
        *most = held.max(*most);
        *percent = (held * 100 / bound.max(1)).max(*percent);
    }

    /// Counts what has names.
    pub fn reach_all(&mut self, names: &BTreeMap<String, u64>) {
        for (name, count) in names {
            *self.reached.entry(name.clone()).or_default() += count;
        }
    }

    /// Faults, numbers and codes that were never reached.
    pub fn never_reached(&self) -> Vec<String> {
        let faults = fault_names().map(fault_key);
        let expected = EXPECTED.iter().map(|name| (*name).to_owned());
        let all = faults.chain(expected);
        all.filter(|name| !self.reached.contains_key(name))
            .collect()
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
        self.reach_all(&other.reached);
        for (what, (held, percentage)) in &other.most {
            let (most, percent) = self.most.entry(what).or_default();
            *most = (*held).max(*most);
            *percent = (*percentage).max(*percent);
        }
        self.seeds += other.seeds;
    }

    fn crashes(&self) -> u64 {
        self.of(Event::Kill) + self.of(Event::PowerCut)
    }

    /// How much happened in a seed, and how much is due.
    pub fn density(&self) -> String {
        let average = |count| count as f64 / self.seeds.max(1) as f64;
        format!(
            "{:.0} commits and {:.1} crashes a seed on average; {COMMITS_OF_A_SEED} and \
             {CRASHES_OF_A_SEED} are due",
            average(self.of(Event::Commit)),
            average(self.crashes())
        )
    }

    /// What did not happen often enough for the run to mean something.
    pub fn shortfalls(&self) -> Vec<String> {
        let mut shortfalls = Vec::new();
        let mut ask = |what: &str, found: u64, floor: u64| {
            if found < floor {
                shortfalls.push(format!("{what}: {found}, at least {floor} are due"));
            }
        };
        let crashes = self.crashes();
        ask(
            "commits",
            self.of(Event::Commit),
            COMMITS_OF_A_SEED * self.seeds,
        );
        ask("crashes", crashes, CRASHES_OF_A_SEED * self.seeds);
        ask("power cuts", self.of(Event::PowerCut) * 2, crashes);
        for (event, name) in NAMES {
            ask(name, self.of(*event), 1);
        }
        shortfalls
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (event, name) in NAMES.iter().chain(NAMES_OF_FAULTS) {
            let count = self.of(*event);
            let average = count as f64 / self.seeds.max(1) as f64;
            writeln!(f, "{count:>10}  {average:>8.1} a seed  {name}")?;
        }
        for (name, count) in &self.reached {
            writeln!(f, "{count:>10}  {name}")?;
        }
        for (what, (most, percent)) in &self.most {
            writeln!(f, "{most:>10}  {percent:>5} percent   {what} at most")?;
        }
        Ok(())
    }
}
