//! Repair in the simulation: what is gone is named exactly, everything else stays, offsets go on, and
//! a crash in the middle costs nothing.
#![cfg(test)]

mod support;

use std::collections::BTreeSet;
use std::rc::Rc;

use engine_log::LogConfig;
use engine_rt::fs;
use engine_rt::sim::{DiskView, Options, World};
use engine_shard::{
    Damaged, FetchPart, PartitionSpec, Shard, ShardError, ShardOptions, ShardPlace, damaged, repair,
};
use net_wire::batch::Batches;

use self::support::{batch, id, spec};

const PARTITIONS: u32 = 2;
const BATCHES: i64 = 5_000;

fn options(generation: u64) -> ShardOptions {
    ShardOptions {
        generation,
        tail_bytes_max: 1 << 20,
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

fn place(generation: u64) -> ShardPlace {
    let ShardOptions {
        data_dir,
        disk_id,
        index,
        ..
    } = options(generation);
    ShardPlace {
        data_dir,
        disk_id,
        generation,
        index,
    }
}

fn value(number: i64) -> Vec<u8> {
    let mut value = vec![number as u8; 900 + number as usize % 200];
    value[..8].copy_from_slice(&number.to_be_bytes());
    value
}

async fn fill(shard: &Rc<Shard>) {
    for number in 0..BATCHES {
        for partition in 0..PARTITIONS {
            let appended = shard.append(vec![batch(partition, None, &value(number))]);
            assert_eq!(appended.await.remove(0).unwrap().base_offset, number);
        }
    }
}

/// The offsets of a partition that a consumer gets from its start, stepping as consumers do.
async fn consume(shard: &Rc<Shard>, partition: u32) -> Result<Vec<i64>, ShardError> {
    let (mut seen, mut offset) = (Vec::new(), 0);
    loop {
        let part = FetchPart::new(id(partition), offset, 300_000);
        let fetched = shard.fetch(&[part], 1 << 20).await.remove(0)?;
        let bytes: Vec<&[u8]> = fetched.records.iter().map(|part| &part[..]).collect();
        let bytes = bytes.concat();
        if bytes.is_empty() {
            assert_eq!(offset, fetched.high_watermark);
            return Ok(seen);
        }
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            assert!(batch.is_intact());
            for record in batch.records() {
                let at = batch.header().base_offset;
                assert_eq!(record.unwrap().value.unwrap(), value(at), "offset {at}");
                seen.push(at);
            }
            offset = batch.header().last_offset() + 1;
        }
    }
}

/// Every segment of partition 0, oldest first.
fn segments(disk: &DiskView) -> Vec<String> {
    let of_first = |name: &String| name.contains("/topics/") && name.contains("/000000.");
    disk.files().into_iter().filter(of_first).collect()
}

fn losses(all: &[Damaged]) -> Vec<i64> {
    let ranges = all.iter().flat_map(|one| one.losses.iter());
    ranges.flat_map(|(first, last)| *first..=*last).collect()
}

/// Fills two partitions, hurts the first at rest, repairs it. Gives what repair said.
fn play(hurt: impl Fn(&DiskView, &[String]) + 'static) -> Vec<Damaged> {
    let world = World::new(5, Options::default());
    let node = world.node("node");
    let disk = world.disk(node);
    world.block_on(node, move || async move {
        fs::create_dir_all(&options(1).data_dir).await.unwrap();
        let shard = Shard::open(options(1), specs()).await.unwrap();
        fill(&shard).await;
        shard.stop().await.unwrap();
        assert!(damaged(&place(1), specs()).await.unwrap().is_empty());
        disk.settle();
        hurt(&disk, &segments(&disk));
        let before: Vec<_> = disk.files();
        let found = damaged(&place(1), specs()).await.unwrap();
        assert!(found.iter().all(|one| one.id == id(0)), "{found:?}");
        assert_eq!(disk.files(), before, "a look changes nothing");

        // What is not accepted stays as it is, and is refused.
        let gone = losses(&found);
        repair(&place(1), specs(), 2, &BTreeSet::new())
            .await
            .unwrap();
        let left = damaged(&place(2), specs()).await.unwrap();
        assert!(losses(&left) == gone);

        let accepted = BTreeSet::from([id(0)]);
        repair(&place(2), specs(), 3, &accepted).await.unwrap();
        assert!(damaged(&place(3), specs()).await.unwrap().is_empty());
        // The checkpoint of a generation that never came into force: once more.
        assert!(damaged(&place(2), specs()).await.is_ok());
        repair(&place(2), specs(), 3, &accepted).await.unwrap();
        assert!(damaged(&place(3), specs()).await.unwrap().is_empty());

        let shard = Shard::open(options(3), specs()).await.unwrap();
        let whole: Vec<i64> = (0..BATCHES).collect();
        assert!(consume(&shard, 1).await.unwrap() == whole);
        let kept: Vec<i64> = (0..BATCHES).filter(|at| !gone.contains(at)).collect();
        let seen = consume(&shard, 0).await.unwrap();
        let differs = seen.iter().zip(&kept).position(|(a, b)| a != b);
        assert!(
            seen == kept,
            "{} of {}, {differs:?}",
            seen.len(),
            kept.len()
        );
        for number in BATCHES..BATCHES + 50 {
            let appended = shard.append(vec![batch(0, None, &value(number))]).await;
            assert_eq!(appended[0].as_ref().unwrap().base_offset, number);
        }
        let kept: Vec<i64> = kept.into_iter().chain(BATCHES..BATCHES + 50).collect();
        assert!(consume(&shard, 0).await.unwrap() == kept);
        shard.stop().await.unwrap();
        found
    })
}

#[test]
fn a_flipped_bit_costs_its_batch_alone() {
    for pos in [6_000, 700_000, (1 << 20) - 5, (1 << 20) + 9_000, 2_300_000] {
        let found = play(move |disk, names| disk.flip_bit(&names[0], pos, 3).unwrap());
        assert_eq!(losses(&found).len(), 1, "{pos}: {found:?}");
    }
}

#[test]
fn a_flipped_bit_in_the_active_segment_costs_its_batch_alone() {
    for pos in [6_000, 300_000] {
        let found = play(move |disk, names| disk.flip_bit(&names[2], pos, 3).unwrap());
        assert_eq!(losses(&found).len(), 1, "{pos}: {found:?}");
    }
}

#[test]
fn what_only_leads_to_records_is_mended_without_a_loss() {
    for pos in [8, (1 << 20) + 100] {
        let found = play(move |disk, names| disk.flip_bit(&names[0], pos, 0).unwrap());
        assert_eq!(losses(&found), Vec::<i64>::new(), "{pos}");
        assert_eq!(found.len(), 1, "{pos}: {found:?}");
    }
    let end = |disk: &DiskView, name: &str| disk.read(name).unwrap().len() as u64;
    let found = play(move |disk, names| {
        disk.flip_bit(&names[0], end(disk, &names[0]) - 3, 0)
            .unwrap();
    });
    assert_eq!(losses(&found), Vec::<i64>::new());
    assert_eq!(found[0].faults[0].1, "the footer is damaged");
}

#[test]
fn a_block_of_another_place_is_not_taken_for_this_one() {
    let found = play(|disk, names| {
        let other = names[0].replace("/000000.", "/000001.");
        disk.copy_block((&other, 40_960), (&names[0], 81_920))
            .unwrap();
    });
    let gone = losses(&found);
    assert!((4..=20).contains(&gone.len()), "{found:?}");
}

#[test]
fn a_lost_file_costs_its_offsets() {
    let found = play(|disk, names| disk.remove(&names[1]).unwrap());
    let gone = losses(&found);
    assert!((2_000..3_000).contains(&gone.len()), "{found:?}");
    assert!(gone.is_sorted_by(|a, b| a + 1 == *b));
}

#[test]
fn a_lost_active_file_costs_what_was_in_it() {
    let found = play(|disk, names| disk.remove(&names[2]).unwrap());
    let gone = losses(&found);
    assert!((100..1_500).contains(&gone.len()), "{found:?}");
}

#[test]
fn blocks_that_cannot_be_read_cost_their_batches() {
    let found = play(|disk, names| {
        disk.spoil(&names[0], 409_600).unwrap();
        disk.spoil(&names[0], 1_409_024).unwrap();
    });
    assert!((8..=16).contains(&losses(&found).len()), "{found:?}");
}
