//! A disk that fills up, in the simulation: produce is refused in time, nothing fails, and deletes
//! bring it back.
#![cfg(test)]

mod support;

use std::rc::Rc;
use std::time::Duration;

use engine_log::LogConfig;
use engine_rt::sim::{DiskOptions, Options, World};
use engine_rt::{fs, sleep};
use engine_shard::{FetchPart, Shard, ShardError, ShardOptions};

use self::support::{batch, id, spec};

const DISK_BYTES: u64 = 64 << 20;
const RESERVE_BYTES: u64 = 8 << 20;

fn options() -> ShardOptions {
    ShardOptions {
        space_reserve_bytes: RESERVE_BYTES,
        ..support::options()
    }
}

async fn append(shard: &Rc<Shard>, bytes: usize) -> Result<i64, ShardError> {
    let appended = shard
        .append(vec![batch(0, None, &vec![7; bytes])])
        .await
        .remove(0)?;
    Ok(appended.base_offset)
}

/// Appends until the shard refuses; how many it took.
async fn fill(shard: &Rc<Shard>) -> i64 {
    let mut next = -1;
    loop {
        for bytes in [5_000, 100_000, 30_000] {
            match append(shard, bytes).await {
                Ok(offset) => next = offset,
                Err(ShardError::Storage(why)) => {
                    assert_eq!(why, "the disk is almost full");
                    return next + 1;
                },
                Err(other) => panic!("{other}"),
            }
        }
    }
}

async fn is_readable(shard: &Rc<Shard>, offset: i64) -> bool {
    let part = FetchPart::new(id(0), offset, 1);
    let fetched = shard.fetch(&[part], 1).await.remove(0);
    fetched.is_ok_and(|fetched| !fetched.records.is_empty())
}

#[test]
fn produce_is_refused_before_the_disk_is_full_and_resumes_with_space() {
    let disk = DiskOptions {
        capacity: DISK_BYTES,
        ..DiskOptions::default()
    };
    let world = World::new(
        5,
        Options {
            disk,
            ..Options::default()
        },
    );
    let node = world.node("node");
    world.block_on(node, || async {
        fs::create_dir_all(&options().data_dir).await.unwrap();
        let config = LogConfig {
            segment_bytes: 4 << 20,
            ..LogConfig::default()
        };
        let shard = Shard::open(options(), vec![spec(0, config)]).await.unwrap();
        let mut taken = 0;
        for _ in 0..3 {
            let end = fill(&shard).await;
            assert!(end > taken + 100, "{end} after {taken}");
            taken = end;
            // All that was taken finds its place on the disk.
            sleep(Duration::from_secs(5)).await;
            let space = fs::space(&options().data_dir).await.unwrap();
            assert!(space.available >= RESERVE_BYTES / 2, "{space:?}");
            let start = shard.position(id(0)).unwrap().log_start_offset;
            for offset in start..taken {
                assert!(is_readable(&shard, offset).await, "{offset}");
            }
            shard.delete_records(id(0), -1).await.unwrap();
            sleep(Duration::from_secs(5)).await;
        }
        shard.stop().await.unwrap();
    });
}
