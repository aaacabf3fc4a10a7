//! What will happen, in the order of virtual time.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;

use super::kernel::Kernel;

/// Time in nanoseconds, then the order of scheduling.
pub(super) type EventKey = (u64, u64);

type Call = Box<dyn FnOnce(&Rc<Kernel>)>;

pub(super) enum Event {
    /// A timer of a task.
    Timer(Waker),
    /// Anything else: the end of a disk operation, the arrival of a segment, a crash.
    Call(Call),
}

/// A tree and not a heap: most timers are taken back.
#[derive(Default)]
pub(super) struct Events {
    queue: BTreeMap<EventKey, Event>,
    next: u64,
}

impl Events {
    pub(super) fn add(&mut self, at: u64, event: Event) -> EventKey {
        let key = (at, self.next);
        self.next += 1;
        self.queue.insert(key, event);
        key
    }

    /// Gives a timer that has not fired yet another waker.
    pub(super) fn rewake(&mut self, key: EventKey, waker: &Waker) {
        if let Some(Event::Timer(old)) = self.queue.get_mut(&key) {
            old.clone_from(waker);
        }
    }

    pub(super) fn remove(&mut self, key: EventKey) {
        self.queue.remove(&key);
    }

    /// Takes the next event that is due at `limit` or before.
    pub(super) fn pop(&mut self, limit: u64) -> Option<(EventKey, Event)> {
        let first = self.queue.first_entry()?;
        if first.key().0 <= limit {
            Some(first.remove_entry())
        } else {
            None
        }
    }

    /// Takes everything that was to happen, for the end of the world.
    pub(super) fn take(&mut self) -> BTreeMap<EventKey, Event> {
        std::mem::take(&mut self.queue)
    }
}
