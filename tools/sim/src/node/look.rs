//! The look at everything, when nobody disturbs.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use engine_rt::{Buf, wall_clock_ms};
use flumen::client::ToProduce;
use net_wire::ErrorCode;
use net_wire::codec::{Codec, Codecs};
use net_wire::messages::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, MAX_TIMESTAMP};

use super::consumer::list_offset;
use super::fetch::{Fetcher, Terms, Wanted};
use super::game::Game;
use super::groups::{Members, SHARED_TOPIC};
use super::link::{Link, Session};
use super::plan::Reading;
use crate::checker::{self, Audit, Promise};
use crate::content::{self, BatchId};
use crate::coverage::Event;

/// Lookups by time in each log.
const LOOKUPS: u64 = 8;

/// A client that reads every log from start to end and holds it against what clients saw.
pub(super) struct Auditor {
    link: Link,
    members: Members,
}

impl Auditor {
    pub(super) fn new(game: &Rc<Game>, members: Members) -> Self {
        Self {
            link: Link::new(game, "auditor".to_owned()),
            members,
        }
    }

    /// Looks once in every quiet life. If the node crashes meanwhile, the next one is looked at.
    pub(super) async fn run(self: Rc<Self>) {
        let game = &self.link.game;
        loop {
            let due =
                || game.quiet.get() && game.is_still() && game.looked.get() < game.round.get();
            game.changed.wait_until(due).await;
            let round = game.round.get();
            let session = self.link.session().await;
            if self.look(&session).await.is_some() && game.round.get() == round {
                game.looked.set(round);
                game.changed.notify();
            }
        }
    }

    async fn look(&self, session: &Session) -> Option<()> {
        self.look_at_topics(session).await?;
        let logs = self.link.game.live_logs();
        for log in &logs {
            let whole = self.audit(session, *log).await?;
            if whole && !self.link.game.is_over() {
                self.look_up_times(session, *log).await?;
            }
        }
        for log in logs {
            self.append(session, log).await?;
        }
        self.members.look(&self.link, session).await
    }

    /// Every log takes another batch, whatever was done to it.
    async fn append(&self, session: &Session, log: u32) -> Option<()> {
        let game = &self.link.game;
        let wanted = content::Wanted {
            id: BatchId {
                producer: game.next_producer(),
                number: 0,
                log,
            },
            records: 2,
            value_bytes: 100,
            idempotence: None,
            first_timestamp: wall_clock_ms(),
            timestamp_step: 1,
            codec: Codec::None,
            keys: game.keys_of(log),
        };
        let mut rng = game.rng.borrow_mut().fork();
        let (bytes, sent) = content::make(&wanted, &mut rng, &mut Codecs::new());
        let known = {
            let mut checker = game.checker.borrow_mut();
            checker.sending(sent);
            checker.known(log)
        };
        let place = game.place(log);
        let batch = ToProduce {
            topic: &place.topic.name,
            partition: place.partition,
            records: Buf::copy_from_slice(&bytes),
        };
        let asked = session.connection.produce(-1, &[batch]);
        let asked = async { asked?.await };
        let produced = match self.link.ask(session, "the last append", asked).await? {
            Ok(mut produced) => produced.pop()?,
            Err(code) => {
                self.link.refused(session, "the last append", code);
                return None;
            },
        };
        if produced.error == ErrorCode::KAFKA_STORAGE_ERROR && game.is_harmed(log) {
            // Not so far, see `engine/FAULTS.md`.
            game.count(Event::NotWritable);
            return Some(());
        }
        if !produced.error.is_none() {
            // Nothing explains it any more: no fault is left, and damage takes no room for new ones.
            self.link
                .refused(session, "the last append", produced.error);
            return None;
        }
        let (base, start) = (produced.base_offset, produced.log_start_offset);
        game.checker
            .borrow_mut()
            .acknowledged(known, sent.id, base, start);
        game.count(Event::Writable);
        Some(())
    }

