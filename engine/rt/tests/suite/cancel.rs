use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use engine_rt::fs::Durability;
use engine_rt::{
    BLOCK_BYTES, Buf, BufMut, Listener, Piece, Stream, mailbox, now, random_u64, sleep, spawn,
    timeout, yield_now,
};

use super::{Dir, pattern};

const BLOCK: u64 = BLOCK_BYTES as u64;

/// Lets a future begin, lets up to three turns pass, and drops it.
async fn begin_and_drop<F: Future>(future: F) {
    let mut future = pin!(future);
    for _ in 0..random_u64() % 4 {
        if future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
        {
            return;
        }
        yield_now().await;
    }
}

fn filled(byte: u8, blocks: usize) -> Buf {
    let mut buf = BufMut::with_capacity(blocks * BLOCK_BYTES);
    buf.fill(byte);
    buf.freeze()
}

/// The memory of a dropped write must not be used again before the disk is done with it: what other
/// buffers hold would land in the file.
pub(crate) async fn dropped_writes_keep_their_memory() {
    const BLOCKS: usize = 16;
    const REGIONS: u64 = 300;
    const TRAP: u8 = 0xEE;
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    file.allocate(0, REGIONS * BLOCKS as u64 * BLOCK)
        .await
        .unwrap();
    for region in 0..REGIONS {
        let pos = region * BLOCKS as u64 * BLOCK;
        let own = filled(region as u8 % 100 + 1, BLOCKS);
        begin_and_drop(file.write_at(pos, own, Durability::Volatile)).await;
        drop((0..8).map(|_| filled(TRAP, BLOCKS)).collect::<Vec<_>>());
    }
    sleep(Duration::from_millis(50)).await;
    for region in 0..REGIONS {
        let pos = region * BLOCKS as u64 * BLOCK;
        let read = file.read_at(pos, BLOCKS * BLOCK_BYTES).await.unwrap();
        let own = region as u8 % 100 + 1;
        assert!(
            read.iter().all(|&byte| byte == own || byte == 0),
            "region {region}"
        );
    }
}

/// The memory of a dropped read must not be anybody else's while the disk fills it.
pub(crate) async fn dropped_reads_do_no_harm() {
    const BLOCKS: usize = 16;
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    file.write_at(0, filled(0xEE, BLOCKS), Durability::Durable)
        .await
        .unwrap();
    for round in 0..300 {
        begin_and_drop(file.read_at(0, BLOCKS * BLOCK_BYTES)).await;
        let mine: Vec<_> = (0..4).map(|_| filled(round as u8 % 100, BLOCKS)).collect();
        yield_now().await;
        assert!(
            mine.iter()
                .all(|buf| buf.iter().all(|&byte| byte == round as u8 % 100))
        );
    }
    let read = file.read_at(0, BLOCKS * BLOCK_BYTES).await.unwrap();
    assert!(read.iter().all(|&byte| byte == 0xEE));
}

pub(crate) async fn dropped_receives_lose_nothing() {
    const LEN: usize = 1 << 20;
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = listener.local_addr();
    let sending = spawn(async move {
        let stream = Stream::connect(addr).await.unwrap();
        let bytes = pattern(6, LEN);
        for from in (0..LEN).step_by(LEN / 128) {
            stream
                .send(&[Piece::Mem(bytes.slice(from..from + LEN / 128))])
                .await
                .unwrap();
            if random_u64().is_multiple_of(4) {
                sleep(Duration::from_micros(random_u64() % 300)).await;
            }
        }
    });
    let stream = Stream::attach(listener.accept().await.unwrap()).unwrap();
    let (mut got, mut into) = (Vec::new(), vec![0; 10_000]);
    let mut cut = 0;
    while got.len() < LEN {
        let patience = Duration::from_micros(random_u64() % 100);
        match timeout(now() + patience, stream.recv(&mut into)).await {
            Ok(received) => got.extend_from_slice(&into[..received.unwrap()]),
            Err(_) => cut += 1,
        }
    }
    sending.await;
    assert!(got == *pattern(6, LEN));
    assert!(cut > 0, "no receive was cut short: the test shows nothing");
}

pub(crate) async fn dropped_sends_to_a_mailbox_lose_nothing_else() {
    let (sender, mut receiver) = mailbox(2);
    let sending = spawn(async move {
        let mut sent = Vec::new();
        for number in 0..500 {
            let patience = Duration::from_micros(random_u64() % 50);
            if timeout(now() + patience, sender.send(number)).await.is_ok() {
                sent.push(number);
            }
        }
        sent
    });
    let mut received = Vec::new();
    while let Some(number) = receiver.receive().await {
        received.push(number);
        sleep(Duration::from_micros(random_u64() % 50)).await;
    }
    assert_eq!(received, sending.await);
}

/// Whoever gave up waiting for room still stands in the line, and uses up a wake-up.
pub(crate) async fn a_sender_behind_dropped_ones_is_woken() {
    let (sender, mut receiver) = mailbox(1);
    assert_eq!(sender.try_send(0), Ok(()));
    for number in 1..4 {
        let sender = sender.clone();
        let giving_up = spawn(async move { sender.send(number).await });
        sleep(Duration::from_millis(1)).await;
        giving_up.cancel();
    }
    let waiting = spawn(async move { sender.send(9).await });
    sleep(Duration::from_millis(10)).await;
    assert_eq!(receiver.receive().await, Some(0));
    let next = timeout(now() + Duration::from_secs(5), receiver.receive()).await;
    assert_eq!(next.ok(), Some(Some(9)));
    assert_eq!(waiting.await, Ok(()));
}
