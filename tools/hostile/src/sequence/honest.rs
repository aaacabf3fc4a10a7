//! The honest client beside them: it produces, reads back and compares, and nothing may fail.

use std::rc::Rc;
use std::time::Duration;

use engine_rt::{now, sleep, timeout};
use flumen::client::{Fetch, FetchFrom};
use net_wire::batch::Batches;

use super::{Game, Played};
use crate::honest::{Honest, TOPIC};

/// For two calls that nobody disturbs, in the simulation's time: its disks take milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);
/// A hostile client that announces a large request and sends nothing of it holds the memory that
/// others wait for: the broker takes it back after five seconds, and looks every second.
const HELD_MAX: Duration = Duration::from_secs(6);

/// Each of `attackers` is in front at most once, for each of two calls.
pub(super) async fn run(game: Rc<Game>, attackers: usize) {
    let patience = PATIENCE + HELD_MAX * 2 * attackers as u32;
    let honest = Honest::begin(game.addr).await;
    let mut offset = 0;
    while !game.honest_done.get() {
        let value = format!("record {offset}");
        let round = round(&honest, offset, value.as_bytes());
        let began = now();
        let done = timeout(began + patience, round).await;
        assert!(
            done.is_ok(),
            "the honest client waits too long; {:#?}",
            game.log.borrow()
        );
        offset += 1;
        game.count(Played {
            honest: 2,
            honest_waited_max: now() - began,
            ..Played::default()
        });
        sleep(Duration::from_millis(5)).await;
    }
}

/// One record there and back.
async fn round(honest: &Honest, offset: i64, value: &[u8]) {
    honest.produce(Some(b"key"), value).await;
    let from = FetchFrom {
        topic: TOPIC,
        partition: 0,
        offset,
        max_bytes: 1 << 20,
    };
    let fetch = Fetch {
        max_wait_ms: 1_000,
        min_bytes: 1,
        max_bytes: 1 << 20,
        partitions: vec![from],
    };
    let read = honest
        .connection
        .fetch(&fetch)
        .await
        .expect("an answer")
        .remove(0);
    assert!(read.error.is_none(), "{read:?}");
    let batch = Batches::new(&read.records)
        .next()
        .expect("a batch")
        .expect("a whole one");
    let record = batch
        .records()
        .next()
        .expect("a record")
        .expect("a whole one");
    assert_eq!(
        (batch.header().base_offset, record.value),
        (offset, Some(value))
    );
}
