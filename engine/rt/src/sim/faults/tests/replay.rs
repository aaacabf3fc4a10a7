//! The same seed and faults give the same run, and masks take faults out of it.

use super::*;
use crate::sim::{
    CrashKind, Damage, DiskFault, DiskOp, Effect, FaultMask, Files, Operations, Span, Stats, Strike,
};
use crate::{now, random_u64, sleep};

/// Some of everything, over three lives.
fn faults(node: NodeId) -> Vec<Fault> {
    let disk = |life, effect, chance| Fault {
        life,
        ..fault(
            node,
            Trigger::Now,
            FaultKind::Disk(DiskFault {
                on: Operations::any(Files::All),
                chance,
                effect,
                span: Span::Forever,
            }),
        )
    };
    let flip = FaultKind::Damage {
        file: Files::All,
        damage: Damage::FlipBits(2),
    };
    let freeze = FaultKind::Freeze(Duration::from_millis(300));
    let crash = FaultKind::Crash(CrashKind::PowerCut);
    vec![
        disk(0, Effect::Io, 0.05),
        disk(2, Effect::Stall(Duration::from_millis(50)), 0.1),
        disk(1, Effect::FlipBit, 0.05),
        fault(node, Trigger::After(Duration::from_millis(100)), freeze),
        Fault {
            life: 2,
            ..fault(node, Trigger::Polls(100), crash)
        },
        Fault {
            life: 3,
            ..fault(node, Trigger::Now, flip)
        },
    ]
}

/// How a world went.
#[derive(Debug, PartialEq)]
struct Run {
    hash: u64,
    strikes: Vec<Strike>,
    /// What tells two runs apart, but for faults that did nothing.
    course: (Duration, Stats, u64),
}

/// Three lives of a node that reads and writes.
fn play(seed: u64, mask: FaultMask, faults: impl Fn(NodeId) -> Vec<Fault>) -> Run {
    let options = Options {
        fault_mask: mask,
        ..Options::default()
    };
    let world = World::new(seed, options);
    let node = world.node("node");
    for (fault, number) in faults(node).into_iter().zip(1..) {
        assert_eq!(world.inject(fault), number);
    }
    for _ in 0..3 {
        world.start(node, || async {
            let end = now() + Duration::from_millis(400);
            while now() < end {
                let pos = random_u64() % 8 * BLOCK;
                let create = OpenOptions {
                    create: true,
                    ..OpenOptions::default()
                };
                if let Ok(file) = File::open(Path::new("/f"), create).await {
                    drop(
                        file.write_at(pos, filled(b'x', 1), Durability::Durable)
                            .await,
                    );
                    drop(file.read_at(pos, BLOCK_BYTES).await);
                    drop(file.sync().await);
                }
                sleep(Duration::from_millis(1)).await;
            }
        });
        world.run_until(|| !world.is_running(node));
    }
    Run {
        hash: world.trace_hash(),
        strikes: world.strikes(),
        course: (world.time(), world.stats(), world.random_u64()),
    }
}

#[test]
fn a_seed_with_faults_replays_exactly() {
    for seed in 0..20 {
        let first = play(seed, FaultMask::All, faults);
        assert_eq!(first, play(seed, FaultMask::All, faults), "seed {seed}");
        let struck = |number| first.strikes.iter().any(|strike| strike.fault == number);
        assert!((1..=6).all(struck), "{first:#?}");
    }
}

#[test]
fn what_is_masked_out_is_drawn_and_written_down_and_changes_nothing() {
    for seed in 0..20 {
        let Run {
            strikes: masked,
            course,
            ..
        } = play(seed, FaultMask::Only([].into()), faults);
        let without = play(seed, FaultMask::All, |_| Vec::new());
        assert_eq!(course, without.course, "seed {seed}");
        let struck = |number| masked.iter().any(|strike| strike.fault == number);
        assert!((1..=6).all(struck), "{masked:#?}");
        assert!(masked.iter().all(|strike| !strike.acted_on));
        assert!(masked[0].to_string().ends_with(" (masked out)"));
    }
}

#[test]
fn a_fault_alone_is_what_it_was_among_others() {
    for seed in 0..20 {
        let masked = play(seed, FaultMask::Only([2].into()), faults);
        let acted_on = masked.strikes.iter().filter(|strike| strike.acted_on);
        assert!(acted_on.clone().count() > 0);
        assert!(acted_on.clone().all(|strike| strike.fault == 2));
        // As if the first one were not there, but for its number.
        let harmless = |node| {
            let mut alone = vec![fault(
                node,
                Trigger::After(seconds(3600)),
                FaultKind::ClockJump { by_ms: 0 },
            )];
            alone.extend(faults(node).into_iter().skip(1).take(1));
            alone
        };
        let alone = play(seed, FaultMask::All, harmless);
        assert_eq!(masked.course, alone.course, "seed {seed}");
    }
}

#[test]
fn a_strike_says_what_where_and_when() {
    let (world, node) = one_node(1);
    let writes = Operations::of(DiskOp::Write, Files::Journals);
    world.inject(Fault::of_disk(node, writes, 2, Effect::Io, Span::Times(1)));
    world.block_on(node, || async {
        sleep(seconds(3)).await;
        let file = write("/2.journal", b'x', 2).await;
        drop(write("/2.segment", b'x', 2).await);
        let again = file.write_at(BLOCK, filled(b'y', 1), Durability::Durable);
        assert!(again.await.is_err());
    });
    let lines: Vec<_> = world.strikes().iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert!(line.starts_with("fault 1 at 3.0"), "{line}");
    assert!(
        line.ends_with(" s: EIO on write of /2.journal 4096..8192"),
        "{line}"
    );
}

#[test]
fn the_log_keeps_the_first_strikes_of_every_fault() {
    let (world, node) = one_node(1);
    let reads = || Operations::of(DiskOp::Read, Files::All);
    world.inject(Fault::of_disk(node, reads(), 1, Effect::Io, Span::Forever));
    world.inject(Fault::of_disk(
        node,
        reads(),
        900,
        Effect::Io,
        Span::Times(1),
    ));
    world.block_on(node, || async {
        let file = write("/f", b'x', 1).await;
        for _ in 0..1000 {
            assert!(file.read_at(0, BLOCK_BYTES).await.is_err());
        }
    });
    let numbers: Vec<_> = world.strikes().iter().map(|strike| strike.fault).collect();
    assert_eq!(numbers, [[1; 16].as_slice(), &[2]].concat());
    assert_eq!(world.stats().disk_faults, 1000);
}

#[test]
fn classes_of_files_go_by_the_names_of_the_engine() {
    let class = |path: &str| {
        let classes = [
            (Files::Journals, "journal"),
            (Files::Checkpoints, "checkpoint"),
            (Files::Segments, "segment"),
            (Files::Metadata, "metadata"),
            (Files::Others, "other"),
        ];
        let is_one = |(files, _): &(Files, _)| files.have(Path::new(path));
        let found: Vec<_> = classes.into_iter().filter(is_one).collect();
        assert_eq!(found.len(), 1, "{path}");
        found[0].1
    };
    assert_eq!(class("/data/shards/00000001/0/00000002.journal"), "journal");
    assert_eq!(class("/data/shards/00000001/0/checkpoint.a"), "checkpoint");
    assert_eq!(
        class("/data/topics/x/000000.00000000000000000000.segment"),
        "segment"
    );
    assert_eq!(class("/data/meta/a.log"), "metadata");
    assert_eq!(class("/data/superblock.b"), "other");
    assert!(Files::Like("shards/".into()).have(Path::new("/data/shards/1")));
}
