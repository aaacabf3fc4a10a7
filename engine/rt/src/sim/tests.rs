//! The world as a whole: time, order, lives, replay.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::{CrashKind, CrashPoint, Options, World, run};
use crate::fs::{Durability, File, OpenOptions, create_dir_all};
use crate::{
    BufMut, ExecutorSpec, Listener, Piece, Stream, blocking, mailbox, now, random_u64, sleep,
    spawn, spawn_executor, wall_clock_ms, yield_now,
};

fn spec(name: &str) -> ExecutorSpec {
    ExecutorSpec {
        name: name.to_owned(),
        cpu: None,
    }
}

#[test]
fn time_passes_only_when_nobody_is_ready() {
    let calm = Options {
        stall_probability: 0.0,
        ..Options::default()
    };
    let world = World::new(1, calm);
    let passed = world.block_on(world.node("node"), || async {
        let start = now();
        for _ in 0..1000 {
            yield_now().await;
        }
        let busy = now().since(start);
        sleep(Duration::from_mins(10)).await;
        (busy, now().since(start))
    });
    assert_eq!(passed.0, Duration::ZERO);
    assert!(passed.1 >= Duration::from_mins(10));
    assert!(passed.1 < Duration::from_secs(601));
}

#[test]
fn a_dropped_timer_does_not_let_time_pass() {
    let world = World::new(1, Options::default());
    let node = world.node("node");
    world.start(node, || async {
        let far = spawn(sleep(Duration::from_secs(1_000_000)));
        yield_now().await;
        far.cancel();
    });
    world.run_until_idle();
    assert!(world.time() < Duration::from_secs(1));
}

/// Order in which three executors with two tasks each come to run.
fn order_of_tasks(seed: u64) -> Vec<usize> {
    run(seed, || async {
        let (sender, mut receiver) = mailbox(16);
        for executor in 0..3 {
            let sender = sender.clone();
            let main = move || async move {
                let (one, two) = (sender.clone(), sender);
                let first = spawn(async move { one.send(2 * executor).await.unwrap() });
                let second = spawn(async move { two.send(2 * executor + 1).await.unwrap() });
                first.await;
                second.await;
            };
            drop(spawn_executor(spec("shard"), main).unwrap());
        }
        drop(sender);
        let mut order = Vec::new();
        while let Some(number) = receiver.receive().await {
            order.push(number);
        }
        order
    })
}

#[test]
fn every_order_of_tasks_comes_with_some_seed() {
    let orders: BTreeSet<_> = (0..20_000).map(order_of_tasks).collect();
    assert!(orders.iter().all(|order| order.len() == 6));
    // All 6! of them.
    assert_eq!(orders.len(), 720);
}

#[test]
fn a_yielding_task_lets_every_ready_task_run_first() {
    for seed in 0..50 {
        let turns = run(seed, || async {
            let turns = Rc::new(RefCell::new(Vec::new()));
            for number in 0..4 {
                let turns = Rc::clone(&turns);
                spawn(async move { turns.borrow_mut().push(number) }).detach();
            }
            yield_now().await;
            turns.take()
        });
        assert_eq!(turns.len(), 4, "seed {seed}");
    }
}

#[test]
fn an_executor_ends_with_its_main_task_and_drops_the_others() {
    struct Flag(Rc<Cell<bool>>);
    impl Drop for Flag {
        fn drop(&mut self) {
            // The world is there while tasks are dropped.
            let _time = now();
            spawn(async {}).detach();
            self.0.set(true);
        }
    }
    let world = World::new(5, Options::default());
    let node = world.node("node");
    let dropped = Rc::new(Cell::new(false));
    let flag = Flag(Rc::clone(&dropped));
    world.start(node, move || async move {
        spawn(async move {
            let _flag = flag;
            std::future::pending::<()>().await;
        })
        .detach();
        yield_now().await;
    });
    world.run_until_idle();
    assert!(dropped.get());
    assert!(!world.is_running(node));
    assert_eq!(world.live_tasks(node), 0);
}

