//! What faults make of single operations.

use super::*;
use crate::sim::{DiskFault, FaultKind, Trigger};

/// One node with a fault; what `main` gives.
fn struck<F, T>(
    seed: u64,
    op: DiskOp,
    nth: u64,
    effect: Effect,
    main: fn() -> F,
) -> (World, NodeId, T)
where
    F: Future<Output = T> + 'static,
    T: 'static,
{
    let world = World::new(seed, Options::default());
    let node = world.node("node");
    world.inject(once(node, op, nth, effect));
    let output = world.block_on(node, main);
    (world, node, output)
}

/// Writes `blocks` of `n` durably over an old file, whose own write is the first.
async fn overwrite(blocks: usize) -> File {
    drop(old_file("/f").await);
    write_again(blocks).await
}

fn bits_apart(one: &[u8], two: &[u8]) -> u32 {
    assert_eq!(one.len(), two.len());
    one.iter()
        .zip(two)
        .map(|(one, two)| (one ^ two).count_ones())
        .sum()
}

#[test]
fn a_bit_flipped_on_a_read_is_right_again_on_the_next() {
    for seed in 0..50 {
        let (.., flips) = struck(seed, DiskOp::Read, 2, Effect::FlipBit, || async {
            let file = old_file("/f").await;
            let mut flips = Vec::new();
            for _ in 0..3 {
                let bytes = file.read_at(0, 4 * BLOCK_BYTES).await.unwrap();
                flips.push(bits_apart(&bytes, &[b'o'; 4 * BLOCK_BYTES]));
            }
            flips
        });
        assert_eq!(flips, [0, 1, 0]);
    }
}

#[test]
fn a_bit_flipped_on_a_write_stays() {
    for seed in 0..50 {
        let (world, node, ()) = struck(seed, DiskOp::Write, 2, Effect::FlipBit, || async {
            drop(overwrite(4).await);
        });
        for kind in [CrashKind::Kill, CrashKind::PowerCut] {
            world.crash(node, kind);
            let bytes = world.disk(node).read("/f").unwrap();
            assert_eq!(bits_apart(&bytes, &[b'n'; 4 * BLOCK_BYTES]), 1);
        }
        let line = world.strikes()[0].to_string();
        assert!(
            line.contains(": a flipped bit on write of /f 0..16384, bit "),
            "{line}"
        );
    }
}

#[test]
fn a_stale_read_gives_what_blocks_held_before_their_last_write() {
    let outcome = |seed| {
        let (.., seen) = struck(seed, DiskOp::Read, 1, Effect::Stale, || async {
            let file = overwrite(2).await;
            let mut seen = Vec::new();
            for _ in 0..2 {
                seen.push(sketch(&file.read_at(0, 4 * BLOCK_BYTES).await.unwrap()));
            }
            seen
        });
        assert_eq!(seen[1], "nnoo");
        seen[0].clone()
    };
    let seen: BTreeSet<_> = (0..SEEDS).map(outcome).collect();
    // What was written once only was zeros before.
    assert!(
        seen.is_superset(&set(&["onoo", "nooo", "oooo", "nn.o", "oo.."])),
        "{seen:?}"
    );
    assert!(!seen.contains("nnoo"));
}

#[test]
fn a_lost_write_is_acknowledged_and_changes_nothing_but_the_size() {
    let (world, node, seen) = struck(1, DiskOp::Write, 2, Effect::Lose, || async {
        drop(overwrite(6).await);
        look("/f").await
    });
    assert_eq!(seen, "oooo..");
    world.crash(node, CrashKind::PowerCut);
    assert_eq!(world.block_on(node, || look("/f")), "oooo..");
}

