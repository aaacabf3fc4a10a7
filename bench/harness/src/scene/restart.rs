//! A killed broker (SIGKILL) starts again: how long until it acknowledges a record, with much data
//! and with many partitions. Heavy: measured in the first round only.

use std::fs;
use std::io;
use std::time::Duration;

use engine_rt::{blocking, now, sleep};

use crate::bench::Bench;
use crate::broker::{Broker, Start};
use crate::client::{
    Client, Content, Load, create_topics, first_answer, shared_frames, spread_frames,
};
use crate::table::{MIB, SECONDS, Section, TIMES, row};

const PARTITIONS: i32 = 10_000;
/// Partitions whose system calls a start is compared by.
const FEW: i32 = 1_000;
/// What 10,000 partitions are filled with, one after the other.
const CONTENT: Content = Content {
    records: 64,
    value_bytes: 1024,
};
const IN_FLIGHT: usize = 8;
/// Requests with a single record in flight, while many partitions get one each.
const SINGLE_IN_FLIGHT: usize = 256;
/// A start under `strace` is looked at seldom: each look is system calls as well.
const LOOK: Duration = Duration::from_millis(100);
/// System calls that are of memory only.
const HEAP_CALLS: [&str; 6] = ["brk", "mmap", "munmap", "mremap", "mprotect", "madvise"];
/// How long `strace` may take to write its table.
const TABLE_PATIENCE: Duration = Duration::from_secs(10);

pub(super) const SECTIONS: &[Section] = &[Section {
    title: "SIGKILL, then from the start of the process to the first acknowledged record",
    rows: &[
        row("restart.1", "10,000 partitions, 1 GiB", SECONDS, 3)
            .at_most(1.0)
            .kafka("110 (with 0.5 GiB)"),
        row("restart.5", "10,000 partitions, 5 GiB", SECONDS, 3).at_most(1.0),
        row("restart.10", "10,000 partitions, 10 GiB", SECONDS, 3).at_most(1.0),
        row("restart.flat", "10 GiB against 1 GiB", TIMES, 2).at_most(1.2),
        row(
            "restart.journal",
            "journal files of the shard, most",
            MIB,
            0,
        )
        .at_most(512.0),
        row(
            "restart.calls",
            "system calls before /readyz, of each of 9,000 more partitions, but for the heap's",
            "calls",
            3,
        )
        .at_most(0.05),
        row(
            "restart.calls.heap",
            "brk, mmap, mprotect and such, by which the heap grows, of each of them",
            "calls",
            3,
        ),
        row(
            "restart.50k",
            "50,000 partitions, one record each, 20,000 open files at most",
            SECONDS,
            3,
        )
        .at_most(2.0),
        row(
            "restart.200k",
            "200,000 partitions, one record each, 20,000 open files at most",
            SECONDS,
            3,
        ),
    ],
}];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    if bench.round > 0 {
        return Ok(());
    }
    let sizes: &[u64] = if bench.options.quick {
        &[1]
    } else {
        &[1, 5, 10]
    };
    data(bench, sizes).await?;
    system_calls(bench).await?;
    if !bench.options.quick {
        partitions(bench, "restart.50k", &[("a", 50_000)]).await?;
        partitions(bench, "restart.200k", &[("a", 100_000), ("b", 100_000)]).await?;
    }
    Ok(())
}

/// A life after the other, each with more data.
async fn data(bench: &mut Bench, sizes: &[u64]) -> io::Result<()> {
    let start = Start::new(&bench.options);
    let mut broker = start.run(&bench.options)?;
    create_topics(broker.addr, &[("data", PARTITIONS)]).await?;
    let frames = shared_frames("data", PARTITIONS, CONTENT)?;
    let batch_bytes = (CONTENT.records * CONTENT.value_bytes) as u64;
    let (mut there, mut journal, mut took) = (0, 0, Vec::new());
    for gib in sizes {
        let load = Load {
            frames: vec![frames.clone()],
            in_flight: IN_FLIGHT,
            requests: ((gib - there) << 30) / batch_bytes,
        };
        Client::connect(broker.addr, 1).await?.run(&load).await?;
        there = *gib;
        journal = journal.max(broker.journal_bytes()?);
        let seconds;
        (broker, seconds) = restart(bench, broker, &start.again(&[]), "data").await?;
        bench.add(&format!("restart.{gib}"), seconds)?;
        took.push(seconds);
    }
    bench.add("restart.journal", journal as f64 / f64::from(1 << 20))?;
    if let [first, .., last] = took[..] {
        bench.add("restart.flat", last / first)?;
    }
    broker.stop().await
}

