//! Batches as Produce checks them, and what a checksum or a copy costs by itself.

use std::hint::black_box;

use bench_micro::batches::{BATCH_RECORDS, Content, VALUE_BYTES, batch, random_batch};
use bench_micro::cases::PRODUCE_VERSION;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use engine_rt::{Buf, BufMut};
use net_wire::batch::{Limits, check_batch, crc32c};
use net_wire::codec::{Codec, Codecs};

const TINY_RECORDS: usize = 2560;
const TINY_BYTES: usize = 100;
const BULK_BYTES: usize = 256 << 10;
/// Memory that no cache holds.
const COLD_BYTES: usize = 512 << 20;

/// A batch from the caches; throughput in bytes of values before compression.
fn check(group: &mut BenchmarkGroup<'_, WallTime>, records: usize, codec: Codec) {
    let content = if codec == Codec::None {
        Content::Random
    } else {
        Content::Lines
    };
    let bytes = batch(records, content, codec, 0, 7).expect("a batch of known values is encoded");
    let (limits, mut codecs) = (Limits::default(), Codecs::new());
    group.throughput(Throughput::Bytes((records * VALUE_BYTES) as u64));
    let name = format!("{records} x 1 KiB, {}", codec.name());
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let checked = check_batch(&bytes, PRODUCE_VERSION, &limits, 0, &mut codecs);
            checked.expect("a batch made here passes")
        });
    });
}

/// As many bytes as a large batch in records of 100 bytes: what counts is the record.
fn check_tiny(group: &mut BenchmarkGroup<'_, WallTime>) {
    let bytes = random_batch(TINY_RECORDS, TINY_BYTES, 0, 7).expect("a batch of known values");
    let (limits, mut codecs) = (Limits::default(), Codecs::new());
    group.throughput(Throughput::Elements(TINY_RECORDS as u64));
    group.bench_function(format!("{TINY_RECORDS} x {TINY_BYTES} B"), |bencher| {
        bencher.iter(|| {
            let checked = check_batch(&bytes, PRODUCE_VERSION, &limits, 0, &mut codecs);
            checked.expect("a batch made here passes")
        });
    });
}

fn checks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check");
    check_tiny(&mut group);
    check(&mut group, 1, Codec::None);
    for codec in Codec::ALL {
        check(&mut group, BATCH_RECORDS, codec);
    }
    group.finish();
}

fn checksums(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("crc32c of 256 KiB");
    group.throughput(Throughput::Bytes(BULK_BYTES as u64));
    let warm = Buf::copy_from_slice(&vec![0x5a; BULK_BYTES]);
    group.bench_function("from the cache", |bencher| {
        bencher.iter(|| crc32c(black_box(&warm)));
    });
    let mut cold = BufMut::with_capacity(COLD_BYTES);
    cold.fill(0x5a);
    let mut at = 0;
    group.bench_function("from memory", |bencher| {
        bencher.iter(|| {
            at = (at + BULK_BYTES) % COLD_BYTES;
            crc32c(&cold[at..at + BULK_BYTES])
        });
    });
    group.finish();
}

/// What one more copy on the way would cost.
fn copies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("copy of 256 KiB");
    group.throughput(Throughput::Bytes(BULK_BYTES as u64));
    let half = COLD_BYTES / 2;
    let mut memory = BufMut::with_capacity(COLD_BYTES);
    memory.fill(0x5a);
    let mut at = 0;
    group.bench_function("memory to memory", |bencher| {
        bencher.iter(|| {
            at = (at + BULK_BYTES) % half;
            memory.copy_within(at..at + BULK_BYTES, half + at);
        });
    });
    group.finish();
}

criterion_group!(benches, checks, checksums, copies);
criterion_main!(benches);
