//! Fetch sessions (KIP-227): a client names its partitions once, then only what changed.
//!
//! The cache has a bounded number of slots and of partitions. A session leaves when its client
//! closes it or when it was idle for two minutes and a slot is needed; a larger session may take
//! the slot of a smaller one that has had two minutes. A client whose session is gone opens a new
//! one at the price of one full request, so that eviction is never an error to people; but a cache
//! that evicted whoever came last would let clients evict each other for ever (KAFKA-17182).

use std::collections::BTreeMap;
use std::time::Duration;

use engine_rt::Instant;
use net_wire::ErrorCode;

use crate::fetch_session::{PartitionKey, Session, Told, Wanted, next_epoch};

/// `min.incremental.fetch.session.eviction.ms`.
const EVICTION_AGE: Duration = Duration::from_mins(2);

/// Session id of requests without session.
pub(crate) const NO_SESSION: i32 = 0;
/// Epoch that opens a session.
const INITIAL_EPOCH: i32 = 0;
/// Epoch that closes a session, or wants none.
const FINAL_EPOCH: i32 = -1;

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionRequest {
    pub(crate) session_id: i32,
    pub(crate) epoch: i32,
    pub(crate) by_id: bool,
}

/// How the request stands to sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Neither has nor wants one.
    Sessionless,
    /// Opens one.
    Full,
    /// Continues the session of this id; the epoch is the one expected next.
    Incremental(i32, i32),
}

/// A request with all partitions it is about, in the order in which they are read.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) kind: Kind,
    pub(crate) partitions: Vec<(PartitionKey, Wanted)>,
}

/// The sessions of one shard.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    slots: usize,
    partitions_max: usize,
    partitions: usize,
    sessions: BTreeMap<i32, Session>,
    evicted: u64,
}

impl FetchSessions {
    pub(crate) fn new(slots: usize, partitions_max: usize) -> Self {
        Self {
            slots,
            partitions_max,
            partitions: 0,
            sessions: BTreeMap::new(),
            evicted: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Finds out which partitions a request is about.
    pub(crate) fn open(
        &mut self,
        request: SessionRequest,
        wanted: Vec<(PartitionKey, Wanted)>,
        forgotten: &[PartitionKey],
        now: Instant,
    ) -> Result<Opened, ErrorCode> {
        if request.epoch == INITIAL_EPOCH || request.epoch == FINAL_EPOCH {
            // A full request that names a session closes it.
            self.remove(request.session_id);
            let kind = if request.epoch == FINAL_EPOCH {
                Kind::Sessionless
            } else {
                Kind::Full
            };
            return Ok(Opened {
                kind,
                partitions: wanted,
            });
        }
        self.proceed(request, wanted, forgotten, now)
    }

    fn proceed(
        &mut self,
        request: SessionRequest,
        wanted: Vec<(PartitionKey, Wanted)>,
        forgotten: &[PartitionKey],
        now: Instant,
    ) -> Result<Opened, ErrorCode> {
        let id = request.session_id;
        let session = self
            .sessions
            .get_mut(&id)
            .ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != request.epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_id != request.by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        let before = session.len();
        session.update(wanted, forgotten);
        let after = session.len();
        session.used = now;
        session.epoch = next_epoch(session.epoch);
        let epoch = session.epoch;
        let partitions = session.in_order();
        self.partitions = self.partitions + after - before;
        if self.partitions > self.partitions_max {
            self.remove(id);
            return Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        }
        if partitions.is_empty() {
            self.remove(id);
            return Ok(Opened {
                kind: Kind::Sessionless,
                partitions,
            });
        }
        Ok(Opened {
            kind: Kind::Incremental(id, epoch),
            partitions,
        })
    }

    /// Opens the session that a full request asked for, with what its response tells. Gives its
    /// id, or none if there is no room for it.
    pub(crate) fn create(
        &mut self,
        by_id: bool,
        partitions: impl ExactSizeIterator<Item = (PartitionKey, Wanted, Told)>,
        now: Instant,
        mut random: impl FnMut() -> u64,
    ) -> i32 {
        let count = partitions.len();
        if count == 0 || !self.make_room(count, now) {
            return NO_SESSION;
        }
        let mut session = Session::new(by_id, now);
        for (key, wanted, told) in partitions {
            session.add(key, wanted, &told);
        }
        let id = loop {
            let id = (random() & i32::MAX as u64) as i32;
            if id != NO_SESSION && !self.sessions.contains_key(&id) {
                break id;
            }
        };
        self.partitions += session.len();
        self.sessions.insert(id, session);
        id
    }

    /// Which partitions of an incremental response are told: those with records, and those of which
    /// something else is new. Fails if the session moved on meanwhile.
    pub(crate) fn select<'a>(
        &mut self,
        kind: Kind,
        told: impl Iterator<Item = (&'a PartitionKey, Told)>,
    ) -> Result<Vec<bool>, ErrorCode> {
        let Kind::Incremental(id, epoch) = kind else {
            return Ok(told.map(|_| true).collect());
        };
        let session = self
            .sessions
            .get_mut(&id)
            .ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        Ok(told.map(|(key, told)| session.tell(key, &told)).collect())
    }

    fn remove(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.partitions -= session.len();
        }
    }

    /// Whether a session of so many partitions has a place, perhaps after another has left.
    fn make_room(&mut self, count: usize, now: Instant) -> bool {
        if self.partitions + count > self.partitions_max {
            self.evict_idle(now);
        }
        if self.partitions + count > self.partitions_max {
            return false;
        }
        self.sessions.len() < self.slots || self.evict_idle(now) || self.evict_smaller(count, now)
    }

    /// Evicts the session that was idle for longest, if it was for long.
    fn evict_idle(&mut self, now: Instant) -> bool {
        let idle = self.sessions.iter().min_by_key(|(_, session)| session.used);
        let idle = idle.filter(|(_, session)| now.since(session.used) > EVICTION_AGE);
        let id = idle.map(|(id, _)| *id);
        self.evict(id)
    }

    /// Evicts the smallest session that has had its time, if it is smaller than `count`.
    fn evict_smaller(&mut self, count: usize, now: Instant) -> bool {
        let old = self
            .sessions
            .iter()
            .filter(|(_, one)| now.since(one.created) > EVICTION_AGE);
        let smallest = old.min_by_key(|(id, session)| (session.len(), **id));
        let id = smallest
            .filter(|(_, one)| one.len() < count)
            .map(|(id, _)| *id);
        self.evict(id)
    }

    fn evict(&mut self, id: Option<i32>) -> bool {
        let Some(id) = id else { return false };
        self.remove(id);
        self.evicted += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch_session::TopicKey;

    const SECOND: u64 = 1_000_000_000;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * SECOND)
    }

