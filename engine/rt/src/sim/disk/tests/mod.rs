//! One test per rule of the disk, each over many seeds: what must hold in all of them, and what
//! must occur in some.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

mod cells;
mod crash;
mod effects;
mod faults;
mod model;
mod names;

use super::DiskOp;
use crate::buf::{BLOCK_BYTES, Buf, BufMut};
use crate::fs::{
    Durability, File, OpenOptions, create_dir_all, exists, lock, place, read_dir, remove_dir,
    remove_file, rename, space, sync_dir,
};
use crate::sim::{
    CrashKind, CrashPoint, Effect, Fault, Files, NodeId, Operations, Options, Span, World,
};
use crate::{now, sleep, spawn, yield_now};

const BLOCK: u64 = BLOCK_BYTES as u64;
const SEEDS: u64 = 2000;

pub(in crate::sim) fn filled(byte: u8, blocks: usize) -> Buf {
    let mut buf = BufMut::with_capacity(blocks * BLOCK_BYTES);
    buf.fill(byte);
    buf.freeze()
}

pub(in crate::sim) async fn open(path: &str) -> File {
    let create = OpenOptions {
        create: true,
        ..OpenOptions::default()
    };
    File::open(Path::new(path), create).await.unwrap()
}

/// A file of four durable blocks of `o`, with a durable name.
async fn old_file(path: &str) -> File {
    let file = open(path).await;
    file.write_at(0, filled(b'o', 4), Durability::Volatile)
        .await
        .unwrap();
    file.sync().await.unwrap();
    sync_dir(Path::new("/")).await.unwrap();
    file
}

/// One character per block: its byte if it is all the same, `~` if it has two, which change at
/// sectors' boundaries only, `?` otherwise; zeros are `.`.
fn sketch(bytes: &[u8]) -> String {
    let letter = |byte: u8| if byte == 0 { '.' } else { char::from(byte) };
    let sketch_block = |block: &[u8]| {
        let letters: BTreeSet<_> = block.iter().map(|&byte| letter(byte)).collect();
        let mut runs = block.chunk_by(|one, two| one == two);
        match letters.len() {
            1 => letter(block[0]),
            2 if runs.all(|run| run.len() % 512 == 0) => '~',
            _ => '?',
        }
    };
    bytes.chunks(BLOCK_BYTES).map(sketch_block).collect()
}

async fn look(path: &str) -> String {
    match File::open(Path::new(path), OpenOptions::default()).await {
        Ok(file) => sketch(&file.read_at(0, 64 * BLOCK_BYTES).await.unwrap()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "none".into(),
        Err(error) => panic!("{error}"),
    }
}

/// What is seen after a crash between two lives, over all seeds.
fn outcomes<F, G, T>(
    kind: CrashKind,
    before: impl Fn() -> F + Copy + 'static,
    after: fn() -> G,
) -> BTreeSet<T>
where
    F: Future<Output = ()> + 'static,
    G: Future<Output = T> + 'static,
    T: Ord + 'static,
{
    let outcome = |seed| {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        world.block_on(node, before);
        world.crash(node, kind);
        world.block_on(node, after)
    };
    (0..SEEDS).map(outcome).collect()
}

fn cut<F, G, T>(before: impl Fn() -> F + Copy + 'static, after: fn() -> G) -> BTreeSet<T>
where
    F: Future<Output = ()> + 'static,
    G: Future<Output = T> + 'static,
    T: Ord + 'static,
{
    outcomes(CrashKind::PowerCut, before, after)
}

/// The `nth` operation of a kind on `/f` goes wrong, and no other.
fn once(node: NodeId, op: DiskOp, nth: u64, effect: Effect) -> Fault {
    let on = Operations::of(op, Files::Like("f".into()));
    Fault::of_disk(node, on, nth, effect, Span::Times(1))
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
