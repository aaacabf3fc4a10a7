//! Data directories made by the broker's own parts.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use cluster_control::{Home, HomeOptions, Metadata, MetadataOptions};
use cluster_meta::command::{NewTopic, change_ownership, create_topic};
use cluster_meta::config::StaticConfig;
use engine_log::{LogConfig, ProducerStamp, TopicPartition};
use engine_rt::{Buf, ExecutorSpec, ring};
use engine_shard::{CompactionOptions, PartitionSpec, ProduceBatch, Shard, ShardOptions};
use net_wire::Uuid;
use net_wire::batch::BatchBuilder;
use net_wire::codec::Codecs;
use tools_dump::{DumpError, Item, Verdict};

/// Runs on an executor of its own, as the tools do.
pub(crate) fn on_ring<F: Future + 'static>(work: impl FnOnce() -> F + Send + 'static) -> F::Output {
    let spec = ExecutorSpec {
        name: "dump".into(),
        cpu: None,
    };
    ring::run(spec, ring::Options::default(), work).expect("the kernel gives us a ring")
}

/// How a directory's last life ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// In order, with a checkpoint.
    Stopped,
    /// In the middle of everything, so that the journal holds what no checkpoint covers.
    Killed,
}

const TOPIC: Uuid = Uuid::from_bytes([0x42; 16]);
const SHARDS: u32 = 2;

/// A directory with a topic of two partitions on two shards.
pub(crate) fn directory(ending: Ending) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let home = Home::open(&path, HomeOptions::default())
            .await
            .expect("a new directory");
        let metadata = metadata(&home).await;
        for index in 0..SHARDS as usize {
            write_shard(&home, index, ending).await;
        }
        if ending == Ending::Stopped {
            metadata.close(&home).await.expect("an orderly stop");
        }
    });
    dir
}

async fn metadata(home: &Home) -> Metadata {
    let fixed = StaticConfig::default();
    let options = MetadataOptions {
        fixed: fixed.clone(),
        generation_bytes_min: 1 << 20,
    };
    let mut metadata = Metadata::open(home, options).await.expect("a new log");
    let ownership = change_ownership(metadata.state(), SHARDS).expect("none yet");
    metadata
        .commit(vec![ownership])
        .await
        .expect("the disk takes it");
    let new = NewTopic {
        name: "t",
        topic_id: TOPIC,
        num_partitions: 2,
        replication_factor: 1,
        assignments: &[],
        configs: &[],
    };
    let created = create_topic(metadata.state(), &fixed, &new).expect("a good topic");
    metadata
        .commit(vec![created])
        .await
        .expect("the disk takes it");
    metadata
}

fn options(home: &Home, index: usize) -> ShardOptions {
    ShardOptions {
        index,
        data_dir: home.dir().to_path_buf(),
        disk_id: u128::from_be_bytes(*home.superblock().origin_id.as_bytes()),
        generation: 1,
        journal_file_bytes: 2 << 20,
        journal_first_file_bytes: 2 << 20,
        journal_files_max: 4,
        tail_bytes_max: 8 << 20,
        open_files_max: 64,
        read_chunks_max: 8,
        read_path: engine_shard::ReadPath::Direct,
        bypass_bytes: 256 << 10,
        retention_check_ms: 300_000,
        producer_expiration_ms: 86_400_000,
        shards: 1,
        space_reserve_bytes: 0,
        scrub_bytes_per_second: 0,
        scrub_interval_ms: 0,
        compaction: CompactionOptions::default(),
    }
}

async fn write_shard(home: &Home, index: usize, ending: Ending) {
    // Topic number 0: partitions follow each other over the shards.
    let id = TopicPartition {
        topic_id: TOPIC,
        partition: index as u32,
    };
    let config = LogConfig {
        segment_bytes: 1 << 20,
        ..LogConfig::default()
    };
    let spec = PartitionSpec {
        id,
        leader_epoch: 0,
        config,
    };
    let shard = Shard::open(options(home, index), vec![spec])
        .await
        .expect("a new shard");
    for tag in 0..120 {
        let (records, bytes) = [(1, 100), (7, 900), (40, 10_000), (3, 20), (100, 3_000)][tag % 5];
        append(&shard, id, tag, records, bytes).await;
    }
    if ending == Ending::Stopped {
        shard.stop().await.expect("an orderly stop");
    }
}

async fn append(shard: &Rc<Shard>, id: TopicPartition, tag: usize, records: i32, bytes: usize) {
    let mut builder = BatchBuilder::new();
    for record in 0..records {
        let value: Vec<u8> = (0..bytes)
            .map(|at| (at * 31 + tag + record as usize) as u8)
            .collect();
        builder.append(1_000_000 + tag as i64, Some(b"key"), Some(&value), &[]);
    }
    let bytes = builder.build(&mut Codecs::new()).expect("records fit");
    let batch = ProduceBatch {
        id,
        bytes: Buf::copy_from_slice(&bytes),
        records,
        max_timestamp: 1_000_000 + tag as i64,
        max_timestamp_delta: 0,
        stamp: ProducerStamp::NONE,
    };
    let appended = shard.append(vec![batch]).await.remove(0);
    appended.expect("the disk takes it");
}

/// All items of a verification, and its verdict.
pub(crate) fn verify(dir: &Path) -> Result<(Vec<Item>, Verdict), DumpError> {
    let dir = dir.to_path_buf();
    on_ring(move || async move {
        let mut items = Vec::new();
        let verdict = tools_dump::verify(&dir, &mut |item| items.push(item)).await?;
        Ok((items, verdict))
    })
}

/// All files below a directory with this ending, in order.
pub(crate) fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Changes one bit.
pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("a file");
    bytes[at] ^= 0x04;
    std::fs::write(path, bytes).expect("the file again");
}

/// The lines of what is wrong.
pub(crate) fn faults(items: &[Item]) -> Vec<String> {
    items
        .iter()
        .filter(|item| item.fault().is_some())
        .map(ToString::to_string)
        .collect()
}
