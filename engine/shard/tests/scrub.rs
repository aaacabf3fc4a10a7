//! The scrubber in the simulation: what a disk lost at rest is found and named, exactly that is
//! refused, and everything else is served.
#![cfg(test)]
#![expect(
    clippy::disallowed_types,
    reason = "a listener to the log must be Sync, whatever runs here"
)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine_log::LogConfig;
use engine_rt::sim::{DiskView, Options, World};
use engine_rt::{fs, sleep};
use engine_shard::{FetchPart, PartitionSpec, Shard, ShardError, ShardOptions};
use net_wire::batch::Batches;
use tracing::field::{Field, Visit};

use self::support::{batch, id, spec};

const PARTITIONS: u32 = 2;
/// Batches of about a kilobyte: segments of three chunks, the last of which is not full.
const BATCHES: i64 = 6_000;

fn options() -> ShardOptions {
    ShardOptions {
        tail_bytes_max: 1 << 20,
        read_chunks_max: 2,
        scrub_bytes_per_second: 64 << 20,
        scrub_interval_ms: 1_000,
        ..support::options()
    }
}

fn specs() -> Vec<PartitionSpec> {
    let config = LogConfig {
        segment_bytes: 2_500_000,
        ..LogConfig::default()
    };
    (0..PARTITIONS)
        .map(|partition| spec(partition, config))
        .collect()
}

/// What the log says of damage: file, position, first and last offset.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    file: String,
    pos: u64,
    first: i64,
    last: i64,
    message: String,
}

