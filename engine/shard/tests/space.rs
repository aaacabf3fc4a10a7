//! A disk that fills up, in the simulation: produce is refused in time, nothing fails, and deletes
//! bring it back.
#![cfg(test)]

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use engine_log::{LogConfig, ProducerStamp, ReadPath, TopicPartition};
use engine_rt::sim::{DiskOptions, Options, World};
use engine_rt::{Buf, fs, sleep};
use engine_shard::{FetchPart, PartitionSpec, ProduceBatch, Shard, ShardError, ShardOptions};
use net_wire::Uuid;
use net_wire::batch::BatchBuilder;
use net_wire::codec::Codecs;

const DISK_BYTES: u64 = 64 << 20;
const RESERVE_BYTES: u64 = 8 << 20;

fn id() -> TopicPartition {
    TopicPartition {
        topic_id: Uuid::from_bytes([3; 16]),
        partition: 0,
    }
}

fn options() -> ShardOptions {
    ShardOptions {
        index: 0,
        data_dir: PathBuf::from("/data"),
        disk_id: 77,
        generation: 1,
        journal_file_bytes: 1 << 20,
        journal_first_file_bytes: 1 << 20,
        journal_files_max: 4,
        tail_bytes_max: 8 << 20,
        read_chunks_max: 4,
        read_path: ReadPath::Direct,
        open_files_max: 64,
        bypass_bytes: 64 << 10,
        retention_check_ms: 300_000,
        producer_expiration_ms: 86_400_000,
        shards: 1,
        space_reserve_bytes: RESERVE_BYTES,
    }
}

fn batch(bytes: usize) -> ProduceBatch {
    let mut builder = BatchBuilder::new();
    builder.append(1_000, None, Some(&vec![7; bytes]), &[]);
    let bytes = builder.build(&mut Codecs::new()).unwrap();
    ProduceBatch {
        id: id(),
        bytes: Buf::copy_from_slice(&bytes),
        records: 1,
        max_timestamp: 1_000,
        max_timestamp_delta: 0,
        stamp: ProducerStamp {
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
        },
    }
}

async fn append(shard: &Rc<Shard>, bytes: usize) -> Result<i64, ShardError> {
    let appended = shard.append(vec![batch(bytes)]).await.remove(0)?;
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
    let part = FetchPart {
        id: id(),
        offset,
        max_bytes: 1,
        min_one: true,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    };
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
        let spec = PartitionSpec {
            id: id(),
            leader_epoch: 0,
            config,
        };
        let shard = Shard::open(options(), vec![spec]).await.unwrap();
        let mut taken = 0;
        for _ in 0..3 {
            let end = fill(&shard).await;
            assert!(end > taken + 100, "{end} after {taken}");
            taken = end;
            // All that was taken finds its place on the disk.
            sleep(Duration::from_secs(5)).await;
            let space = fs::space(&options().data_dir).await.unwrap();
            assert!(space.available >= RESERVE_BYTES / 2, "{space:?}");
            let start = shard.position(id()).unwrap().log_start_offset;
            for offset in start..taken {
                assert!(is_readable(&shard, offset).await, "{offset}");
            }
            shard.delete_records(id(), -1).await.unwrap();
            sleep(Duration::from_secs(5)).await;
        }
        shard.stop().await.unwrap();
    });
}
