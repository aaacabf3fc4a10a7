//! Operations in flight, locks, and who sees what.

use super::*;

#[test]
fn a_write_in_flight_at_a_power_cut_leaves_any_of_its_cells() {
    let outcome = |seed| {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        world.start(node, || async {
            let file = old_file("/f").await;
            sleep(Duration::from_secs(1)).await;
            file.write_at(0, filled(b'n', 2), Durability::Durable)
                .await
                .unwrap();
            sleep(Duration::from_hours(1)).await;
        });
        world.run_for(Duration::from_secs(1));
        world.schedule_crash(node, CrashPoint::DiskStarts(1), CrashKind::PowerCut);
        world.run_until(|| !world.is_running(node));
        world.block_on(node, || look("/f"))
    };
    let seen: BTreeSet<_> = (0..SEEDS).map(outcome).collect();
    let cell = ["o", "n", "~"];
    let all = cell
        .iter()
        .flat_map(|one| cell.iter().map(move |two| format!("{one}{two}oo")));
    assert_eq!(seen, all.collect());
}

#[test]
fn a_killed_process_loses_nothing_that_was_completed() {
    let seen = outcomes(
        CrashKind::Kill,
        || async {
            let file = open("/f").await;
            file.write_at(0, filled(b'v', 2), Durability::Volatile)
                .await
                .unwrap();
            rename(Path::new("/f"), Path::new("/g")).await.unwrap();
        },
        || async { (look("/f").await, look("/g").await) },
    );
    assert_eq!(seen, BTreeSet::from([("none".into(), "vv".into())]));
}

/// Kills a process with a write in flight; what the next life finds at once, and when it has the
/// lock.
fn killed_in_a_write(seed: u64) -> (String, bool, String) {
    let world = World::new(seed, Options::default());
    let node = world.node("node");
    world.start(node, || async {
        let _lock = lock(Path::new("/lock")).await.unwrap();
        let file = old_file("/f").await;
        sleep(Duration::from_secs(1)).await;
        file.write_at(0, filled(b'n', 3), Durability::Durable)
            .await
            .unwrap();
        sleep(Duration::from_hours(1)).await;
    });
    world.run_for(Duration::from_secs(1));
    world.schedule_crash(node, CrashPoint::DiskStarts(1), CrashKind::Kill);
    world.run_until(|| !world.is_running(node));
    let disk = world.disk(node);
    let at_once = sketch(&disk.read("/f").unwrap());
    let locked = world.block_on(node, || async {
        let path = Path::new("/lock");
        let mut had_to_wait = false;
        while let Err(error) = lock(path).await {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            had_to_wait = true;
        }
        had_to_wait
    });
    (at_once, locked, sketch(&disk.read("/f").unwrap()))
}

#[test]
fn a_killed_processs_write_may_land_after_its_death_but_under_its_lock() {
    let seen: BTreeSet<_> = (0..SEEDS).map(killed_in_a_write).collect();
    assert!(
        seen.iter().all(|(at_once, ..)| at_once == "oooo"),
        "{seen:?}"
    );
    let settled: BTreeSet<_> = seen
        .iter()
        .map(|(_, _, settled)| settled.as_str())
        .collect();
    assert!(
        settled.is_superset(&BTreeSet::from(["oooo", "nnno", "onoo", "nono"])),
        "{seen:?}"
    );
    assert!(
        seen.iter().any(|&(_, had_to_wait, _)| had_to_wait),
        "{seen:?}"
    );
    // And nothing lands once the next life has the lock.
    for seed in 0..SEEDS {
        let (_, _, settled) = killed_in_a_write(seed);
        assert!(!settled.contains(['~', '?', '.']), "{settled}");
    }
}

#[test]
fn a_lock_is_exclusive_and_ends_with_its_holder() {
    let path = Path::new("/lock");
    let world = World::new(1, Options::default());
    let node = world.node("node");
    world.start(node, move || async move {
        let held = lock(path).await.unwrap();
        assert_eq!(
            lock(path).await.unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        drop(held);
        let _held = lock(path).await.unwrap();
        sleep(Duration::from_hours(1)).await;
    });
    world.run_for(Duration::from_secs(1));
    // Another process on the same disk is another life in all that concerns locks.
    world.start(node, move || async move {
        assert!(lock(path).await.is_err());
    });
    world.run_for(Duration::from_secs(1));
    for kind in [CrashKind::Kill, CrashKind::PowerCut] {
        world.crash(node, kind);
        world
            .block_on(node, move || async move { lock(path).await.map(drop) })
            .unwrap();
    }
}

#[test]
fn a_reader_sees_a_write_in_flight_in_part_and_never_goes_back() {
    let outcome = |seed| {
        let world = World::new(seed, Options::default());
        world.block_on(world.node("node"), || async {
            let file = old_file("/f").await;
            let write = spawn({
                let file = file.clone();
                async move {
                    file.write_at(0, filled(b'n', 4), Durability::Durable)
                        .await
                        .unwrap();
                }
            });
            let mut sketches = Vec::new();
            while sketches.last().is_none_or(|last| last != "nnnn") {
                sketches.push(sketch(&file.read_at(0, 4 * BLOCK_BYTES).await.unwrap()));
            }
            write.await;
            sketches
        })
    };
    let mut partial = 0;
    for seed in 0..SEEDS {
        let sketches = outcome(seed);
        for pair in sketches.windows(2) {
            let back = |(one, two): (char, char)| one == 'n' && two == 'o';
            assert!(
                !pair[0].chars().zip(pair[1].chars()).any(back),
                "{sketches:?}"
            );
        }
        partial += usize::from(
            sketches
                .iter()
                .any(|seen| seen.contains('o') && seen.contains('n')),
        );
    }
    assert!(partial > 100, "{partial} of {SEEDS}");
}

#[test]
fn a_settled_disk_loses_nothing() {
    for seed in 0..50 {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        world.block_on(node, || async {
            let file = open("/f").await;
            file.write_at(0, filled(b'v', 2), Durability::Volatile)
                .await
                .unwrap();
        });
        world.disk(node).settle();
        world.crash(node, CrashKind::PowerCut);
        assert_eq!(world.block_on(node, || look("/f")), "vv");
    }
}
