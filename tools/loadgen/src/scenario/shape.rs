//! How many records come when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::arrival::{Plan, Process, Rates, Step, Wave};
use crate::units::{Rate, Span};

/// The load: warm-up, then phases.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Load {
    /// Records or bytes a second, of all clients together.
    pub rate: Rate,
    /// How they are spaced.
    pub arrival: Process,
    /// How long the first rate goes on before anything is measured.
    pub warmup: Span,
    /// How long the rate holds, where no phases are given.
    pub duration: Span,
    /// One after the other, instead of `duration`.
    pub phases: Vec<Phase>,
    /// All arrivals come in a part of each period.
    pub bursts: Option<Bursts>,
    /// The rate goes up and down.
    pub sine: Option<Sine>,
    /// A file with a planned time in nanoseconds a line, instead of all above.
    pub replay: Option<std::path::PathBuf>,
    /// Records that wait in the clients. Beyond, the run ends: what was offered is not delivered.
    pub max_backlog: u64,
    /// How long clients may take for the rest when the last record was planned.
    pub drain: Span,
    /// How long clients try again: a batch that failed from its planned time on, a connection that
    /// broke until the run is over. 0 is not at all, as if to see every failure.
    pub retry_for: Span,
    /// End the run when this many records have failed.
    pub abort_on_failures: Option<u64>,
}

/// A stretch of a load.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged, deny_unknown_fields, rename_all_fields = "kebab-case")]
pub enum Phase {
    /// The rate changes steadily.
    Ramp {
        /// To this.
        ramp_to: Rate,
        /// In this time.
        over: Span,
    },
    /// The rate jumps.
    Jump {
        /// To this.
        rate: Rate,
        /// And stays so long.
        hold: Span,
    },
    /// The rate stays as it is.
    Hold {
        /// So long.
        hold: Span,
    },
}

/// Bursts with pauses between; the mean rate stays.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// How long records come.
    pub on: Span,
    /// How long none does.
    pub off: Span,
}

/// A wave; the mean rate stays.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sine {
    /// From one high to the next.
    pub period: Span,
    /// By how much of the mean, 0 to 1.
    pub depth: f64,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            rate: Rate::Records(10_000.0),
            arrival: Process::Constant,
            warmup: Span(Duration::from_secs(5)),
            duration: Span(Duration::from_mins(1)),
            phases: Vec::new(),
            bursts: None,
            sine: None,
            replay: None,
            max_backlog: 10_000_000,
            drain: Span(Duration::from_secs(30)),
            retry_for: Span(Duration::ZERO),
            abort_on_failures: None,
        }
    }
}

impl Load {
    /// What is wrong with it.
    pub(super) fn fault(&self, mean_bytes: f64) -> Option<String> {
        let wrong = |why: &str| Some(why.to_owned());
        let rates = self.phases.iter().filter_map(|phase| match phase {
            Phase::Ramp { ramp_to: rate, .. } | Phase::Jump { rate, .. } => Some(*rate),
            Phase::Hold { .. } => None,
        });
        let rates = std::iter::once(self.rate).chain(rates);
        let mut rates = rates.map(|rate| rate.records(mean_bytes));
        if !rates.all(|rate| rate > 0.0 && rate < 1e9) {
            return wrong("rates are above 0 and below a thousand million records a second");
        }
        if self.measured().is_zero() && self.replay.is_none() {
            return wrong("it has no duration");
        }
        match (self.bursts, self.sine) {
            (Some(_), Some(_)) => return wrong("either bursts or a sine"),
            (Some(bursts), _) if bursts.on.0.is_zero() => return wrong("bursts without time"),
            (_, Some(sine)) if sine.period.0.is_zero() || !(0.0..=1.0).contains(&sine.depth) => {
                return wrong("a sine has a period, and a depth from 0 to 1");
            },
            _ => {},
        }
        None
    }

    /// How long it is measured, warm-up apart.
    pub fn measured(&self) -> Duration {
        if self.phases.is_empty() {
            return self.duration.0;
        }
        let span = |phase: &Phase| match phase {
            Phase::Ramp { over: span, .. }
            | Phase::Jump { hold: span, .. }
            | Phase::Hold { hold: span } => span.0,
        };
        self.phases.iter().map(span).sum()
    }

    /// The plan of arrivals, warm-up included. A replay is read elsewhere.
    pub fn plan(&self, mean_bytes: f64) -> Plan {
        let step = |seconds: Duration, from, to| Step {
            seconds: seconds.as_secs_f64(),
            from,
            to,
        };
        let mut rate = self.rate.records(mean_bytes);
        let mut steps = vec![step(self.warmup.0, rate, rate)];
        for phase in &self.phases {
            let (from, to, span) = match *phase {
                Phase::Ramp { ramp_to, over } => (rate, ramp_to.records(mean_bytes), over),
                Phase::Jump { rate, hold } => {
                    let rate = rate.records(mean_bytes);
                    (rate, rate, hold)
                },
                Phase::Hold { hold } => (rate, rate, hold),
            };
            steps.push(step(span.0, from, to));
            rate = to;
        }
        if self.phases.is_empty() {
            steps.push(step(self.duration.0, rate, rate));
        }
        Plan::Rates {
            rates: Rates::new(steps),
            wave: self.wave(),
            process: self.arrival,
        }
    }

    fn wave(&self) -> Wave {
        let bursts = self.bursts.map(|bursts| Wave::Bursts {
            on: bursts.on.0.as_secs_f64(),
            off: bursts.off.0.as_secs_f64(),
        });
        let sine = self.sine.map(|sine| Wave::Sine {
            period: sine.period.0.as_secs_f64(),
            depth: sine.depth,
        });
        bursts.or(sine).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrival::Share;

    #[test]
    fn phases_follow_the_warm_up() {
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        let load = Load {
            rate: Rate::Records(100.0),
            warmup: seconds(1),
            phases: vec![
                Phase::Hold { hold: seconds(2) },
                Phase::Ramp {
                    ramp_to: Rate::Bytes(30_000.0),
                    over: seconds(10),
                },
                Phase::Jump {
                    rate: Rate::Records(50.0),
                    hold: seconds(1),
                },
            ],
            ..Load::default()
        };
        assert_eq!(load.fault(100.0), None);
        assert_eq!(load.measured(), Duration::from_secs(13));
        let share = Share {
            core: 0,
            cores: 1,
            seed: 1,
        };
        let arrivals = load.plan(100.0).arrivals(share).count();
        assert_eq!(arrivals, 100 + 200 + 2000 + 50);
    }
}
