//! What executors count, readable from any thread at any time.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{registry, sys};

/// Classes of turns by their length; the last one has no upper bound.
pub const TURN_CLASSES: usize = 10;
/// The longest turn is kept for the present window and for the one before it.
const WINDOW_NANOS: u64 = 30_000_000_000;

/// Upper bound of a class: 16.4 us, then always four times as much, up to 1.07 s; `None` for the
/// last.
pub const fn turn_class_bound(class: usize) -> Option<Duration> {
    if class + 1 < TURN_CLASSES {
        Some(Duration::from_nanos(1 << (14 + 2 * class)))
    } else {
        None
    }
}

/// The class of a turn: the first whose bound is above it.
fn class_of(nanos: u64) -> usize {
    let bits = u64::BITS - (nanos >> 14).leading_zeros();
    (bits.div_ceil(2) as usize).min(TURN_CLASSES - 1)
}

/// Counters with one writer.
#[derive(Debug, Default)]
pub(super) struct Counters {
    turns: [AtomicU64; TURN_CLASSES],
    turn_nanos: AtomicU64,
    turn_nanos_max: AtomicU64,
    /// The present window's, and the one's before.
    turn_nanos_recent: [AtomicU64; 2],
    window_end: AtomicU64,
    stalls: AtomicU64,
    polls: AtomicU64,
    completions: AtomicU64,
    doorbells: AtomicU64,
    busy_nanos: AtomicU64,
    registered_bytes: AtomicU64,
    audit: Option<AuditCounters>,
}

#[derive(Debug, Default)]
struct AuditCounters {
    cpu_nanos_max: AtomicU64,
    voluntary_switches: AtomicU64,
    major_faults: AtomicU64,
}

/// What turns did that they should not do, where they are audited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnAudit {
    /// The most of the CPU that a turn had since this was asked last.
    pub cpu_max: Duration,
    /// Times that a turn waited for something, which only the sleep between turns may.
    pub voluntary_switches: u64,
    /// Pages that a turn waited for to be read.
    pub major_faults: u64,
}

/// A snapshot of one executor's counters since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutorStats {
    /// The executor's name.
    pub name: String,
    /// Rounds of the executor's loop, by their length ([`turn_class_bound`]).
    pub turns: [u64; TURN_CLASSES],
    /// Time in turns: all but the sleep in the kernel.
    pub turn_time: Duration,
    /// The longest turn: how late a completion or a timer may have been seen.
    pub turn_max: Duration,
    /// The longest one of the last 30 to 60 seconds in which there were turns.
    pub turn_max_recent: Duration,
    /// Turns that took longer than [`Options::stall`](super::Options::stall).
    pub stalls: u64,
    /// Polls of tasks.
    pub polls: u64,
    /// Completions that the kernel reported.
    pub completions: u64,
    /// Times that another executor had to be woken by the kernel.
    pub doorbells: u64,
    /// Time spent in tasks, without what the kernel does for the ring.
    pub busy: Duration,
    /// Memory that is registered with the ring: zero where none was asked for or the limit of
    /// locked memory refused it.
    pub registered_bytes: u64,
    /// What turns did that they should not do, with [`Options::audit_turns`](super::Options::audit_turns).
    pub audit: Option<TurnAudit>,
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn set(counter: &AtomicU64, value: u64) {
    counter.store(value, Ordering::Relaxed);
}

/// Adds without the cost of an atomic addition: there is one writer.
fn add(counter: &AtomicU64, more: u64) {
    set(counter, get(counter) + more);
}

fn raise(counter: &AtomicU64, value: u64) {
    if value > get(counter) {
        set(counter, value);
    }
}

impl Counters {
    pub(super) fn new(audit: bool) -> Self {
        Self {
            audit: audit.then(AuditCounters::default),
            ..Self::default()
        }
    }

