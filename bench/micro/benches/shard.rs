//! A shard on a real disk: appends up to their place in the journal's open group, appends up to the
//! flush, and fetches of what is in memory.
//!
//! Its directory lies below `target`, wherever that is: the flush is that disk's.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bench_micro::batches::{BATCH_RECORDS, Content, VALUE_BYTES, batch};
use bench_micro::measure::thread_cpu;
use bench_micro::worker::{Work, Worker};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use engine_rt::ring::Options;
use engine_rt::{Buf, now, sleep};
use engine_shard::{
    Appended, CompactionOptions, FetchPart, LogConfig, PartitionSpec, ProduceBatch, ProducerStamp,
    ReadPath, Shard, ShardError, ShardOptions, TopicPartition,
};
use net_wire::Uuid;
use net_wire::codec::Codec;

const ID: TopicPartition = TopicPartition {
    topic_id: Uuid::from_bytes([3; 16]),
    partition: 0,
};

/// Memory for batches.
const TAIL_BYTES: u64 = 16 << 20;
/// Records of 1 KiB after which memory is used again, as in a broker that has run for a while: the
/// first use of a page costs more than what is put there.
const TURNED_OVER: u64 = 2 * (TAIL_BYTES >> 10);
/// Records of 1 KiB that lie in the log where fetches are measured.
const STORED: u64 = 8192;
/// Memory that holds the newest batches only.
const SMALL_TAIL_BYTES: u64 = 1 << 20;

/// A shard with an empty partition.
async fn open(dir: &Path, tail_bytes_max: u64) -> Rc<Shard> {
    let options = ShardOptions {
        index: 0,
        data_dir: dir.to_owned(),
        disk_id: 1,
        generation: 1,
        journal_file_bytes: 16 << 20,
        journal_first_file_bytes: 16 << 20,
        journal_files_max: 4,
        tail_bytes_max,
        read_chunks_max: 4,
        read_path: ReadPath::Direct,
        open_files_max: 64,
        bypass_bytes: 256 << 10,
        retention_check_ms: 100,
        producer_expiration_ms: 86_400_000,
        shards: 1,
        space_reserve_bytes: 0,
        scrub_bytes_per_second: 0,
        scrub_interval_ms: 0,
        compaction: CompactionOptions::default(),
    };
    // Enough for the fetches, and a bound for what appends leave on the disk.
    let config = LogConfig {
        segment_bytes: 64 << 20,
        retention_bytes: 256 << 20,
        ..LogConfig::default()
    };
    let partition = PartitionSpec {
        id: ID,
        leader_epoch: 0,
        config,
    };
    let shard = Shard::open(options, vec![partition]).await;
    shard.expect("a fresh directory is opened")
}

/// A batch of 1 KiB records, received and checked.
fn produced(records: usize) -> ProduceBatch {
    let now_ms = engine_rt::wall_clock_ms();
    let bytes = batch(records, Content::Random, Codec::None, now_ms, 7);
    ProduceBatch {
        id: ID,
        bytes: Buf::copy_from_slice(&bytes.expect("a batch of known values is encoded")),
        records: records as i32,
        max_timestamp: now_ms,
        max_timestamp_delta: 0,
        stamp: ProducerStamp::NONE,
    }
}

type Outcomes = Vec<Result<Appended, ShardError>>;
type Append<'a> = Pin<Box<dyn Future<Output = Outcomes> + 'a>>;

/// Requests of one batch each, not begun.
fn appends<'a>(shard: &'a Rc<Shard>, batch: &ProduceBatch, count: u64) -> Vec<Append<'a>> {
    let append = |_| Box::pin(shard.append(vec![batch.clone()])) as Append<'a>;
    (0..count).map(append).collect()
}

