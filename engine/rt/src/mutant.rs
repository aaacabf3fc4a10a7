//! Deliberate bugs, for proving that the simulation finds them. Without the cargo feature
//! `mutants` every question is answered `false` at compile time.
//!
//! Rules are those of the storage design.

/// Declares the mutants once: the type, all of them, and what each does.
macro_rules! mutants {
    ($($(#[doc = $line:literal])+ $name:ident,)+) => {
        /// A rule that can be broken on purpose. Names say what the broken broker does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant {
            $($(#[doc = $line])+ $name,)+
        }

        impl Mutant {
            /// Every mutant.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// What it does.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($line),+),)+
                }
            }
        }
    };
}

mutants! {
    /// Acknowledges when the journal write is submitted, not when it is flushed.
    AckBeforeFlush,
    /// Rule 1: acknowledges a bypassed append when the journal's reference is flushed, without
    /// waiting for the extent.
    AckBeforeExtent,
    /// Rule 1: the flushed mark passes a frame whose extents are still on their way.
    MarkPassesExtent,
    /// Rule 1: recovery takes extents above the flushed mark on trust.
    ExtentUnverified,
    /// Rule 1: an extent whose write failed counts as flushed.
    ExtentErrorIgnored,
    /// Rule 2: writes a partial block to the segment, counts it as kept, and rewrites it later.
    RewriteSegmentBlock,
    /// Rule 3: reuses a journal file before the segments that it feeds are flushed.
    ReuseBeforeSegmentFlush,
    /// Rule 3: the name of a new segment is not made durable.
    SegmentNameVolatile,
    /// Rule 3: the name of a new journal file is not made durable.
    JournalNameVolatile,
    /// Rule 3: the size of a sealed segment is not flushed.
    SealUnflushed,
    /// Rule 4: serves what recovery accepted without making it durable first.
    RecoveryNotDurable,
    /// Rule 4: an extent that recovery verified is not made durable.
    RecoveredExtentVolatile,
    /// Rule 5: takes whatever valid frames it finds in the journal's files, also behind a gap.
    IgnoreChain,
    /// Rule 5: tells journal files apart by their names, not by the generation in their frames.
    GenerationIgnored,
    /// Rule 5: recovery accepts frames whose checksum is wrong.
    CrcUnchecked,
    /// Rule 6: no mark certifies the last frame of an idle journal.
    NoMark,
    /// Rule 7: answers a duplicate at once, not when its original is durable.
    DuplicateBeforeDurable,
    /// Rule 7: answers a duplicate with the end of the log, not with the offset of its original.
    DuplicateAtEnd,
    /// Rule 7: recognises the last batch of a producer alone, not the last five.
    LastBatchOnly,
    /// Rule 7: a checkpoint keeps no producer state.
    ProducersForgotten,
    /// Rule 7: a checkpoint keeps producer state of appends that are not durable.
    ProducersBeyondHighWatermark,
    /// Rule 7: mail between shards overtakes.
    MailOutOfOrder,
    /// Acknowledges a frame whose write failed.
    JournalErrorIgnored,
    /// Rule 20: acknowledges a frame when it is flushed, also before the one in front of it.
    AckOutOfOrder,
    /// Rule 8: appends until the disk is full.
    SpaceIgnored,
    /// Rule 9: forgets the log start when the files are gone.
    LogStartFromFiles,
    /// Rule 9: answers a deletion of records before its entry is flushed.
    DeletedBeforeFlush,
    /// Rule 10: recovery does not fold truncations.
    TruncateForgotten,
    /// Rule 10: recovery cuts a log and does not say so in the journal.
    TruncateNotJournaled,
    /// Rule 10: chunks that were read stay in memory when a journal is recovered.
    CacheSurvivesTruncation,
    /// Rule 11: replays only the journals of the current shard count.
    ReplayOwnJournalsOnly,
    /// Rule 12: removes a segment's file while a read plan refers to it.
    UnlinkWhileRead,
    /// Rule 13: sends a range from pages that are still on their way.
    ResidentTooEarly,
    /// Rule 14: readers do not compare a range with its checksum.
    RangeUnchecked,
    /// Rule 14: the checksum of a range does not cover its place.
    RangeUnseeded,
    /// Rule 14: the cache of chunks does not tell the partitions of a topic apart.
    ChunkOfAnotherPartition,
    /// Rule 14: the scrubber compares the checksum of a range with the bytes of the one before.
    ScrubWrongRange,
    /// Rule 15: an unclean start opens no leader epoch.
    EpochKept,
    /// Rule 15: acknowledges an append of a weak topic before it is written.
    WeakBeforeWrite,
    /// Rule 15: a flush does not cover what weak topics wrote before it.
    StrongBehindWeak,
    /// Rule 15: goes on to the next journal file without flushing what weak topics wrote.
    RollWithoutSync,
    /// Rule 15: a checkpoint names a place behind frames that are not flushed.
    WeakCheckpointUnflushed,
    /// Rule 16: recovery computes rolls from the configuration.
    RollsRecomputed,
    /// Rule 17: tells shards about a topic before its record is flushed.
    TopicBeforeFlush,
    /// Rule 17: writes the metadata log to one copy.
    MetadataOnce,
    /// Rule 18: starts while the last life's writes are on their way.
    LockIgnored,
    /// Rule 19: a chunk is written without its index block.
    IndexBlockMissing,
    /// Rule 21: retention by time goes on when the wall clock jumps.
    ClockJumpIgnored,
    /// Retention by size takes a segment that the limit keeps.
    RetentionOneTooMany,
    /// A checkpoint gives journal files back before it is flushed.
    CheckpointUnflushed,
    /// A checkpoint gives journal files back before it is written.
    ReuseBeforeCheckpoint,
    /// A checkpoint gives journal files back when one copy has it.
    CheckpointNotMirrored,
    /// A checkpoint whose checksum is wrong counts.
    CheckpointUnchecked,
    /// A checkpoint that failed leaves its partitions clean.
    FailedCheckpointKept,
    /// A fetch brings what is not durable.
    ReadsBeyondHighWatermark,
    /// A lookup by time finds the first record after it, not at it.
    LookupAfterTime,
    /// The record with the largest timestamp is looked for in the last segment alone.
    MaxTimestampOfLast,
    /// `LogAppendTime` leaves the producer's timestamps.
    AppendTimeNotStamped,
    /// Compaction removes segments before the exchange for new ones is durable.
    ReplacedBeforeFlush,
    /// Compaction exchanges segments and does not say so in the journal.
    ExchangeNotJournaled,
    /// Compaction tells keys apart by a byte of their hashes.
    KeysConfused,
    /// Compaction drops tombstones when it meets them.
    TombstoneAtOnce,
    /// Compaction drops the last batch of a producer when none of its records is left.
    LastBatchDropped,
    /// A group's coordinator answers before what goes before the answer is written.
    AnswerBeforeAppend,
    /// A group's coordinator answers as if an append that failed had been written.
    AppendErrorIgnored,
    /// A group's coordinator takes commits of older generations.
    CommitUnfenced,
    /// A member of an older generation of a group gets an assignment of the present one.
    AssignmentUnfenced,
    /// Members of groups that fall silent stay members.
    SessionsForever,
    /// Generations of groups are not written.
    GenerationsVolatile,
}

#[cfg(feature = "mutants")]
thread_local! {
    static ACTIVE: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Sets the mutant of this thread's simulation.
#[cfg(feature = "mutants")]
pub fn set(mutant: Option<Mutant>) {
    ACTIVE.with(|active| active.set(mutant));
}

/// Whether the code shall behave as `mutant` does.
#[cfg(feature = "mutants")]
pub fn is_active(mutant: Mutant) -> bool {
    ACTIVE.with(|active| active.get() == Some(mutant))
}

/// Whether the code shall behave as `mutant` does: never, in this build.
#[cfg(not(feature = "mutants"))]
pub const fn is_active(_mutant: Mutant) -> bool {
    false
}
