//! One file against a model: any sequence of operations, then a power cut.

use super::super::block::block_from;
use super::super::content::{Content, Mercy};
use super::*;
use crate::sim::prng::Prng;

const CELLS: usize = 8;

/// What a file of byte-sized versions should hold.
#[derive(Clone, Default)]
struct Model {
    live: Vec<u8>,
    /// What has been made durable, per cell.
    floor: Vec<u8>,
    /// Size changes since the last flush that only grew the file may survive or not.
    only_grew: bool,
}

fn version_block(version: u8) -> Vec<u8> {
    vec![version; BLOCK_BYTES]
}

fn write(content: &mut Content, model: &mut Model, at: usize, version: u8, durable: bool) {
    let block = block_from(&version_block(version));
    let end = (at as u64 + 1) * BLOCK;
    content.grow(end);
    if durable {
        content.harden_size(end);
    }
    content.write(at as u64, block.clone());
    model.live.resize(model.live.len().max(at + 1), 0);
    model.live[at] = version;
    if durable {
        content.harden(at as u64, block);
        model.floor.resize(model.floor.len().max(at + 1), 0);
        model.floor[at] = version;
    }
}

fn step(content: &mut Content, model: &mut Model, version: u8, prng: &mut Prng) {
    let at = prng.index(CELLS);
    match prng.below(10) {
        0..=4 => write(content, model, at, version, false),
        5..=7 => write(content, model, at, version, true),
        8 => {
            let snapshot = content.snapshot();
            content.commit(snapshot);
            model.floor.clone_from(&model.live);
            model.only_grew = true;
        },
        _ => {
            model.only_grew &= at >= model.live.len();
            content.set_len(at as u64 * BLOCK);
            model.live.resize(at, 0);
        },
    }
}

fn read(content: &Content) -> Vec<u8> {
    content.read(0..content.len()).unwrap().to_vec()
}

fn flat(versions: &[u8]) -> Vec<u8> {
    versions
        .iter()
        .flat_map(|&version| version_block(version))
        .collect()
}

/// Each sector is what is durable or what was live, never anything else; the size lies between.
fn check_cut(model: &Model, left: &[u8], seed: u64) {
    let cells = left.len() / BLOCK_BYTES;
    assert!(
        (model.floor.len()..=model.live.len()).contains(&cells),
        "seed {seed}: {cells} cells left"
    );
    for (at, block) in left.chunks(BLOCK_BYTES).enumerate() {
        let floor = model.floor.get(at).copied().unwrap_or(0);
        for sector in block.chunks(512) {
            let known = sector[0] == floor || sector[0] == model.live[at];
            assert!(
                known && sector.iter().all(|&byte| byte == sector[0]),
                "seed {seed}, cell {at}"
            );
        }
    }
}

#[test]
fn any_history_reads_as_written_and_is_cut_to_what_was_flushed_or_written() {
    let mercy = Mercy {
        keep: 0.4,
        tear: 0.3,
    };
    let mut cuts_checked = 0;
    for seed in 0..300 {
        let mut prng = Prng::new(seed);
        let mut content = Content::default();
        let mut model = Model {
            only_grew: true,
            ..Model::default()
        };
        for version in 1..40 {
            step(&mut content, &mut model, version, &mut prng);
            assert!(
                read(&content) == flat(&model.live),
                "seed {seed}, step {version}"
            );
        }
        let mut left = content.clone();
        left.cut(&mut prng, mercy);
        if model.only_grew {
            check_cut(&model, &read(&left), seed);
            cuts_checked += 1;
        }
        let snapshot = content.snapshot();
        content.commit(snapshot);
        content.cut(&mut prng, mercy);
        assert!(
            read(&content) == flat(&model.live),
            "seed {seed}: flushed is flushed"
        );
    }
    assert!(cuts_checked > 75, "{cuts_checked}");
}
