//! The admin pages over a real socket.
#![cfg(test)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use net_admin::{
    AdminServer, Pulses, Readiness, ReadyState, ShardCounters, Snapshot, SnapshotFn, Sources,
};

struct Broker {
    pulses: Pulses,
    readiness: Readiness,
    admin: AdminServer,
}

fn broker(snapshot: SnapshotFn) -> Broker {
    let (pulses, readiness) = (Pulses::new(2), Readiness::default());
    let sources = Sources {
        pulses: pulses.clone(),
        readiness: readiness.clone(),
        snapshot,
    };
    let admin = net_admin::start(SocketAddr::from(([127, 0, 0, 1], 0)), sources, None).unwrap();
    Broker {
        pulses,
        readiness,
        admin,
    }
}

fn counters() -> SnapshotFn {
    Arc::new(|| {
        let shards = vec![ShardCounters::default(); 2];
        Box::pin(async move {
            Some(Snapshot {
                shards,
                ..Snapshot::default()
            })
        })
    })
}

fn get(addr: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[expect(clippy::disallowed_methods, reason = "a test's own thread")]
fn wait(duration: Duration) {
    std::thread::sleep(duration);
}

#[test]
fn readyz_follows_the_broker() {
    let broker = broker(counters());
    let addr = broker.admin.local_addr();
    assert!(get(addr, "/readyz").starts_with("HTTP/1.1 503 "));
    broker.readiness.set(ReadyState::Ready);
    assert!(get(addr, "/readyz").starts_with("HTTP/1.1 200 OK\r\n"));
    broker.readiness.set(ReadyState::Stopping);
    assert!(get(addr, "/readyz").ends_with("stopping\n"));
}

#[test]
fn livez_names_the_shard_that_stopped_turning() {
    let broker = broker(counters());
    let addr = broker.admin.local_addr();
    assert!(get(addr, "/livez").starts_with("HTTP/1.1 200 OK\r\n"));
    for _ in 0..13 {
        broker.pulses.beat(0);
        wait(Duration::from_millis(500));
    }
    let answer = get(addr, "/livez");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.contains("shard 1 ") && !answer.contains("shard 0 "),
        "{answer}"
    );
}

#[test]
fn metrics_are_prometheus_text() {
    let broker = broker(counters());
    let answer = get(broker.admin.local_addr(), "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4"),
        "{answer}"
    );
    assert!(
        answer.contains("\nflumen_records_appended_total{shard=\"1\"} 0\n"),
        "{answer}"
    );
}

#[test]
fn shards_that_do_not_answer_cost_the_scrape_alone() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let broker = broker(Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::pending())
    }));
    let addr = broker.admin.local_addr();
    broker.readiness.set(ReadyState::Ready);
    let scrapes: Vec<_> = (0..6)
        .map(|_| {
            std::thread::Builder::new()
                .spawn(move || get(addr, "/metrics"))
                .unwrap()
        })
        .collect();
    wait(Duration::from_millis(300));
    assert!(get(addr, "/readyz").starts_with("HTTP/1.1 200 OK\r\n"));
    for scrape in scrapes {
        assert!(scrape.join().unwrap().starts_with("HTTP/1.1 503 "));
    }
    assert_eq!(
        asked.load(Ordering::Relaxed),
        4,
        "the number of scrapes at once is bounded"
    );
}

#[test]
fn unknown_pages_and_noise_are_answered_in_kind() {
    let broker = broker(counters());
    let addr = broker.admin.local_addr();
    assert!(get(addr, "/nothing").starts_with("HTTP/1.1 404 "));
    let mut noise = TcpStream::connect(addr).unwrap();
    noise
        .write_all(&[0, 0, 0, 9, 0, 18, 0, 0, 1, 2, 3, 4, 13, 10])
        .unwrap();
    let mut answer = Vec::new();
    noise
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    noise.read_to_end(&mut answer).unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 400 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert!(get(addr, "/livez").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn connections_at_once_are_bounded_and_others_wait() {
    let broker = broker(counters());
    let addr = broker.admin.local_addr();
    let held: Vec<_> = (0..32).map(|_| TcpStream::connect(addr).unwrap()).collect();
    wait(Duration::from_millis(200));
    let mut waiting = TcpStream::connect(addr).unwrap();
    waiting
        .write_all(b"GET /livez HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
        .unwrap();
    waiting
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut answer = [0; 15];
    assert!(
        waiting.read_exact(&mut answer).is_err(),
        "no place for a 33rd connection yet"
    );
    drop(held);
    waiting
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    waiting.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[test]
fn dropping_it_ends_the_thread_and_frees_the_port() {
    let Broker { admin, .. } = broker(counters());
    let addr = admin.local_addr();
    let _open = TcpStream::connect(addr).unwrap();
    drop(admin);
    assert!(TcpStream::connect(addr).is_err());
}
