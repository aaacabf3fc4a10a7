//! What every client of a life has at hand.

use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::trace;
use engine_rt::{now, sleep, timeout};
use engine_shard::{FetchPart, Fetched, ShardError, Shards, TopicPartition};

use super::game::{Game, id_of, owner};
use super::life::{Life, PATIENCE};
use super::plan::draw_log;
use crate::coverage::Event;

/// A client's way to the shards.
pub(super) struct Client {
    pub life: Rc<Life>,
    pub shards: Shards,
}

impl Client {
    pub(super) fn new(life: &Rc<Life>, shards: Shards) -> Rc<Self> {
        Rc::new(Self {
            life: Rc::clone(life),
            shards,
        })
    }

    pub(super) fn game(&self) -> &Rc<Game> {
        &self.life.game
    }

    /// The shard of a partition.
    pub(super) fn owner(&self, id: TopicPartition) -> usize {
        owner(id, self.life.shards)
    }

    pub(super) fn note_stats(&self) {
        let local = self.shards.local();
        self.life.note_stats(local.index(), local);
    }

    /// Waits for `work`, but not for ever.
    pub(super) async fn patiently<T>(
        &self,
        what: &str,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let done = timeout(now() + PATIENCE, work).await.ok();
        if done.is_none() {
            trace(|| format!("{:?}", self.shards.local().stats()));
            self.game()
                .fail(format!("{what} takes longer than {PATIENCE:?}"));
        }
        done
    }

    /// Reads one log.
    pub(super) async fn fetch(
        &self,
        log: u32,
        offset: i64,
        max_bytes: usize,
    ) -> Option<Result<Fetched, ShardError>> {
        let part = FetchPart {
            id: id_of(log),
            offset,
            max_bytes,
            min_one: true,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
        };
        let fetch = self
            .shards
            .fetch(vec![part], max_bytes, |id| self.owner(id));
        let mut results = self.patiently("a fetch", fetch).await?;
        self.note_stats();
        results.pop()
    }

    /// Deletes records and changes configurations while others work.
    pub(super) async fn administer(self: Rc<Self>) {
        while self.life.producing.get() > 0 {
            let (pause, log, what) = {
                let mut rng = self.game().rng.borrow_mut();
                let logs = self.game().plan.logs.len() as u64;
                (
                    rng.magnitude(500, 50_000),
                    rng.below(logs) as u32,
                    rng.below(4),
                )
            };
            sleep(Duration::from_micros(pause)).await;
            match what {
                0 => self.configure(log).await,
                _ => self.delete_records(log).await,
            }
        }
    }

    async fn configure(&self, log: u32) {
        let config = {
            let drawn = draw_log(&mut self.game().rng.borrow_mut());
            let mut specs = self.game().specs.borrow_mut();
            let config = &mut specs[log as usize].config;
            // Whether it expires stays as it is.
            config.segment_bytes = drawn.segment_bytes;
            config.segment_ms = drawn.segment_ms;
            *config
        };
        let id = id_of(log);
        let work =
            move |shard: Rc<engine_shard::Shard>| async move { shard.set_config(id, config) };
        // A shard that stops takes nothing more.
        let _stopping = self.shards.call(self.owner(id), work).await;
    }

    async fn delete_records(&self, log: u32) {
        let known = self.game().checker.borrow().known(log);
        let target = {
            let mut rng = self.game().rng.borrow_mut();
            let length = known.high_watermark - known.log_start;
            known.log_start + rng.below(length as u64 + 1) as i64
        };
        self.game().checker.borrow_mut().deleting(log, target);
        let id = id_of(log);
        trace(|| format!("delete log {log} below {target}"));
        let work = move |shard: Rc<engine_shard::Shard>| async move {
            shard.delete_records(id, target).await
        };
        let call = self.shards.call(self.owner(id), work);
        match self.patiently("a deletion", call).await {
            Some(Ok(Ok(log_start))) => {
                trace(|| format!("log {log} starts at {log_start}"));
                self.game()
                    .coverage
                    .borrow_mut()
                    .count(Event::DeleteRecords);
                let mut checker = self.game().checker.borrow_mut();
                checker.deleted(known, target, log_start);
            },
            Some(Ok(Err(error))) => self.refused("a deletion", &error),
            Some(Err(_)) | None => {},
        }
    }

    /// Nothing is refused on a disk that works, unless the shard stops.
    pub(super) fn refused(&self, what: &str, error: &ShardError) {
        if *error != ShardError::Stopping {
            self.game().fail(format!("{what} is refused: {error}"));
        }
    }
}
