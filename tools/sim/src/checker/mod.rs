//! What clients were promised, checked over everything that they saw.
//!
//! Every answer is an observation of a log: an acknowledgement says which batch stands at which
//! offset, a fetch says it of every batch that it brings, and each carries positions. The checker
//! holds them together:
//!
//! - a batch that was seen at an offset stands there for ever, with the bytes that were sent, until
//!   the log start passes it: never lost, changed, moved, and no offset is given twice;
//! - nothing is found that nobody sent; a batch of an idempotent producer stands once, and in the
//!   order of its sequence numbers, without gaps;
//! - what a fetch brings is dense and below the high watermark, and not empty if something is there;
//! - high watermark and log start never go back, and the log start never passes what somebody asked
//!   to delete or retention may;
//! - lookups by time find the first such record.
//!
//! Compaction takes records away, see `compaction.rs`.
//!
//! Two things weaken the first of them. Of a *weak* log (`flush.messages` above 1) a
//! power cut may take what the life that ended had appended, from some offset on; then the leader
//! epoch rises, so that clients see it. The same holds of every log where a journal is not what was
//! written to it, and of one whose segment is not: the last frames of a life are certified by none
//! behind them, nor is what they refer to. A batch that was taken and is sent again may stand at its
//! old offset again: it is the same append if its epoch is the same, and as much in doubt as any
//! other if not. What was refused to an [`Audit`], where the caller allows for that, need not be
//! there.
//!
//! "Before" is real time: an answer is held against what was known when its request left.
//!
//! What is promised of consumer groups stands in [`groups`].
//!
//! At the end the logs are read once more from start to end (an [`Audit`]); what any client ever saw
//! must be there.

mod audit;
mod compaction;
pub mod groups;
mod log;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use net_wire::batch::{BatchView, Batches};

use crate::content::{BatchId, Print, Sent};
pub use audit::Audit;
use log::{Log, Place};

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// A batch that was acknowledged or read is gone, or something that is there is not served.
    Lost,
    /// A batch stands in the log more often than it may.
    Duplicate,
    /// A producer's batches do not stand in the order in which they were sent.
    Order,
    /// A producer's batch is missing between two others.
    Gap,
    /// Something that nobody sent.
    Phantom,
    /// Other bytes than those that were sent, or another batch at a known offset.
    Changed,
    /// A position went back or beyond what it may be.
    Position,
    /// An answer that does not hold together in itself.
    Answer,
    /// A wrong place by time.
    Lookup,
    /// A member of a group was let in for a generation that is over.
    Fenced,
    /// Something did not happen in time, or failed without a reason.
    Liveness,
    /// An error that a node without a fault does not answer with.
    Refused,
    /// More memory, files or tasks than there may be.
    Bounded,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub promise: Promise,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.what)
    }
}

/// Whether what was seen keeps the promises.
pub type Checked = Result<(), Violation>;

fn broken(promise: Promise, what: impl Into<String>) -> Checked {
    Err(Violation {
        promise,
        what: what.into(),
    })
}

/// What was known of a log when a request left: its answer may not say less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The log.
    pub log: u32,
    /// End of what had been seen.
    pub high_watermark: i64,
    /// Highest log start seen.
    pub log_start: i64,
    /// How often the newest of it could have gone by then: an answer from before tells nothing.
    pub cuts: u32,
}

/// What is promised of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogRules {
    /// Its log start may move by itself.
    pub expires: bool,
    /// If it does, so many bytes remain: what retention by size keeps.
    pub keeps_bytes: u64,
    /// A power cut may take what was not flushed (`flush.messages` above 1).
    pub weak: bool,
    /// Batches get the time of the broker (`message.timestamp.type` of `LogAppendTime`).
    pub stamps_time: bool,
    /// Records may go that have a newer one of their key (`cleanup.policy` with `compact`).
    pub compacted: Option<Compacted>,
}

/// What is promised of a compacted log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Tombstones stay for as long as a seed lasts.
    pub keeps_tombstones: bool,
    /// So do the last batches of producers: none is forgotten before.
    pub keeps_producers: bool,
}

/// The answer to a fetch.
#[derive(Clone, Copy, Debug)]
pub struct Fetched<'a> {
    /// Where the client asked to begin.
    pub offset: i64,
    /// The batches.
    pub bytes: &'a [u8],
    /// The high watermark that came with them.
    pub high_watermark: i64,
    /// The log start that came with them.
    pub log_start: i64,
    /// Whether the server had to send something if there was something.
    pub must_progress: bool,
}

/// Holds observations together. The first broken promise stays.
#[derive(Debug, Default)]
pub struct Checker {
    logs: Vec<Log>,
    sent: BTreeMap<BatchId, Sent>,
    /// Before how many cuts of its log a batch was last sent.
    sent_before: BTreeMap<BatchId, u32>,
    prints: BTreeMap<Print, BatchId>,
    /// A fetch may begin with batches before its offset: ranges of pages leave as they are.
    leads: bool,
    /// Records that compaction took.
    cleaned: u64,
    violation: Option<Violation>,
}

