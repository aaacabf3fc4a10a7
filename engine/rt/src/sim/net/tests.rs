//! Connections: order, windows, ends, cuts and crashes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::buf::{Buf, BufMut};
use crate::sim::{CrashKind, NodeId, Options, World};
use crate::{Elapsed, Listener, Piece, Stream, now, sleep, spawn, timeout};

const SEEDS: u64 = 200;

fn addr() -> SocketAddr {
    "10.0.0.1:9092".parse().unwrap()
}

fn pattern(len: usize) -> Buf {
    let mut buf = BufMut::with_capacity(len);
    for (at, byte) in buf.iter_mut().enumerate() {
        *byte = (at * 31 / 7) as u8;
    }
    buf.freeze()
}

fn two_nodes(seed: u64) -> (World, NodeId, NodeId) {
    let world = World::new(seed, Options::default());
    let (server, client) = (world.node("server"), world.node("client"));
    (world, server, client)
}

/// What a peer sends until its end, and how it ended.
async fn receive_all(stream: &Stream) -> (Vec<u8>, Option<io::ErrorKind>) {
    let (mut received, mut into) = (Vec::new(), vec![0; 10_000]);
    loop {
        match stream.recv(&mut into).await {
            Ok(0) => return (received, None),
            Ok(len) => received.extend_from_slice(&into[..len]),
            Err(error) => return (received, Some(error.kind())),
        }
    }
}

async fn accept() -> Stream {
    let listener = Listener::bind(addr()).unwrap();
    Stream::attach(listener.accept().await.unwrap()).unwrap()
}

/// A server that accepts one connection and keeps it without a word, and a client that does
/// `talk` with it; what came of it.
fn talk_to_silence<T: 'static, F: Future<Output = T> + 'static>(
    (world, server, client): &(World, NodeId, NodeId),
    talk: impl FnOnce(Stream) -> F + 'static,
) -> Rc<RefCell<Option<T>>> {
    world.start(*server, || async {
        let _silent = accept().await;
        std::future::pending::<()>().await;
    });
    let result = Rc::new(RefCell::new(None));
    let slot = Rc::clone(&result);
    world.start(*client, move || async move {
        let stream = Stream::connect(addr()).await.unwrap();
        *slot.borrow_mut() = Some(talk(stream).await);
    });
    world.run_for(Duration::from_millis(100));
    result
}

#[test]
fn bytes_arrive_in_order_in_pieces_of_any_size() {
    let mut sizes = BTreeSet::new();
    for seed in 0..20 {
        let (world, server, client) = two_nodes(seed);
        let sent = pattern(1 << 20);
        let expected = sent.clone();
        world.start(client, move || async move {
            sleep(Duration::from_millis(1)).await;
            let stream = Stream::connect(addr()).await.unwrap();
            let pieces = [
                Piece::Mem(sent.slice(..1000)),
                Piece::Mem(sent.slice(1000..)),
            ];
            stream.send(&pieces).await.unwrap();
        });
        let (received, pieces) = world.block_on(server, || async {
            let stream = accept().await;
            let (mut received, mut into, mut pieces) = (Vec::new(), vec![0; 9000], Vec::new());
            while let Ok(len @ 1..) = stream.recv(&mut into).await {
                received.extend_from_slice(&into[..len]);
                pieces.push(len);
            }
            (received, pieces)
        });
        assert!(received == *expected, "seed {seed}");
        sizes.extend(pieces);
        world.run_until_idle();
        assert_eq!(world.connections(), 0);
    }
    assert!(sizes.len() > 100);
}

#[test]
fn a_reader_that_stops_holds_its_writer_back() {
    let nodes = two_nodes(1);
    let sent = Rc::new(Cell::new(0_usize));
    let counter = Rc::clone(&sent);
    let result = talk_to_silence(&nodes, |stream| async move {
        let chunk = [Piece::Mem(pattern(10_000))];
        while stream.send(&chunk).await.is_ok() {
            counter.set(counter.get() + 10_000);
        }
    });
    nodes.0.run_for(Duration::from_secs(100));
    assert!(result.borrow().is_none());
    assert!(
        (200_000..=256 << 10).contains(&sent.get()),
        "{} bytes",
        sent.get()
    );
}

