//! From which size on a batch goes to its segment directly instead of through the journal
//! (`flumen.bypass.bytes`): both ways, over 1, 16 and 1,000 partitions, and on an ext4 that has a
//! journal of its own. Once a run, in its first round.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use engine_rt::{blocking, now, sleep};

use crate::Options;
use crate::bench::Bench;
use crate::broker::Start;
use crate::client::{Content, Load, create_topics, shared_frames};
use crate::scene::physical::measured;
use crate::table::{GIB, Row, Section, row};

const IN_FLIGHT: usize = 8;
/// Records of 1 KiB in a batch.
const SIZES: [usize; 4] = [32, 64, 128, 256];
/// Bytes sent in a case, and in one of a quick run.
const CASE_MIB: u64 = 256;
const CASE_MIB_QUICK: u64 = 64;
const WAYS: [(&str, &str); 2] = [("journal", "1073741824"), ("direct", "4096")];
const LOOP_BYTES: &str = "6G";
const LOOP_PARTITIONS: i32 = 16;
/// How long a mount may be busy after its last process, and how often it is tried.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(200);

const fn cost(key: &'static str, name: &'static str) -> Row {
    row(key, name, GIB, 3)
}

const fn from(key: &'static str) -> Row {
    row(key, "directly costs less from", "KiB", 0)
}

macro_rules! rows {
    ($prefix:literal) => {
        &[
            cost(concat!($prefix, ".32.journal"), "32 KiB, by the journal"),
            cost(concat!($prefix, ".32.direct"), "32 KiB, directly"),
            cost(concat!($prefix, ".64.journal"), "64 KiB, by the journal"),
            cost(concat!($prefix, ".64.direct"), "64 KiB, directly"),
            cost(concat!($prefix, ".128.journal"), "128 KiB, by the journal"),
            cost(concat!($prefix, ".128.direct"), "128 KiB, directly"),
            cost(concat!($prefix, ".256.journal"), "256 KiB, by the journal"),
            cost(concat!($prefix, ".256.direct"), "256 KiB, directly"),
            from(concat!($prefix, ".from")),
        ]
    };
}

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "CPU charged by size of batch and way to the disk: 1 partition",
        rows: rows!("bypass.1"),
    },
    Section {
        title: "The same over 16 partitions",
        rows: rows!("bypass.16"),
    },
    Section {
        title: "The same over 1,000 partitions",
        rows: rows!("bypass.1000"),
    },
    Section {
        title: "The same over 16 partitions on a journaled ext4 (loop device)",
        rows: rows!("bypass.loop"),
    },
];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    if bench.round > 0 {
        return Ok(());
    }
    for (prefix, partitions) in [("1", 1), ("16", 16), ("1000", 1000)] {
        let options = bench.options.clone();
        compare(bench, &options, prefix, partitions).await?;
    }
    let mounted = LoopMount::make(&bench.options.data).await?;
    let options = Options {
        data: mounted.dir.clone(),
        ..bench.options.clone()
    };
    let compared = compare(bench, &options, "loop", LOOP_PARTITIONS).await;
    mounted.remove().await?;
    compared
}

/// Both ways with every size, and the size from which on the direct way costs less.
async fn compare(
    bench: &mut Bench,
    options: &Options,
    prefix: &str,
    partitions: i32,
) -> io::Result<()> {
    let mut costs = Vec::new();
    for (way, bypass_bytes) in WAYS {
        let setting = format!("flumen.bypass.bytes={bypass_bytes}");
        let broker = Start::new(options)
            .args(&["--set", &setting])
            .run(options)?;
        create_topics(broker.addr, &[("sizes", partitions)]).await?;
        for size in SIZES {
            let load = load(bench.options.quick, partitions, size)?;
            let (outcome, window) = measured(bench, broker.addr, &load, broker.pid()).await?;
            let cost = window.charged() / outcome.gib();
            bench.add(&format!("bypass.{prefix}.{size}.{way}"), cost)?;
            costs.push(cost);
        }
        broker.stop().await?;
    }
    let (journal, direct) = costs.split_at(SIZES.len());
    bench.add(
        &format!("bypass.{prefix}.from"),
        cheaper_from(journal, direct),
    )
}

fn load(quick: bool, partitions: i32, records: usize) -> io::Result<Load> {
    let mib = if quick { CASE_MIB_QUICK } else { CASE_MIB };
    let content = Content {
        records,
        value_bytes: 1024,
    };
    Ok(Load {
        frames: vec![shared_frames("sizes", partitions, content)?],
        in_flight: IN_FLIGHT,
        requests: (mib << 10) / records as u64,
    })
}

/// KiB of the smallest batches from which on the direct way costs no more; twice the largest size
/// where it always does.
fn cheaper_from(journal: &[f64], direct: &[f64]) -> f64 {
    let dearer = |at: &usize| direct[*at] > journal[*at];
    let last = (0..SIZES.len()).rev().find(dearer);
    let size = last.map_or(SIZES[0], |at| SIZES[at] * 2);
    size as f64
}

/// An ext4 with a journal in a file.
struct LoopMount {
    image: PathBuf,
    dir: PathBuf,
}

impl LoopMount {
    async fn make(data: &Path) -> io::Result<Self> {
        let (image, dir) = (data.join("loop.img"), data.join("loop"));
        let made = Self {
            image: image.clone(),
            dir: dir.clone(),
        };
        blocking(move || {
            std::fs::create_dir_all(&dir)?;
            let (image, dir) = (image.display().to_string(), dir.display().to_string());
            command(&["truncate", "-s", LOOP_BYTES, &image])?;
            command(&["mkfs.ext4", "-q", "-F", &image])?;
            let found = command(&["losetup", "--find", "--show", "--direct-io=on", &image])?;
            command(&["mount", found.trim(), &dir])
        })
        .await?;
        Ok(made)
    }

    async fn remove(self) -> io::Result<()> {
        // With -d the loop device goes with the mount.
        let dir = self.dir.display().to_string();
        let unmount = move || command(&["umount", "-d", &dir]);
        let deadline = now() + PATIENCE;
        // The kernel closes the rings of a process that has ended in its own time.
        while let Err(error) = blocking(unmount.clone()).await {
            if now() > deadline {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
        blocking(move || std::fs::remove_file(&self.image)).await
    }
}

/// Runs a command of the system, which needs root here; what it says on standard output.
fn command(words: &[&str]) -> io::Result<String> {
    let output = Command::new(words[0]).args(&words[1..]).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{}: {said}", words.join(" "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direct_way_must_be_cheaper_for_all_larger_sizes() {
        let journal = [1.0, 1.0, 1.0, 1.0];
        let from = |direct: [f64; 4]| cheaper_from(&journal, &direct);
        assert!((from([0.5; 4]) - 32.0).abs() < 1e-9);
        assert!((from([0.5, 2.0, 0.5, 0.5]) - 128.0).abs() < 1e-9);
        assert!((from([2.0; 4]) - 512.0).abs() < 1e-9);
    }
}
