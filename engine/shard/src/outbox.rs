//! Appends on their way to another shard.
//!
//! Every message to another core costs a wake-up there and one back, tasks, and memory that one core
//! takes and the other gives back. So the appends that the connections of a core begin in one turn
//! leave as one message, and are answered as one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use engine_rt::{Event, OneshotReceiver, spawn};

use crate::api::{Appended, ProduceBatch, ShardError, Shards};
use crate::shard::Shard;

/// What became of the batches of one request on one shard.
type Outcomes = Vec<Result<Appended, ShardError>>;

/// Appends for one shard that have not left yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    batches: RefCell<Vec<ProduceBatch>>,
    /// Who waits for how many of them, in their order.
    waiting: RefCell<Vec<(usize, Rc<Answer>)>>,
    /// Whether a task is about to send them.
    leaving: Cell<bool>,
}

/// The place where one request's outcomes will be.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    outcomes: RefCell<Option<Outcomes>>,
    has_come: Event,
}

impl Answer {
    /// Waits for them.
    pub(crate) async fn outcomes(&self) -> Outcomes {
        let is_there = || self.outcomes.borrow().is_some();
        self.has_come.wait_until(is_there).await;
        self.outcomes.take().unwrap_or_default()
    }

    fn set(&self, outcomes: Outcomes) {
        self.outcomes.replace(Some(outcomes));
        self.has_come.notify();
    }
}

impl Shards {
    /// Appends on another shard, behind what this core has sent there before.
    pub(crate) fn post(&self, shard: usize, batches: Vec<ProduceBatch>) -> Rc<Answer> {
        let outbox = &self.outboxes[shard];
        let answer = Rc::new(Answer::default());
        let waiting = (batches.len(), Rc::clone(&answer));
        outbox.waiting.borrow_mut().push(waiting);
        outbox.batches.borrow_mut().extend(batches);
        if !outbox.leaving.replace(true) {
            // The task's turn comes behind those that are ready now: what they post goes along.
            spawn(self.clone().send_posted(shard)).detach();
        }
        answer
    }

    /// Sends what was posted, until there is nothing more.
    async fn send_posted(self, shard: usize) {
        let outbox = &self.outboxes[shard];
        while !outbox.waiting.borrow().is_empty() {
            let (batches, waiting) = (outbox.batches.take(), outbox.waiting.take());
            let work = move |shard: Rc<Shard>| async move { shard.append(batches).await };
            match self.begin(shard, work).await {
                Ok(receiver) => spawn(hand_out(receiver, waiting)).detach(),
                Err(_) => refuse(waiting),
            }
        }
        outbox.leaving.set(false);
    }
}

/// Gives everybody the outcomes of their batches.
async fn hand_out(receiver: OneshotReceiver<Outcomes>, waiting: Vec<(usize, Rc<Answer>)>) {
    let Some(outcomes) = receiver.await else {
        return refuse(waiting);
    };
    let mut outcomes = outcomes.into_iter();
    for (count, answer) in waiting {
        answer.set(outcomes.by_ref().take(count).collect());
    }
}

/// The shard is gone.
fn refuse(waiting: Vec<(usize, Rc<Answer>)>) {
    for (count, answer) in waiting {
        answer.set(vec![Err(ShardError::Stopping); count]);
    }
}
