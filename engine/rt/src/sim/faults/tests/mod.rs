//! One test per fault: what a node sees of it. Effects on single operations of disks have theirs in
//! `disk/tests/effects.rs`.

mod damage;
mod net;
mod node;
mod replay;
mod space;

use std::path::Path;
use std::time::Duration;

use super::{Fault, FaultKind, Trigger};
use crate::buf::{BLOCK_BYTES, BufMut};
use crate::fs::{Durability, File, OpenOptions, sync_dir};
use crate::sim::disk::tests::{filled, open};
use crate::sim::{NodeId, Options, World};

const BLOCK: u64 = BLOCK_BYTES as u64;

/// A fault from now on.
fn fault(node: NodeId, trigger: Trigger, kind: FaultKind) -> Fault {
    Fault {
        node,
        life: 0,
        trigger,
        kind,
    }
}

fn one_node(seed: u64) -> (World, NodeId) {
    let world = World::new(seed, Options::default());
    let node = world.node("node");
    (world, node)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Fills a file durably with blocks of one byte.
async fn write(path: &str, byte: u8, blocks: usize) -> File {
    let file = open(path).await;
    file.write_at(0, filled(byte, blocks), Durability::Durable)
        .await
        .unwrap();
    sync_dir(Path::new("/")).await.unwrap();
    file
}
