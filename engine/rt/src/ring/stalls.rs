//! Turns that took too long: how it is known what took the time, and what is kept of it.
//!
//! To name the task that was polled for long, the clock would have to be read after every poll.
//! The kernel's coarse clock costs an eighth of that (2.8 ns against 22) and moves with its tick,
//! every 1 to 10 ms. So the coarse one is looked at after each poll, and only when it has moved the
//! precise one is read, and all time since the reading before is put down to what ran last. What is
//! named has crossed a tick; what ran before it since the last tick is counted with it.
//!
//! An executor that stalls does not write about it: it leaves a note in a queue of fixed length,
//! which somebody else takes out ([`take_stalls`]). With nobody there, later notes are dropped.

use std::panic::Location;
use std::time::Duration;

use crossbeam::queue::ArrayQueue;

use super::executor::Options;
use super::remote::Remote;
use super::{registry, sys};
use crate::Instant;

/// Notes that are kept until somebody takes them.
const NOTES_MAX: usize = 64;
/// A turn is told in so many parts.
const PARTS: usize = 5;

/// A part of a turn, as an index.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// Answering what the kernel has completed.
    Completions,
    /// Taking what other threads have woken.
    Wakes,
    /// Firing timers.
    Timers,
    /// Polling tasks.
    Tasks,
    /// Handing in to the kernel, without waiting.
    Kernel,
}

/// Where a task comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    task: &'static str,
    spawned_at: &'static Location<'static>,
}

impl Origin {
    /// The task of a future of type `F`, spawned by the caller.
    #[track_caller]
    pub(crate) fn of<F>() -> Self {
        Self {
            task: std::any::type_name::<F>(),
            spawned_at: Location::caller(),
        }
    }

    /// The type of the task's future, and where it was spawned.
    pub(crate) const fn parts(&self) -> (&'static str, &'static Location<'static>) {
        (self.task, self.spawned_at)
    }
}

/// The longest poll of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongestPoll {
    /// The type of the task's future: the function or the block that it is.
    pub task: &'static str,
    /// Where the task was spawned.
    pub spawned_at: &'static Location<'static>,
    /// How long it ran, with what ran before it in the same tick of the kernel's clock.
    pub took: Duration,
}

/// Where the time of a turn went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnParts {
    /// Answering what the kernel had completed.
    pub completions: Duration,
    /// Taking what other threads had woken.
    pub wakes: Duration,
    /// Firing timers.
    pub timers: Duration,
    /// Polling tasks.
    pub tasks: Duration,
    /// Handing in to the kernel, without waiting.
    pub kernel: Duration,
}

/// A turn that took too long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    /// When it ended, in milliseconds since the Unix epoch.
    pub ended_ms: i64,
    /// How long it was, without the sleep in the kernel.
    pub turn: Duration,
    /// Polls of tasks in it.
    pub polls: u64,
    /// The longest of them; none if none was seen to take time.
    pub longest: Option<LongestPoll>,
    /// What the thread had of the CPU meanwhile, if turns are audited.
    pub cpu: Option<Duration>,
    /// Where the time went.
    pub parts: TurnParts,
}

/// The notes of one executor: one writer, and one reader at a time.
#[derive(Debug)]
pub(super) struct Notes(ArrayQueue<Stall>);

impl Notes {
    pub(super) fn new() -> Self {
        Self(ArrayQueue::new(NOTES_MAX))
    }

    fn leave(&self, stall: Stall) {
        // A place is left free: in a full queue the writer may have to wait for a reader that has
        // begun to take a note and was interrupted.
        if self.0.len() + 1 < NOTES_MAX {
            let _full = self.0.push(stall);
        }
    }
}

/// Takes out the stalls of all executors of this process, each with its executor's name.
pub fn take_stalls() -> Vec<(String, Stall)> {
    let mut taken = Vec::new();
    for remote in registry::executors() {
        let notes = (0..NOTES_MAX).map_while(|_| remote.stalls.0.pop());
        taken.extend(notes.map(|stall| (remote.name.clone(), stall)));
    }
    taken
}

/// When the clock is read within a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Never,
    /// When the coarse clock has moved since it was looked at last.
    EachTick(u64),
    /// After each part and poll, for a threshold that ticks are too long for.
    Always,
}

impl Reading {
    fn of(threshold: Duration) -> Self {
        match threshold {
            Duration::ZERO => Self::Never,
            _ if threshold < 2 * sys::coarse_tick() => Self::Always,
            _ => Self::EachTick(0),
        }
    }

