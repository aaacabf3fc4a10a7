//! A consumer: reads every log in order, looks elsewhere now and then, and asks for positions.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::trace;
use engine_rt::{now, sleep};
use engine_shard::{Fetched, OffsetQuery, Shard, ShardError};

use super::client::Client;
use super::game::id_of;
use crate::checker::{self, Known};
use crate::coverage::Event;
use crate::rng::Rng;

/// A client that reads. Where it is in each log outlives the node.
pub(super) struct Consumer {
    positions: RefCell<Vec<i64>>,
    rng: RefCell<Rng>,
}

impl Consumer {
    pub(super) fn new(logs: usize, rng: Rng) -> Self {
        Self {
            positions: RefCell::new(vec![0; logs]),
            rng: RefCell::new(rng),
        }
    }

    /// Reads until every producer has done its share.
    pub(super) async fn run(self: Rc<Self>, client: Rc<Client>) {
        while client.life.producing.get() > 0 && !client.game().is_over() {
            let (log, what, pause) = {
                let mut rng = self.rng.borrow_mut();
                let logs = client.game().plan.logs.len() as u64;
                (
                    rng.below(logs) as u32,
                    rng.below(20),
                    rng.magnitude(10, 5000),
                )
            };
            match what {
                0..=11 => self.read_on(&client, log).await,
                12..=16 => self.read_anywhere(&client, log).await,
                17 => self.ask_positions(&client, log).await,
                _ => wait_for_data(&client, log).await,
            }
            sleep(Duration::from_micros(pause)).await;
        }
    }

    async fn read_on(&self, client: &Client, log: u32) {
        let position = self.positions.borrow()[log as usize];
        let bytes = self.rng.borrow_mut().magnitude(1, 1 << 20) as usize;
        if let Some(next) = fetch(client, log, position, bytes).await {
            self.positions.borrow_mut()[log as usize] = next;
        }
    }

    async fn read_anywhere(&self, client: &Client, log: u32) {
        let known = client.game().checker.borrow().known(log);
        let (offset, bytes) = {
            let mut rng = self.rng.borrow_mut();
            let offset = rng.below(known.high_watermark as u64 + 2) as i64;
            (offset, rng.magnitude(1, 1 << 18) as usize)
        };
        fetch(client, log, offset, bytes).await;
    }

    async fn ask_positions(&self, client: &Client, log: u32) {
        let known = client.game().checker.borrow().known(log);
        let id = id_of(log);
        let ask = move |shard: Rc<Shard>| async move {
            let earliest = shard.offset_for(id, OffsetQuery::Earliest, -1).await?;
            let latest = shard.offset_for(id, OffsetQuery::Latest, -1).await?;
            Ok::<_, ShardError>((earliest.offset, latest.offset))
        };
        let answer = client.shards.call(client.owner(id), ask);
        if let Some(Ok(Ok((log_start, high_watermark)))) =
            client.patiently("a question", answer).await
        {
            let mut checker = client.game().checker.borrow_mut();
            checker.positions(known, high_watermark, log_start);
        }
    }
}

/// Waits a little until there is something to read at the end.
async fn wait_for_data(client: &Client, log: u32) {
    let end = client.game().checker.borrow().known(log).high_watermark;
    let deadline = now() + Duration::from_millis(3);
    let waited = client
        .shards
        .wait_for_data(vec![(id_of(log), end)], deadline, |id| client.owner(id));
    client.patiently("a long poll", waited).await;
}

/// Reads and shows the checker; the offset to go on from.
async fn fetch(client: &Client, log: u32, offset: i64, bytes: usize) -> Option<i64> {
    let known = client.game().checker.borrow().known(log);
    let answer = client.fetch(log, offset, bytes).await?;
    trace(|| format!("fetch log {log} from {offset}: {}", summary(&answer)));
    match answer {
        Ok(fetched) => Some(show(client, known, offset, &fetched)),
        Err(ShardError::OffsetOutOfRange {
            log_start_offset,
            high_watermark,
            ..
        }) => {
            let mut checker = client.game().checker.borrow_mut();
            checker.out_of_range(known, offset, high_watermark, log_start_offset);
            Some(log_start_offset)
        },
        Err(error) => {
            client.refused("a fetch", &error);
            None
        },
    }
}

fn summary(answer: &Result<Fetched, ShardError>) -> String {
    match answer {
        Ok(fetched) => format!(
            "{} bytes of {}..{}",
            joined(fetched).len(),
            fetched.log_start_offset,
            fetched.high_watermark
        ),
        Err(error) => error.to_string(),
    }
}

/// The bytes of an answer in one piece.
pub(super) fn joined(fetched: &Fetched) -> Vec<u8> {
    let parts: Vec<&[u8]> = fetched.records.iter().map(|part| &part[..]).collect();
    parts.concat()
}

fn show(client: &Client, known: Known, offset: i64, fetched: &Fetched) -> i64 {
    let bytes = joined(fetched);
    let answer = checker::Fetched {
        offset,
        bytes: &bytes,
        high_watermark: fetched.high_watermark,
        log_start: fetched.log_start_offset,
        must_progress: true,
    };
    let game = client.game();
    game.checker.borrow_mut().fetched(known, &answer);
    let batches = net_wire::batch::Batches::new(&bytes).filter_map(Result::ok);
    let (count, next) = batches.fold((0, offset), |(count, _), batch| {
        (count + 1, batch.header().next_offset())
    });
    game.coverage.borrow_mut().add(Event::BatchRead, count);
    next
}