    /// Exactly the topics that were created and not deleted are there, with all their partitions.
    async fn look_at_topics(&self, session: &Session) -> Option<()> {
        let game = &self.link.game;
        let asked = session.connection.metadata(None, false);
        let found = match self.link.ask(session, "a description", asked).await? {
            Ok(found) => found,
            Err(code) => {
                self.link.refused(session, "a description", code);
                return None;
            },
        };
        let found: BTreeSet<(String, usize)> = found
            .topics
            .into_iter()
            .filter(|topic| !topic.is_internal && topic.name != SHARED_TOPIC)
            .map(|topic| (topic.name, topic.partitions.len()))
            .collect();
        let live = game.live_topics();
        let due: BTreeSet<(String, usize)> = live
            .iter()
            .map(|topic| (topic.name.clone(), topic.logs.borrow().len()))
            .collect();
        if found != due {
            let what = format!("topics with partitions: {found:?}, not {due:?}");
            game.fail(Promise::Lost, what);
        }
        Some(())
    }

    /// Reads a log from start to end; whether that could be done.
    async fn audit(&self, session: &Session, log: u32) -> Option<bool> {
        let checker = &self.link.game.checker;
        let known = checker.borrow().known(log);
        let (log_start, _) = list_offset(&self.link, session, log, EARLIEST_TIMESTAMP).await?;
        let (end, _) = list_offset(&self.link, session, log, LATEST_TIMESTAMP).await?;
        checker.borrow_mut().positions(known, end, log_start);
        let mut audit = checker.borrow().begin_audit(log, log_start);
        while audit.next() < end && !self.link.game.is_over() {
            if !self.read(session, &mut audit, end).await? {
                return Some(false);
            }
        }
        checker.borrow_mut().end_audit(&audit);
        let refused = audit.refused() as u64;
        self.link
            .game
            .coverage
            .borrow_mut()
            .add(Event::RefusedBatch, refused);
        Some(refused == 0)
    }

    /// Reads on; whether that could be done, since retention may take what is being read.
    async fn read(&self, session: &Session, audit: &mut Audit, end: i64) -> Option<bool> {
        const MAX_BYTES: i32 = 128 << 10;
        let game = &self.link.game;
        let (log, offset) = (audit.log(), audit.next());
        let known = game.checker.borrow().known(log);
        let (reading, terms) = (
            Reading {
                by_id: offset % 2 == 0,
                session: false,
            },
            Terms {
                max_wait_ms: 0,
                min_bytes: 1,
                max_bytes: MAX_BYTES,
            },
        );
        let max_bytes = MAX_BYTES;
        let wanted = BTreeMap::from([(log, Wanted { offset, max_bytes })]);
        let mut fetcher = Fetcher::default();
        let asked = fetcher.fetch(game, &session.connection, reading, &wanted, terms);
        let mut parts = match self.link.ask(session, "a fetch", asked).await? {
            Ok(parts) => parts,
            Err(code) => {
                self.link.refused(session, "a fetch", code);
                return None;
            },
        };
        let part = parts.pop()?;
        if part.error == ErrorCode::OFFSET_OUT_OF_RANGE {
            game.checker.borrow_mut().out_of_range(known, offset);
            return Some(false);
        }
        if part.error == ErrorCode::KAFKA_STORAGE_ERROR && game.is_harmed(log) {
            game.note_code(part.error);
            game.checker.borrow().skip_refused(audit, end);
            return Some(true);
        }
        if !part.error.is_none() {
            self.link.refused_of(session, log, "a fetch", part.error);
            return None;
        }
        let answer = checker::Fetched {
            offset,
            bytes: &part.bytes,
            high_watermark: part.high_watermark,
            log_start: part.log_start,
            must_progress: true,
        };
        game.checker.borrow_mut().audited(known, &answer, audit);
        Some(true)
    }

    /// Asks for times of records, between them and beyond.
    async fn look_up_times(&self, session: &Session, log: u32) -> Option<()> {
        let game = &self.link.game;
        if game.checker.borrow().expires(log) {
            return Some(());
        }
        let Some((first, last)) = game.checker.borrow().times(log) else {
            return Some(());
        };
        let (offset, time) = list_offset(&self.link, session, log, MAX_TIMESTAMP).await?;
        let found = (offset >= 0).then_some((time, offset));
        game.checker.borrow_mut().looked_up_largest(log, found);
        for _ in 0..LOOKUPS {
            let span = (last - first + 3) as u64;
            let timestamp = first - 1 + game.rng.borrow_mut().below(span) as i64;
            let (offset, time) = list_offset(&self.link, session, log, timestamp).await?;
            let found = (offset >= 0).then_some((time, offset));
            let mut checker = game.checker.borrow_mut();
            checker.looked_up(log, timestamp, found);
            game.count(Event::TimeLookup);
        }
        Some(())
    }
}
