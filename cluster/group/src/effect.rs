//! What a coordinator wants done, and the time it is told.

use crate::answer::Answer;
use crate::record::Record;

/// Names who waits for an answer; the caller's own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// The time of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Of a clock that never goes back: sessions and waits go by it.
    pub monotonic_ms: u64,
    /// Since the Unix epoch: it is written into records, and offsets expire by it.
    pub wall_ms: i64,
}

/// One thing to do. The order of effects is a promise: an answer leaves when every append before it
/// is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append these records, all or none. If that fails, the coordinator knows what the log does
    /// not: it is of no use any more, and no later answer of it may leave.
    Append(Vec<Record>),
    /// The answer for one who waits.
    Answer(Token, Answer),
}

/// Effects in their order.
#[derive(Debug, Default)]
pub struct Outbox {
    effects: Vec<Effect>,
}

impl Outbox {
    /// Everything pushed so far; the outbox is empty afterwards.
    pub fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn append(&mut self, records: Vec<Record>) {
        if !records.is_empty() {
            self.effects.push(Effect::Append(records));
        }
    }

    pub(crate) fn answer(&mut self, token: Token, answer: Answer) {
        self.effects.push(Effect::Answer(token, answer));
    }
}
