//! Physical parts of the measurement of the broker, in CPU time.

use std::hint::black_box;
use std::io;
use std::time::Duration;

use engine_rt::BufMut;
use net_wire::batch::{Limits, check_batch, crc32c};
use net_wire::codec::{Codec, Codecs};

use crate::batches::{BATCH_RECORDS, Content, VALUE_BYTES, batch};
use crate::measure::nanos_per_call;

/// Version of Produce in every case.
pub const PRODUCE_VERSION: i16 = 11;
/// Memory that no cache holds.
const COLD_BYTES: usize = 512 << 20;
const GIB: f64 = (1_u64 << 30) as f64;

/// One measured function.
pub struct Case {
    /// What is measured.
    pub name: String,
    /// What the number counts.
    pub unit: &'static str,
    /// Measures once.
    pub run: Box<dyn FnMut() -> io::Result<f64>>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Unit of bulk cases.
pub const PER_GIB: &str = "CPU-s/GiB";

fn case(
    name: impl Into<String>,
    unit: &'static str,
    run: impl FnMut() -> io::Result<f64> + 'static,
) -> Case {
    Case {
        name: name.into(),
        unit,
        run: Box::new(run),
    }
}

/// CPU seconds for a GiB at `nanos` for each `bytes`.
fn per_gib(nanos: f64, bytes: usize) -> f64 {
    nanos / 1e9 * (GIB / bytes as f64)
}

/// Checking a batch as Produce does, from the caches; per GiB of records before compression.
pub fn check(content: Content, codec: Codec, at_least: Duration) -> Case {
    let name = match codec {
        Codec::None => "check a batch of 256 x 1 KiB, not compressed".to_owned(),
        codec => format!("check a batch of 256 x 1 KiB, {}", codec.name()),
    };
    let bytes = made(BATCH_RECORDS, content, codec);
    let (limits, mut codecs) = (Limits::default(), Codecs::new());
    case(name, PER_GIB, move || {
        let nanos = nanos_per_call(at_least, || {
            let checked = check_batch(&bytes, PRODUCE_VERSION, &limits, 0, &mut codecs);
            black_box(checked.expect("a batch made here passes"));
        })?;
        Ok(per_gib(nanos, BATCH_RECORDS * VALUE_BYTES))
    })
}

fn made(records: usize, content: Content, codec: Codec) -> Vec<u8> {
    batch(records, content, codec, 0, 7).expect("a batch of known values is encoded")
}

/// CRC-32C of 256 KiB that no cache holds.
pub fn crc_cold(at_least: Duration) -> Case {
    let mut memory = BufMut::with_capacity(COLD_BYTES);
    memory.fill(0x5a);
    let memory = memory.freeze();
    let mut at = 0;
    case("CRC-32C of 256 KiB, from memory", PER_GIB, move || {
        let nanos = nanos_per_call(at_least, || {
            black_box(crc32c(&memory[at..at + (256 << 10)]));
            at = (at + (256 << 10)) % COLD_BYTES;
        })?;
        Ok(per_gib(nanos, 256 << 10))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_measures_something() {
        let at_least = Duration::from_millis(1);
        let checks = Codec::ALL.map(|codec| check(Content::Lines, codec, at_least));
        for mut case in checks.into_iter().chain([crc_cold(at_least)]) {
            let value = (case.run)().unwrap();
            assert!(value.is_finite() && value > 0.0, "{case:?}: {value}");
        }
    }

    #[test]
    fn a_gib_is_counted_in_bytes() {
        assert!((per_gib(1e9, 1 << 30) - 1.0).abs() < 1e-12);
        assert!((per_gib(1e6, 1 << 20) - 1.024).abs() < 1e-12);
    }
}