impl Checker {
    /// A checker, also of fetches that may begin with batches before their offset.
    pub fn new(leads: bool) -> Self {
        Self {
            leads,
            ..Self::default()
        }
    }

    /// Adds an empty log.
    pub fn add_log(&mut self, rules: LogRules) -> u32 {
        self.logs.push(Log::new(rules));
        self.logs.len() as u32 - 1
    }

    /// From now on the log start may move by itself, as these rules have it too.
    pub fn may_expire(&mut self, log: u32, rules: LogRules) {
        let log = self.log_mut(log);
        let before = log.rules;
        log.rules.keeps_bytes = if before.expires {
            before.keeps_bytes.min(rules.keeps_bytes)
        } else {
            rules.keeps_bytes
        };
        log.rules.expires = true;
    }

    /// Whether the log start may move by itself.
    pub fn expires(&self, log: u32) -> bool {
        self.log(log).rules.expires
    }

    /// The power failed: the newest of weak logs may be gone.
    pub fn power_cut(&mut self) {
        for log in self.logs.iter_mut().filter(|log| log.rules.weak) {
            log.doubt();
        }
    }

    /// Whether the newest of a log could ever have gone.
    pub fn was_cut(&self, log: u32) -> bool {
        self.log(log).cuts > 0
    }

    /// A journal is not what was written to it: the newest of every log may be gone.
    pub fn journal_lied(&mut self) {
        for log in &mut self.logs {
            log.doubt_start();
        }
    }

    /// A segment is not what was written to it: a recovery that verifies what the last life appended
    /// there, and no mark certifies, finds the end of the log earlier.
    pub fn segment_lied(&mut self, log: u32) {
        self.log_mut(log).doubt();
    }

    /// A life begins: what is known of logs that are not weak is on the disk by now.
    pub fn life_begins(&mut self) {
        self.logs.iter_mut().for_each(Log::life_begins);
    }

    /// A life begins to serve: what it has found of weak logs is on the disk by now.
    pub fn recovered(&mut self) {
        for log in self.logs.iter_mut().filter(|log| log.rules.weak) {
            log.firm_up();
        }
    }

    /// Batches that went without a word, where that is all that can be asked for.
    pub fn vanished(&self) -> u64 {
        self.logs.iter().map(|log| log.vanished).sum()
    }

    /// Records that compaction took.
    pub const fn cleaned(&self) -> u64 {
        self.cleaned
    }

    /// The first broken promise.
    pub const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// How often a log start was seen to have moved by itself.
    pub fn expiries(&self) -> u64 {
        self.logs.iter().map(|log| log.expiries).sum()
    }

    /// Notes that something else went wrong.
    pub fn fail(&mut self, promise: Promise, what: impl Into<String>) {
        self.note(broken(promise, what));
    }

    fn note(&mut self, checked: Checked) {
        if let Err(violation) = checked {
            self.violation.get_or_insert(violation);
        }
    }

    fn log(&self, log: u32) -> &Log {
        &self.logs[log as usize]
    }

    fn log_mut(&mut self, log: u32) -> &mut Log {
        &mut self.logs[log as usize]
    }

    /// What is known of a log now.
    pub fn known(&self, log: u32) -> Known {
        let model = self.log(log);
        Known {
            log,
            high_watermark: model.high_watermark,
            log_start: model.log_start,
            cuts: model.cuts,
        }
    }

    /// Whether what was asked for then tells something of the log as it is now.
    fn is_current(&self, known: Known) -> bool {
        self.log(known.log).cuts == known.cuts
    }

    /// A client is about to send a batch, for the first time or again.
    pub fn sending(&mut self, sent: Sent) {
        let cuts = self.log(sent.id.log).cuts;
        self.sent_before.insert(sent.id, cuts);
        self.prints.insert(sent.print, sent.id);
        self.sent.insert(sent.id, sent);
    }

    /// A batch was acknowledged; `known` was so when it was sent.
    pub fn acknowledged(&mut self, known: Known, id: BatchId, base_offset: i64, log_start: i64) {
        if !self.is_current(known) {
            return;
        }
        let records = self.sent[&id].records;
        let place = Place::new(id, records);
        let checked = self.observe(id.log, base_offset, place);
        self.note(checked);
        let log = self.log_mut(id.log);
        let end = base_offset + i64::from(records);
        log.high_watermark = log.high_watermark.max(end);
        let checked = log.starts_at(known, log_start);
        self.note(checked);
    }

    /// A batch was seen at an offset.
    fn observe(&mut self, log: u32, base_offset: i64, place: Place) -> Checked {
        let sent = self.sent_before.get(&place.id);
        let log = &mut self.logs[log as usize];
        let resent = sent == Some(&log.cuts);
        log.observe(base_offset, place, resent)
    }

    /// Positions came with an answer to a request that left when `known` was so.
    pub fn positions(&mut self, known: Known, high_watermark: i64, log_start: i64) {
        if !self.is_current(known) {
            return;
        }
        let checked = self
            .log_mut(known.log)
            .positions(known, high_watermark, log_start);
        self.note(checked);
    }

