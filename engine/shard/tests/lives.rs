//! Lives of a shard on a real disk: what was acknowledged is read back, byte by byte, after each
//! kind of end.
#![cfg(test)]

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use engine_log::{LogConfig, ProducerStamp, ReadPath, TopicPartition};
use engine_rt::{Buf, ExecutorSpec, Listener, Piece, Stream, ring, sleep, spawn};
use engine_shard::{
    CompactionOptions, FetchPart, Fetched, OffsetQuery, PartitionSpec, ProduceBatch, Shard,
    ShardError, ShardOptions, remove_other_generations, reshard,
};
use net_wire::Uuid;
use net_wire::batch::{BatchBuilder, Batches};
use net_wire::codec::Codecs;

fn on_ring<F: Future<Output = ()> + 'static>(test: impl FnOnce() -> F + Send + 'static) {
    let spec = ExecutorSpec {
        name: "lives".into(),
        cpu: None,
    };
    ring::run(spec, ring::Options::default(), test).expect("the kernel gives us a ring");
}

fn id(partition: u32) -> TopicPartition {
    TopicPartition {
        topic_id: Uuid::from_bytes([3; 16]),
        partition,
    }
}

fn options(dir: &Path) -> ShardOptions {
    ShardOptions {
        index: 0,
        data_dir: dir.to_path_buf(),
        disk_id: 77,
        generation: 1,
        journal_file_bytes: 2 << 20,
        journal_first_file_bytes: 2 << 20,
        journal_files_max: 4,
        tail_bytes_max: 8 << 20,
        read_chunks_max: 4,
        read_path: ReadPath::Auto,
        open_files_max: 64,
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

fn specs(count: u32, config: LogConfig) -> Vec<PartitionSpec> {
    (0..count)
        .map(|p| PartitionSpec {
            id: id(p),
            leader_epoch: 0,
            config,
        })
        .collect()
}

fn small_segments() -> LogConfig {
    LogConfig {
        segment_bytes: 1 << 20,
        ..LogConfig::default()
    }
}

/// A batch of `records` records of `bytes` bytes, each naming its `tag`.
fn batch(partition: u32, tag: u64, records: i32, bytes: usize) -> ProduceBatch {
    let mut builder = BatchBuilder::new();
    for record in 0..records {
        let mut value = vec![(tag % 251) as u8; bytes];
        value[..8].copy_from_slice(&(tag * 1000 + record as u64).to_le_bytes());
        builder.append(
            1_000_000 + tag as i64,
            Some(&tag.to_le_bytes()),
            Some(&value),
            &[],
        );
    }
    let bytes = builder.build(&mut Codecs::new()).unwrap();
    ProduceBatch {
        id: id(partition),
        bytes: Buf::copy_from_slice(&bytes),
        records,
        max_timestamp: 1_000_000 + tag as i64,
        max_timestamp_delta: 0,
        stamp: ProducerStamp::NONE,
    }
}

async fn read(
    shard: &Rc<Shard>,
    partition: u32,
    offset: i64,
    max_bytes: usize,
) -> Result<Fetched, ShardError> {
    let part = FetchPart::new(id(partition), offset, max_bytes);
    shard.fetch(&[part], usize::MAX).await.remove(0)
}

/// Every record of a partition: offset, first eight bytes of the value.
async fn read_all(shard: &Rc<Shard>, partition: u32, from: i64) -> Vec<(i64, u64)> {
    let mut found = Vec::new();
    let mut offset = from;
    loop {
        let fetched = read(shard, partition, offset, 300_000).await.unwrap();
        let bytes: Vec<u8> = fetched
            .records
            .iter()
            .flat_map(|b| b.iter().copied())
            .collect();
        if bytes.is_empty() {
            assert_eq!(offset, fetched.high_watermark);
            return found;
        }
        for batch in Batches::new(&bytes) {
            let batch = batch.expect("whole batches");
            assert!(
                batch.is_intact(),
                "a batch at {} is damaged",
                batch.header().base_offset
            );
            for record in batch.records() {
                let record = record.unwrap();
                let at = batch.header().base_offset + i64::from(record.offset_delta);
                let value = record.value.unwrap();
                if at >= offset {
                    found.push((at, u64::from_le_bytes(value[..8].try_into().unwrap())));
                }
            }
            offset = batch.header().next_offset().max(offset);
        }
    }
}

fn expected(tags: impl IntoIterator<Item = (u64, i32)>) -> Vec<(i64, u64)> {
    let values = tags
        .into_iter()
        .flat_map(|(tag, n)| (0..n as u64).map(move |r| tag * 1000 + r));
    values
        .enumerate()
        .map(|(at, value)| (at as i64, value))
        .collect()
}

/// Small and large batches in turn: (tag, records, record bytes).
fn mixed(count: u64) -> impl Iterator<Item = (u64, i32, usize)> {
    (0..count).map(|tag| match tag % 5 {
        0 => (tag, 1, 100),
        1 => (tag, 7, 900),
        2 => (tag, 40, 10_000),
        3 => (tag, 3, 20),
        _ => (tag, 100, 3_000),
    })
}

async fn write_mixed(shard: &Rc<Shard>, partition: u32, count: u64) {
    for (tag, records, bytes) in mixed(count) {
        let results = shard
            .append(vec![batch(partition, tag, records, bytes)])
            .await;
        results.into_iter().next().unwrap().unwrap();
    }
}

fn expected_mixed(count: u64) -> Vec<(i64, u64)> {
    expected(mixed(count).map(|(tag, records, _)| (tag, records)))
}

#[test]
fn what_is_appended_is_read_in_the_same_life() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let shard = Shard::open(options(&path), specs(2, small_segments()))
            .await
            .unwrap();
        write_mixed(&shard, 0, 200).await;
        write_mixed(&shard, 1, 13).await;
        assert_eq!(read_all(&shard, 0, 0).await, expected_mixed(200));
        assert_eq!(read_all(&shard, 1, 0).await, expected_mixed(13));
        let middle = expected_mixed(200).split_off(777);
        assert_eq!(read_all(&shard, 0, 777).await, middle);
        let stats = shard.stats();
        assert!(
            stats.bypassed > 10 && stats.segments_rolled > 10,
            "{stats:?}"
        );
        shard.stop().await.unwrap();
    });
}

