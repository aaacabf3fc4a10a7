//! What the tests of a shard in the simulation have in common: its layout, its partitions, batches.

use std::path::PathBuf;

use engine_log::{LogConfig, ProducerStamp, ReadPath, TopicPartition};
use engine_rt::Buf;
use engine_shard::{CompactionOptions, PartitionSpec, ProduceBatch, ShardOptions};
use net_wire::Uuid;
use net_wire::batch::BatchBuilder;
use net_wire::codec::Codecs;

pub(crate) fn id(partition: u32) -> TopicPartition {
    TopicPartition {
        topic_id: Uuid::from_bytes([3; 16]),
        partition,
    }
}

/// The only shard of its node, with small files; free space is not looked at.
pub(crate) fn options() -> ShardOptions {
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
        space_reserve_bytes: 0,
        scrub_bytes_per_second: 0,
        scrub_interval_ms: 0,
        compaction: CompactionOptions::default(),
    }
}

pub(crate) fn spec(partition: u32, config: LogConfig) -> PartitionSpec {
    PartitionSpec {
        id: id(partition),
        leader_epoch: 0,
        config,
    }
}

/// A batch of one record.
pub(crate) fn batch(partition: u32, key: Option<&[u8]>, value: &[u8]) -> ProduceBatch {
    let mut builder = BatchBuilder::new();
    builder.append(1_000, key, Some(value), &[]);
    let bytes = builder.build(&mut Codecs::new()).unwrap();
    ProduceBatch {
        id: id(partition),
        bytes: Buf::copy_from_slice(&bytes),
        records: 1,
        max_timestamp: 1_000,
        max_timestamp_delta: 0,
        stamp: ProducerStamp::NONE,
    }
}
