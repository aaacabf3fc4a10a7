//! Deliberate bugs, for proving that the simulation finds them. Without the cargo feature
//! `mutants` every question is answered `false` at compile time.

/// A rule that can be broken on purpose. Names say what the broken broker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// Acknowledges when the journal write is submitted, not when it is flushed.
    AckBeforeFlush,
    /// Rule 1: acknowledges a bypassed append when the journal's reference is flushed, without
    /// waiting for the extent.
    AckBeforeExtent,
    /// Rule 2: writes a partial block to the segment, counts it as kept, and rewrites it later.
    RewriteSegmentBlock,
    /// Rule 3: reuses a journal file before the segments that it feeds are flushed.
    ReuseBeforeSegmentFlush,
    /// Rule 4: serves what recovery accepted without making it durable first.
    RecoveryNotDurable,
    /// Rule 5: takes whatever valid frames it finds in the journal's files, also behind a gap.
    IgnoreChain,
    /// Rule 7: answers a duplicate at once, not when its original is durable.
    DuplicateBeforeDurable,
    /// Rule 9: forgets the log start when the files are gone.
    LogStartFromFiles,
    /// Rule 11: replays only the journals of the current shard count.
    ReplayOwnJournalsOnly,
    /// Recovery accepts frames whose checksum is wrong.
    CrcUnchecked,
    /// Recovery tells journal files apart by their names, not by the generation in their frames.
    GenerationIgnored,
    /// Rule 17: tells shards about a topic before its record is flushed.
    TopicBeforeFlush,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 12] = [
        Self::AckBeforeFlush,
        Self::AckBeforeExtent,
        Self::RewriteSegmentBlock,
        Self::ReuseBeforeSegmentFlush,
        Self::RecoveryNotDurable,
        Self::IgnoreChain,
        Self::DuplicateBeforeDurable,
        Self::LogStartFromFiles,
        Self::ReplayOwnJournalsOnly,
        Self::CrcUnchecked,
        Self::GenerationIgnored,
        Self::TopicBeforeFlush,
    ];
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
