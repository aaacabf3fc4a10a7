use std::io::ErrorKind;
use std::time::Duration;

use engine_rt::fs::{self, Durability};
use engine_rt::{BLOCK_BYTES, sleep};

use super::{Dir, pattern};

pub(crate) async fn directories() {
    let dir = Dir::new().await;
    let deep = dir.join("a/b/c");
    assert!(!fs::exists(&deep).await.unwrap());
    fs::create_dir_all(&deep).await.unwrap();
    fs::create_dir_all(&deep).await.unwrap();
    assert!(fs::exists(&deep).await.unwrap());
    for name in ["z", "x", "y"] {
        drop(dir.file(name).await);
    }
    assert_eq!(fs::read_dir(&dir.0).await.unwrap(), ["a", "x", "y", "z"]);
    fs::sync_dir(&dir.0).await.unwrap();
    fs::remove_file(&dir.join("y")).await.unwrap();
    assert_eq!(fs::read_dir(&dir.0).await.unwrap(), ["a", "x", "z"]);
    let missing = fs::remove_file(&dir.join("y")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(fs::remove_dir(&dir.join("a")).await.is_err(), "not empty");
    fs::remove_dir(&deep).await.unwrap();
    assert!(!fs::exists(&deep).await.unwrap());
    let missing = fs::read_dir(&deep).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

pub(crate) async fn renaming_replaces() {
    let dir = Dir::new().await;
    for (seed, name) in ["from", "to"].into_iter().enumerate() {
        let bytes = pattern(seed as u64, BLOCK_BYTES);
        dir.file(name)
            .await
            .write_at(0, bytes, Durability::Durable)
            .await
            .unwrap();
    }
    let replaced = dir.file("to").await;
    fs::rename(&dir.join("from"), &dir.join("to"))
        .await
        .unwrap();
    assert_eq!(fs::read_dir(&dir.0).await.unwrap(), ["to"]);
    let renamed = dir.file("to").await;
    assert!(*renamed.read_at(0, BLOCK_BYTES).await.unwrap() == *pattern(0, BLOCK_BYTES));
    let old = replaced.read_at(0, BLOCK_BYTES).await.unwrap();
    assert!(
        *old == *pattern(1, BLOCK_BYTES),
        "an open file stays what it was"
    );
}

pub(crate) async fn places_and_space() {
    let dir = Dir::new().await;
    fs::create_dir_all(&dir.join("inner")).await.unwrap();
    let place = fs::place(&dir.0).await.unwrap();
    let inner = fs::place(&dir.join("inner")).await.unwrap();
    assert_eq!(place, fs::place(&dir.0).await.unwrap());
    assert_eq!(place.file_system, inner.file_system);
    assert_ne!(place.inode, inner.inode);
    let space = fs::space(&dir.0).await.unwrap();
    assert!(space.available > 0 && space.available <= space.total);
}

pub(crate) async fn locks_exclude() {
    let dir = Dir::new().await;
    let path = dir.join("lock");
    let held = fs::lock(&path).await.unwrap();
    assert_eq!(
        fs::lock(&path).await.unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    let other = fs::lock(&dir.join("other")).await.unwrap();
    drop(held);
    // Executors let go of it at their next turn.
    for _ in 0..1_000 {
        if fs::lock(&path).await.is_ok() {
            assert_eq!(
                fs::lock(&dir.join("other")).await.unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
            drop(other);
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("a dropped lock stays held");
}
