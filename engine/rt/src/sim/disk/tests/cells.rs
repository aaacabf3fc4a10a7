//! Cells, sizes and extents.

use super::*;

#[test]
fn a_durable_write_makes_its_own_cells_durable_and_nothing_else() {
    let seen = cut(
        || async {
            let file = old_file("/f").await;
            file.write_at(0, filled(b'n', 1), Durability::Volatile)
                .await
                .unwrap();
            file.write_at(BLOCK, filled(b'd', 1), Durability::Durable)
                .await
                .unwrap();
        },
        || async { look("/f").await },
    );
    assert_eq!(seen, set(&["odoo", "ndoo", "~doo"]));
}

#[test]
fn a_durable_write_of_one_file_does_not_flush_another() {
    let seen = cut(
        || async {
            let (file, other) = (old_file("/f").await, old_file("/g").await);
            file.write_at(0, filled(b'n', 1), Durability::Volatile)
                .await
                .unwrap();
            other
                .write_at(0, filled(b'd', 1), Durability::Durable)
                .await
                .unwrap();
            other.sync().await.unwrap();
        },
        || async { look("/f").await },
    );
    assert_eq!(seen, set(&["oooo", "nooo", "~ooo"]));
}

#[test]
fn a_durable_write_carries_the_size_that_reading_it_needs() {
    let seen = cut(
        || async {
            let file = old_file("/f").await;
            file.write_at(5 * BLOCK, filled(b'd', 1), Durability::Durable)
                .await
                .unwrap();
            file.write_at(6 * BLOCK, filled(b'v', 1), Durability::Volatile)
                .await
                .unwrap();
        },
        || async { look("/f").await },
    );
    assert_eq!(seen, set(&["oooo.d", "oooo.d.", "oooo.dv", "oooo.d~"]));
}

#[test]
fn a_flush_covers_all_completed_writes_and_the_size() {
    let seen = cut(
        || async {
            let file = old_file("/f").await;
            file.write_at(BLOCK, filled(b'n', 2), Durability::Volatile)
                .await
                .unwrap();
            file.write_at(6 * BLOCK, filled(b'n', 1), Durability::Volatile)
                .await
                .unwrap();
            file.sync().await.unwrap();
        },
        || async { look("/f").await },
    );
    assert_eq!(seen, set(&["onno..n"]));
}

#[test]
fn a_flush_covers_no_write_that_ends_after_its_submission() {
    let seen = cut(
        || async {
            let file = old_file("/f").await;
            let flush = spawn({
                let file = file.clone();
                async move { file.sync().await.unwrap() }
            });
            yield_now().await;
            file.write_at(0, filled(b'n', 1), Durability::Volatile)
                .await
                .unwrap();
            flush.await;
        },
        || async { look("/f").await },
    );
    assert_eq!(seen, set(&["oooo", "nooo", "~ooo"]));
}

#[test]
fn an_older_flush_does_not_undo_a_newer_durable_write() {
    let seen = cut(
        || async {
            let file = old_file("/f").await;
            file.write_at(0, filled(b'v', 1), Durability::Volatile)
                .await
                .unwrap();
            let flush = spawn({
                let file = file.clone();
                async move { file.sync().await.unwrap() }
            });
            yield_now().await;
            file.write_at(0, filled(b'd', 1), Durability::Durable)
                .await
                .unwrap();
            flush.await;
        },
        || async { look("/f").await },
    );
    assert_eq!(seen, set(&["dooo"]));
}

#[test]
fn unwritten_extents_are_zeros_until_their_own_files_flush() {
    let seen = cut(
        || async {
            let (file, other) = (open("/f").await, open("/g").await);
            file.allocate(0, 3 * BLOCK).await.unwrap();
            file.sync().await.unwrap();
            sync_dir(Path::new("/")).await.unwrap();
            file.write_at(0, filled(b'v', 1), Durability::Volatile)
                .await
                .unwrap();
            file.write_at(BLOCK, filled(b'd', 1), Durability::Durable)
                .await
                .unwrap();
            other
                .write_at(0, filled(b'g', 1), Durability::Durable)
                .await
                .unwrap();
            other.sync().await.unwrap();
        },
        || async { look("/f").await },
    );
    assert_eq!(seen, set(&[".d.", "vd.", "~d."]));
}

