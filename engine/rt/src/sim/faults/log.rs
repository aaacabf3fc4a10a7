//! What has struck, line by line.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

/// Lines that a world keeps of one fault, and of all: the first ones.
const LINES_MAX: (u64, usize) = (16, 4096);

/// One strike of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// The fault's number.
    pub fault: u64,
    /// Virtual time since the start of the world.
    pub at: Duration,
    /// What went wrong.
    pub what: String,
    /// Whether it was acted on, or masked out.
    pub acted_on: bool,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fault, at, what, ..
        } = self;
        let masked = if self.acted_on { "" } else { " (masked out)" };
        write!(
            f,
            "fault {fault} at {:.6} s: {what}{masked}",
            at.as_secs_f64()
        )
    }
}

/// The first strikes of every fault.
#[derive(Debug, Default)]
pub(super) struct Log {
    strikes: Vec<Strike>,
    counts: BTreeMap<u64, u64>,
}

impl Log {
    pub(super) fn add(&mut self, strike: Strike) {
        let count = self.counts.entry(strike.fault).or_default();
        *count += 1;
        if *count <= LINES_MAX.0 && self.strikes.len() < LINES_MAX.1 {
            self.strikes.push(strike);
        }
    }

    pub(super) fn add_detail(&mut self, fault: u64, detail: &str) {
        let is_kept = self
            .counts
            .get(&fault)
            .is_some_and(|&count| count <= LINES_MAX.0);
        let mut own = self
            .strikes
            .iter_mut()
            .rev()
            .filter(|strike| strike.fault == fault);
        if let Some(last) = own.next().filter(|_| is_kept) {
            let _infallible = write!(last.what, ", {detail}");
        }
    }

    pub(super) fn strikes(&self) -> &[Strike] {
        &self.strikes
    }
}