    fn key(partition: i32) -> PartitionKey {
        (TopicKey::Name("t".into()), partition)
    }

    fn wanted(offset: i64) -> Wanted {
        Wanted {
            offset,
            max_bytes: 1_000,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
        }
    }

    fn told(high_watermark: i64, records_bytes: usize) -> Told {
        Told {
            high_watermark,
            log_start_offset: 0,
            records_bytes,
            is_exception: false,
        }
    }

    fn request(session_id: i32, epoch: i32) -> SessionRequest {
        SessionRequest {
            session_id,
            epoch,
            by_id: false,
        }
    }

    fn create(sessions: &mut FetchSessions, partitions: i32, now: Instant) -> i32 {
        let mut next = sessions.len() as u64 + 100 * now.as_nanos();
        let all: Vec<_> = (0..partitions)
            .map(|p| (key(p), wanted(0), told(5, 0)))
            .collect();
        sessions.create(false, all.into_iter(), now, || {
            next += 1;
            next
        })
    }

    fn keys(opened: &Opened) -> Vec<i32> {
        opened
            .partitions
            .iter()
            .map(|((_, partition), _)| *partition)
            .collect()
    }

    #[test]
    fn a_session_remembers_updates_and_forgets() {
        let mut sessions = FetchSessions::new(2, 100);
        let id = create(&mut sessions, 3, at(0));
        let changes = vec![(key(1), wanted(9)), (key(7), wanted(0))];
        let opened = sessions
            .open(request(id, 1), changes, &[key(0)], at(1))
            .unwrap();
        assert_eq!(opened.kind, Kind::Incremental(id, 2));
        assert_eq!(keys(&opened), [1, 2, 7]);
        assert_eq!(opened.partitions[0].1.offset, 9);
        let opened = sessions.open(request(id, 2), vec![], &[], at(2)).unwrap();
        assert_eq!(keys(&opened), [1, 2, 7]);
    }

    #[test]
    fn only_news_are_told_and_partitions_take_turns() {
        let mut sessions = FetchSessions::new(2, 100);
        let id = create(&mut sessions, 3, at(0));
        let opened = sessions.open(request(id, 1), vec![], &[], at(1)).unwrap();
        let all = [key(0), key(1), key(2)];
        let answers = [told(6, 100), told(5, 0), told(8, 0)];
        let selected = sessions
            .select(opened.kind, all.iter().zip(answers))
            .unwrap();
        assert_eq!(selected, [true, false, true]);
        let opened = sessions.open(request(id, 2), vec![], &[], at(1)).unwrap();
        assert_eq!(keys(&opened), [1, 2, 0]);
        let failing = Told {
            is_exception: true,
            ..told(-1, 0)
        };
        for epoch in 3..5 {
            let kind = Kind::Incremental(id, epoch);
            assert_eq!(
                sessions.select(kind, [(&key(1), failing)].into_iter()),
                Ok(vec![true])
            );
            sessions
                .open(request(id, epoch), vec![], &[], at(1))
                .unwrap();
        }
        // The error is over: its end is news, although the high watermark is as before.
        let kind = Kind::Incremental(id, 5);
        assert_eq!(
            sessions.select(kind, [(&key(1), told(5, 0))].into_iter()),
            Ok(vec![true])
        );
    }