#[test]
fn a_size_is_volatile_until_the_file_is_flushed() {
    let seen = cut(
        || async {
            let file = old_file("/f").await;
            file.allocate(0, 5 * BLOCK).await.unwrap();
            file.set_len(6 * BLOCK).await.unwrap();
            sync_dir(Path::new("/")).await.unwrap();
        },
        || async { look("/f").await },
    );
    assert_eq!(seen, set(&["oooo", "oooo.", "oooo.."]));
}

#[test]
fn a_cut_file_may_come_back_whole_but_not_in_part() {
    let seen = cut(
        || async {
            let file = old_file("/f").await;
            file.set_len(BLOCK).await.unwrap();
            file.set_len(3 * BLOCK).await.unwrap();
        },
        || async { look("/f").await },
    );
    assert_eq!(seen, set(&["oooo", "o", "o.."]));
}

#[test]
fn a_durable_write_behind_a_cut_takes_the_cut_with_it() {
    let seen = cut(
        || async {
            let file = old_file("/f").await;
            file.set_len(BLOCK).await.unwrap();
            file.write_at(2 * BLOCK, filled(b'd', 1), Durability::Durable)
                .await
                .unwrap();
        },
        || async { look("/f").await },
    );
    assert_eq!(seen, set(&["o.d"]));
}

#[test]
fn a_cut_within_a_block_leaves_zeros_behind_it() {
    let seen = cut(
        || async {
            let file = old_file("/f").await;
            file.set_len(100).await.unwrap();
            file.set_len(BLOCK).await.unwrap();
            file.sync().await.unwrap();
        },
        || async {
            let file = open("/f").await;
            let bytes = file.read_at(0, BLOCK_BYTES).await.unwrap();
            bytes.iter().rposition(|&byte| byte == b'o')
        },
    );
    assert_eq!(seen, BTreeSet::from([Some(99)]));
}

#[test]
fn what_was_not_flushed_survives_cell_by_cell_in_any_order() {
    let seen = cut(
        || async {
            let file = old_file("/f").await;
            file.write_at(0, filled(b'n', 3), Durability::Volatile)
                .await
                .unwrap();
        },
        || async { look("/f").await },
    );
    assert_eq!(seen.len(), 27, "{seen:?}");
    assert!(
        seen.iter()
            .all(|cells| cells.ends_with('o') && !cells.contains('?')),
        "{seen:?}"
    );
}

#[test]
fn a_torn_cell_has_any_of_its_new_sectors() {
    let outcome = |seed| {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        world.block_on(node, || async {
            let file = old_file("/f").await;
            let write = file.write_at(0, filled(b'n', 1), Durability::Volatile);
            write.await.unwrap();
        });
        world.crash(node, CrashKind::PowerCut);
        let bytes = world.disk(node).read("/f").unwrap();
        let sectors = bytes[..BLOCK_BYTES].chunks(512);
        assert!(
            sectors
                .clone()
                .all(|sector| sector.iter().all(|&byte| byte == sector[0]))
        );
        sectors
            .map(|sector| char::from(sector[0]))
            .collect::<String>()
    };
    let seen: BTreeSet<String> = (0..4 * SEEDS).map(outcome).collect();
    for sector in 0..8 {
        let alone =
            |torn: &&String| torn.matches('n').count() == 1 && torn.find('n') == Some(sector);
        assert!(seen.iter().any(|torn| alone(&torn)), "{sector}: {seen:?}");
    }
    assert!(seen.len() > 100, "{}", seen.len());
}