/// Seconds until a broker that is killed now, and started again as said, acknowledges a record.
async fn restart(
    bench: &mut Bench,
    broker: Broker,
    start: &Start,
    topic: &str,
) -> io::Result<(Broker, f64)> {
    let frames = spread_frames(topic, 1, 1)?;
    broker.kill();
    bench.quiet().await?;
    let started = now();
    let broker = start.run(&bench.options)?;
    first_answer(broker.addr, &frames[0][0]).await?;
    Ok((broker, (now() - started).as_secs_f64()))
}

async fn partitions(bench: &mut Bench, key: &str, topics: &[(&str, i32)]) -> io::Result<()> {
    let start = Start::new(&bench.options);
    let broker = filled(bench, &start, topics).await?;
    let limited = start.again(&["prlimit", "--nofile=20000:20000"]);
    let (broker, seconds) = restart(bench, broker, &limited, topics[0].0).await?;
    bench.add(key, seconds)?;
    broker.stop().await
}

/// A broker with a record in each partition of these topics.
async fn filled(bench: &Bench, start: &Start, topics: &[(&str, i32)]) -> io::Result<Broker> {
    let broker = start.run(&bench.options)?;
    for (topic, partitions) in topics {
        create_topics(broker.addr, &[(topic, *partitions)]).await?;
        let load = Load {
            frames: spread_frames(topic, *partitions, 1)?,
            in_flight: SINGLE_IN_FLIGHT,
            requests: *partitions as u64,
        };
        Client::connect(broker.addr, 1).await?.run(&load).await?;
    }
    Ok(broker)
}

/// Counts system calls by `strace`; without it there is no figure.
async fn system_calls(bench: &mut Bench) -> io::Result<()> {
    let (few, many) = (calls(bench, FEW).await?, calls(bench, PARTITIONS).await?);
    if let (Some(few), Some(many)) = (few, many) {
        let of_each = |few, many| f64::max(many - few, 0.0) / f64::from(PARTITIONS - FEW);
        bench.add("restart.calls", of_each(few.others, many.others))?;
        bench.add("restart.calls.heap", of_each(few.heap, many.heap))?;
    }
    Ok(())
}

/// System calls of all threads until a killed broker of so many partitions is ready again.
async fn calls(bench: &Bench, partitions: i32) -> io::Result<Option<Calls>> {
    let start = Start::new(&bench.options);
    filled(bench, &start, &[("a", partitions)]).await?.kill();
    let table = bench.options.data.join(format!("strace.{partitions}"));
    if table.exists() {
        fs::remove_file(&table)?;
    }
    let path = table.display().to_string();
    // As a process of its own (`-D`), so that the broker stays this one's child.
    let traced = start.again(&["strace", "-D", "-f", "-c", "-o", &path]);
    let broker = traced.run(&bench.options)?;
    if broker.ready(LOOK).await.is_err() {
        return Ok(None);
    }
    broker.kill();
    let deadline = now() + TABLE_PATIENCE;
    loop {
        let found = table.clone();
        let text = blocking(move || fs::read_to_string(found)).await;
        if let Some(calls) = text.ok().and_then(|text| counted(&text)) {
            return Ok(Some(calls));
        }
        if now() > deadline {
            return Ok(None);
        }
        sleep(LOOK).await;
    }
}

/// Numbers of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Calls {
    /// By which memory is had and given back.
    heap: f64,
    others: f64,
}

/// Adds up a whole table of `strace -c`: `% seconds usecs/call calls [errors] name`.
fn counted(table: &str) -> Option<Calls> {
    let is_ruled = |line: &&str| line.starts_with("---");
    let lines = table.lines().skip_while(|line| !is_ruled(line));
    let mut calls = Calls::default();
    for line in lines.filter(|line| !is_ruled(line)) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            [.., "total"] => return Some(calls),
            [_, _, _, count, .., name] => {
                let count: f64 = count.parse().ok()?;
                let of_heap = HEAP_CALLS.contains(&name);
                *(if of_heap {
                    &mut calls.heap
                } else {
                    &mut calls.others
                }) += count;
            },
            _ => {},
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart_and_added() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ------------------\n\
                     \x20 5.08    0.023265           2      7775           mprotect\n\
                     \x20 0.12    0.000123          61         2         1 unlink\n\
                     \x20 0.10    0.000100          61        12           read\n\
                     ------ ----------- ----------- --------- --------- ------------------\n";
        assert!(counted(table).is_none());
        let whole = format!("{table}100.00    0.387499          41      7789        19 total\n");
        let calls = counted(&whole).unwrap();
        assert_eq!((calls.heap as u64, calls.others as u64), (7775, 14));
    }
}
