//! What journal and log compute without a disk: a frame's header and checksum, a look into the
//! index of a segment.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine_log::TopicPartition;
use engine_log::segment::index::{ChunkSummary, SegmentIndex};
use engine_log::segment::layout::SegmentName;
use engine_rt::Buf;
use engine_wal::{FrameHeader, HEADER_BYTES};
use net_wire::Uuid;

/// Bodies of frames: one small entry, sixteen of them, a full one but for a block.
const BODIES: [usize; 3] = [1200, 16 * 1200, 1020 << 10];
/// Chunks of a segment of 1 GiB.
const CHUNKS: u64 = 1024;
/// Ranges whose index block is not written yet: those of a chunk.
const RANGES: i64 = 128;
const OFFSETS_PER_RANGE: i64 = 8;

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode a frame");
    for bytes in BODIES {
        let body = Buf::copy_from_slice(&vec![0x5a; bytes]);
        let header = FrameHeader {
            body_bytes: bytes as u32,
            ..FrameHeader::default()
        };
        let mut into = [0; HEADER_BYTES];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("body of {bytes} B"), |bencher| {
            bencher.iter(|| header.encode(&mut into, black_box(&body)));
        });
    }
    group.finish();
}

fn id() -> TopicPartition {
    TopicPartition {
        topic_id: Uuid::from_bytes([1; 16]),
        partition: 0,
    }
}

/// An index with a range for every eight batches of 1 KiB, none of them on disk.
fn ranges() -> SegmentIndex {
    let batch = [Buf::copy_from_slice(&[0x5a; 1024])];
    let mut index = SegmentIndex::new(id(), SegmentName::appended(0));
    for offset in 0..RANGES * OFFSETS_PER_RANGE {
        index.add(offset, index.end(), 0, &batch);
    }
    index
}

/// An index that is on disk, but for the summaries of its chunks.
fn chunks() -> SegmentIndex {
    let summary = |chunk| ChunkSummary {
        chunk,
        first_offset: (chunk << 10) as i64,
        pos: chunk << 20,
        max_timestamp: 0,
    };
    let mut index = SegmentIndex::new(id(), SegmentName::appended(0));
    index.add_summaries((0..CHUNKS).map(summary).collect(), CHUNKS << 20);
    index
}

fn lookups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("look up an offset");
    let cases = [
        ("128 ranges", ranges(), RANGES * OFFSETS_PER_RANGE),
        ("1024 chunks", chunks(), (CHUNKS << 10) as i64),
    ];
    for (name, index, offsets) in cases {
        let mut offset = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                // A step that is prime to the number of offsets visits all of them.
                offset = (offset + 7919) % offsets;
                index.find_offset(offset)
            });
        });
    }
    group.finish();
}

/// A batch of 1 KiB into the index: once for each byte that goes to a segment.
fn additions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("add to an index");
    group.throughput(Throughput::Elements((RANGES * OFFSETS_PER_RANGE) as u64));
    group.bench_function("1024 batches of 1 KiB", |bencher| bencher.iter(ranges));
    group.finish();
}

criterion_group!(benches, frames, lookups, additions);
criterion_main!(benches);
