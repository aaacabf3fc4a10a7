//! Lives of a data directory in the simulation: power cuts at every step, copies, damage.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use std::path::Path;
use std::time::Duration;

use cluster_control::{
    ApplyMail, Change, Control, ControlError, ControlHandle, Home, HomeError, HomeOptions,
    Metadata, MetadataError, MetadataOptions,
};
use cluster_meta::command::{NewTopic, create_topic};
use cluster_meta::config::StaticConfig;
use cluster_meta::log::{Tail, encode_frame};
use cluster_meta::{ErrorCode, NodeId, Record, TopicId};
use engine_rt::sim::{
    CrashKind, CrashPoint, DiskOp, Effect, Fault, Files, NodeId as NodeOfWorld, Operations,
    Options, Span, World, run,
};
use engine_rt::{BLOCK_BYTES, Buf, MailReceiver, mailbox, spawn};

const DIR: &str = "/data";

fn options() -> MetadataOptions {
    MetadataOptions {
        fixed: StaticConfig::default(),
        // So small that a few changes begin the log again.
        generation_bytes_min: 5 * BLOCK_BYTES as u64,
    }
}

async fn open(accept_copy: bool) -> Result<(Home, Metadata), MetadataError> {
    let asked = HomeOptions {
        node_id: None,
        accept_copy,
    };
    let home = Home::open(Path::new(DIR), asked).await?;
    let metadata = Metadata::open(&home, options()).await?;
    Ok((home, metadata))
}

fn topic(name: String) -> Change {
    Box::new(move |state, fixed| {
        let id = u128::from(state.next_topic_number().0) + 10;
        let new = NewTopic {
            name: &name,
            topic_id: TopicId::from_bytes(id.to_be_bytes()),
            num_partitions: 2,
            replication_factor: -1,
            assignments: &[],
            configs: &[],
        };
        create_topic(state, fixed, &new).map(|record| vec![record])
    })
}

/// A shard that applies records late, one mail at a time.
async fn shard(mut mail: MailReceiver<ApplyMail>) {
    while let Some(ApplyMail { records, done }) = mail.receive().await {
        assert!(!records.is_empty());
        engine_rt::sleep(Duration::from_micros(50)).await;
        done.send(());
    }
}

fn control(metadata: Metadata) -> (engine_rt::Task<Metadata>, ControlHandle) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| mailbox(4)).unzip();
    for receiver in receivers {
        spawn(shard(receiver)).detach();
    }
    let (control, handle) = Control::new(metadata, senders);
    (spawn(control.run()), handle)
}

fn names(metadata: &Metadata) -> Vec<String> {
    let topics = metadata.state().topics_by_name();
    topics.map(|topic| topic.name.clone()).collect()
}

#[test]
fn an_orderly_stop_is_remembered_once() {
    run(1, || async {
        let (home, metadata) = open(false).await.unwrap();
        assert!(home.opened().is_new && !metadata.was_unclean());
        let cluster = metadata.state().cluster().unwrap().clone();
        assert_eq!(cluster.node_id, NodeId(1));
        let (task, handle) = control(metadata);
        handle.propose(topic("a".to_owned())).await.unwrap();
        drop(handle);
        task.await.close(&home).await.unwrap();
        drop(home);

        let (home, metadata) = open(false).await.unwrap();
        assert!(!home.opened().is_new && !metadata.was_unclean());
        assert_eq!(names(&metadata), ["a"]);
        assert_eq!(metadata.state().cluster(), Some(&cluster));
        drop((home, metadata));

        let (_home, metadata) = open(false).await.unwrap();
        assert!(metadata.was_unclean());
        assert_eq!(metadata.state().unclean_starts(), 1);
    });
}

