//! The look at everything, when nobody disturbs.

use std::rc::Rc;

use engine_shard::{OffsetQuery, Shard, ShardError, TimestampOffset};

use super::client::Client;
use super::consumer::joined;
use super::game::id_of;
use crate::checker;
use crate::coverage::Event;

/// Lookups by time in each log.
const LOOKUPS: u64 = 8;

/// Reads every log from start to end and holds it against what clients saw.
pub(super) async fn look(client: &Rc<Client>) {
    for log in 0..client.game().plan.logs.len() as u32 {
        if audit(client, log).await.is_some() && !client.game().is_over() {
            look_up_times(client, log).await;
        }
    }
}

async fn ask(client: &Client, log: u32, query: OffsetQuery) -> Option<TimestampOffset> {
    let id = id_of(log);
    let ask = move |shard: Rc<Shard>| async move { shard.offset_for(id, query, -1).await };
    let answer = client.shards.call(client.owner(id), ask);
    match client.patiently("a question", answer).await? {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) | Err(error) => {
            client
                .game()
                .fail(format!("a question is refused: {error}"));
            None
        },
    }
}

async fn audit(client: &Client, log: u32) -> Option<()> {
    let checker = &client.game().checker;
    let known = checker.borrow().known(log);
    let log_start = ask(client, log, OffsetQuery::Earliest).await?.offset;
    let end = ask(client, log, OffsetQuery::Latest).await?.offset;
    checker.borrow_mut().positions(known, end, log_start);
    let mut audit = checker.borrow().begin_audit(log, log_start);
    while audit.next() < end && !client.game().is_over() {
        let known = checker.borrow().known(log);
        let offset = audit.next();
        let fetched = match client.fetch(log, offset, 128 << 10).await? {
            Ok(fetched) => fetched,
            // Retention may take what is being read.
            Err(ShardError::OffsetOutOfRange { .. }) if client.game().plan.expires(log) => {
                return None;
            },
            Err(error) => {
                client
                    .game()
                    .fail(format!("{offset} of log {log} is not read: {error}"));
                return None;
            },
        };
        let bytes = joined(&fetched);
        let answer = checker::Fetched {
            offset,
            bytes: &bytes,
            high_watermark: fetched.high_watermark,
            log_start: fetched.log_start_offset,
            must_progress: true,
        };
        checker.borrow_mut().audited(known, &answer, &mut audit);
    }
    checker.borrow_mut().end_audit(&audit);
    Some(())
}

/// Asks for times of records, between them and beyond.
async fn look_up_times(client: &Client, log: u32) {
    if client.game().plan.expires(log) {
        return;
    }
    let Some((first, last)) = client.game().checker.borrow().times(log) else {
        return;
    };
    for _ in 0..LOOKUPS {
        let timestamp = first - 1
            + client
                .game()
                .rng
                .borrow_mut()
                .below((last - first + 3) as u64) as i64;
        let Some(found) = ask(client, log, OffsetQuery::Timestamp(timestamp)).await else {
            return;
        };
        let found = (found.offset >= 0).then_some((found.timestamp, found.offset));
        let mut checker = client.game().checker.borrow_mut();
        checker.looked_up(log, timestamp, found);
        client.game().coverage.borrow_mut().count(Event::TimeLookup);
    }
}
