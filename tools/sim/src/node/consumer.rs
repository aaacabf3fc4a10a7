//! A consumer: reads all partitions in order, looks elsewhere now and then, and asks for positions.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::trace;
use engine_rt::sleep;
use net_wire::ErrorCode;
use net_wire::batch::Batches;
use net_wire::messages::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};

use super::fetch::{Fetcher, Part, Terms, Wanted};
use super::game::Game;
use super::link::{Link, Session};
use super::plan::Reading;
use crate::checker::{self, Known, Promise};
use crate::coverage::Event;
use crate::rng::Rng;

/// A client that reads.
pub(super) struct Consumer {
    link: Link,
    reading: Reading,
    /// Where it is in each log.
    positions: RefCell<BTreeMap<u32, i64>>,
    rng: RefCell<Rng>,
}

impl Consumer {
    pub(super) fn new(game: &Rc<Game>, number: usize, reading: Reading, rng: Rng) -> Self {
        Self {
            link: Link::new(game, format!("consumer-{number}")),
            reading,
            positions: RefCell::default(),
            rng: RefCell::new(rng),
        }
    }

    fn game(&self) -> &Rc<Game> {
        &self.link.game
    }

    /// Reads in every life that is not quiet.
    pub(super) async fn run(self: Rc<Self>) {
        let game = Rc::clone(self.game());
        loop {
            let session = self.link.session().await;
            let mut fetcher = Fetcher::default();
            while !session.is_broken() {
                game.changed.wait_until(|| !game.quiet.get()).await;
                game.busy.set(game.busy.get() + 1);
                self.act(&session, &mut fetcher).await;
                game.busy.set(game.busy.get() - 1);
                game.changed.notify();
                let pause = self.rng.borrow_mut().magnitude(10, 5000);
                sleep(Duration::from_micros(pause)).await;
            }
        }
    }

    async fn act(&self, session: &Session, fetcher: &mut Fetcher) {
        let logs = self.game().live_logs();
        if logs.is_empty() {
            return sleep(Duration::from_millis(1)).await;
        }
        let (log, what) = {
            let mut rng = self.rng.borrow_mut();
            (*rng.pick(&logs), rng.below(20))
        };
        match what {
            0..=5 => self.read_on(session, fetcher, &[log]).await,
            6..=11 => self.read_on(session, fetcher, &logs).await,
            12..=17 => self.read_anywhere(session, log).await,
            _ => self.ask_positions(session, log).await,
        }
    }

    fn draw_terms(&self) -> Terms {
        let mut rng = self.rng.borrow_mut();
        Terms {
            max_wait_ms: *rng.pick(&[0, 0, 5, 50, 300]),
            min_bytes: *rng.pick(&[0, 1, 1, 20_000]),
            max_bytes: rng.magnitude(1, 1 << 20) as i32,
        }
    }

    /// Goes on in some logs, in the session if there is one.
    async fn read_on(&self, session: &Session, fetcher: &mut Fetcher, logs: &[u32]) {
        let max_bytes = self.rng.borrow_mut().magnitude(1, 1 << 20) as i32;
        let offset = |log: &u32| self.positions.borrow().get(log).copied().unwrap_or(0);
        let wanted = |log: &u32| {
            let offset = offset(log);
            (*log, Wanted { offset, max_bytes })
        };
        let wanted: BTreeMap<u32, Wanted> = logs.iter().map(wanted).collect();
        let nexts = self.fetch(session, fetcher, self.reading, &wanted).await;
        self.positions.borrow_mut().extend(nexts);
    }

    async fn read_anywhere(&self, session: &Session, log: u32) {
        let known = self.game().checker.borrow().known(log);
        let wanted = {
            let mut rng = self.rng.borrow_mut();
            Wanted {
                offset: rng.below(known.high_watermark as u64 + 2) as i64,
                max_bytes: rng.magnitude(1, 1 << 18) as i32,
            }
        };
        let once = Reading {
            session: false,
            ..self.reading
        };
        let wanted = BTreeMap::from([(log, wanted)]);
        self.fetch(session, &mut Fetcher::default(), once, &wanted)
            .await;
    }

