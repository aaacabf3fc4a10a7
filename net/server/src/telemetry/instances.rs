//! When a client asked and pushed last: who does so too often is refused (KIP-714).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engine_rt::Instant;
use net_wire::{ErrorCode, Uuid};

/// Clients that a shard remembers; the one that was quiet for longest leaves for another.
const INSTANCES_MAX: usize = 4_096;

/// What one client is asked for at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) subscription_id: i32,
    pub(crate) interval: Duration,
}

/// A push, as far as it is judged by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Push {
    pub(crate) is_last: bool,
    /// What is wrong with it.
    pub(crate) fault: ErrorCode,
}

#[derive(Debug)]
struct Instance {
    subscription_id: i32,
    asked: Option<Instant>,
    pushed: Option<Instant>,
    has_ended: bool,
    /// How its last request ended.
    last: ErrorCode,
    used: Instant,
}

/// The clients that a shard remembers, for connections of all shards.
#[derive(Debug, Default)]
pub(crate) struct Instances {
    by_id: BTreeMap<Uuid, Instance>,
    by_use: BTreeSet<(Instant, Uuid)>,
}

impl Instances {
    /// Whether a client may ask what to push.
    pub(crate) fn ask(&mut self, id: Uuid, asked: Asked, at: Instant) -> ErrorCode {
        let instance = self.find(id, asked, at);
        let last = instance.asked.max(instance.pushed);
        // Told that it pushed what is not wanted, it has to ask again.
        let has_reason = matches!(
            instance.last,
            ErrorCode::UNKNOWN_SUBSCRIPTION_ID | ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
        );
        if !has_reason && last.is_some_and(|last| at.since(last) < asked.interval) {
            return ErrorCode::THROTTLING_QUOTA_EXCEEDED;
        }
        instance.asked = Some(at);
        instance.last = ErrorCode::NONE;
        ErrorCode::NONE
    }

    /// Whether what a client pushes is taken.
    pub(crate) fn push(&mut self, id: Uuid, asked: Asked, push: Push, at: Instant) -> ErrorCode {
        let instance = self.find(id, asked, at);
        let verdict = instance.judge(asked.interval, push, at);
        instance.last = verdict;
        instance.has_ended = push.is_last;
        verdict
    }

    /// The client of this id; what is known of it is void when it is asked for something else.
    fn find(&mut self, id: Uuid, asked: Asked, at: Instant) -> &mut Instance {
        match self.by_id.get(&id) {
            Some(known) => {
                self.by_use.remove(&(known.used, id));
            },
            None if self.by_id.len() >= INSTANCES_MAX => {
                if let Some((_, oldest)) = self.by_use.pop_first() {
                    self.by_id.remove(&oldest);
                }
            },
            None => {},
        }
        self.by_use.insert((at, id));
        let fresh = || Instance {
            subscription_id: asked.subscription_id,
            asked: None,
            pushed: None,
            has_ended: false,
            last: ErrorCode::NONE,
            used: at,
        };
        let instance = self.by_id.entry(id).or_insert_with(fresh);
        if instance.subscription_id != asked.subscription_id {
            *instance = fresh();
        }
        instance.used = at;
        instance
    }
}

impl Instance {
    fn judge(&mut self, interval: Duration, push: Push, at: Instant) -> ErrorCode {
        if self.has_ended {
            return ErrorCode::INVALID_REQUEST;
        }
        // One push is due after each answer, and one after each interval.
        let is_due =
            self.asked > self.pushed || self.pushed.is_none_or(|last| at.since(last) >= interval);
        if is_due {
            self.pushed = Some(at);
        } else if !push.is_last {
            return ErrorCode::THROTTLING_QUOTA_EXCEEDED;
        }
        push.fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_bytes([7; 16]);
    const FINE: Push = Push {
        is_last: false,
        fault: ErrorCode::NONE,
    };

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn asked(subscription_id: i32) -> Asked {
        Asked {
            subscription_id,
            interval: Duration::from_secs(10),
        }
    }

    #[test]
    fn one_push_is_due_after_each_answer_and_each_interval() {
        let mut instances = Instances::default();
        let early = ErrorCode::THROTTLING_QUOTA_EXCEEDED;
        assert_eq!(instances.ask(ID, asked(1), at(100)), ErrorCode::NONE);
        assert_eq!(instances.ask(ID, asked(1), at(101)), early);
        let mut push = |seconds| instances.push(ID, asked(1), FINE, at(seconds));
        assert_eq!(push(102), ErrorCode::NONE);
        assert_eq!((push(103), push(111)), (early, early));
        assert_eq!((push(112), push(122)), (ErrorCode::NONE, ErrorCode::NONE));
        assert_eq!(instances.ask(ID, asked(1), at(131)), early);
        assert_eq!(instances.ask(ID, asked(1), at(132)), ErrorCode::NONE);
    }

    #[test]
    fn who_is_asked_for_something_else_may_ask_at_once() {
        let mut instances = Instances::default();
        assert_eq!(instances.ask(ID, asked(1), at(100)), ErrorCode::NONE);
        assert_eq!(instances.push(ID, asked(1), FINE, at(101)), ErrorCode::NONE);
        let fault = ErrorCode::UNKNOWN_SUBSCRIPTION_ID;
        let outdated = Push { fault, ..FINE };
        assert_eq!(instances.push(ID, asked(2), outdated, at(102)), fault);
        assert_eq!(instances.ask(ID, asked(2), at(103)), ErrorCode::NONE);
        assert_eq!(instances.push(ID, asked(2), FINE, at(104)), ErrorCode::NONE);
    }

    #[test]
    fn the_last_push_may_come_early_and_is_the_last() {
        let mut instances = Instances::default();
        assert_eq!(instances.push(ID, asked(1), FINE, at(1)), ErrorCode::NONE);
        let last = Push {
            is_last: true,
            ..FINE
        };
        assert_eq!(instances.push(ID, asked(1), last, at(2)), ErrorCode::NONE);
        let after = instances.push(ID, asked(1), FINE, at(60));
        assert_eq!(after, ErrorCode::INVALID_REQUEST);
    }

    #[test]
    fn those_that_were_quiet_for_longest_are_forgotten() {
        let mut instances = Instances::default();
        let id = |number: u64| Uuid::from_bytes(u128::from(number).to_be_bytes());
        for number in 0..INSTANCES_MAX as u64 {
            instances.ask(id(number), asked(1), at(number));
        }
        // The first one is heard of again.
        instances.push(id(0), asked(1), FINE, at(9_000));
        instances.ask(id(9_999), asked(1), at(9_001));
        assert_eq!(instances.by_id.len(), INSTANCES_MAX);
        assert_eq!(instances.by_use.len(), INSTANCES_MAX);
        assert!(instances.by_id.contains_key(&id(0)));
        assert!(!instances.by_id.contains_key(&id(1)));
    }
}