#[test]
fn a_clean_stop_and_an_abandoned_life_keep_everything() {
    let dir = tempfile::tempdir().unwrap();
    for life in 0..6_u64 {
        let path = dir.path().to_path_buf();
        on_ring(move || async move {
            let shard = Shard::open(options(&path), specs(3, small_segments()))
                .await
                .unwrap();
            for partition in 0..3 {
                let before = expected_mixed(life * 20 * u64::from(partition + 1));
                assert_eq!(
                    read_all(&shard, partition, 0).await,
                    before,
                    "life {life} p {partition}"
                );
                let count = 20 * u64::from(partition + 1);
                for (tag, records, bytes) in mixed((life + 1) * count).skip((life * count) as usize)
                {
                    let results = shard
                        .append(vec![batch(partition, tag, records, bytes)])
                        .await;
                    results.into_iter().next().unwrap().unwrap();
                }
            }
            if life % 2 == 0 {
                shard.stop().await.unwrap();
            }
        });
    }
}

#[test]
fn another_shard_count_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let shard = Shard::open(options(&path), specs(4, small_segments()))
            .await
            .unwrap();
        for partition in 0..4 {
            write_mixed(&shard, partition, 30).await;
        }
        drop(shard);
    });
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let old = options(&path);
        let owner = |id: TopicPartition| (id.partition % 3) as usize;
        reshard(&old, 1, 2, 3, specs(4, small_segments()), owner)
            .await
            .unwrap();
        remove_other_generations(&path, 2).await.unwrap();
        for index in 0..3 {
            let options = ShardOptions {
                index,
                generation: 2,
                ..options(&path)
            };
            let mine = specs(4, small_segments())
                .into_iter()
                .filter(|spec| owner(spec.id) == index)
                .collect::<Vec<_>>();
            let shard = Shard::open(options, mine.clone()).await.unwrap();
            for spec in mine {
                let partition = spec.id.partition;
                assert_eq!(read_all(&shard, partition, 0).await, expected_mixed(30));
            }
            shard.stop().await.unwrap();
        }
    });
}

