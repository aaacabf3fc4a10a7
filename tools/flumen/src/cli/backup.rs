//! `flumen backup`: a copy of a data directory, also of one that a broker is using.
//!
//! Everything acknowledged before it begins is in the copy: files are copied in the order in which
//! a record passes from one to the next, checkpoint, journal, segment. What a broker moves on while
//! it is copied can leave the copy without something that it refers to, so the copy is checked as
//! `flumen verify` does, and what changes is copied again until it is sound.

use std::io;
use std::path::Path;

use engine_rt::fs::{self, Durability, File, OpenOptions};
use tools_dump::{Item, Verdict, verify};

use super::args::BackupArgs;
use super::client::on_ring;
use super::look::{Printer, cannot_look};
use super::size;
use crate::errors::Failure;

/// Rounds until a copy must be sound.
const ROUNDS: usize = 10;
/// Bytes read and written at a time.
const STEP_BYTES: usize = 1 << 20;
/// Files of a data directory itself. The mark of an orderly stop is left out: the copy was not
/// stopped.
const TOP: [&str; 2] = ["superblock.a", "superblock.b"];

pub(crate) fn run(args: BackupArgs) -> Result<(), Failure> {
    on_ring(move || async move {
        let mut printer = Printer::new(args.json);
        let copied = copy(&args.data, &args.to).await?;
        let summary = Item::new("backup")
            .with("from", args.data.display().to_string())
            .with("to", args.to.display().to_string())
            .with("rounds", copied.rounds)
            .with("batches", copied.verdict.batches)
            .with("bytes", copied.verdict.bytes)
            .with("size", size::human(copied.verdict.bytes));
        printer.print(&summary);
        printer.end()
    })
}

struct Copied {
    rounds: usize,
    verdict: Verdict,
}

async fn copy(from: &Path, to: &Path) -> Result<Copied, Failure> {
    let refused =
        |error: io::Error| Failure::new("FL4002", to.display().to_string()).because(error);
    if fs::exists(to).await.map_err(refused)?
        && !fs::read_dir(to).await.map_err(refused)?.is_empty()
    {
        return Err(Failure::invalid(format!("{}: is not empty", to.display()))
            .help("a backup begins in a new directory"));
    }
    if !fs::exists(&from.join(TOP[0])).await.unwrap_or(false) {
        return Err(
            Failure::new("FL4002", from.display().to_string()).because("not a data directory")
        );
    }
    // The bulk: most of it never changes again.
    tree(&from.join("topics"), &to.join("topics"))
        .await
        .map_err(refused)?;
    let mut why = String::new();
    for round in 1..=ROUNDS {
        match pass(from, to).await {
            // A file that was there a moment ago.
            Err(error) if error.kind() == io::ErrorKind::NotFound => why = error.to_string(),
            passed => {
                passed.map_err(refused)?;
                let mut first = None;
                let mut sink = |item: Item| {
                    if first.is_none() && item.fault().is_some() {
                        first = Some(item.to_string());
                    }
                };
                let verdict = verify(to, &mut sink).await;
                let verdict = verdict.map_err(|error| cannot_look(&error))?;
                if verdict.is_sound() {
                    return Ok(Copied {
                        rounds: round,
                        verdict,
                    });
                }
                why = first.unwrap_or_default();
            },
        }
    }
    Err(Failure::new(
        "FL4004",
        format!(
            "{}: the copy is not sound after {ROUNDS} rounds",
            to.display()
        ),
    )
    .because(why))
}

/// Copies what may have changed, in the order in which records pass through it.
async fn pass(from: &Path, to: &Path) -> io::Result<()> {
    for name in TOP {
        file(&from.join(name), &to.join(name)).await?;
    }
    let shards = from.join("shards");
    for name in dirs(&shards).await? {
        let generation = shards.join(&name);
        for shard in dirs(&generation).await? {
            let (from, to) = (
                generation.join(&shard),
                to.join("shards").join(&name).join(&shard),
            );
            for kind in ["checkpoint.", ".journal"] {
                mirror(&from, &to, kind).await?;
            }
        }
    }
    tree(&from.join("topics"), &to.join("topics")).await?;
    mirror(&from.join("meta"), &to.join("meta"), ".log").await?;
    fs::sync_dir(to).await
}

async fn dirs(path: &Path) -> io::Result<Vec<String>> {
    if fs::exists(path).await? {
        fs::read_dir(path).await
    } else {
        Ok(Vec::new())
    }
}

/// Copies the files whose names have `part` in them, and removes others of that kind.
async fn mirror(from: &Path, to: &Path, part: &str) -> io::Result<()> {
    fs::create_dir_all(to).await?;
    let names = fs::read_dir(from).await?;
    for name in names.iter().filter(|name| name.contains(part)) {
        file(&from.join(name), &to.join(name)).await?;
    }
    for name in fs::read_dir(to).await? {
        if name.contains(part) && !names.contains(&name) {
            fs::remove_file(&to.join(name)).await?;
        }
    }
    fs::sync_dir(to).await
}

/// Copies all segments. One that has been copied and has not changed its length since it was sealed
/// is left alone.
async fn tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to).await?;
    for topic in dirs(from).await? {
        let (from, to) = (from.join(&topic), to.join(&topic));
        fs::create_dir_all(&to).await?;
        let names = fs::read_dir(&from).await?;
        for name in &names {
            match segment(&from.join(name), &to.join(name)).await {
                // Deleted meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {},
                copied => copied?,
            }
        }
        for name in fs::read_dir(&to).await? {
            if !names.contains(&name) {
                fs::remove_file(&to.join(name)).await?;
            }
        }
        fs::sync_dir(&to).await?;
    }
    Ok(())
}

async fn segment(from: &Path, to: &Path) -> io::Result<()> {
    if fs::exists(to).await? {
        let (source, copy) = (open(from).await?, open(to).await?);
        let len = source.len().await?;
        // A sealed one ends with its footer, which is its last write.
        let last = len.saturating_sub(4096) / 4096 * 4096;
        let same = len == copy.len().await?
            && source.read_at(last, 4096).await?[..] == copy.read_at(last, 4096).await?[..];
        let sealed = same
            && engine_log::segment::footer::Footer::blocks_bytes(
                &source.read_at(last, 4096).await?,
            )
            .is_some();
        if sealed {
            return Ok(());
        }
    }
    file(from, to).await
}

async fn open(path: &Path) -> io::Result<File> {
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    File::open(path, options).await
}

/// Copies a file and flushes the copy.
async fn file(from: &Path, to: &Path) -> io::Result<()> {
    let source = open(from).await?;
    let copy = File::open(
        to,
        OpenOptions {
            create: true,
            ..OpenOptions::default()
        },
    )
    .await?;
    let mut pos = 0;
    let len = source.len().await?;
    while pos < len {
        let bytes = source.read_at(pos, STEP_BYTES).await?;
        if bytes.is_empty() {
            break;
        }
        let mut block = engine_rt::BufMut::zeroed(bytes.len().next_multiple_of(4096));
        block[..bytes.len()].copy_from_slice(&bytes);
        copy.write_at(pos, block.freeze(), Durability::Volatile)
            .await?;
        pos += bytes.len() as u64;
    }
    copy.set_len(len).await?;
    copy.sync().await
}