impl Visit for Told {
    fn record_i64(&mut self, field: &Field, value: i64) {
        match field.name() {
            "first_offset" => self.first = value,
            "last_offset" => self.last = value,
            _ => {},
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "pos" {
            self.pos = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "file" {
            value.clone_into(&mut self.file);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

/// Takes the lines of the log that have the scrubber's number.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<BTreeSet<Told>>>);

impl tracing::Subscriber for Listener {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut told = Told::default();
        event.record(&mut told);
        if told.message.starts_with("FL2008") {
            self.0.lock().unwrap().insert(told);
        }
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

async fn fill(shard: &Rc<Shard>) {
    for number in 0..BATCHES {
        for partition in 0..PARTITIONS {
            let appended = shard.append(vec![batch(partition, None, &value(number))]);
            assert_eq!(appended.await.remove(0).unwrap().base_offset, number);
        }
    }
}

fn value(number: i64) -> Vec<u8> {
    let mut value = vec![number as u8; 900 + number as usize % 200];
    value[..8].copy_from_slice(&number.to_be_bytes());
    value
}

/// The offsets of a partition that are refused; all others are what was written.
async fn refused(shard: &Rc<Shard>, partition: u32) -> Vec<i64> {
    let mut refused = Vec::new();
    for offset in 0..BATCHES {
        let part = FetchPart::new(id(partition), offset, 1);
        let fetched = match shard.fetch(&[part], 1 << 20).await.remove(0) {
            Ok(fetched) => fetched,
            Err(ShardError::Storage(_)) => {
                refused.push(offset);
                continue;
            },
            Err(error) => panic!("{error}"),
        };
        let bytes: Vec<&[u8]> = fetched.records.iter().map(|part| &part[..]).collect();
        let bytes = bytes.concat();
        let batch = Batches::new(&bytes).next().unwrap().unwrap();
        assert_eq!(batch.header().base_offset, offset);
        let record = batch.records().next().unwrap().unwrap();
        assert_eq!(record.value.unwrap(), value(offset));
    }
    refused
}

/// Fills two partitions, hurts the first one's second segment, and lets the scrubber find it. Gives
/// what is told and which offsets are refused.
fn play(hurt: impl Fn(&DiskView, &str) + 'static) -> (Vec<Told>, Vec<i64>) {
    let listener = Listener::default();
    let told = Arc::clone(&listener.0);
    let refused = tracing::subscriber::with_default(listener, || {
        let world = World::new(7, Options::default());
        let node = world.node("node");
        let disk = world.disk(node);
        world.block_on(node, move || async move {
            fs::create_dir_all(&options().data_dir).await.unwrap();
            let shard = Shard::open(options(), specs()).await.unwrap();
            fill(&shard).await;
            // A new life has nothing in memory.
            shard.stop().await.unwrap();
            let shard = Shard::open(options(), specs()).await.unwrap();
            sleep(Duration::from_secs(10)).await;
            let stats = shard.stats();
            assert!(stats.scrub_rounds > 2 && stats.scrubbed_bytes > 10 << 20);
            assert_eq!(stats.scrub_damaged, 0);
            disk.settle();
            hurt(&disk, &second_segment(&disk));
            sleep(Duration::from_secs(5)).await;
            assert!(shard.stats().scrub_damaged > 0, "nothing was found");
            assert_eq!(refused(&shard, 1).await, Vec::<i64>::new());
            let refused_now = refused(&shard, 0).await;
            let appended = shard.append(vec![batch(0, None, b"on")]).await.remove(0);
            assert_eq!(appended.unwrap().base_offset, BATCHES);
            shard.stop().await.unwrap();
            refused_now
        })
    });
    let told = told.lock().unwrap().iter().cloned().collect();
    (told, refused)
}

fn second_segment(disk: &DiskView) -> String {
    let segments = disk.files().into_iter();
    let mut segments =
        segments.filter(|name| name.contains("/000000.") && name.ends_with("segment"));
    segments.nth(1).unwrap()
}

fn only(told: Vec<Told>) -> Told {
    let [told] = <[Told; 1]>::try_from(told).unwrap();
    told
}

#[test]
fn a_flipped_bit_is_found_named_and_refused_with_its_range_alone() {
    for pos in [5_000, 700_000, (1 << 20) + 9_000, 2_300_000] {
        let (told, refused) = play(move |disk, name| disk.flip_bit(name, pos, 3).unwrap());
        let told = only(told);
        assert!(told.file.contains("/000000."), "{told:?}");
        assert!(told.pos <= pos && pos < told.pos + 20_000, "{told:?}");
        let named: Vec<i64> = (told.first..=told.last).collect();
        assert_eq!(refused, named, "{told:?}");
        assert!(refused.len() < 20, "{told:?}");
    }
}

#[test]
fn a_range_across_two_chunks_is_checked() {
    // The last bytes of the first chunk belong to a range whose end is in the second one.
    let (told, refused) = play(|disk, name| disk.flip_bit(name, (1 << 20) - 5, 0).unwrap());
    let told = only(told);
    assert_eq!(refused, (told.first..=told.last).collect::<Vec<_>>());
}

#[test]
fn a_damaged_index_block_is_found() {
    let (told, refused) = play(|disk, name| disk.flip_bit(name, (1 << 20) + 100, 0).unwrap());
    let told = only(told);
    assert_eq!(told.pos, 1 << 20);
    let (first, last) = (refused[0], refused[refused.len() - 1]);
    assert!(
        told.first <= first && last <= told.last,
        "{told:?} {first} {last}"
    );
}

#[test]
fn a_lost_file_is_named_with_all_its_offsets() {
    let (told, refused) = play(|disk, name| disk.remove(name).unwrap());
    let told = only(told);
    assert_eq!(refused, (told.first..=told.last).collect::<Vec<_>>());
}

#[test]
fn a_restart_goes_on_where_the_scrubber_was() {
    let slow = || ShardOptions {
        scrub_bytes_per_second: 100 << 10,
        scrub_interval_ms: 3_600_000,
        ..options()
    };
    let world = World::new(7, Options::default());
    let node = world.node("node");
    world.block_on(node, move || async move {
        fs::create_dir_all(&options().data_dir).await.unwrap();
        let shard = Shard::open(slow(), specs()).await.unwrap();
        fill(&shard).await;
        // One minute of rest, then almost four segments of six.
        sleep(Duration::from_secs(150)).await;
        let first = shard.stats();
        assert_eq!(first.scrub_rounds, 0);
        shard.stop().await.unwrap();
        let shard = Shard::open(slow(), specs()).await.unwrap();
        while shard.stats().scrub_rounds == 0 {
            sleep(Duration::from_secs(1)).await;
        }
        let seen = [first.scrubbed_bytes, shard.stats().scrubbed_bytes];
        shard.stop().await.unwrap();
        let all = 2 * 6_000 * 1_060;
        assert!(seen[0] > 3 << 20, "{seen:?}");
        assert!(
            seen[1] < all - (2 << 20),
            "not from the begin again: {seen:?}"
        );
        assert!(
            seen[0] + seen[1] > all - (3 << 20),
            "all was read: {seen:?}"
        );
    });
}
