//! Errors, space, damage and time.

use super::*;

#[test]
fn an_unlinked_file_is_readable_and_takes_space_until_it_is_closed() {
    let world = World::new(2, Options::default());
    let node = world.node("node");
    let disk = world.disk(node);
    let used = Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = Rc::clone(&used);
    world.block_on(node, move || async move {
        let note = || seen.borrow_mut().push(disk.used());
        let file = old_file("/f").await;
        note();
        remove_file(Path::new("/f")).await.unwrap();
        assert_eq!(
            sketch(&file.read_at(0, 8 * BLOCK_BYTES).await.unwrap()),
            "oooo"
        );
        note();
        drop(file);
        note();
    });
    assert_eq!(*used.borrow(), [4 * BLOCK, 4 * BLOCK, 0]);
}

#[test]
fn a_full_disk_refuses_and_takes_again_after_a_delete() {
    let world = World::new(3, Options::default());
    let node = world.node("node");
    world.disk(node).configure(|disk| disk.capacity = 8 * BLOCK);
    world.block_on(node, || async {
        let full = |error: io::Error| error.kind() == io::ErrorKind::StorageFull;
        let file = old_file("/f").await;
        let other = open("/g").await;
        other.allocate(0, 3 * BLOCK).await.unwrap();
        assert!(full(other.allocate(0, 5 * BLOCK).await.unwrap_err()));
        other
            .write_at(0, filled(b'g', 3), Durability::Durable)
            .await
            .unwrap();
        let refused = other
            .write_at(3 * BLOCK, filled(b'g', 2), Durability::Durable)
            .await;
        assert!(full(refused.unwrap_err()));
        assert_eq!(other.len().await.unwrap(), 3 * BLOCK);
        let found = space(Path::new("/")).await.unwrap();
        assert_eq!((found.total, found.available), (8 * BLOCK, BLOCK));
        file.set_len(2 * BLOCK).await.unwrap();
        other
            .write_at(3 * BLOCK, filled(b'g', 2), Durability::Durable)
            .await
            .unwrap();
        drop(file);
        remove_file(Path::new("/f")).await.unwrap();
        other.allocate(0, 8 * BLOCK).await.unwrap();
    });
}

#[test]
fn a_failed_write_leaves_some_blocks_and_none_of_them_durable() {
    let outcome = |seed| {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        world.inject(once(node, DiskOp::Write, 2, Effect::Io));
        let live = world.block_on(node, || async {
            let file = old_file("/f").await;
            let write = file.write_at(0, filled(b'n', 2), Durability::Durable).await;
            assert_eq!(write.unwrap_err().raw_os_error(), Some(libc::EIO));
            file.write_at(3 * BLOCK, filled(b'n', 1), Durability::Durable)
                .await
                .unwrap();
            look("/f").await
        });
        world.crash(node, CrashKind::PowerCut);
        (live, world.block_on(node, || look("/f")))
    };
    let seen: BTreeSet<_> = (0..SEEDS).map(outcome).collect();
    let live: BTreeSet<_> = seen.iter().map(|(live, _)| live.clone()).collect();
    assert_eq!(live, set(&["ooon", "noon", "onon", "nnon"]));
    assert!(seen.contains(&("nnon".into(), "ooon".into())), "{seen:?}");
}

#[test]
fn what_a_failed_flush_lost_no_later_flush_brings_back() {
    let before = |again: bool| async move {
        let file = old_file("/f").await;
        file.write_at(0, filled(b'n', 1), Durability::Volatile)
            .await
            .unwrap();
        assert!(file.sync().await.is_err());
        if again {
            file.write_at(0, filled(b'n', 1), Durability::Volatile)
                .await
                .unwrap();
        }
        file.sync().await.unwrap();
    };
    let outcome = |seed, again| {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        world.inject(once(node, DiskOp::Sync, 2, Effect::Io));
        world.block_on(node, move || before(again));
        world.crash(node, CrashKind::PowerCut);
        world.block_on(node, || look("/f"))
    };
    let lost: BTreeSet<_> = (0..SEEDS).map(|seed| outcome(seed, false)).collect();
    assert_eq!(lost, set(&["oooo", "nooo", "~ooo"]));
    let written_again: BTreeSet<_> = (0..SEEDS).map(|seed| outcome(seed, true)).collect();
    assert_eq!(written_again, set(&["nooo"]));
}

