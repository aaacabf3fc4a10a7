//! What a row of the table is: a figure, and what it is held against.

/// One figure of the results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Its key in JSON.
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) digits: usize,
    pub(crate) goal: Option<Goal>,
    /// The same on Apache Kafka 4.1.1, flushed (`flush.messages=1`), measured earlier on such a machine.
    pub(crate) kafka: &'static str,
}

/// A part of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) rows: &'static [Row],
}

/// What the median of a row must keep.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtMost(Bound),
    AtLeast(Bound),
}

/// A fixed amount, and multiples of what other rows of the same run measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// In words.
    pub(crate) says: &'static str,
    pub(crate) fixed: f64,
    /// Factors and keys.
    pub(crate) of: &'static [(f64, &'static str)],
}

impl Goal {
    pub(crate) const fn bound(&self) -> &Bound {
        match self {
            Self::AtMost(bound) | Self::AtLeast(bound) => bound,
        }
    }

    /// Whether `value` keeps it, where the bound is `bound`. What was not measured keeps nothing.
    pub(crate) fn is_met(&self, value: f64, bound: f64) -> bool {
        match self {
            Self::AtMost(_) => value <= bound,
            Self::AtLeast(_) => value >= bound,
        }
    }

    pub(crate) const fn sign(&self) -> &'static str {
        match self {
            Self::AtMost(_) => "<=",
            Self::AtLeast(_) => ">=",
        }
    }
}

impl Bound {
    /// The bound, where `measured` has the figures of the keys.
    pub(crate) fn value(&self, measured: impl Fn(&str) -> f64) -> f64 {
        let of = self.of.iter().map(|(times, key)| times * measured(key));
        self.fixed + of.sum::<f64>()
    }
}

pub(crate) const fn row(
    key: &'static str,
    name: &'static str,
    unit: &'static str,
    digits: usize,
) -> Row {
    Row {
        key,
        name,
        unit,
        digits,
        goal: None,
        kafka: "",
    }
}

impl Row {
    /// The median is at most `fixed`.
    pub(crate) const fn at_most(self, fixed: f64) -> Self {
        self.at_most_of("", fixed, &[])
    }

    /// The median is at most `fixed` and multiples of other rows.
    pub(crate) const fn at_most_of(
        self,
        says: &'static str,
        fixed: f64,
        of: &'static [(f64, &'static str)],
    ) -> Self {
        let goal = Some(Goal::AtMost(Bound { says, fixed, of }));
        Self { goal, ..self }
    }

    /// The median is at least `fixed` and multiples of other rows.
    pub(crate) const fn at_least_of(
        self,
        says: &'static str,
        fixed: f64,
        of: &'static [(f64, &'static str)],
    ) -> Self {
        let goal = Some(Goal::AtLeast(Bound { says, fixed, of }));
        Self { goal, ..self }
    }

    pub(crate) const fn kafka(self, kafka: &'static str) -> Self {
        Self { kafka, ..self }
    }
}

pub(crate) const GIB: &str = "CPU-s/GiB";
pub(crate) const MILLION: &str = "CPU-s/million";
pub(crate) const MBPS: &str = "MB/s";
pub(crate) const KRPS: &str = "thousand/s";
pub(crate) const MICROS: &str = "us";
pub(crate) const TIMES: &str = "x";
pub(crate) const SECONDS: &str = "s";
pub(crate) const MIB: &str = "MiB";
pub(crate) const BYTES: &str = "bytes";
pub(crate) const CORES: &str = "cores";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_sum_of_multiples() {
        let bound = Bound {
            says: "",
            fixed: 1.0,
            of: &[(2.0, "a"), (0.5, "b")],
        };
        let measured = |key: &str| if key == "a" { 10.0 } else { 4.0 };
        assert!((bound.value(measured) - 23.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_measured_keeps_nothing() {
        let most = row("", "", "", 0).at_most(1.0).goal.unwrap();
        assert!(most.is_met(1.0, 1.0) && !most.is_met(1.1, 1.0));
        assert!(!most.is_met(f64::NAN, 1.0) && !most.is_met(1.0, f64::NAN));
        let least = row("", "", "", 0).at_least_of("", 1.0, &[]).goal.unwrap();
        assert!(least.is_met(1.0, 1.0) && !least.is_met(0.9, 1.0) && !least.is_met(f64::NAN, 1.0));
    }
}