#[test]
fn changes_that_wait_together_are_judged_in_order() {
    run(2, || async {
        let (_home, metadata) = open(false).await.unwrap();
        let (_task, handle) = control(metadata);
        let twice = [topic("a".to_owned()), topic("a".to_owned())];
        let mut outcomes = Vec::new();
        let waiting = twice.map(|change| {
            let handle = handle.clone();
            spawn(async move { handle.propose(change).await })
        });
        for task in waiting {
            outcomes.push(task.await);
        }
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        let refused = outcomes.into_iter().find_map(Result::err);
        let Some(ControlError::Refused(error)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(error.code, ErrorCode::TOPIC_ALREADY_EXISTS);
    });
}

#[test]
fn a_directory_in_use_is_refused() {
    run(3, || async {
        let home = Home::open(Path::new(DIR), HomeOptions::default())
            .await
            .unwrap();
        let second = Home::open(Path::new(DIR), HomeOptions::default()).await;
        assert!(matches!(second, Err(HomeError::InUse { .. })), "{second:?}");
        drop(home);
    });
}

#[test]
fn another_node_is_refused() {
    run(4, || async {
        drop(open(false).await.unwrap());
        let asked = HomeOptions {
            node_id: Some(NodeId(9)),
            accept_copy: false,
        };
        let refused = Home::open(Path::new(DIR), asked).await;
        assert!(matches!(refused, Err(HomeError::OtherNode { .. })));
    });
}

#[test]
fn a_copied_directory_gets_another_identity_only_when_asked() {
    let world = World::new(5, Options::default());
    let node = world.node("original");
    let ids = |home: &Home| (home.superblock().disk_id, home.superblock().origin_id);
    let original = world.block_on(node, move || async move {
        let (home, _) = open(false).await.unwrap();
        ids(&home)
    });
    let copy = world.clone_disk(node, "copy");
    world.block_on(copy, move || async move {
        let refused = open(false).await.map(drop);
        let is_copy =
            |error: &MetadataError| matches!(error, MetadataError::Home(HomeError::Copied { .. }));
        assert!(refused.as_ref().is_err_and(is_copy), "{refused:?}");
        let (home, metadata) = open(true).await.unwrap();
        assert!(home.opened().copy_accepted);
        let (disk_id, origin_id) = ids(&home);
        assert_ne!(disk_id, original.0);
        assert_eq!(origin_id, original.1);
        drop((home, metadata));
        // From here on it is a directory of its own.
        assert!(!open(false).await.unwrap().0.opened().copy_accepted);
    });
}

async fn overwrite(name: &str, at: u64) {
    write(name, at, &[0x5a; BLOCK_BYTES]).await;
}

async fn write(name: &str, at: u64, bytes: &[u8]) {
    use engine_rt::fs::{Durability, File, OpenOptions};
    let path = Path::new(DIR).join(name);
    let file = File::open(&path, OpenOptions::default()).await;
    let file = file.expect("the file is there");
    let bytes = Buf::copy_from_slice(bytes);
    let written = file.write_at(at, bytes, Durability::Durable).await;
    written.expect("a calm disk");
}

#[test]
fn damage_in_one_copy_is_repaired_and_in_both_refused() {
    run(6, || async {
        drop(open(false).await.unwrap());
        overwrite("superblock.a", 0).await;
        overwrite("meta/b.log", 0).await;
        let (home, metadata) = open(false).await.unwrap();
        assert!(home.opened().superblock_repaired);
        assert_eq!(metadata.repaired().copies.len(), 1);
        drop((home, metadata));

        let (home, metadata) = open(false).await.unwrap();
        assert!(!home.opened().superblock_repaired);
        assert!(metadata.repaired().copies.is_empty());
        drop((home, metadata));

        overwrite("meta/a.log", 0).await;
        overwrite("meta/b.log", 0).await;
        let refused = open(false).await.map(drop);
        assert!(matches!(refused, Err(MetadataError::Log { .. })));
        overwrite("superblock.a", 0).await;
        overwrite("superblock.b", 0).await;
        // Data would be there from the first start of a shard on.
        engine_rt::fs::create_dir_all(&Path::new(DIR).join("shards"))
            .await
            .unwrap();
        let refused = open(false).await.map(drop);
        let is_damage =
            |error: &MetadataError| matches!(error, MetadataError::Home(HomeError::Damaged { .. }));
        assert!(refused.as_ref().is_err_and(is_damage), "{refused:?}");
    });
}

/// Checksums hold, and a topic is deleted that never was: nothing is started on a guess.
#[test]
fn a_log_that_contradicts_itself_is_refused() {
    run(7, || async {
        let (home, metadata) = open(false).await.unwrap();
        let mut records = metadata.state().snapshot();
        let topic_id = TopicId::from_bytes([7; 16]);
        records.push(Record::TopicDeleted { topic_id });
        drop((home, metadata));
        let (frame, _) = encode_frame(Tail::START, &records);
        assert_eq!(frame.len(), BLOCK_BYTES, "it takes the place of the first");
        for copy in ["meta/a.log", "meta/b.log"] {
            write(copy, 0, &frame).await;
        }
        let refused = open(false).await.map(drop);
        let told = refused.expect_err("no state").to_string();
        let expected = "/data/meta: record 2 breaks the rule that a deleted topic was there";
        assert_eq!(told, expected);
    });
}

/// A directory with one topic, acknowledged as the last thing.
fn one_topic(world: &World, node: NodeOfWorld) {
    world.block_on(node, || async {
        let (_home, metadata) = open(false).await.expect("a new directory");
        let (_task, handle) = control(metadata);
        handle
            .propose(topic("a".to_owned()))
            .await
            .expect("a calm disk");
    });
}

/// A block that answers with an error is a damaged one: the other copy has it.
#[test]
fn a_copy_that_cannot_be_read_is_repaired_and_two_are_refused() {
    for name in ["a", "b"] {
        for block in 0..2 {
            let world = World::new(7, Options::default());
            let node = world.node("node");
            one_topic(&world, node);
            let spoil = |name| {
                let (path, at) = (format!("{DIR}/meta/{name}.log"), block * BLOCK_BYTES as u64);
                world.disk(node).spoil(&path, at).unwrap();
            };
            spoil(name);
            let (found, repaired) = world.block_on(node, || async {
                let (_home, metadata) = open(false).await.unwrap();
                (names(&metadata), metadata.repaired().copies.len())
            });
            assert_eq!(
                (found, repaired),
                (vec!["a".to_owned()], 1),
                "{name} {block}"
            );
            spoil("a");
            spoil("b");
            let refused = world.block_on(node, || async { open(false).await.map(drop) });
            assert!(refused.is_err(), "{name} {block}");
        }
    }
}

/// The last frame of both copies is read wrong, some times one after the other: it is not cut.
#[test]
fn wrong_reads_of_both_copies_cut_nothing() {
    for effect in [Effect::FlipBit, Effect::Stale] {
        for seed in 0..20 {
            let world = World::new(seed, Options::default());
            let node = world.node("node");
            one_topic(&world, node);
            let on = Operations::of(DiskOp::Read, Files::Metadata);
            world.inject(Fault::of_disk(node, on, 1, effect, Span::Times(4)));
            let found = world.block_on(node, || async { names(&open(false).await.unwrap().1) });
            assert_eq!(found, ["a"], "seed {seed}, {effect:?}");
        }
    }
}

/// Creates topics until the power fails; gives the names that were acknowledged.
fn life(world: &World, node: NodeOfWorld, life: u64) -> Vec<String> {
    use std::cell::RefCell;
    use std::rc::Rc;
    let acknowledged = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&acknowledged);
    world.start(node, move || async move {
        let opened = open(false).await;
        let (_home, metadata) = opened.expect("a power cut damages nothing");
        let (_task, handle) = control(metadata);
        for number in 0.. {
            let name = format!("t-{life}-{number}");
            if handle.propose(topic(name.clone())).await.is_ok() {
                sink.borrow_mut().push(name);
            }
        }
    });
    world.run_until(|| !world.is_running(node));
    acknowledged.take()
}

