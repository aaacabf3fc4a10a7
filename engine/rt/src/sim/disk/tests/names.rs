//! Names and directories.

use super::*;

#[test]
fn a_name_that_was_not_synced_may_be_gone_also_of_a_flushed_file() {
    let seen = cut(
        || async {
            open("/f")
                .await
                .write_at(0, filled(b'd', 1), Durability::Durable)
                .await
                .unwrap();
            open("/f").await.sync().await.unwrap();
        },
        || async { look("/f").await },
    );
    assert_eq!(seen, set(&["none", "d"]));
}

#[test]
fn a_synced_directory_keeps_its_names_if_its_own_name_was_synced() {
    let before = |chain: bool| async move {
        create_dir_all(Path::new("/a/b")).await.unwrap();
        open("/a/b/f").await;
        if chain {
            sync_dir(Path::new("/")).await.unwrap();
            sync_dir(Path::new("/a")).await.unwrap();
        }
        sync_dir(Path::new("/a/b")).await.unwrap();
    };
    let after = || async {
        match read_dir(Path::new("/a/b")).await {
            Ok(names) => names.join(","),
            Err(error) => format!("{:?}", error.kind()),
        }
    };
    let outcome = |seed, chain| {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        world.block_on(node, move || before(chain));
        world.crash(node, CrashKind::PowerCut);
        world.block_on(node, after)
    };
    let unsynced: BTreeSet<_> = (0..SEEDS).map(|seed| outcome(seed, false)).collect();
    assert_eq!(unsynced, set(&["NotFound", "f"]));
    let synced: BTreeSet<_> = (0..SEEDS).map(|seed| outcome(seed, true)).collect();
    assert_eq!(synced, set(&["f"]));
}

#[test]
fn an_unlinked_file_may_come_back_until_its_directory_is_synced() {
    let before = |sync: bool| async move {
        old_file("/f").await;
        remove_file(Path::new("/f")).await.unwrap();
        assert!(!exists(Path::new("/f")).await.unwrap());
        if sync {
            sync_dir(Path::new("/")).await.unwrap();
        }
    };
    let seen = cut(move || before(false), || async { look("/f").await });
    assert_eq!(seen, set(&["none", "oooo"]));
    let seen = cut(move || before(true), || async { look("/f").await });
    assert_eq!(seen, set(&["none"]));
}

#[test]
fn a_rename_happens_wholly_or_not_at_all() {
    let before = |sync: bool| async move {
        old_file("/f").await;
        open("/g")
            .await
            .write_at(0, filled(b'g', 1), Durability::Durable)
            .await
            .unwrap();
        sync_dir(Path::new("/")).await.unwrap();
        rename(Path::new("/g"), Path::new("/f")).await.unwrap();
        if sync {
            sync_dir(Path::new("/")).await.unwrap();
        }
    };
    let after = || async { (look("/f").await, look("/g").await) };
    let old = ("oooo".to_owned(), "g".to_owned());
    let new = ("g".to_owned(), "none".to_owned());
    assert_eq!(
        cut(move || before(false), after),
        BTreeSet::from([old, new.clone()])
    );
    assert_eq!(cut(move || before(true), after), BTreeSet::from([new]));
}

#[test]
fn a_file_renamed_twice_has_one_name() {
    let seen = cut(
        || async {
            old_file("/f").await;
            create_dir_all(Path::new("/d")).await.unwrap();
            rename(Path::new("/f"), Path::new("/g")).await.unwrap();
            rename(Path::new("/g"), Path::new("/d/h")).await.unwrap();
        },
        || async { [look("/f").await, look("/g").await, look("/d/h").await].join(" ") },
    );
    // The directory of the last name may be lost, and the file with it.
    let lost = "none none none";
    assert_eq!(
        seen,
        set(&["oooo none none", "none oooo none", "none none oooo", lost])
    );
}

#[test]
fn a_removed_directory_may_come_back() {
    let seen = cut(
        || async {
            create_dir_all(Path::new("/d")).await.unwrap();
            open("/d/f").await;
            let refused = remove_dir(Path::new("/d")).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::DirectoryNotEmpty);
            remove_file(Path::new("/d/f")).await.unwrap();
            sync_dir(Path::new("/")).await.unwrap();
            remove_dir(Path::new("/d")).await.unwrap();
        },
        || async { exists(Path::new("/d")).await.unwrap() },
    );
    assert_eq!(seen, BTreeSet::from([false, true]));
}

#[test]
fn a_copied_disk_has_the_same_bytes_in_another_place() {
    let world = World::new(9, Options::default());
    let node = world.node("node");
    let look_around = || async {
        let place = place(Path::new("/data")).await.unwrap();
        (look("/data/f").await, (place.inode, place.file_system))
    };
    let original = world.block_on(node, move || async move {
        create_dir_all(Path::new("/data")).await.unwrap();
        let file = open("/data/f").await;
        file.write_at(0, filled(b'v', 2), Durability::Volatile)
            .await
            .unwrap();
        look_around().await
    });
    let copy = world.clone_disk(node, "copy");
    world.crash(copy, CrashKind::PowerCut);
    let copied = world.block_on(copy, look_around);
    assert_eq!(copied.0, original.0);
    assert_ne!(copied.1, original.1);
    world.block_on(copy, || async {
        open("/data/f")
            .await
            .write_at(0, filled(b'c', 1), Durability::Durable)
            .await
            .unwrap();
    });
    assert_eq!(
        world.block_on(node, look_around),
        original,
        "they share nothing"
    );
}
