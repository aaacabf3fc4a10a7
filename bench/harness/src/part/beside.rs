//! Small durable writes at planned times, alone and beside a sequential reader, and a writer, of given
//! rates.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::fs::{Durability, File, exists, remove_file};
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
    /// Bytes written a second besides, in blocks as large as those that are read; 0 for none.
    pub(super) written: f64,
    pub(super) seconds: u64,
}

/// The figures have the keys of `scene`.
pub(super) async fn figures(
    dir: &Path,
    scene: &str,
    rates: Rates,
) -> io::Result<Vec<(String, f64)>> {
    let (old, new) = (dir.join("physical-old"), dir.join("physical-new"));
    let read = prepare(&old, READ_FILE_BYTES, Before::Allocated).await?;
    write_all(&read, READ_FILE_BYTES, READ_BYTES).await?;
    let written = prepare(&new, WRITTEN_BYTES, Before::Zeroed).await?;
    let alone = write(&written, rates).await?;
    let large = dir.join("physical-large");
    let mut others = Vec::new();
    if rates.written > 0.0 {
        let file = prepare(&large, READ_FILE_BYTES, Before::Allocated).await?;
        others.push(begin_writing(file, rates));
    }
    others.extend(begin_reading(&read, rates));
    let beside = write(&written, rates).await?;
    for other in others {
        other.await?;
    }
    for path in [&old, &new, &large] {
        if exists(path).await? {
            remove_file(path).await?;
        }
    }
    let micros = |found: &Histogram<u64>, quantile| found.value_at_quantile(quantile) as f64 / 1e3;
    let figures = [
        ("alone.p50", micros(&alone, 0.5)),
        ("alone.p99", micros(&alone, 0.99)),
        ("p50", micros(&beside, 0.5)),
        ("p99", micros(&beside, 0.99)),
        ("moves", micros(&beside, 0.99) / micros(&alone, 0.99)),
    ];
    Ok(figures
        .map(|(key, value)| (format!("{scene}.raw.{key}"), value))
        .into())
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
    let place = Place::begin(rates.read, rates.seconds);
    (0..DEPTH)
        .map(|_| spawn(read_by_turns(file.clone(), place.clone())))
        .collect()
}

/// Reads the file in order, again and again.
async fn read_by_turns(file: File, place: Place) -> io::Result<()> {
    while let Some(pos) = place.next().await {
        let bytes = file.read_at(pos, READ_BYTES).await?;
        if bytes.len() != READ_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Writes the file in order, again and again, one flushed block after the other.
fn begin_writing(file: File, rates: Rates) -> Task<io::Result<()>> {
    let place = Place::begin(rates.written, rates.seconds);
    let memory = BufMut::zeroed(READ_BYTES).freeze();
    spawn(async move {
        while let Some(pos) = place.next().await {
            file.write_at(pos, memory.clone(), Durability::Durable)
                .await?;
        }
        Ok(())
    })
}

/// Where in a file those are who go through it at a rate.
#[derive(Clone)]
struct Place {
    next: Rc<Cell<u64>>,
    started: Instant,
    /// Bytes a second.
    rate: f64,
    seconds: u64,
}

impl Place {
    fn begin(rate: f64, seconds: u64) -> Self {
        Self {
            next: Rc::new(Cell::new(0)),
            started: now(),
            rate,
            seconds,
        }
    }

    /// The next block's, when its time has come; `None` when all time is over.
    async fn next(&self) -> Option<u64> {
        let pos = self.next.get();
        let planned = self.started + Duration::from_secs_f64(pos as f64 / self.rate);
        if planned.since(self.started) >= Duration::from_secs(self.seconds) {
            return None;
        }
        self.next.set(pos + READ_BYTES as u64);
        sleep(planned.since(now())).await;
        Some(pos % READ_FILE_BYTES)
    }
}
