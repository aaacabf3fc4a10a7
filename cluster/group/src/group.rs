//! A group: its members and its offsets.

use crate::answer::{Answer, JoinedGroup};
use crate::classic::ClassicGroup;
use crate::config::Config;
use crate::effect::{Now, Outbox, Token};
use crate::offsets::Offsets;
use net_wire::ErrorCode;

/// A group of a coordinator.
#[derive(Debug)]
pub(crate) struct Group {
    /// Its members.
    pub(crate) classic: ClassicGroup,
    /// What it has committed.
    pub(crate) offsets: Offsets,
    /// The deadline that the coordinator wakes it at.
    pub(crate) wakes_at: Option<u64>,
}

impl Group {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            classic: ClassicGroup::new(id),
            offsets: Offsets::default(),
            wakes_at: None,
        }
    }

    /// Whether there is nothing to know about it.
    pub(crate) fn is_blank(&self) -> bool {
        self.classic.is_blank() && self.offsets.is_empty()
    }
}

/// What everything that happens to a group is given.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) config: &'a Config,
    pub(crate) out: &'a mut Outbox,
}

impl Turn<'_> {
    pub(crate) fn refuse(&mut self, token: Token, code: ErrorCode) {
        self.out.answer(token, Answer::Refused(code));
    }

    pub(crate) fn refuse_join(&mut self, token: Token, member_id: &str, code: ErrorCode) {
        let refused = JoinedGroup::refused(member_id, code);
        self.out.answer(token, Answer::JoinGroup(refused));
    }

    /// The point of time so far ahead; never now, or something could be due for ever.
    pub(crate) const fn after(&self, ms: u64) -> u64 {
        let ms = if ms == 0 { 1 } else { ms };
        self.now.monotonic_ms.saturating_add(ms)
    }
}