#[test]
fn a_partition_is_deleted_under_its_appends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let shard = Shard::open(options(&path), specs(2, small_segments()))
            .await
            .unwrap();
        let appends = [0, 0, 1].map(|partition| {
            let shard = Rc::clone(&shard);
            let bytes = if partition == 0 { 300_000 } else { 10 };
            spawn(async move { shard.append(vec![batch(partition, 7, 1, bytes)]).await })
        });
        // Both are under way: the deletion does not wait for them.
        engine_rt::yield_now().await;
        shard.delete_partition(id(0)).await;
        let mut deleted = 0;
        for append in appends {
            let outcome = append.await.remove(0);
            deleted += u32::from(outcome == Err(ShardError::UnknownPartition(id(0))));
        }
        assert_eq!(deleted, 2, "appends to the other partition go on");
        assert_eq!(read_all(&shard, 1, 0).await, expected([(7, 1)]));
        shard.stop().await.unwrap();
    });
    let topic = std::fs::read_dir(dir.path().join("topics")).unwrap().next();
    let left = topic.map_or(0, |topic| {
        std::fs::read_dir(topic.unwrap().path()).unwrap().count()
    });
    assert_eq!(left, 0, "no file of the deleted partition stays");
}

#[test]
fn whoever_reads_a_partition_while_it_is_deleted_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let specs = || specs(1, small_segments());
        let shard = Shard::open(options(&path), specs()).await.unwrap();
        write_mixed(&shard, 0, 200).await;
        shard.stop().await.unwrap();
        drop(shard);
        // Another life has nothing in memory: both have to wait for the disk.
        let shard = Shard::open(options(&path), specs()).await.unwrap();
        let own = Rc::clone(&shard);
        let reading = spawn(async move { read(&own, 0, 0, 1 << 20).await.map(drop) });
        let own = Rc::clone(&shard);
        let asking = spawn(async move {
            let query = OffsetQuery::Timestamp(1_000_001);
            own.offset_for(id(0), query, -1).await.map(drop)
        });
        engine_rt::yield_now().await;
        shard.delete_partition(id(0)).await;
        let unknown = Err(ShardError::UnknownPartition(id(0)));
        assert_eq!(reading.await, unknown);
        assert_eq!(asking.await, unknown);
        shard.stop().await.unwrap();
    });
}

#[test]
fn deleted_records_stay_deleted_and_time_is_found_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let shard = Shard::open(options(&path), specs(1, small_segments()))
            .await
            .unwrap();
        write_mixed(&shard, 0, 100).await;
        assert_eq!(shard.delete_records(id(0), 1000).await.unwrap(), 1000);
    });
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let shard = Shard::open(options(&path), specs(1, small_segments()))
            .await
            .unwrap();
        assert_eq!(shard.position(id(0)).unwrap().log_start_offset, 1000);
        let kept = expected_mixed(100).split_off(1000);
        assert_eq!(read_all(&shard, 0, 1000).await, kept);
        let mut first = 0;
        for (tag, records, _) in mixed(100) {
            if first >= 1000 {
                let query = OffsetQuery::Timestamp(1_000_000 + tag as i64);
                let found = shard.offset_for(id(0), query, -1).await.unwrap();
                assert_eq!(
                    (found.offset, found.timestamp),
                    (first, 1_000_000 + tag as i64)
                );
            }
            first += i64::from(records);
        }
        let query = OffsetQuery::Timestamp(1_000_100);
        assert_eq!(shard.offset_for(id(0), query, -1).await.unwrap().offset, -1);
        let newest = shard
            .offset_for(id(0), OffsetQuery::MaxTimestamp, -1)
            .await
            .unwrap();
        assert_eq!(newest.timestamp, 1_000_099);
        assert_eq!(shard.delete_records(id(0), -1).await.unwrap(), first);
        assert!(read_all(&shard, 0, first).await.is_empty());
        write_mixed(&shard, 0, 1).await;
        assert_eq!(read_all(&shard, 0, first).await, vec![(first, 0)]);
        shard.stop().await.unwrap();
    });
}

fn by_sendfile(path: &Path) -> ShardOptions {
    ShardOptions {
        read_path: ReadPath::Sendfile,
        tail_bytes_max: 1 << 20,
        ..options(path)
    }
}

