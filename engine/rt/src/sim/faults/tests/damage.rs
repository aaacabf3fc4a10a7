//! Files that are not what they were, between two lives.

use super::*;
use crate::sim::{CrashKind, Damage, Files};

/// A disk with `/a.journal` and `/b.segment`, four blocks each, and zeros behind the segment's.
fn two_files(seed: u64) -> (World, NodeId) {
    let (world, node) = one_node(seed);
    world.block_on(node, || async {
        drop(write("/a.journal", b'j', 4).await);
        let segment = write("/b.segment", b's', 4).await;
        segment.allocate(0, 8 * BLOCK).await.unwrap();
        segment.sync().await.unwrap();
    });
    (world, node)
}

/// Lets a segment be damaged at the start of the second life from now; what is said of it.
fn damaged(world: &World, node: NodeId, damage: Damage) -> String {
    let kind = FaultKind::Damage {
        file: Files::Segments,
        damage,
    };
    world.inject(Fault {
        life: 2,
        ..fault(node, Trigger::Now, kind)
    });
    let before = world.disk(node).read("/b.segment").unwrap();
    for life in 0..2 {
        assert!(world.strikes().is_empty());
        assert_eq!(
            world.disk(node).read("/b.segment").unwrap(),
            before,
            "{life}"
        );
        world.block_on(node, || async {});
    }
    assert_eq!(world.strikes().len(), 1);
    // It is as durable as what was there.
    world.crash(node, CrashKind::PowerCut);
    assert_eq!(
        world.disk(node).read("/a.journal").unwrap(),
        [b'j'; 4 * BLOCK_BYTES]
    );
    world.strikes()[0].what.clone()
}

#[test]
fn bits_flip_where_a_file_has_bytes() {
    for seed in 0..50 {
        let (world, node) = two_files(seed);
        let what = damaged(&world, node, Damage::FlipBits(3));
        let bytes = world.disk(node).read("/b.segment").unwrap();
        assert!(bytes[4 * BLOCK_BYTES..].iter().all(|&byte| byte == 0));
        let wrong: u32 = bytes[..4 * BLOCK_BYTES]
            .iter()
            .map(|byte| (byte ^ b's').count_ones())
            .sum();
        // Two flips of the same bit are none.
        assert!(wrong == 3 || wrong == 1, "{wrong}");
        assert!(
            what.starts_with("node: bits of /b.segment flip: "),
            "{what}"
        );
    }
}

#[test]
fn a_truncated_file_has_lost_its_end() {
    let lens = (0..200).map(|seed| {
        let (world, node) = two_files(seed);
        let what = damaged(&world, node, Damage::Truncate);
        let bytes = world.disk(node).read("/b.segment").unwrap();
        assert!(
            what.ends_with(&format!("is cut to {} bytes", bytes.len())),
            "{what}"
        );
        let written = bytes.len().min(4 * BLOCK_BYTES);
        assert_eq!(bytes[..written], [b's'; 4 * BLOCK_BYTES][..written]);
        bytes.len()
    });
    let lens: Vec<_> = lens.collect();
    assert!(lens.iter().all(|&len| len < 8 * BLOCK_BYTES));
    assert!(lens.iter().any(|&len| len < 2 * BLOCK_BYTES), "{lens:?}");
    assert!(lens.iter().any(|&len| len > 6 * BLOCK_BYTES), "{lens:?}");
}

#[test]
fn a_removed_file_is_gone_with_its_space() {
    let (world, node) = two_files(1);
    let what = damaged(&world, node, Damage::Remove);
    assert_eq!(what, "node: /b.segment is gone");
    assert_eq!(world.disk(node).files(), ["/a.journal"]);
    assert_eq!(world.disk(node).used(), 4 * BLOCK);
}

#[test]
fn a_spoiled_block_of_a_file_cannot_be_read() {
    let (world, node) = two_files(1);
    let what = damaged(&world, node, Damage::Spoil);
    let failing = world.block_on(node, || async {
        let file = open("/b.segment").await;
        let mut failing = Vec::new();
        for block in 0..8 {
            if file.read_at(block * BLOCK, BLOCK_BYTES).await.is_err() {
                failing.push(block * BLOCK);
            }
        }
        failing
    });
    assert_eq!(failing.len(), 1);
    assert_eq!(
        what,
        format!(
            "node: the block at {} of /b.segment cannot be read",
            failing[0]
        )
    );
}

#[test]
fn a_reverted_file_is_what_it_was_at_the_start_of_the_last_life() {
    let (world, node) = two_files(1);
    world.inject(Fault {
        life: 3,
        ..fault(
            node,
            Trigger::Now,
            FaultKind::Damage {
                file: Files::All,
                damage: Damage::Revert,
            },
        )
    });
    let generation = |byte: u8, blocks| {
        world.block_on(node, move || async move {
            drop(write("/b.segment", byte, blocks).await);
            drop(write(&format!("/{}.new", char::from(byte)), byte, 1).await);
        });
    };
    world.disk(node).remove("/a.journal").unwrap();
    generation(b'1', 6);
    // Its start remembers the ones of the first.
    generation(b'2', 12);
    let used = world.disk(node).used();
    world.block_on(node, || async {});
    let what = world.strikes()[0].what.clone();
    // What was made in the last life has no older version.
    assert!(!what.contains("/2.new"), "{what}");
    if what.contains("/b.segment") {
        let bytes = world.disk(node).read("/b.segment").unwrap();
        let (written, rest) = bytes.split_at(6 * BLOCK_BYTES);
        assert!(written.iter().all(|&byte| byte == b'1'));
        assert_eq!(rest, [0; 2 * BLOCK_BYTES]);
        assert_eq!(world.disk(node).used(), used - 4 * BLOCK);
    }
}

#[test]
fn a_test_can_do_the_damage_itself() {
    let (world, node) = two_files(1);
    let disk = world.disk(node);
    disk.remember();
    world.block_on(node, || async { drop(write("/a.journal", b'k', 1).await) });
    disk.remember();
    disk.revert("/a.journal").unwrap();
    assert_eq!(disk.read("/a.journal").unwrap(), [b'j'; 4 * BLOCK_BYTES]);
    disk.truncate("/a.journal", 5000).unwrap();
    world.crash(node, CrashKind::PowerCut);
    assert_eq!(disk.read("/a.journal").unwrap(), [b'j'; 5000]);
    assert!(disk.revert("/nothing").is_err());
}

#[test]
fn damage_to_nothing_is_written_down() {
    let (world, node) = one_node(1);
    let kind = FaultKind::Damage {
        file: Files::Journals,
        damage: Damage::Remove,
    };
    assert_eq!(world.inject(fault(node, Trigger::Now, kind)), 1);
    assert_eq!(world.strikes()[0].what, "node: no file for Remove");
}
