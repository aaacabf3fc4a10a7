//! Which of the numbers that operators are told were reached: every warning and error of the code
//! under test passes here, on the thread that plays the seed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

thread_local! {
    static SEEN: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Listens, in the whole process. Only the first call counts, and none if somebody else listens.
pub fn listen() {
    let _somebody_else = tracing::subscriber::set_global_default(Ears);
}

/// What was heard on this thread since the last call.
pub fn take() -> BTreeMap<String, u64> {
    SEEN.take()
}

struct Ears;

impl Subscriber for Ears {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::WARN)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        let key = number_in(&message.0).map_or_else(|| message.0.clone(), str::to_owned);
        SEEN.with_borrow_mut(|seen| *seen.entry(key).or_default() += 1);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The text of an event, without its fields.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _infallible = write!(self.0, "{value:?}");
        }
    }
}

/// The number at the beginning of a text.
fn number_in(text: &str) -> Option<&str> {
    let (number, _) = text.split_once(": ")?;
    let digits = number.strip_prefix("FL")?;
    (digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_in_front() {
        assert_eq!(number_in("FL2001: the journal"), Some("FL2001"));
        assert_eq!(number_in("produce is refused: FL2001: x"), None);
    }

    #[test]
    fn what_is_told_is_heard_once() {
        tracing::subscriber::with_default(Ears, || {
            tracing::error!(shard = 1, "FL2001: journal write failed");
            tracing::info!("nothing");
        });
        assert_eq!(take(), BTreeMap::from([("FL2001".to_owned(), 1)]));
        assert!(take().is_empty());
    }
}