    /// Reads and shows the checker; the offsets to go on from.
    async fn fetch(
        &self,
        session: &Session,
        fetcher: &mut Fetcher,
        reading: Reading,
        wanted: &BTreeMap<u32, Wanted>,
    ) -> Vec<(u32, i64)> {
        let known: Vec<Known> = {
            let checker = self.game().checker.borrow();
            wanted.keys().map(|log| checker.known(*log)).collect()
        };
        let terms = self.draw_terms();
        let game = self.game();
        let asked = fetcher.fetch(game, &session.connection, reading, wanted, terms);
        let parts = match self.link.ask(session, "a fetch", asked).await {
            Some(Ok(parts)) => parts,
            Some(Err(code)) => {
                self.link.refused(session, "a fetch", code);
                return Vec::new();
            },
            None => return Vec::new(),
        };
        // What does not fit may be left out, but not all of it.
        let empty = parts
            .iter()
            .all(|part| part.error.is_none() && part.bytes.is_empty());
        let mut nexts = Vec::new();
        for (known, (log, wanted)) in known.into_iter().zip(wanted) {
            let part = parts.iter().find(|part| part.log == *log);
            match part {
                Some(part) => {
                    let next = self.show(session, known, wanted, part, empty).await;
                    nexts.push((*log, next));
                },
                None => self.check_silence(known, wanted, reading, empty),
            }
        }
        nexts
    }

    /// A session says nothing of partitions without news.
    fn check_silence(&self, known: Known, wanted: &Wanted, reading: Reading, empty: bool) {
        let readable = wanted.offset < known.high_watermark;
        if !reading.session || (empty && readable) {
            let what = format!(
                "log {}: an answer without it, asked from {} of {}",
                known.log, wanted.offset, known.high_watermark
            );
            self.game().fail(Promise::Answer, what);
        }
    }

    async fn show(
        &self,
        session: &Session,
        known: Known,
        wanted: &Wanted,
        part: &Part,
        must_progress: bool,
    ) -> i64 {
        let (log, offset) = (part.log, wanted.offset);
        trace(|| {
            format!(
                "fetch log {log} from {offset}: {:?}, {} bytes, {}..{}",
                part.error,
                part.bytes.len(),
                part.log_start,
                part.high_watermark
            )
        });
        if part.error == ErrorCode::OFFSET_OUT_OF_RANGE {
            self.game().note_code(part.error);
            self.game().checker.borrow_mut().out_of_range(known, offset);
            return self.earliest(session, log).await.unwrap_or(offset);
        }
        if !part.error.is_none() {
            self.link.refused_of(session, log, "a fetch", part.error);
            let damaged = self.game().is_harmed(log);
            return if damaged {
                known.high_watermark
            } else {
                offset
            };
        }
        let answer = checker::Fetched {
            offset,
            bytes: &part.bytes,
            high_watermark: part.high_watermark,
            log_start: part.log_start,
            must_progress,
        };
        let game = self.game();
        game.checker.borrow_mut().fetched(known, &answer);
        let batches = Batches::new(&part.bytes).filter_map(Result::ok);
        let (count, next) = batches.fold((0, offset), |(count, _), batch| {
            (count + 1, batch.header().next_offset())
        });
        game.coverage.borrow_mut().add(Event::BatchRead, count);
        next
    }

    async fn earliest(&self, session: &Session, log: u32) -> Option<i64> {
        list_offset(&self.link, session, log, EARLIEST_TIMESTAMP)
            .await
            .map(|(offset, _)| offset)
    }

    async fn ask_positions(&self, session: &Session, log: u32) {
        let known = self.game().checker.borrow().known(log);
        let Some(log_start) = self.earliest(session, log).await else {
            return;
        };
        let latest = list_offset(&self.link, session, log, LATEST_TIMESTAMP).await;
        if let Some((high_watermark, _)) = latest {
            let mut checker = self.game().checker.borrow_mut();
            checker.positions(known, high_watermark, log_start);
        }
    }
}

/// Asks for an offset and its time.
pub(super) async fn list_offset(
    link: &Link,
    session: &Session,
    log: u32,
    timestamp: i64,
) -> Option<(i64, i64)> {
    let place = link.game.place(log);
    let (name, partition) = (&place.topic.name, place.partition);
    let asked = session
        .connection
        .list_offset_and_time(name, partition, timestamp);
    match link.ask(session, "a question", asked).await? {
        Ok(found) => Some(found),
        Err(code) => {
            link.refused_of(session, log, "a question", code);
            None
        },
    }
}
