use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

use engine_rt::fs::{Durability, File, OpenOptions};
use engine_rt::{BLOCK_BYTES, Buf, BufMut, spawn};

use super::{Dir, join_all, pattern, poll_once};

const BLOCK: u64 = BLOCK_BYTES as u64;

pub(crate) async fn what_is_written_is_read() {
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    // One submission, several chunks, more than one window of chunks.
    let sizes = [1, 16, 64, 65, 256, 257, 700].map(|blocks| blocks * BLOCK_BYTES);
    for durability in [Durability::Volatile, Durability::Durable] {
        let mut pos = BLOCK;
        for (seed, size) in sizes.into_iter().enumerate() {
            file.write_at(pos, pattern(seed as u64, size), durability)
                .await
                .unwrap();
            pos += size as u64;
        }
        file.sync().await.unwrap();
        let mut pos = BLOCK;
        for (seed, size) in sizes.into_iter().enumerate() {
            let read = file.read_at(pos, size).await.unwrap();
            assert!(read.is_block_aligned());
            assert!(
                *read == *pattern(seed as u64, size),
                "{size} bytes at {pos}"
            );
            pos += size as u64;
        }
        assert_eq!(file.len().await.unwrap(), pos);
        let hole = file.read_at(0, BLOCK_BYTES).await.unwrap();
        assert!(hole.iter().all(|&byte| byte == 0));
        file.set_len(0).await.unwrap();
    }
}

pub(crate) async fn buffers_are_written_one_behind_the_other() {
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    for durability in [Durability::Volatile, Durability::Durable] {
        let sizes = [1, 300, 16, 1].map(|blocks| blocks * BLOCK_BYTES);
        let bufs = sizes.map(|size| pattern(size as u64, size));
        file.write_bufs_at(3 * BLOCK, bufs.to_vec(), durability)
            .await
            .unwrap();
        let mut pos = 3 * BLOCK;
        for expected in &bufs {
            let read = file.read_at(pos, expected.len()).await.unwrap();
            assert!(*read == **expected, "{} bytes at {pos}", expected.len());
            pos += expected.len() as u64;
        }
        assert_eq!(file.len().await.unwrap(), pos);
        file.set_len(0).await.unwrap();
    }
}

pub(crate) async fn reads_end_with_the_file() {
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    assert!(file.read_at(0, BLOCK_BYTES).await.unwrap().is_empty());
    file.write_at(0, pattern(1, 3 * BLOCK_BYTES), Durability::Volatile)
        .await
        .unwrap();
    assert_eq!(
        file.read_at(BLOCK, 8 * BLOCK_BYTES).await.unwrap().len(),
        2 * BLOCK_BYTES
    );
    assert!(
        file.read_at(3 * BLOCK, BLOCK_BYTES)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        file.read_at(300 * BLOCK, BLOCK_BYTES)
            .await
            .unwrap()
            .is_empty()
    );
    file.set_len(BLOCK + 100).await.unwrap();
    let tail = file.read_at(BLOCK, BLOCK_BYTES).await.unwrap();
    assert_eq!(
        *tail,
        pattern(1, 3 * BLOCK_BYTES)[BLOCK_BYTES..BLOCK_BYTES + 100]
    );
}

pub(crate) async fn allocated_bytes_are_zero() {
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    file.allocate(0, 64 * BLOCK).await.unwrap();
    assert_eq!(file.len().await.unwrap(), 64 * BLOCK);
    file.write_at(BLOCK, pattern(1, BLOCK_BYTES), Durability::Durable)
        .await
        .unwrap();
    let read = file.read_at(0, 64 * BLOCK_BYTES).await.unwrap();
    assert_eq!(read[BLOCK_BYTES..2 * BLOCK_BYTES], *pattern(1, BLOCK_BYTES));
    assert!(read[..BLOCK_BYTES].iter().all(|&byte| byte == 0));
    assert!(read[2 * BLOCK_BYTES..].iter().all(|&byte| byte == 0));
    file.allocate(32 * BLOCK, 64 * BLOCK).await.unwrap();
    assert_eq!(file.len().await.unwrap(), 96 * BLOCK);
    assert!(*file.read_at(BLOCK, BLOCK_BYTES).await.unwrap() == *pattern(1, BLOCK_BYTES));
}