#[test]
fn who_waits_when_an_executor_ends_is_named() {
    let world = World::new(1, Options::default());
    let node = world.node("node");
    world.block_on(node, || async {
        spawn(sleep(Duration::from_mins(10))).detach();
        spawn(yield_now()).detach();
        sleep(Duration::from_secs(1)).await;
        // About to run: this one would still end by itself.
        spawn(yield_now()).detach();
    });
    let left = world.left_tasks(node);
    assert_eq!(left.len(), 1, "{left:?}");
    let (line, task) = (left[0].to_string(), left[0].task);
    assert!(
        task.contains("sleep") && line.contains("sim/tests.rs"),
        "{line}"
    );
    assert!(line.starts_with("node/main: "), "{line}");
}

#[test]
fn joining_an_executor_waits_for_its_last_disk_operation() {
    run(9, || async {
        let buf = BufMut::zeroed(4096).freeze();
        let path = Path::new("/file");
        let create = OpenOptions {
            create: true,
            ..OpenOptions::default()
        };
        let other = spawn_executor(spec("writer"), move || async move {
            let file = File::open(path, create).await.unwrap();
            let write = spawn(async move { file.write_at(0, buf, Durability::Durable).await });
            yield_now().await;
            drop(write);
        });
        other.unwrap().join().await;
        let file = File::open(path, OpenOptions::default()).await.unwrap();
        assert_eq!(file.len().await.unwrap(), 4096);
    });
}

#[test]
fn blocking_work_is_done_though_nobody_waits_for_it() {
    run(2, || async {
        let (sender, mut receiver) = mailbox(1);
        assert_eq!(blocking(|| 6 * 7).await, 42);
        let task = spawn(blocking(move || assert!(sender.try_send(()).is_ok())));
        yield_now().await;
        task.cancel();
        assert_eq!(receiver.receive().await, Some(()));
    });
}

#[test]
#[should_panic(expected = "node/main: tasks [0, 1]")]
fn a_deadlock_names_who_waits() {
    run(1, || async {
        let waiting = spawn(std::future::pending::<()>());
        waiting.await;
    });
}

#[test]
#[should_panic(expected = "a task's own panic")]
fn a_panic_of_a_task_is_a_panic_of_the_test() {
    run(1, || async {
        spawn(async { panic!("a task's own panic") }).detach();
        sleep(Duration::from_secs(1)).await;
    });
}

#[test]
fn clocks_of_a_node_may_jump_and_begin_anew_with_its_boot() {
    let world = World::new(3, Options::default());
    let node = world.node("node");
    let look = || async { (now(), wall_clock_ms()) };
    let (first, wall) = world.block_on(node, look);
    world.crash(node, CrashKind::Kill);
    world.run_for(Duration::from_secs(1));
    let (second, later_wall) = world.block_on(node, look);
    assert!(second.since(first) >= Duration::from_secs(1));
    assert!((1000..1100).contains(&(later_wall - wall)));
    world.crash(node, CrashKind::PowerCut);
    world.jump_wall_clock(node, -3_600_000);
    let (third, jumped) = world.block_on(node, look);
    assert!(third < second || third.since(second) > Duration::from_secs(1));
    assert!(jumped < wall);
}

#[test]
fn a_crash_drops_every_task_of_the_node_and_of_no_other() {
    let world = World::new(4, Options::default());
    let (one, two) = (world.node("one"), world.node("two"));
    for node in [one, two] {
        world.start(node, || async {
            drop(spawn_executor(spec("shard"), std::future::pending).unwrap());
            std::future::pending::<()>().await;
        });
    }
    world.run_until_idle();
    assert_eq!((world.live_tasks(one), world.live_tasks(two)), (2, 2));
    world.crash(one, CrashKind::Kill);
    assert_eq!((world.live_tasks(one), world.live_tasks(two)), (0, 2));
    assert!(!world.is_running(one) && world.is_running(two));
}

