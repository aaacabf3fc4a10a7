//! Links and connections that fail.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::*;
use crate::sim::Way;
use crate::{Listener, Piece, Stream, now, sleep, spawn, timeout};

fn addr() -> SocketAddr {
    "10.0.0.1:9092".parse().unwrap()
}

fn two_nodes(seed: u64) -> (World, NodeId, NodeId) {
    let (world, server) = one_node(seed);
    let client = world.node("client");
    (world, server, client)
}

async fn send(stream: &Stream, bytes: usize) -> io::Result<()> {
    stream
        .send(&[Piece::Mem(BufMut::zeroed(bytes).freeze())])
        .await
}

/// Answers every byte with one byte, on any number of connections.
async fn echo() {
    let listener = Listener::bind(addr()).unwrap();
    while let Ok(socket) = listener.accept().await {
        spawn(async move {
            let stream = Stream::attach(socket).unwrap();
            let mut byte = [0];
            while let Ok(1) = stream.recv(&mut byte).await {
                if send(&stream, 1).await.is_err() {
                    return;
                }
            }
        })
        .detach();
    }
}

/// One byte there and one back.
async fn ask(stream: &Stream) -> io::Result<()> {
    send(stream, 1).await?;
    match stream.recv(&mut [0]).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// In which seconds a client's questions are answered, one being asked every second; each on the
/// one connection, or each on one of its own.
fn answered(kind: impl Fn(NodeId) -> FaultKind, anew: bool) -> Vec<u64> {
    let (world, server, client) = two_nodes(1);
    world.inject(fault(
        server,
        Trigger::After(Duration::from_millis(3500)),
        kind(client),
    ));
    world.start(server, echo);
    world.block_on(client, move || async move {
        sleep(Duration::from_millis(10)).await;
        let (begun, mut answered) = (now(), Vec::new());
        let mut stream = Stream::connect(addr()).await.unwrap();
        for second in 0..10 {
            crate::sleep_until(begun + seconds(second)).await;
            let asked = timeout(now() + Duration::from_millis(900), async {
                if anew {
                    stream = Stream::connect(addr()).await?;
                }
                ask(&stream).await
            });
            if let Ok(Ok(())) = asked.await {
                answered.push(second);
            }
        }
        answered
    })
}

#[test]
fn a_cut_link_carries_nothing_until_it_is_healed() {
    for way in [Way::Both, Way::In, Way::Out] {
        let cut = |peer| FaultKind::Cut {
            peer,
            way,
            lasts: seconds(3),
        };
        assert_eq!(answered(cut, true), [0, 1, 2, 3, 6, 7, 8, 9], "{way:?}");
    }
}

#[test]
fn a_slow_link_delays_both_ways_for_a_while() {
    let slow = |peer| FaultKind::Delay {
        peer,
        by: Duration::from_millis(460),
        lasts: seconds(3),
    };
    // There and back take longer than the client's patience.
    assert_eq!(answered(slow, true), [0, 1, 2, 3, 7, 8, 9]);
    let less = |peer| FaultKind::Delay {
        peer,
        by: Duration::from_millis(400),
        lasts: seconds(3),
    };
    assert_eq!(answered(less, false).len(), 10);
}

#[test]
fn a_reset_ends_connections_and_new_ones_are_fine() {
    let reset = |peer| FaultKind::Reset { peer };
    assert_eq!(answered(reset, false), [0, 1, 2, 3]);
    assert_eq!(answered(reset, true).len(), 10);
}

#[test]
fn a_half_open_connection_is_silent_until_its_sender_gives_up() {
    let half_open = |peer| FaultKind::HalfOpen { peer };
    assert_eq!(answered(half_open, false), [0, 1, 2, 3]);
    assert_eq!(answered(half_open, true).len(), 10);
    let (world, server, client) = two_nodes(2);
    world.inject(fault(server, Trigger::After(seconds(1)), half_open(client)));
    world.start(server, echo);
    let (error, waited) = world.block_on(client, || async {
        sleep(Duration::from_millis(10)).await;
        let stream = Stream::connect(addr()).await.unwrap();
        sleep(seconds(2)).await;
        let begun = now();
        (ask(&stream).await.unwrap_err(), now().since(begun))
    });
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(waited >= Options::default().net.give_up, "{waited:?}");
    // The other end sends nothing and waits for ever.
    assert_eq!(world.live_tasks(server), 2);
}

#[test]
fn a_reset_in_the_middle_leaves_part_of_what_was_sent() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    for seed in 0..50 {
        let (world, server, client) = two_nodes(seed);
        let peer = client;
        world.inject(fault(server, Trigger::Now, FaultKind::ResetMidway { peer }));
        world.start(server, || async {
            let listener = Listener::bind(addr()).unwrap();
            let stream = Stream::attach(listener.accept().await.unwrap()).unwrap();
            drop(send(&stream, 10_000).await);
            sleep(seconds(10)).await;
            assert!(send(&stream, 1).await.is_err());
        });
        let seen = Rc::clone(&seen);
        world.block_on(client, || async move {
            sleep(Duration::from_millis(10)).await;
            let stream = Stream::connect(addr()).await.unwrap();
            let (mut received, mut into) = (0, vec![0; 20_000]);
            let error = loop {
                match stream.recv(&mut into).await {
                    Ok(len) => received += len,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            seen.borrow_mut().push(received);
        });
        world.run_until_idle();
    }
    let seen = seen.borrow();
    assert!(seen.iter().all(|&received| received < 10_000), "{seen:?}");
    assert!(
        seen.iter().filter(|&&received| received > 0).count() > 40,
        "{seen:?}"
    );
}

#[test]
fn a_node_that_stops_reading_fills_its_peers_windows_and_goes_on_later() {
    let (world, server, client) = two_nodes(3);
    let stop = FaultKind::StopReading { lasts: seconds(10) };
    world.inject(fault(client, Trigger::After(seconds(1)), stop));
    let sent = Rc::new(Cell::new(0));
    let counter = Rc::clone(&sent);
    world.start(server, move || async move {
        let listener = Listener::bind(addr()).unwrap();
        let stream = Stream::attach(listener.accept().await.unwrap()).unwrap();
        loop {
            send(&stream, 1000).await.unwrap();
            counter.set(counter.get() + 1000);
            sleep(Duration::from_millis(1)).await;
        }
    });
    world.start(client, || async {
        sleep(Duration::from_millis(10)).await;
        let stream = Stream::connect(addr()).await.unwrap();
        let mut into = vec![0; 100_000];
        while stream.recv(&mut into).await.is_ok() {}
    });
    world.run_for(seconds(1));
    let before = sent.get();
    world.run_for(seconds(9));
    let window = Options::default().net.window_bytes;
    assert!(
        sent.get() - before <= window,
        "{} bytes",
        sent.get() - before
    );
    world.run_for(seconds(5));
    assert!(
        sent.get() - before > 2 * window,
        "{} bytes",
        sent.get() - before
    );
}