#[test]
fn a_power_cut_loses_no_acknowledged_topic() {
    let mut acknowledged_in_all = 0;
    for seed in 0..60 {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        let mut acknowledged = Vec::new();
        for number in 0..4 {
            let operations = 1 + (seed * 37 + number * 61) % 240;
            let point = CrashPoint::DiskStarts(operations);
            world.schedule_crash(node, point, CrashKind::PowerCut);
            acknowledged.extend(life(&world, node, number));
        }
        acknowledged_in_all += acknowledged.len();
        let found = world.block_on(node, || async { names(&open(false).await.unwrap().1) });
        let lost: Vec<_> = acknowledged
            .iter()
            .filter(|name| !found.contains(name))
            .collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?}");
    }
    assert!(acknowledged_in_all > 1500, "{acknowledged_in_all}");
}

/// The life that made the directory is killed before its name is durable; the next one finds it.
#[test]
fn a_directory_that_a_killed_life_made_survives_a_power_cut() {
    for operations in 1..12 {
        let world = World::new(operations, Options::default());
        let node = world.node("node");
        world.schedule_crash(node, CrashPoint::DiskEnds(operations), CrashKind::Kill);
        let first = world.try_block_on(node, || async { open(false).await.map(drop) });
        assert!(
            first.is_none(),
            "a first start takes more than {operations}"
        );
        world.block_on(node, || async {
            let (_home, metadata) = open(false).await.unwrap();
            let (_task, handle) = control(metadata);
            handle.propose(topic("a".to_owned())).await.unwrap();
        });
        world.crash(node, CrashKind::PowerCut);
        world.block_on(node, move || async move {
            let (_home, metadata) = open(false).await.unwrap();
            assert_eq!(names(&metadata), ["a"], "killed after {operations}");
        });
    }
}