#[test]
fn a_misdirected_write_is_acknowledged_and_lands_elsewhere() {
    let outcome = |seed| {
        let (world, node, ()) = struck(seed, DiskOp::Write, 2, Effect::Misdirect, || async {
            drop(old_file("/g").await);
            drop(overwrite(1).await);
        });
        world.crash(node, CrashKind::PowerCut);
        let line = world.strikes()[0].to_string();
        let seen = world.block_on(node, || async { (look("/f").await, look("/g").await) });
        let place = if seen.0.contains('n') { "/f" } else { "/g" };
        assert!(line.contains(&format!("it lands in {place} at ")), "{line}");
        seen
    };
    let seen: BTreeSet<_> = (0..SEEDS).map(outcome).collect();
    let written = |(one, two): &(String, String)| (one.clone() + two).matches('n').count();
    assert!(seen.iter().all(|files| written(files) == 1), "{seen:?}");
    assert_eq!(seen.len(), 8, "{seen:?}");
}

#[test]
fn what_is_acknowledged_and_not_durable_may_be_lost_until_the_next_flush() {
    let outcome = |op, nth, again: bool| {
        let seen = (0..SEEDS).map(move |seed| {
            let world = World::new(seed, Options::default());
            let node = world.node("node");
            world.inject(once(node, op, nth, Effect::NotDurable));
            world.block_on(node, move || async move {
                let file = overwrite(1).await;
                file.write_at(BLOCK, filled(b'v', 1), Durability::Volatile)
                    .await
                    .unwrap();
                file.sync().await.unwrap();
                if again {
                    file.sync().await.unwrap();
                }
            });
            world.crash(node, CrashKind::PowerCut);
            world.block_on(node, || look("/f"))
        });
        seen.collect::<BTreeSet<_>>()
    };
    assert_eq!(
        outcome(DiskOp::Sync, 2, false),
        set(&["nooo", "nvoo", "n~oo"])
    );
    assert_eq!(outcome(DiskOp::Sync, 2, true), set(&["nvoo"]));
    // The flush covers the write that was not durable by itself.
    assert_eq!(outcome(DiskOp::Write, 2, false), set(&["nvoo"]));
}

#[test]
fn a_durable_write_that_is_not_may_be_lost() {
    let outcome = |seed| {
        let (world, node, ()) = struck(seed, DiskOp::Write, 2, Effect::NotDurable, || async {
            drop(overwrite(1).await);
        });
        world.crash(node, CrashKind::PowerCut);
        world.block_on(node, || look("/f"))
    };
    let seen: BTreeSet<_> = (0..SEEDS).map(outcome).collect();
    assert_eq!(seen, set(&["oooo", "nooo", "~ooo"]));
}

async fn write_again(blocks: usize) -> File {
    let file = open("/f").await;
    file.write_at(0, filled(b'n', blocks), Durability::Durable)
        .await
        .unwrap();
    file
}

#[test]
fn a_write_in_two_parts_may_be_cut_between_them() {
    let outcome = |seed| {
        let mut options = Options::default();
        // Nothing that is in flight is carried out after the death.
        options.disk.linger = 0.0;
        let world = World::new(seed, options);
        let node = world.node("node");
        world.inject(once(node, DiskOp::Write, 2, Effect::Short));
        world.start(node, || async {
            drop(old_file("/f").await);
            sleep(Duration::from_secs(1)).await;
            drop(write_again(3).await);
        });
        world.run_for(Duration::from_secs(1));
        let moment = Duration::from_micros(world.random_below(6000));
        world.run_for(moment);
        world.crash(node, CrashKind::Kill);
        world.block_on(node, || look("/f"))
    };
    let seen: BTreeSet<_> = (0..SEEDS).map(outcome).collect();
    assert_eq!(seen, set(&["oooo", "nooo", "nnoo", "nnno"]));
}