    fn is_due(&mut self) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::EachTick(last) => {
                let tick = sys::coarse_nanos();
                let moved = tick != *last;
                *last = tick;
                moved
            },
        }
    }
}

/// Watches the turns of one executor. Counts in nanoseconds: a [`Duration`] costs a division.
#[derive(Debug)]
pub(super) struct Watch {
    reading: Reading,
    /// From here on a turn is a stall.
    threshold: u64,
    audit: bool,
    start: u64,
    /// The last reading of the clock: what ran since then is not counted yet.
    read: u64,
    parts: [u64; PARTS],
    polls: u64,
    longest: Option<(Origin, u64)>,
    usage: sys::Usage,
}

impl Watch {
    pub(super) fn new(options: Options) -> Self {
        let threshold = match options.stall {
            Duration::ZERO => u64::MAX,
            threshold => u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX),
        };
        Self {
            reading: Reading::of(options.stall),
            threshold,
            audit: options.audit_turns,
            start: 0,
            read: 0,
            parts: [0; PARTS],
            polls: 0,
            longest: None,
            usage: sys::Usage::default(),
        }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        (self.start, self.read) = (now.as_nanos(), now.as_nanos());
        self.parts = [0; PARTS];
        self.polls = 0;
        self.longest = None;
        if self.audit {
            self.usage = sys::thread_usage();
        }
    }

    /// Puts the time since the last reading down to `part`.
    pub(super) fn read(&mut self, part: Part) -> Instant {
        let now = sys::monotonic_nanos();
        self.parts[part as usize] += now.saturating_sub(self.read);
        self.read = now;
        Instant::from_nanos(now)
    }

    /// A part of the turn is over.
    pub(super) fn done(&mut self, part: Part) {
        if self.reading.is_due() {
            self.read(part);
        }
    }

    /// A poll is over.
    pub(super) fn polled(&mut self, origin: &Origin) {
        self.polls += 1;
        if !self.reading.is_due() {
            return;
        }
        let before = self.read;
        let took = self.read(Part::Tasks).as_nanos().saturating_sub(before);
        if self.longest.is_none_or(|(_, longest)| took > longest) {
            self.longest = Some((*origin, took));
        }
    }

    /// The turn is over since the last reading: counts it, and leaves a note if it was a stall.
    pub(super) fn end(&self, remote: &Remote) {
        let turn = self.read.saturating_sub(self.start);
        let kernel = self.parts[Part::Kernel as usize];
        remote.counters.turn(self.read, turn, kernel, self.polls);
        let used = self.audit.then(|| sys::thread_usage().since(self.usage));
        if let Some(used) = used {
            remote.counters.audited(used);
        }
        if turn < self.threshold {
            return;
        }
        remote.counters.stall();
        remote.stalls.leave(Stall {
            ended_ms: sys::wall_clock_ms(),
            turn: Duration::from_nanos(turn),
            polls: self.polls,
            longest: self.longest.map(|(origin, took)| LongestPoll {
                task: origin.task,
                spawned_at: origin.spawned_at,
                took: Duration::from_nanos(took),
            }),
            cpu: used.map(|used| used.cpu),
            parts: self.parts(),
        });
    }

    fn parts(&self) -> TurnParts {
        let [completions, wakes, timers, tasks, kernel] = self.parts.map(Duration::from_nanos);
        TurnParts {
            completions,
            wakes,
            timers,
            tasks,
            kernel,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stall(polls: u64) -> Stall {
        Stall {
            polls,
            ..Stall::default()
        }
    }

    #[test]
    fn notes_that_nobody_takes_are_bounded() {
        let notes = Notes::new();
        for polls in 0..1000 {
            notes.leave(stall(polls));
        }
        assert_eq!(notes.0.len(), NOTES_MAX - 1);
        assert_eq!(notes.0.pop(), Some(stall(0)));
        notes.leave(stall(1000));
        assert_eq!(notes.0.len(), NOTES_MAX - 1);
    }

    #[test]
    fn a_threshold_near_the_tick_reads_the_clock_each_time() {
        let tick = sys::coarse_tick();
        assert!(tick > Duration::ZERO);
        assert_eq!(Reading::of(Duration::ZERO), Reading::Never);
        assert_eq!(Reading::of(tick), Reading::Always);
        let mut coarse = Reading::of(3 * tick);
        assert!(coarse.is_due(), "nothing has been read yet");
        // Of looks in a row, most find the same tick.
        assert!((0..100).filter(|_| coarse.is_due()).count() < 50);
    }
}
