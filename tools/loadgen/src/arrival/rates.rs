//! Rates over time, and when so many arrivals should have come.

/// A stretch of time with a rate that is constant or changes steadily.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// How long.
    pub seconds: f64,
    /// Arrivals a second at its start.
    pub from: f64,
    /// Arrivals a second at its end.
    pub to: f64,
}

/// Steps, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    steps: Vec<Placed>,
    seconds: f64,
}

/// A step with what came before it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Placed {
    step: Step,
    start: f64,
    arrivals_before: f64,
}

impl Step {
    fn arrivals(&self) -> f64 {
        self.seconds * f64::midpoint(self.from, self.to)
    }

    /// Seconds from its start until so many arrivals should have come.
    fn when(&self, arrivals: f64) -> f64 {
        if arrivals <= 0.0 {
            return 0.0;
        }
        let slope = (self.to - self.from) / self.seconds;
        if slope.abs() < f64::EPSILON * self.from.max(self.to) {
            return arrivals / self.from;
        }
        // from x t + slope x t^2 / 2 = arrivals, in the form that subtracts nothing of the same size.
        let root = (self.from * self.from + 2.0 * slope * arrivals)
            .max(0.0)
            .sqrt();
        2.0 * arrivals / (self.from + root)
    }
}

impl Rates {
    /// These steps; those without time or rate are nothing.
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let mut rates = Self::default();
        let mut arrivals_before = 0.0;
        for step in steps {
            if step.seconds <= 0.0 {
                continue;
            }
            rates.steps.push(Placed {
                step,
                start: rates.seconds,
                arrivals_before,
            });
            rates.seconds += step.seconds;
            arrivals_before += step.arrivals();
        }
        rates
    }

    /// How long all of them last.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// When so many arrivals should have come. Behind the end the last rate goes on; `None` if it is
    /// zero then.
    pub fn when(&self, arrivals: f64) -> Option<f64> {
        let behind = self
            .steps
            .partition_point(|placed| placed.arrivals_before <= arrivals);
        let placed = self.steps.get(behind.saturating_sub(1))?;
        let left = arrivals - placed.arrivals_before;
        let beyond = left - placed.step.arrivals();
        let seconds = if beyond <= 0.0 {
            placed.step.when(left)
        } else if behind == self.steps.len() {
            placed.step.seconds + beyond / placed.step.to
        } else {
            // A rounding error beyond the end.
            placed.step.seconds
        };
        (seconds.is_finite()).then_some(placed.start + seconds)
    }
}