#[test]
fn a_stalled_operation_takes_its_time_and_others_do_not() {
    let stall = Effect::Stall(Duration::from_secs(7));
    let (.., times) = struck(2, DiskOp::Read, 2, stall, || async {
        let file = old_file("/f").await;
        let mut times = Vec::new();
        for _ in 0..3 {
            let begun = now();
            drop(file.read_at(0, BLOCK_BYTES).await.unwrap());
            times.push(now().since(begun) >= Duration::from_secs(7));
        }
        times
    });
    assert_eq!(times, [false, true, false]);
}

#[test]
fn errors_are_those_of_the_effect() {
    let errno = |op, effect| {
        let (.., error) = struck(3, op, 1, effect, || async {
            let create = OpenOptions {
                create: true,
                ..OpenOptions::default()
            };
            let opened = File::open(Path::new("/f"), create).await;
            let Ok(file) = opened else {
                return opened.map(drop);
            };
            file.allocate(0, BLOCK).await?;
            file.write_at(0, filled(b'n', 1), Durability::Volatile)
                .await?;
            rename(Path::new("/f"), Path::new("/g")).await
        });
        error.unwrap_err().raw_os_error().unwrap()
    };
    assert_eq!(errno(DiskOp::Open, Effect::TooManyFiles), libc::EMFILE);
    assert_eq!(errno(DiskOp::Allocate, Effect::NoSpace), libc::ENOSPC);
    assert_eq!(errno(DiskOp::Write, Effect::NoSpace), libc::ENOSPC);
    assert_eq!(errno(DiskOp::Names, Effect::Io), libc::EIO);
}

/// Which of some reads fail, with a fault of reads that has a span.
fn failing_reads(span: Span, range: Option<std::ops::Range<u64>>) -> String {
    let world = World::new(4, Options::default());
    let node = world.node("node");
    let on = Operations {
        range,
        ..Operations::of(DiskOp::Read, Files::Like("f".into()))
    };
    world.inject(Fault::of_disk(node, on, 2, Effect::Io, span));
    let read = |block: u64| async move {
        let file = open("/f").await;
        let failed = file.read_at(block * BLOCK, BLOCK_BYTES).await.is_err();
        sleep(Duration::from_secs(1)).await;
        if failed { 'x' } else { '.' }
    };
    let mut seen = String::new();
    world.block_on(node, || async { drop(old_file("/f").await) });
    for block in [0, 1, 1, 2, 1, 3] {
        seen.push(world.block_on(node, move || read(block)));
    }
    world.end_faults();
    seen.push(' ');
    seen.push(world.block_on(node, move || read(1)));
    seen
}

#[test]
fn a_fault_lasts_as_long_as_its_span() {
    assert_eq!(failing_reads(Span::Times(1), None), ".x.... .");
    assert_eq!(failing_reads(Span::Times(3), None), ".xxx.. .");
    assert_eq!(failing_reads(Span::Forever, None), ".xxxxx .");
    assert_eq!(failing_reads(Span::Range, None), ".xx.x. .");
    assert_eq!(
        failing_reads(Span::For(Duration::from_millis(2500)), None),
        ".xxx.. ."
    );
    let second = Some(BLOCK..2 * BLOCK);
    assert_eq!(failing_reads(Span::Forever, second), "..x.x. .");
}

#[test]
fn errors_come_as_often_as_asked_for() {
    let world = World::new(4, Options::default());
    let node = world.node("node");
    world.inject(Fault {
        node,
        life: 0,
        trigger: Trigger::Now,
        kind: FaultKind::Disk(DiskFault {
            on: Operations::of(DiskOp::Read, Files::All),
            chance: 0.25,
            effect: Effect::Io,
            span: Span::Forever,
        }),
    });
    let failed = world.block_on(node, || async {
        let file = old_file("/f").await;
        let mut failed = 0;
        for _ in 0..1000 {
            failed += u32::from(file.read_at(0, BLOCK_BYTES).await.is_err());
        }
        failed
    });
    assert!((180..320).contains(&failed), "{failed} of 1000");
    assert_eq!(world.stats().disk_faults, u64::from(failed));
}
