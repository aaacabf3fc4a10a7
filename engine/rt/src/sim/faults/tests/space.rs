//! A file system that somebody else fills, and a disk that stands still.

use std::io;

use super::*;
use crate::fs::{create_dir_all, remove_file, space};
use crate::{now, sleep, spawn};

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::StorageFull
}

#[test]
fn a_full_file_system_says_so_refuses_and_recovers() {
    let (world, node) = one_node(1);
    let kind = FaultKind::Fill {
        free: 2 * BLOCK,
        lasts: Some(seconds(10)),
    };
    world.inject(fault(node, Trigger::After(seconds(5)), kind));
    world.block_on(node, || async {
        let root = Path::new("/");
        let file = write("/f", b'f', 4).await;
        let before = space(root).await.unwrap();
        sleep(seconds(6)).await;
        let found = space(root).await.unwrap();
        assert_eq!((found.total, found.available), (before.total, 2 * BLOCK));
        assert!(is_full(&file.allocate(0, 7 * BLOCK).await.unwrap_err()));
        file.allocate(0, 6 * BLOCK).await.unwrap();
        let beyond = file.write_at(6 * BLOCK, filled(b'f', 1), Durability::Durable);
        assert!(is_full(&beyond.await.unwrap_err()));
        // What has its space is written all the same; names may need some.
        file.write_at(4 * BLOCK, filled(b'f', 2), Durability::Durable)
            .await
            .unwrap();
        let create = OpenOptions {
            create: true,
            ..OpenOptions::default()
        };
        assert!(is_full(
            &File::open(Path::new("/g"), create).await.unwrap_err()
        ));
        assert!(is_full(&create_dir_all(Path::new("/d")).await.unwrap_err()));
        drop(file);
        remove_file(Path::new("/f")).await.unwrap();
        assert_eq!(space(root).await.unwrap().available, 6 * BLOCK);
        sleep(seconds(10)).await;
        assert_eq!(space(root).await.unwrap().available, before.total);
        create_dir_all(Path::new("/d")).await.unwrap();
    });
}

#[test]
fn space_comes_back_when_faults_are_ended() {
    let (world, node) = one_node(2);
    let kind = FaultKind::Fill {
        free: 0,
        lasts: None,
    };
    world.inject(fault(node, Trigger::Now, kind));
    let available = || async { space(Path::new("/")).await.unwrap().available };
    assert_eq!(world.block_on(node, available), 0);
    world.end_faults();
    assert_eq!(
        world.block_on(node, available),
        Options::default().disk.capacity
    );
}

#[test]
fn no_operation_of_a_frozen_disk_ends() {
    let (world, node) = one_node(3);
    for (at, lasts) in [(5, 10), (8, 12)] {
        let freeze = FaultKind::Freeze(seconds(lasts));
        world.inject(fault(node, Trigger::After(seconds(at)), freeze));
    }
    let ends = world.block_on(node, || async {
        let begun = now();
        let operations = [0, 1, 4, 7, 15, 25].map(|at| {
            spawn(async move {
                sleep(seconds(at)).await;
                drop(write(&format!("/{at}"), b'x', 1).await);
                now().since(begun).as_secs()
            })
        });
        let mut ends = Vec::new();
        for operation in operations {
            ends.push(operation.await);
        }
        ends
    });
    // The second freeze begins before the first is over.
    assert_eq!(ends, [0, 1, 4, 20, 20, 25]);
}

#[test]
fn a_crash_on_a_frozen_disk_leaves_nothing_that_comes_back_to_life() {
    for seed in 0..20 {
        let (world, node) = one_node(seed);
        world.inject(fault(node, Trigger::Now, FaultKind::Freeze(seconds(5))));
        world.start(node, || async { drop(write("/f", b'x', 1).await) });
        world.run_for(seconds(1));
        world.crash(node, crate::sim::CrashKind::PowerCut);
        world.block_on(node, || async { drop(write("/g", b'y', 1).await) });
        assert!(world.time() >= seconds(5));
        assert_eq!(world.live_tasks(node), 0);
    }
}