    #[test]
    fn wrong_ids_epochs_and_naming_are_refused() {
        let mut sessions = FetchSessions::new(2, 100);
        let id = create(&mut sessions, 1, at(0));
        let refused = |sessions: &mut FetchSessions, request| {
            sessions.open(request, vec![], &[], at(1)).unwrap_err()
        };
        let unknown = refused(&mut sessions, request(id + 1, 1));
        assert_eq!(unknown, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        let epoch = refused(&mut sessions, request(id, 2));
        assert_eq!(epoch, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        let by_id = SessionRequest {
            by_id: true,
            ..request(id, 1)
        };
        assert_eq!(
            refused(&mut sessions, by_id),
            ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
        );
        // The session is still there for who asks rightly.
        assert!(sessions.open(request(id, 1), vec![], &[], at(1)).is_ok());
    }

    #[test]
    fn full_requests_close_the_session_they_name() {
        let mut sessions = FetchSessions::new(2, 100);
        let id = create(&mut sessions, 1, at(0));
        let opened = sessions
            .open(request(id, FINAL_EPOCH), vec![], &[], at(1))
            .unwrap();
        assert_eq!((opened.kind, sessions.len()), (Kind::Sessionless, 0));
        let id = create(&mut sessions, 1, at(0));
        let opened = sessions.open(
            request(id, INITIAL_EPOCH),
            vec![(key(0), wanted(0))],
            &[],
            at(1),
        );
        assert_eq!((opened.unwrap().kind, sessions.len()), (Kind::Full, 0));
        // One from which everything was forgotten closes too.
        let id = create(&mut sessions, 1, at(0));
        let opened = sessions
            .open(request(id, 1), vec![], &[key(0)], at(1))
            .unwrap();
        assert_eq!((opened.kind, sessions.len()), (Kind::Sessionless, 0));
        assert_eq!(sessions.partitions, 0);
    }

    #[test]
    fn slots_go_to_others_only_after_their_time() {
        let mut sessions = FetchSessions::new(2, 1_000);
        let (small, large) = (
            create(&mut sessions, 2, at(0)),
            create(&mut sessions, 9, at(0)),
        );
        assert!(small != NO_SESSION && large != NO_SESSION);
        assert_eq!(create(&mut sessions, 50, at(100)), NO_SESSION);
        // Both have had their time, the small one gives way to a larger one only.
        sessions
            .open(request(small, 1), vec![], &[], at(121))
            .unwrap();
        sessions
            .open(request(large, 1), vec![], &[], at(121))
            .unwrap();
        assert_eq!(create(&mut sessions, 2, at(122)), NO_SESSION);
        assert_ne!(create(&mut sessions, 3, at(122)), NO_SESSION);
        assert!(!sessions.sessions.contains_key(&small));
        // Idle ones give way to anybody.
        assert_ne!(create(&mut sessions, 1, at(300)), NO_SESSION);
        assert_eq!((sessions.len(), sessions.evicted()), (2, 2));
    }

    #[test]
    fn partitions_in_all_sessions_are_bounded() {
        let mut sessions = FetchSessions::new(100, 10);
        let id = create(&mut sessions, 8, at(0));
        assert_eq!(create(&mut sessions, 3, at(1)), NO_SESSION);
        assert_ne!(create(&mut sessions, 2, at(1)), NO_SESSION);
        let more = vec![(key(50), wanted(0))];
        let full = sessions.open(request(id, 1), more, &[], at(1)).unwrap_err();
        assert_eq!(full, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        assert_eq!(sessions.partitions, 2);
    }

    #[test]
    fn a_session_that_moved_on_answers_nothing_old() {
        let mut sessions = FetchSessions::new(2, 100);
        let id = create(&mut sessions, 1, at(0));
        let old = sessions.open(request(id, 1), vec![], &[], at(1)).unwrap();
        sessions.open(request(id, 2), vec![], &[], at(1)).unwrap();
        let answer = sessions.select(old.kind, [(&key(0), told(9, 0))].into_iter());
        assert_eq!(answer, Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH));
        assert_eq!(next_epoch(i32::MAX), 1);
    }
}