#[test]
fn a_spoiled_block_cannot_be_read_until_it_is_written_again() {
    let world = World::new(5, Options::default());
    let node = world.node("node");
    world.block_on(node, || async { drop(old_file("/f").await) });
    world.disk(node).spoil("/f", BLOCK + 17).unwrap();
    world.crash(node, CrashKind::PowerCut);
    world.block_on(node, || async {
        let file = open("/f").await;
        for _ in 0..3 {
            assert!(file.read_at(0, 2 * BLOCK_BYTES).await.is_err());
        }
        assert!(file.read_at(2 * BLOCK, BLOCK_BYTES).await.is_ok());
        file.write_at(BLOCK, filled(b'n', 1), Durability::Durable)
            .await
            .unwrap();
        assert_eq!(look("/f").await, "onoo");
    });
}

#[test]
fn damage_is_durable_and_nobody_hears_of_it() {
    let world = World::new(6, Options::default());
    let node = world.node("node");
    world.block_on(node, || async {
        drop((old_file("/f").await, old_file("/g").await));
    });
    let disk = world.disk(node);
    disk.flip_bit("/f", 5000, 3).unwrap();
    disk.overwrite("/g", 0, b"misdirected").unwrap();
    disk.copy_block(("/g", 0), ("/f", 2 * BLOCK)).unwrap();
    world.crash(node, CrashKind::PowerCut);
    let bytes = disk.read("/f").unwrap();
    assert_eq!(bytes[5000], b'o' ^ 8);
    assert_eq!(
        bytes.iter().filter(|&&byte| byte != b'o').count(),
        1 + "misdirected".len()
    );
    assert_eq!(&bytes[8192..8203], b"misdirected");
    assert_eq!(disk.files(), ["/f", "/g"]);
    disk.remove("/g").unwrap();
    world.crash(node, CrashKind::PowerCut);
    assert_eq!(disk.files(), ["/f"]);
}

#[test]
fn operations_take_their_time_and_overtake_each_other() {
    let mut options = Options {
        stall_probability: 0.0,
        ..Options::default()
    };
    options.disk.latency = Duration::from_micros(10)..Duration::from_millis(3);
    options.disk.stall_probability = 0.1;
    options.disk.stall = Duration::from_secs(1)..Duration::from_secs(2);
    let world = World::new(7, options);
    let times = world.block_on(world.node("node"), || async {
        let file = old_file("/f").await;
        let begun = now();
        let writes = (0..200).map(|_| {
            let file = file.clone();
            spawn(async move {
                file.write_at(0, filled(b'n', 1), Durability::Durable)
                    .await
                    .unwrap();
                now().since(begun)
            })
        });
        let mut times = Vec::new();
        for write in writes.collect::<Vec<_>>() {
            times.push(write.await);
        }
        times
    });
    let slow = times
        .iter()
        .filter(|&&time| time > Duration::from_millis(4))
        .count();
    assert!((5..50).contains(&slow), "{slow} of 200 stalled");
    assert!(times.iter().all(|&time| time >= Duration::from_micros(10)));
    assert!(!times.is_sorted());
}

#[test]
fn pages_are_resident_when_made_so_and_may_be_evicted() {
    let world = World::new(8, Options::default());
    let evicted = world.block_on(world.node("node"), || async {
        let file = old_file("/f").await;
        assert!(!file.is_resident(0, BLOCK_BYTES));
        let mut evicted = 0;
        for _ in 0..1000 {
            file.make_resident(0, filled(b'o', 4)).await.unwrap();
            if !file.is_resident(100, 2 * BLOCK_BYTES) {
                evicted += 1;
                assert!(!file.is_resident(100, 1), "it does not come back by itself");
            }
        }
        file.make_resident(0, filled(b'o', 1)).await.unwrap();
        file.write_at(0, filled(b'n', 1), Durability::Volatile)
            .await
            .unwrap();
        assert!(
            !file.is_resident(0, BLOCK_BYTES),
            "a direct write drops the page"
        );
        evicted
    });
    assert!((20..100).contains(&evicted), "{evicted} of 1000");
}