/// What a client gets of these pieces.
async fn sent(pieces: Vec<Piece>) -> Vec<u8> {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let client = Stream::connect(listener.local_addr()).await.unwrap();
    let server = Stream::attach(listener.accept().await.unwrap()).unwrap();
    let sending = spawn(async move { server.send(&pieces).await.unwrap() });
    let (mut got, mut into) = (Vec::new(), vec![0; 1 << 16]);
    while let Ok(received @ 1..) = client.recv(&mut into).await {
        got.extend_from_slice(&into[..received]);
    }
    sending.await;
    got
}

/// Reads a partition batch by batch: the bytes, and how many of them were ranges of files.
async fn read_bytes(shard: &Rc<Shard>, partition: u32) -> (Vec<u8>, usize) {
    let (mut all, mut from_files, mut offset) = (Vec::new(), 0, 0);
    loop {
        let fetched = read(shard, partition, offset, 1 << 20).await.unwrap();
        let mut bytes: Vec<u8> = fetched
            .records
            .iter()
            .flat_map(|b| b.iter().copied())
            .collect();
        if !fetched.resident.is_empty() {
            assert!(bytes.is_empty(), "memory or files");
            bytes = sent(shard.open_resident(&fetched.resident).await.unwrap()).await;
            from_files += bytes.len();
        }
        assert_eq!(bytes.len(), fetched.bytes());
        let batches = Batches::new(&bytes).map(|batch| batch.expect("whole batches"));
        let Some(last) = batches.last() else {
            return (all, from_files);
        };
        let next = last.header().next_offset();
        // Ranges may begin before the offset that was asked for.
        for batch in Batches::new(&bytes).map(Result::unwrap) {
            let header = batch.header();
            assert!(batch.is_intact());
            if header.next_offset() > offset {
                all.extend(header.base_offset.to_le_bytes());
                all.extend(batch.bytes());
            }
        }
        offset = next;
    }
}

#[test]
fn resident_ranges_are_the_bytes_that_memory_gave() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let config = LogConfig {
            segment_bytes: 8 << 20,
            ..LogConfig::default()
        };
        let shard = Shard::open(by_sendfile(&path), specs(1, config))
            .await
            .unwrap();
        write_mixed(&shard, 0, 200).await;
        let (first, _) = read_bytes(&shard, 0).await;
        assert!(first.len() > 20 << 20);
        let mut from_files = 0;
        for _ in 0..100 {
            let (again, by_file) = read_bytes(&shard, 0).await;
            assert!(again == first);
            from_files = by_file;
            if from_files > 15 << 20 {
                break;
            }
            // A helper is at work.
            sleep(Duration::from_millis(50)).await;
        }
        assert!(from_files > 15 << 20, "{from_files} bytes from files");
        shard.stop().await.unwrap();
    });
}

/// A chunk becomes resident as a whole, though its first reader may have checked a part of it.
#[test]
fn a_damaged_range_beside_a_good_one_is_not_sent_from_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let config = LogConfig {
            segment_bytes: 64 << 20,
            ..LogConfig::default()
        };
        let shard = Shard::open(by_sendfile(&path), specs(1, config))
            .await
            .unwrap();
        for tag in 0..200 {
            let results = shard.append(vec![batch(0, tag, 1, 20_000)]).await;
            results.into_iter().next().unwrap().unwrap();
        }
        shard.stop().await.unwrap();
    });
    let segment = segment_file(dir.path());
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4096 + 30 * 20_100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let shard = Shard::open(by_sendfile(&path), specs(1, LogConfig::default()))
            .await
            .unwrap();
        for _ in 0..20 {
            read(&shard, 0, 0, 300_000).await.unwrap();
            let damaged = read(&shard, 0, 30, 300_000).await;
            assert!(
                matches!(damaged, Err(ShardError::Storage(_))),
                "{damaged:?}"
            );
            sleep(Duration::from_millis(5)).await;
        }
        shard.stop().await.unwrap();
    });
}

/// The first segment of the one topic there is.
fn segment_file(data: &Path) -> std::path::PathBuf {
    let topic = std::fs::read_dir(data.join("topics"))
        .unwrap()
        .next()
        .unwrap();
    let mut files: Vec<_> = std::fs::read_dir(topic.unwrap().path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.remove(0)
}