#[test]
fn nobody_listening_refuses_and_two_cannot_listen() {
    let (world, server, client) = two_nodes(2);
    let connect = || async { Stream::connect(addr()).await.map(drop).unwrap_err().kind() };
    assert_eq!(
        world.block_on(client, connect),
        io::ErrorKind::ConnectionRefused
    );
    world.block_on(server, || async {
        let listener = Listener::bind(addr()).unwrap();
        let taken = Listener::bind("0.0.0.0:9092".parse().unwrap()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        let any = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(any.local_addr().port(), 0);
        drop(listener);
        Listener::bind(addr()).unwrap();
    });
    assert_eq!(
        world.block_on(client, connect),
        io::ErrorKind::ConnectionRefused
    );
}

#[test]
fn each_end_knows_both_addresses() {
    let (world, server, client) = two_nodes(3);
    let to: SocketAddr = "192.168.7.7:5000".parse().unwrap();
    let seen = Rc::new(Cell::new(None));
    let slot = Rc::clone(&seen);
    world.start(server, move || async move {
        let listener = Listener::bind("0.0.0.0:5000".parse().unwrap()).unwrap();
        let stream = Stream::attach(listener.accept().await.unwrap()).unwrap();
        slot.set(Some((stream.local_addr(), stream.peer_addr())));
    });
    world.run_until_idle();
    let own = world.block_on(client, move || async move {
        let stream = Stream::connect(to).await.unwrap();
        (stream.peer_addr(), stream.local_addr())
    });
    world.run_until_idle();
    assert_eq!(seen.get(), Some(own));
    assert_eq!(own.0, to);
}

#[test]
fn a_close_with_unread_bytes_resets_and_one_without_ends() {
    let end = |unread: bool| {
        let (world, server, client) = two_nodes(4);
        world.start(server, move || async move {
            let stream = accept().await;
            stream.send(&[Piece::Mem(pattern(100))]).await.unwrap();
            sleep(Duration::from_secs(1)).await;
            if !unread {
                let _read = stream.recv(&mut [0; 10]).await.unwrap();
            }
        });
        world.block_on(client, || async {
            sleep(Duration::from_millis(10)).await;
            let stream = Stream::connect(addr()).await.unwrap();
            stream.send(&[Piece::Mem(pattern(5))]).await.unwrap();
            receive_all(&stream).await
        })
    };
    assert_eq!(end(false), (pattern(100).to_vec(), None));
    assert_eq!(
        end(true),
        (pattern(100).to_vec(), Some(io::ErrorKind::ConnectionReset))
    );
}

#[test]
fn sending_to_a_closed_peer_fails_in_the_end() {
    let (world, server, client) = two_nodes(5);
    world.start(server, || async { drop(accept().await) });
    world.run_until_idle();
    let error = world.block_on(client, || async {
        let stream = Stream::connect(addr()).await.unwrap();
        loop {
            if let Err(error) = stream.send(&[Piece::Mem(pattern(10))]).await {
                return error.kind();
            }
            sleep(Duration::from_millis(1)).await;
        }
    });
    assert_eq!(error, io::ErrorKind::ConnectionReset);
}

#[test]
fn a_shutdown_wakes_everybody_on_both_ends() {
    let (world, server, client) = two_nodes(6);
    let ended = Rc::new(Cell::new(0));
    let count = Rc::clone(&ended);
    world.start(server, move || async move {
        let stream = Rc::new(accept().await);
        let reading = spawn({
            let stream = Rc::clone(&stream);
            async move { stream.recv(&mut [0; 10]).await.unwrap() }
        });
        let writing = spawn({
            let stream = Rc::clone(&stream);
            async move {
                stream
                    .send(&[Piece::Mem(pattern(1 << 20))])
                    .await
                    .unwrap_err()
                    .kind()
            }
        });
        sleep(Duration::from_secs(1)).await;
        stream.shutdown();
        assert_eq!(reading.await, 0);
        assert_eq!(writing.await, io::ErrorKind::BrokenPipe);
        count.set(count.get() + 1);
    });
    world.run_until_idle();
    world.block_on(client, || async {
        let stream = Stream::connect(addr()).await.unwrap();
        sleep(Duration::from_secs(2)).await;
        assert_eq!(receive_all(&stream).await.1, None);
    });
    assert_eq!(ended.get(), 1);
}

#[test]
fn a_cut_link_holds_what_is_sent_until_it_is_healed() {
    for seed in 0..SEEDS / 10 {
        let nodes = two_nodes(seed);
        let (world, server, client) = (&nodes.0, nodes.1, nodes.2);
        let echoed = Rc::new(Cell::new(0));
        world.start(server, || async {
            let stream = accept().await;
            let mut into = [0; 100];
            while let Ok(len @ 1..) = stream.recv(&mut into).await {
                let back = Piece::Mem(Buf::copy_from_slice(&into[..len]));
                stream.send(&[back]).await.unwrap();
            }
        });
        let count = Rc::clone(&echoed);
        world.run_until_idle();
        world.start(client, move || async move {
            let stream = Stream::connect(addr()).await.unwrap();
            loop {
                stream.send(&[Piece::Mem(pattern(1))]).await.unwrap();
                assert_eq!(stream.recv(&mut [0; 1]).await.unwrap(), 1);
                count.set(count.get() + 1);
            }
        });
        world.run_until(|| echoed.get() > 10);
        if seed % 2 == 0 {
            world.cut(server, client);
        } else {
            world.cut_one_way(server, client);
        }
        let before = echoed.get();
        world.run_for(Duration::from_mins(2));
        assert!(
            echoed.get() <= before + 1,
            "at most the one that had arrived"
        );
        world.heal(server, client);
        world.run_until(|| echoed.get() > before + 10);
    }
}

#[test]
fn connecting_over_a_cut_link_waits_and_gives_up_in_the_end() {
    let (world, server, client) = two_nodes(8);
    world.start(server, || async {
        let listener = Listener::bind(addr()).unwrap();
        while let Ok(socket) = listener.accept().await {
            drop(socket);
        }
    });
    world.run_until_idle();
    let connect = || async {
        let begun = now();
        (
            Stream::connect(addr())
                .await
                .map(drop)
                .map_err(|error| error.kind()),
            now().since(begun),
        )
    };
    world.cut(server, client);
    let (result, time) = world.block_on(client, connect);
    assert_eq!(result, Err(io::ErrorKind::TimedOut));
    assert!((60..61).contains(&time.as_secs()), "{time:?}");
    let patient = Rc::new(Cell::new(None));
    let slot = Rc::clone(&patient);
    world.start(
        client,
        move || async move { slot.set(Some(connect().await.0)) },
    );
    world.run_for(Duration::from_secs(2));
    assert_eq!(patient.get(), None);
    world.heal(server, client);
    world.run_until(|| patient.get().is_some());
    assert_eq!(patient.get(), Some(Ok(())));
}

#[test]
fn a_reset_fails_both_ends() {
    let nodes = two_nodes(9);
    let result = talk_to_silence(&nodes, |stream| async move { receive_all(&stream).await.1 });
    nodes.0.reset(nodes.2, nodes.1);
    nodes.0.run_for(Duration::from_secs(1));
    assert_eq!(*result.borrow(), Some(Some(io::ErrorKind::ConnectionReset)));
}

#[test]
fn a_killed_process_leaves_closed_connections() {
    for seed in 0..SEEDS {
        let nodes = two_nodes(seed);
        let result = talk_to_silence(&nodes, |stream| async move {
            stream.send(&[Piece::Mem(pattern(10))]).await.unwrap();
            receive_all(&stream).await.1
        });
        nodes.0.crash(nodes.1, CrashKind::Kill);
        nodes.0.run_for(Duration::from_secs(1));
        assert_eq!(
            *result.borrow(),
            Some(Some(io::ErrorKind::ConnectionReset)),
            "seed {seed}"
        );
        nodes.0.run_until_idle();
        assert_eq!(nodes.0.connections(), 0);
    }
}

fn without_keepalive(seed: u64) -> (World, NodeId, NodeId) {
    let mut options = Options::default();
    options.net.keepalive = None;
    let world = World::new(seed, options);
    let (server, client) = (world.node("server"), world.node("client"));
    (world, server, client)
}

#[test]
fn peers_of_a_machine_without_power_hear_of_it_late() {
    let mut late = BTreeSet::new();
    for seed in 0..SEEDS {
        let nodes = two_nodes(seed);
        let result = talk_to_silence(&nodes, |stream| async move { receive_all(&stream).await.1 });
        let cut = nodes.0.time();
        nodes.0.crash(nodes.1, CrashKind::PowerCut);
        nodes.0.run_until(|| result.borrow().is_some());
        assert_eq!(*result.borrow(), Some(Some(io::ErrorKind::ConnectionReset)));
        late.insert(
            nodes
                .0
                .time()
                .saturating_sub(cut)
                .as_millis()
                .max(1)
                .ilog10(),
        );
    }
    let at_once_to_seconds = BTreeSet::from([0, 1, 2, 3]);
    assert!(late.is_superset(&at_once_to_seconds), "{late:?}");
}

#[test]
fn a_machine_without_power_is_silent_until_it_is_back() {
    let nodes = without_keepalive(10);
    let (world, server) = (&nodes.0, nodes.1);
    let result = talk_to_silence(&nodes, |stream| async move {
        let soon = now() + Duration::from_secs(30);
        let reading = timeout(soon, receive_all(&stream)).await;
        stream.send(&[Piece::Mem(pattern(10))]).await.unwrap();
        (
            reading.map(|(_, error)| error),
            receive_all(&stream).await.1,
        )
    });
    world.crash(server, CrashKind::PowerCut);
    world.run_for(Duration::from_secs(40));
    assert!(result.borrow().is_none(), "half open: nobody said anything");
    world.start(server, || sleep(Duration::from_secs(100)));
    world.run_for(Duration::from_secs(20));
    assert_eq!(
        *result.borrow(),
        Some((Err(Elapsed), Some(io::ErrorKind::ConnectionReset)))
    );
}

#[test]
fn a_machine_that_never_comes_back_is_given_up() {
    let nodes = without_keepalive(11);
    let result = talk_to_silence(&nodes, |stream| async move {
        sleep(Duration::from_secs(1)).await;
        stream.send(&[Piece::Mem(pattern(10))]).await.unwrap();
        receive_all(&stream).await.1
    });
    nodes.0.crash(nodes.1, CrashKind::PowerCut);
    nodes.0.run_for(Duration::from_mins(2));
    assert_eq!(*result.borrow(), Some(Some(io::ErrorKind::TimedOut)));
}

#[test]
fn a_dropped_connect_leaves_nothing_behind() {
    for seed in 0..SEEDS {
        let (world, server, client) = two_nodes(seed);
        world.start(server, || async {
            let listener = Listener::bind(addr()).unwrap();
            while let Ok(socket) = listener.accept().await {
                let stream = Stream::attach(socket).unwrap();
                spawn(async move { receive_all(&stream).await }).detach();
            }
        });
        world.run_until_idle();
        world.block_on(client, || async {
            for micros in 0..100 {
                let soon = now() + Duration::from_micros(micros * 20);
                drop(timeout(soon, Stream::connect(addr())).await);
            }
        });
        world.run_until_idle();
        assert_eq!(
            (world.connections(), world.live_tasks(server)),
            (0, 1),
            "seed {seed}"
        );
    }
}
