//! What was measured, by the key of its row.

use std::collections::BTreeMap;
use std::io;

use bench_micro::measure::Series;

use crate::scene;

/// Measurements, one a round for most rows.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<&'static str, Series>);

impl Results {
    /// Adds a measurement to a row that exists.
    pub(crate) fn add(&mut self, key: &str, value: f64) -> io::Result<()> {
        let row = scene::row(key).ok_or_else(|| io::Error::other(format!("no row {key}")))?;
        self.0.entry(row.key).or_default().push(value);
        Ok(())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Series> {
        self.0.get(key)
    }

    /// The median of a row; not a number where nothing was measured.
    pub(crate) fn median(&self, key: &str) -> f64 {
        self.get(key).map_or(f64::NAN, Series::median)
    }
}