/// Polls each append once: it has its offsets then, and its bytes are on their way to the disk.
async fn begin(appends: &mut [Append<'_>]) {
    poll_fn(|cx| {
        for append in &mut *appends {
            assert!(append.as_mut().poll(cx).is_pending(), "durable at once");
        }
        Poll::Ready(())
    })
    .await;
}

async fn end(appends: Vec<Append<'_>>) {
    for append in appends {
        for outcome in append.await {
            outcome.expect("the disk takes it");
        }
    }
}

/// Appends `count` batches of one record and waits until they are durable.
async fn store(shard: &Rc<Shard>, count: u64) {
    let batch = produced(1);
    for _ in 0..count / 64 {
        let mut group = appends(shard, &batch, 64);
        begin(&mut group).await;
        end(group).await;
    }
}

/// Elapsed time of `calls` appends up to the wait for the disk; `at_once` in a row.
async fn time_to_place(
    shard: &Rc<Shard>,
    batch: &ProduceBatch,
    calls: u64,
    at_once: u64,
) -> Duration {
    let (mut took, mut left) = (Duration::ZERO, calls);
    while left > 0 {
        // An append that waits for memory would have no place yet.
        while shard.stats().tail_bytes > TAIL_BYTES / 8 * 7 {
            sleep(Duration::from_millis(1)).await;
        }
        let before = shard.stats().batches;
        let mut group = appends(shard, batch, at_once.min(left));
        let count = group.len() as u64;
        let start = now();
        begin(&mut group).await;
        let time = now().since(start);
        // Large ones wait while write-behind has their segment: that is not what is measured.
        if shard.stats().batches - before == count {
            took += time;
            left -= count;
        }
        end(group).await;
    }
    took
}

/// What of a flushed append is measured.
#[derive(Clone, Copy)]
enum Count {
    /// Elapsed time.
    Elapsed,
    /// CPU time of the shard's thread.
    Cpu,
}

/// The time of `calls` groups of `at_once` appends, each until it is durable.
async fn time_to_flush(
    shard: &Rc<Shard>,
    batch: &ProduceBatch,
    calls: u64,
    at_once: u64,
    count: Count,
) -> Duration {
    let time = || match count {
        Count::Elapsed => Duration::from_nanos(now().as_nanos()),
        Count::Cpu => thread_cpu().expect("the scheduler tells"),
    };
    let start = time();
    for _ in 0..calls {
        let mut group = appends(shard, batch, at_once);
        begin(&mut group).await;
        end(group).await;
    }
    time().saturating_sub(start)
}

/// Runs `main` with a shard of its own, on an executor of its own, when the shard has `records`.
fn with_shard<F: Future<Output = ()>>(
    tail_bytes_max: u64,
    records: u64,
    main: impl FnOnce(Work, Rc<Shard>) -> F + Send + 'static,
) -> Worker {
    Worker::start(Options::default(), move |work| async move {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let shard = open(dir.path(), tail_bytes_max).await;
        store(&shard, records).await;
        main(work, Rc::clone(&shard)).await;
        shard.stop().await.expect("the disk takes the rest");
    })
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut worker: Worker) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|calls| worker.measure(calls));
    });
}

fn placed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append, to its place");
    // Most of the time goes by in between, waiting for the disk.
    group.sampling_mode(SamplingMode::Flat);
    let cases = [("1 KiB", 1, 32), ("256 KiB", BATCH_RECORDS, 4)];
    for (name, records, at_once) in cases {
        group.throughput(Throughput::Bytes((records * VALUE_BYTES) as u64));
        let worker = with_shard(TAIL_BYTES, TURNED_OVER, move |work, shard| async move {
            let batch = produced(records);
            work.serve(async |calls| time_to_place(&shard, &batch, calls, at_once).await)
                .await;
        });
        bench(&mut group, name, worker);
    }
    group.finish();
}

fn flushed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append, flushed");
    // A disk takes as long as it does: fewer samples of more calls say no more.
    group.sampling_mode(SamplingMode::Flat).sample_size(20);
    let cases = [
        ("1 KiB", 1, 1),
        ("16 x 1 KiB at once", 1, 16),
        ("256 KiB", BATCH_RECORDS, 1),
    ];
    for (name, records, at_once) in cases {
        for (what, count) in [("elapsed", Count::Elapsed), ("CPU", Count::Cpu)] {
            let worker = with_shard(TAIL_BYTES, TURNED_OVER, move |work, shard| async move {
                let batch = produced(records);
                work.serve(async |calls| {
                    time_to_flush(&shard, &batch, calls, at_once, count).await
                })
                .await;
            });
            bench(&mut group, &format!("{name}, {what}"), worker);
        }
    }
    group.finish();
}

/// Elapsed time of `calls` fetches of `bytes_max` from the middle of the first chunk.
async fn time_to_fetch(shard: &Rc<Shard>, bytes_max: usize, calls: u64) -> Duration {
    let part = FetchPart {
        id: ID,
        offset: 300,
        max_bytes: bytes_max,
        min_one: true,
        current_leader_epoch: 0,
        last_fetched_epoch: -1,
    };
    let start = now();
    for _ in 0..calls {
        let fetched = shard.fetch(&[part], bytes_max).await;
        let fetched = fetched[0].as_ref().expect("the offset is there");
        assert!(black_box(fetched).bytes() > 0, "records");
    }
    now().since(start)
}

/// Plans and slices from the memory tail, or index, range and checksum from a chunk in memory.
fn fetches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fetch");
    let places = [("tail", TAIL_BYTES), ("cached chunk", SMALL_TAIL_BYTES)];
    for (place, tail_bytes_max) in places {
        for (size, bytes_max) in [("one batch", 1), ("512 KiB", 512 << 10)] {
            let worker = with_shard(tail_bytes_max, STORED, move |work, shard| async move {
                // The first one brings the chunk.
                time_to_fetch(&shard, bytes_max, 1).await;
                work.serve(async |calls| time_to_fetch(&shard, bytes_max, calls).await)
                    .await;
            });
            bench(&mut group, &format!("{size} of 1 KiB, {place}"), worker);
        }
    }
    group.finish();
}

criterion_group!(benches, placed, flushed, fetches);
criterion_main!(benches);