    /// Batches came.
    pub fn fetched(&mut self, known: Known, answer: &Fetched<'_>) {
        self.positions(known, answer.high_watermark, answer.log_start);
        let checked = self.check_fetched(known, answer, None);
        self.note(checked);
    }

    fn check_fetched(
        &mut self,
        known: Known,
        answer: &Fetched<'_>,
        mut audit: Option<&mut Audit>,
    ) -> Checked {
        if !self.is_current(known) {
            return Ok(());
        }
        let mut next = answer.offset;
        for (at, batch) in Batches::new(answer.bytes).enumerate() {
            let Ok(batch) = batch else {
                let what = format!("log {}: half a batch at {next}", known.log);
                return broken(Promise::Answer, what);
            };
            let header = batch.header();
            let first = at == 0 && header.base_offset <= next;
            let early = header.next_offset() <= answer.offset;
            let sparse = self.is_compacted(known.log) && header.base_offset > next;
            let fits = header.base_offset == next || first || sparse;
            let deleted = header.next_offset() <= known.log_start;
            if !fits || (early && !self.leads) || deleted {
                let what = format!(
                    "log {}: a fetch from {} brought batch {}..{} where {next} was due",
                    known.log,
                    answer.offset,
                    header.base_offset,
                    header.next_offset()
                );
                return broken(Promise::Answer, what);
            }
            if let Some(place) = self.check_content(known.log, &batch)? {
                self.observe(known.log, header.base_offset, place)?;
                if let Some(audit) = &mut audit {
                    audit.find(&batch, place.id, self.is_compacted(known.log));
                }
            }
            next = header.next_offset();
        }
        if next <= answer.offset && !answer.bytes.is_empty() {
            let what = format!("log {}: a fetch from {next} goes nowhere", known.log);
            return broken(Promise::Answer, what);
        }
        if next > answer.high_watermark {
            let what = format!(
                "log {}: a fetch went to {next}, beyond the high watermark {}",
                known.log, answer.high_watermark
            );
            return broken(Promise::Position, what);
        }
        if let Some(audit) = audit {
            audit.next = next;
        }
        let due = answer.must_progress && answer.offset < known.high_watermark;
        if due && answer.bytes.is_empty() {
            let what = format!(
                "log {}: nothing came from {}, but {} was readable before",
                known.log, answer.offset, known.high_watermark
            );
            return broken(Promise::Lost, what);
        }
        Ok(())
    }

    /// Holds a batch against what was sent; `None` where that leaves open whose it was.
    fn check_content(&self, log: u32, batch: &BatchView<'_>) -> Result<Option<Place>, Violation> {
        let header = batch.header();
        let violation = |promise, what: &str| Violation {
            promise,
            what: format!("log {log}: the batch at {} {what}", header.base_offset),
        };
        if !batch.is_intact() {
            return Err(violation(Promise::Changed, "has a wrong checksum"));
        }
        let id = self.prints.get(&Print::of(batch));
        if id.is_none() && self.is_compacted(log) {
            return self.check_remains(log, batch);
        }
        let sent = id.and_then(|id| self.sent.get(id));
        let sent = sent.filter(|sent| sent.id.log == log);
        let sent = sent.ok_or_else(|| violation(Promise::Phantom, "was never sent here"))?;
        let stamps_time = self.log(log).rules.stamps_time;
        if !sent.is_header(header, stamps_time) {
            return Err(violation(Promise::Changed, "is not as it was sent"));
        }
        Ok(Some(Place {
            epoch: Some(header.partition_leader_epoch),
            stamped: stamps_time.then_some(header.max_timestamp),
            ..Place::new(sent.id, sent.records)
        }))
    }

    /// A fetch was answered with `OFFSET_OUT_OF_RANGE`.
    pub fn out_of_range(&mut self, known: Known, offset: i64) {
        if !self.is_current(known) {
            return;
        }
        let bound = self.log(known.log).start_bound();
        if offset >= bound.max(known.log_start) && offset <= known.high_watermark {
            let what = format!(
                "log {}: {offset} is out of range, but readable was {bound}..{}",
                known.log, known.high_watermark
            );
            self.fail(Promise::Lost, what);
        }
    }

    /// Somebody is about to ask to delete what is below `target`.
    pub fn deleting(&mut self, log: u32, target: i64) {
        let log = self.log_mut(log);
        log.delete_bound = log.delete_bound.max(target);
    }

    /// The deletion is done, says the server: `log_start` holds from now on.
    pub fn deleted(&mut self, known: Known, target: i64, log_start: i64) {
        if !self.is_current(known) {
            return;
        }
        let checked = self.log_mut(known.log).starts_at(known, log_start);
        self.note(checked);
        if log_start < target {
            let what = format!(
                "log {}: records below {target} were deleted, but the log starts at {log_start}",
                known.log
            );
            self.fail(Promise::Position, what);
        }
    }
}
