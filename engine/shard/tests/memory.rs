//! The memory that a shard's newest records take stays within its budget, in the simulation.
#![cfg(test)]

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use engine_log::{LogConfig, ProducerStamp, ReadPath, TopicPartition};
use engine_rt::sim::{DiskOptions, Options, World};
use engine_rt::{Buf, fs, spawn};
use engine_shard::{PartitionSpec, ProduceBatch, Shard, ShardOptions};
use net_wire::Uuid;
use net_wire::batch::BatchBuilder;
use net_wire::codec::Codecs;

const TAIL_BYTES: u64 = 4 << 20;
const BATCH_BYTES: usize = 100_000;

fn id(partition: u32) -> TopicPartition {
    TopicPartition {
        topic_id: Uuid::from_bytes([3; 16]),
        partition,
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
        tail_bytes_max: TAIL_BYTES,
        read_chunks_max: 4,
        read_path: ReadPath::Direct,
        open_files_max: 64,
        bypass_bytes: 64 << 10,
        retention_check_ms: 300_000,
        producer_expiration_ms: 86_400_000,
        shards: 1,
        space_reserve_bytes: 0,
    }
}

fn batch(partition: u32) -> ProduceBatch {
    let mut builder = BatchBuilder::new();
    builder.append(1_000, None, Some(&vec![7; BATCH_BYTES]), &[]);
    let bytes = builder.build(&mut Codecs::new()).unwrap();
    ProduceBatch {
        id: id(partition),
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

#[test]
fn the_tail_stays_within_its_budget_while_records_stream_in() {
    let disk = DiskOptions {
        latency: Duration::from_micros(50)..Duration::from_millis(1),
        ..DiskOptions::default()
    };
    let world = World::new(
        3,
        Options {
            disk,
            ..Options::default()
        },
    );
    let node = world.node("node");
    let peak = world.block_on(node, || async {
        fs::create_dir_all(&options().data_dir).await.unwrap();
        let spec = |partition| PartitionSpec {
            id: id(partition),
            leader_epoch: 0,
            config: LogConfig::default(),
        };
        let shard = Shard::open(options(), (0..4).map(spec).collect())
            .await
            .unwrap();
        let mut peak = 0;
        for _ in 0..500 {
            let appends: Vec<_> = (0..8)
                .map(|number| {
                    let shard = Rc::clone(&shard);
                    spawn(async move { shard.append(vec![batch(number % 4)]).await })
                })
                .collect();
            for append in appends {
                append.await.remove(0).unwrap();
                peak = peak.max(shard.stats().tail_bytes);
            }
        }
        shard.stop().await.unwrap();
        peak
    });
    assert!(peak > TAIL_BYTES / 2, "{peak}");
    assert!(peak <= TAIL_BYTES + BATCH_BYTES as u64, "{peak}");
}
