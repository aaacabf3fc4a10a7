//! Mail between two executors on two cores: a number there and back, one at a time, and many on
//! their way at once.

use std::time::Duration;

use bench_micro::worker::{Work, Worker, on_core};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine_rt::ring::Options;
use engine_rt::{MailReceiver, MailSender, mailbox, now, spawn_executor};

/// As a broker's executors have it.
const CAPACITY: usize = 1024;

/// The other executor: sends each number back, or only the last one, which is zero.
async fn echo(mut from: MailReceiver<u64>, to: MailSender<u64>, all: bool) {
    while let Some(number) = from.receive().await {
        if all || number == 0 {
            to.send(number).await.expect("the bench is there");
        }
    }
}

/// One after the other: each waits for the one before to come back.
async fn round_trips(there: &MailSender<u64>, back: &mut MailReceiver<u64>, calls: u64) {
    for number in 0..calls {
        there.send(number).await.expect("the echo is there");
        assert_eq!(back.receive().await, Some(number));
    }
}

/// As many on their way as the mailbox takes.
async fn stream(there: &MailSender<u64>, back: &mut MailReceiver<u64>, calls: u64) {
    for number in (0..calls).rev() {
        there.send(number).await.expect("the echo is there");
    }
    assert_eq!(back.receive().await, Some(0));
}

async fn serve(work: Work, one_by_one: bool) {
    let (there, from) = mailbox(CAPACITY);
    let (to, mut back) = mailbox(CAPACITY);
    let peer = spawn_executor(on_core("echo", 1), move || echo(from, to, one_by_one));
    let peer = peer.expect("the kernel gives us a ring");
    work.serve(async |calls| {
        let start = now();
        if one_by_one {
            round_trips(&there, &mut back, calls).await;
        } else {
            stream(&there, &mut back, calls).await;
        }
        now().since(start)
    })
    .await;
    drop(there);
    peer.join().await;
}

fn hops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mailbox");
    group.throughput(Throughput::Elements(1));
    let spinning = Options {
        spin: Duration::from_micros(200),
        ..Options::default()
    };
    let cases = [
        ("there and back, sleeping", true, Options::default()),
        ("there and back, spinning", true, spinning),
        ("one way, many at once", false, Options::default()),
    ];
    for (name, one_by_one, options) in cases {
        let mut worker = Worker::start(options, move |work| serve(work, one_by_one));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|calls| worker.measure(calls));
        });
    }
    group.finish();
}

criterion_group!(benches, hops);
criterion_main!(benches);
