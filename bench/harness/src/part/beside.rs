//! Small durable writes at planned times, alone and beside a sequential reader of a given rate.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::fs::{Durability, File, remove_file};
use engine_rt::{BufMut, Instant, Task, now, sleep, spawn};
use hdrhistogram::Histogram;

use super::disk::{Before, prepare, write_all};
use super::read::{DEPTH, READ_BYTES};
use crate::client::latencies;

const WRITTEN_BYTES: u64 = 64 << 20;
const WRITE_BYTES: usize = 4 << 10;
const READ_FILE_BYTES: u64 = 1 << 30;

/// How fast, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// Writes a second.
    pub(super) writes: u64,
    /// Bytes read a second.
    pub(super) read: f64,
    pub(super) seconds: u64,
}

pub(super) async fn figures(dir: &Path, rates: Rates) -> io::Result<Vec<(String, f64)>> {
    let (old, new) = (dir.join("physical-old"), dir.join("physical-new"));
    let read = prepare(&old, READ_FILE_BYTES, Before::Allocated).await?;
    write_all(&read, READ_FILE_BYTES, READ_BYTES).await?;
    let written = prepare(&new, WRITTEN_BYTES, Before::Zeroed).await?;
    let alone = write(&written, rates).await?;
    let readers = begin_reading(&read, rates);
    let beside = write(&written, rates).await?;
    for reader in readers {
        reader.await?;
    }
    for path in [&old, &new] {
        remove_file(path).await?;
    }
    let micros = |found: &Histogram<u64>, quantile| found.value_at_quantile(quantile) as f64 / 1e3;
    let figures = [
        ("beside.raw.alone.p50", micros(&alone, 0.5)),
        ("beside.raw.alone.p99", micros(&alone, 0.99)),
        ("beside.raw.p50", micros(&beside, 0.5)),
        ("beside.raw.p99", micros(&beside, 0.99)),
        (
            "beside.raw.moves",
            micros(&beside, 0.99) / micros(&alone, 0.99),
        ),
    ];
    Ok(figures.map(|(key, value)| (key.to_owned(), value)).into())
}

/// Writes at planned times, whether earlier ones have ended or not; a latency counts from there.
async fn write(file: &File, rates: Rates) -> io::Result<Histogram<u64>> {
    let interval = Duration::from_secs(1) / rates.writes as u32;
    let memory = BufMut::zeroed(WRITE_BYTES).freeze();
    let first = now() + interval;
    let mut writes: Vec<Task<io::Result<Duration>>> = Vec::new();
    for number in 0..rates.writes * rates.seconds {
        let planned = first + interval * number as u32;
        sleep(planned.since(now())).await;
        let (file, memory) = (file.clone(), memory.clone());
        writes.push(spawn(async move {
            let pos = number * WRITE_BYTES as u64 % WRITTEN_BYTES;
            file.write_at(pos, memory, Durability::Durable).await?;
            Ok(now().since(planned))
        }));
    }
    let mut found = latencies();
    for write in writes {
        found.saturating_record(write.await?.as_nanos() as u64);
    }
    Ok(found)
}

fn begin_reading(file: &File, rates: Rates) -> Vec<Task<io::Result<()>>> {
    let (next, started) = (Rc::new(Cell::new(0)), now());
    (0..DEPTH)
        .map(|_| {
            spawn(read_by_turns(
                file.clone(),
                Rc::clone(&next),
                started,
                rates,
            ))
        })
        .collect()
}

/// Reads the file in order, again and again, not before each read's time.
async fn read_by_turns(
    file: File,
    next: Rc<Cell<u64>>,
    started: Instant,
    rates: Rates,
) -> io::Result<()> {
    loop {
        let pos = next.get();
        let planned = started + Duration::from_secs_f64(pos as f64 / rates.read);
        if planned.since(started) >= Duration::from_secs(rates.seconds) {
            return Ok(());
        }
        next.set(pos + READ_BYTES as u64);
        sleep(planned.since(now())).await;
        let bytes = file.read_at(pos % READ_FILE_BYTES, READ_BYTES).await?;
        if bytes.len() != READ_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