pub(crate) async fn lengths_change() {
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    file.write_at(0, pattern(1, 4 * BLOCK_BYTES), Durability::Volatile)
        .await
        .unwrap();
    file.set_len(BLOCK).await.unwrap();
    file.set_len(2 * BLOCK).await.unwrap();
    let read = file.read_at(0, 4 * BLOCK_BYTES).await.unwrap();
    assert_eq!(read.len(), 2 * BLOCK_BYTES);
    assert_eq!(
        read[..BLOCK_BYTES],
        pattern(1, 4 * BLOCK_BYTES)[..BLOCK_BYTES]
    );
    assert!(
        read[BLOCK_BYTES..].iter().all(|&byte| byte == 0),
        "cut bytes do not come back"
    );
}

pub(crate) async fn open_modes() {
    let dir = Dir::new().await;
    let path = dir.join("data");
    let plain = OpenOptions::default();
    let new = OpenOptions {
        create_new: true,
        ..plain
    };
    let read_only = OpenOptions {
        read_only: true,
        ..plain
    };
    assert_eq!(
        File::open(&path, plain).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let file = File::open(&path, new).await.unwrap();
    file.write_at(0, pattern(1, BLOCK_BYTES), Durability::Volatile)
        .await
        .unwrap();
    assert_eq!(
        File::open(&path, new).await.unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    let reader = File::open(&path, read_only).await.unwrap();
    let again = dir.file("data").await;
    drop(file);
    assert!(*again.read_at(0, BLOCK_BYTES).await.unwrap() == *pattern(1, BLOCK_BYTES));
    assert!(*reader.read_at(0, BLOCK_BYTES).await.unwrap() == *pattern(1, BLOCK_BYTES));
    let refused = reader
        .write_at(0, pattern(2, BLOCK_BYTES), Durability::Volatile)
        .await;
    assert!(refused.is_err());
    assert!(*again.read_at(0, BLOCK_BYTES).await.unwrap() == *pattern(1, BLOCK_BYTES));
}

pub(crate) async fn misaligned_requests_panic() {
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    let block = BufMut::zeroed(2 * BLOCK_BYTES).freeze();
    let write = |pos, buf: Buf| {
        catch_unwind(AssertUnwindSafe(|| {
            poll_once(file.write_at(pos, buf, Durability::Volatile)).is_ready()
        }))
    };
    assert!(write(512, block.clone()).is_err(), "position");
    assert!(write(0, block.slice(..512)).is_err(), "length");
    assert!(
        write(0, block.slice(512..512 + BLOCK_BYTES)).is_err(),
        "memory"
    );
    let read = |pos, len| {
        catch_unwind(AssertUnwindSafe(|| {
            poll_once(file.read_at(pos, len)).is_ready()
        }))
    };
    assert!(read(100, BLOCK_BYTES).is_err(), "position");
    assert!(read(0, 100).is_err(), "length");
    assert_eq!(file.len().await.unwrap(), 0);
}

pub(crate) async fn writers_side_by_side() {
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    file.allocate(0, 256 * BLOCK).await.unwrap();
    let writer = |number: u64| {
        let file = file.clone();
        spawn(async move {
            for step in (number..256).step_by(16) {
                let bytes = pattern(step, BLOCK_BYTES);
                file.write_at(step * BLOCK, bytes, Durability::Durable)
                    .await
                    .unwrap();
            }
        })
    };
    join_all((0..16).map(writer).collect()).await;
    let read = file.read_at(0, 256 * BLOCK_BYTES).await.unwrap();
    for (step, block) in read.chunks(BLOCK_BYTES).enumerate() {
        assert!(*block == *pattern(step as u64, BLOCK_BYTES), "block {step}");
    }
}

pub(crate) async fn resident_ranges() {
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    let bytes = pattern(1, 64 * BLOCK_BYTES);
    file.write_at(0, bytes.clone(), Durability::Durable)
        .await
        .unwrap();
    let other = pattern(2, 64 * BLOCK_BYTES);
    let refused = file.make_resident(0, other.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidData);
    file.make_resident(0, bytes).await.unwrap();
    assert!(file.is_resident(0, 64 * BLOCK_BYTES));
    assert!(file.is_resident(5000, 1), "any bytes within");
    assert!(
        file.make_resident(63 * BLOCK, other.slice(..2 * BLOCK_BYTES))
            .await
            .is_err(),
        "beyond the end"
    );
}
