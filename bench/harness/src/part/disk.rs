//! Direct writes, each flushed by itself (`RWF_DSYNC`): large ones for bandwidth and CPU, small
//! ones for latency.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;

use engine_rt::fs::{Durability, File, OpenOptions, remove_file};
use engine_rt::{Buf, BufMut, Task, now, spawn};

use hdrhistogram::Histogram;

use super::charged;
use crate::bench::GIB;
use crate::client::latencies;

/// Bytes of each file that is written.
const FILE_BYTES: u64 = 512 << 20;
/// Writes in flight, as many as the journal and large appends have.
const DEPTH: usize = 4;
/// Small writes, one after the other.
const SMALL_WRITES: u64 = 3000;
const SMALL_BYTES: usize = 4 << 10;
const SMALL_FILE_BYTES: u64 = 64 << 20;

/// How a file is before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Its space is reserved: the file system notes for every write that there are bytes now.
    Allocated,
    /// It is full of zeros: a write changes nothing but the bytes.
    Zeroed,
}

pub(super) async fn figures(dir: &Path) -> io::Result<Vec<(String, f64)>> {
    let path = dir.join("physical");
    let mut figures = Vec::new();
    for (kib, bytes) in [(256, 256 << 10), (1024, 1 << 20)] {
        for (name, before) in [("allocated", Before::Allocated), ("zeroed", Before::Zeroed)] {
            let file = prepare(&path, FILE_BYTES, before).await?;
            let ((), cpu, elapsed) = charged(write_all(&file, FILE_BYTES, bytes)).await?;
            let mbps = FILE_BYTES as f64 / 1e6 / elapsed.as_secs_f64();
            figures.push((
                format!("disk.{kib}.{name}.cpu"),
                cpu / (FILE_BYTES as f64 / GIB),
            ));
            figures.push((format!("disk.{kib}.{name}.mbps"), mbps));
        }
    }
    let file = prepare(&path, SMALL_FILE_BYTES, Before::Zeroed).await?;
    figures.extend(small_writes(&file).await?);
    remove_file(&path).await?;
    Ok(figures)
}

pub(super) async fn prepare(path: &Path, len: u64, before: Before) -> io::Result<File> {
    if engine_rt::fs::exists(path).await? {
        remove_file(path).await?;
    }
    let create = OpenOptions {
        create: true,
        ..OpenOptions::default()
    };
    let file = File::open(path, create).await?;
    if !file.is_direct() {
        return Err(io::Error::other("the file system has no direct I/O"));
    }
    file.allocate(0, len).await?;
    if before == Before::Zeroed {
        let zeros = BufMut::zeroed(1 << 20).freeze();
        for pos in (0..len).step_by(1 << 20) {
            file.write_at(pos, zeros.clone(), Durability::Volatile)
                .await?;
        }
    }
    file.sync().await?;
    Ok(file)
}

/// Fills the file in order, with several writes in flight.
pub(super) async fn write_all(file: &File, len: u64, bytes: usize) -> io::Result<()> {
    let mut memory = BufMut::with_capacity(bytes);
    memory.fill(0x5a);
    let memory = memory.freeze();
    let next = Rc::new(Cell::new(0));
    let writers: Vec<Task<io::Result<()>>> = (0..DEPTH)
        .map(|_| {
            spawn(write_by_turns(
                file.clone(),
                memory.clone(),
                Rc::clone(&next),
                len,
            ))
        })
        .collect();
    for writer in writers {
        writer.await?;
    }
    Ok(())
}

async fn write_by_turns(file: File, memory: Buf, next: Rc<Cell<u64>>, len: u64) -> io::Result<()> {
    loop {
        let pos = next.get();
        if pos >= len {
            return Ok(());
        }
        next.set(pos + memory.len() as u64);
        file.write_at(pos, memory.clone(), Durability::Durable)
            .await?;
    }
}

async fn small_writes(file: &File) -> io::Result<Vec<(String, f64)>> {
    let (found, cpu, _) = charged(one_by_one(file)).await?;
    let micros = |quantile| found.value_at_quantile(quantile) as f64 / 1e3;
    Ok(vec![
        ("flush.cpu".to_owned(), cpu / SMALL_WRITES as f64 * 1e6),
        ("flush.p50".to_owned(), micros(0.5)),
        ("flush.p99".to_owned(), micros(0.99)),
    ])
}

async fn one_by_one(file: &File) -> io::Result<Histogram<u64>> {
    let memory = BufMut::zeroed(SMALL_BYTES).freeze();
    let mut found = latencies();
    for number in 0..SMALL_WRITES {
        let pos = number * SMALL_BYTES as u64 % SMALL_FILE_BYTES;
        let started = now();
        file.write_at(pos, memory.clone(), Durability::Durable)
            .await?;
        found.saturating_record(now().since(started).as_nanos() as u64);
    }
    Ok(found)
}