#[test]
fn a_crash_ends_what_is_waited_for() {
    let world = World::new(8, Options::default());
    let node = world.node("node");
    world.schedule_crash(
        node,
        CrashPoint::After(Duration::from_secs(1)),
        CrashKind::PowerCut,
    );
    let sleeping = || sleep(Duration::from_secs(2));
    assert_eq!(world.try_block_on(node, sleeping), None);
    assert_eq!(world.try_block_on(node, sleeping), Some(()));
}

#[test]
fn crashes_strike_at_their_point() {
    let create = OpenOptions {
        create: true,
        ..OpenOptions::default()
    };
    let life = |point| {
        let world = World::new(6, Options::default());
        let node = world.node("node");
        world.schedule_crash(node, point, CrashKind::Kill);
        let steps = Rc::new(Cell::new(0));
        let counter = Rc::clone(&steps);
        world.start(node, move || async move {
            loop {
                drop(File::open(Path::new("/f"), create).await);
                counter.set(counter.get() + 1);
            }
        });
        world.run_until(|| !world.is_running(node));
        steps.get()
    };
    assert_eq!(life(CrashPoint::DiskStarts(3)), 2);
    // Three operations ended, the task has not seen the third.
    assert_eq!(life(CrashPoint::DiskEnds(3)), 2);
    assert_eq!(life(CrashPoint::Polls(5)), 4);
    assert!(life(CrashPoint::After(Duration::from_secs(1))) > 100);
}

/// One request and its answer, or `None` at the end of the connection.
async fn ask(stream: &Stream) -> Option<()> {
    stream
        .send(&[Piece::Mem(BufMut::zeroed(1).freeze())])
        .await
        .ok()?;
    let mut into = vec![0; 8192];
    let mut missing = into.len();
    while missing > 0 {
        missing -= stream
            .recv(&mut into[..missing])
            .await
            .ok()
            .filter(|&len| len > 0)?;
    }
    Some(())
}

/// A day of a small server: executors, files, sockets, a kill and a power cut.
fn busy_world(seed: u64) -> (u64, u64) {
    let world = World::new(seed, Options::drawn(seed));
    let (server, client) = (world.node("server"), world.node("client"));
    let addr: SocketAddr = "10.0.0.1:9092".parse().unwrap();
    let serve = move || async move {
        create_dir_all(Path::new("/data")).await.unwrap();
        let create = OpenOptions {
            create: true,
            ..OpenOptions::default()
        };
        let file = File::open(Path::new("/data/log"), create).await.unwrap();
        let listener = Listener::bind(addr).unwrap();
        while let Ok(socket) = listener.accept().await {
            let file = file.clone();
            spawn(async move {
                let stream = Stream::attach(socket).unwrap();
                let mut request = [0; 1];
                while let Ok(1..) = stream.recv(&mut request).await {
                    let buf = BufMut::zeroed(8192).freeze();
                    let pos = (random_u64() % 16) * 4096;
                    file.write_at(pos, buf.clone(), Durability::Durable)
                        .await
                        .unwrap();
                    if stream.send(&[Piece::Mem(buf)]).await.is_err() {
                        break;
                    }
                }
            })
            .detach();
        }
    };
    world.start(server, serve);
    for _ in 0..3 {
        world.start(client, move || async move {
            loop {
                if let Ok(stream) = Stream::connect(addr).await {
                    while ask(&stream).await.is_some() {}
                }
                sleep(Duration::from_millis(20)).await;
            }
        });
    }
    for kind in [CrashKind::Kill, CrashKind::PowerCut] {
        world.schedule_crash(server, CrashPoint::DiskStarts(20), kind);
        world.run_until(|| !world.is_running(server));
        world.start(server, serve);
    }
    world.run_for(Duration::from_millis(200));
    (world.trace_hash(), world.stats().disk_operations)
}

#[test]
fn a_seed_replays_exactly() {
    let mut hashes = BTreeSet::new();
    for seed in 0..30 {
        let first = busy_world(seed);
        assert_eq!(first, busy_world(seed), "seed {seed}");
        assert!(first.1 > 40, "{} operations with seed {seed}", first.1);
        hashes.insert(first.0);
    }
    assert_eq!(hashes.len(), 30, "seeds differ");
}