    /// A turn of so many nanoseconds that ended at `end`, with so many in the kernel for the ring.
    pub(super) fn turn(&self, end: u64, nanos: u64, kernel_nanos: u64, polls: u64) {
        add(&self.turns[class_of(nanos)], 1);
        add(&self.polls, polls);
        add(&self.turn_nanos, nanos);
        add(&self.busy_nanos, nanos - kernel_nanos);
        raise(&self.turn_nanos_max, nanos);
        let [present, before] = &self.turn_nanos_recent;
        if end >= get(&self.window_end) {
            set(before, get(present));
            set(present, 0);
            set(&self.window_end, end + WINDOW_NANOS);
        }
        raise(present, nanos);
    }

    pub(super) fn stall(&self) {
        add(&self.stalls, 1);
    }

    /// What a turn used.
    pub(super) fn audited(&self, used: sys::Usage) {
        if let Some(audit) = &self.audit {
            raise(&audit.cpu_nanos_max, used.cpu.as_nanos() as u64);
            add(&audit.voluntary_switches, used.voluntary_switches);
            add(&audit.major_faults, used.major_faults);
        }
    }

    pub(super) fn completions(&self, more: u64) {
        add(&self.completions, more);
    }

    pub(super) fn doorbell(&self) {
        add(&self.doorbells, 1);
    }

    pub(super) fn registered(&self, bytes: u64) {
        set(&self.registered_bytes, bytes);
    }

    fn snapshot(&self, name: String) -> ExecutorStats {
        let nanos = |counter| Duration::from_nanos(get(counter));
        let [present, before] = &self.turn_nanos_recent;
        ExecutorStats {
            name,
            turns: array::from_fn(|class| get(&self.turns[class])),
            turn_time: nanos(&self.turn_nanos),
            turn_max: nanos(&self.turn_nanos_max),
            turn_max_recent: nanos(present).max(nanos(before)),
            stalls: get(&self.stalls),
            polls: get(&self.polls),
            completions: get(&self.completions),
            doorbells: get(&self.doorbells),
            busy: nanos(&self.busy_nanos),
            registered_bytes: get(&self.registered_bytes),
            audit: self.audit.as_ref().map(|audit| TurnAudit {
                cpu_max: Duration::from_nanos(audit.cpu_nanos_max.swap(0, Ordering::Relaxed)),
                voluntary_switches: get(&audit.voluntary_switches),
                major_faults: get(&audit.major_faults),
            }),
        }
    }
}

/// The counters of the executors that run now in this process, in the order of their start. The
/// simulation's executors are not among them.
pub fn stats() -> Vec<ExecutorStats> {
    let snapshot = |remote: &super::remote::Remote| remote.counters.snapshot(remote.name.clone());
    registry::executors()
        .iter()
        .map(|remote| snapshot(remote))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_below_its_classs_bound() {
        for nanos in [0, 1, 16_383, 16_384, 65_535, 65_536, 10_000_000, 1 << 29] {
            let class = class_of(nanos);
            let length = Duration::from_nanos(nanos);
            assert!(length < turn_class_bound(class).unwrap(), "{nanos}");
            if let Some(below) = class.checked_sub(1) {
                assert!(length >= turn_class_bound(below).unwrap(), "{nanos}");
            }
        }
        assert_eq!(class_of(1 << 30), TURN_CLASSES - 1);
        assert_eq!(class_of(u64::MAX), TURN_CLASSES - 1);
    }

    #[test]
    fn the_longest_turn_is_forgotten_after_two_windows_but_not_for_ever() {
        let counters = Counters::new(false);
        let mut end = 1;
        let turn = |end, micros: u64| {
            counters.turn(end, micros * 1000, 0, 1);
            counters.snapshot(String::new()).turn_max_recent.as_micros()
        };
        assert_eq!(turn(end, 500), 500);
        end += WINDOW_NANOS;
        assert_eq!(turn(end, 20), 500);
        end += WINDOW_NANOS;
        assert_eq!(turn(end, 30), 30);
        let all = counters.snapshot(String::new());
        assert_eq!(all.turn_max.as_micros(), 500);
        assert_eq!(all.turns[..4], [0, 2, 0, 1]);
    }
}
