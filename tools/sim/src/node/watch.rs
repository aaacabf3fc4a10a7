//! The faults of a seed, and how far they have come.

use std::collections::BTreeSet;
use std::time::Duration;

use engine_rt::sim::{FaultKind, Strike};

use super::faults::{Cost, Drawn};

/// The faults of a seed and how far they have come.
pub(super) struct Watch {
    drawn: Vec<Drawn>,
    /// Strikes that were taken note of.
    noted: usize,
    /// Operations of the disk that had gone wrong by then.
    pub disk_faults: u64,
    /// When the disk first failed in this life.
    pub since: Duration,
    /// When this life began.
    pub life_since: Duration,
    /// A journal is not what was written to it.
    pub journal_lied: bool,
}

impl Watch {
    pub(super) const fn new(drawn: Vec<Drawn>) -> Self {
        Self {
            drawn,
            noted: 0,
            disk_faults: 0,
            since: Duration::ZERO,
            life_since: Duration::ZERO,
            journal_lied: false,
        }
    }

    fn of(&self, strike: &Strike) -> &Drawn {
        &self.drawn[strike.fault as usize - 1]
    }

    /// What has struck since the last call, and of which kind it was.
    pub(super) fn news(&mut self, strikes: &[Strike]) -> Vec<(Kind, Strike)> {
        let news = strikes[self.noted..].iter();
        let news = news.filter(|strike| strike.acted_on);
        let news = news.map(|strike| (Kind::of(self.of(strike)), strike.clone()));
        let news = news.collect();
        self.noted = strikes.len();
        news
    }

    /// Names of the faults that struck, each once.
    pub(super) fn names(&self, strikes: &[Strike]) -> Vec<&'static str> {
        let struck: BTreeSet<u64> = strikes
            .iter()
            .filter(|strike| strike.acted_on)
            .map(|strike| strike.fault)
            .collect();
        let struck = struck.into_iter();
        struck
            .map(|fault| self.drawn[fault as usize - 1].spec.name)
            .collect()
    }

    /// Whether faults of the network may be under way in this life.
    pub(super) fn net_fails_in(&self, round: u64) -> bool {
        let mut begun = self.drawn.iter().filter(|drawn| drawn.fault.life <= round);
        begun.any(|drawn| {
            let is_clock = matches!(drawn.fault.kind, FaultKind::ClockJump { .. });
            !is_clock && !Kind::of(drawn).is_of_disk
        })
    }

    /// Whether the disk may be full in this life.
    pub(super) fn fills_in(&self, round: u64) -> bool {
        let mut begun = self.drawn.iter().filter(|drawn| drawn.fault.life <= round);
        begun.any(|drawn| matches!(drawn.fault.kind, FaultKind::Fill { .. }))
    }
}

/// What matters of a fault that has struck.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub cost: Cost,
    pub is_of_disk: bool,
}

impl Kind {
    const fn of(drawn: &Drawn) -> Self {
        Self {
            cost: drawn.spec.cost,
            is_of_disk: matches!(
                drawn.fault.kind,
                FaultKind::Disk(_)
                    | FaultKind::Freeze(_)
                    | FaultKind::Fill { .. }
                    | FaultKind::Damage { .. }
            ),
        }
    }
}
