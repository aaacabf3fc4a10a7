//! How a shard's handlers ask for changes: in the order of the calls, answered as Kafka would.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use cluster_control::{ControlError, ControlHandle, ControlMail};
use engine_rt::{Event, oneshot, spawn};
use net_server::{Propose, ProposeError};

/// Changes that have their order and wait for room in the control task's mailbox. Bounded by the
/// requests that are in flight.
#[derive(Default)]
struct Queue {
    waiting: RefCell<VecDeque<ControlMail>>,
    work: Event,
}

/// The closure that this shard's handlers ask by.
pub(super) fn proposer(control: ControlHandle) -> Propose {
    let queue = Rc::new(Queue::default());
    spawn(forward(Rc::clone(&queue), control)).detach();
    Rc::new(move |change| {
        let (reply, outcome) = oneshot();
        queue
            .waiting
            .borrow_mut()
            .push_back(ControlMail::new(change, reply));
        queue.work.notify();
        Box::pin(async move {
            let outcome = outcome.await.unwrap_or_else(|| {
                let stopping = "the node is stopping".to_owned();
                Err(ControlError::Unavailable(stopping))
            });
            outcome.map_err(|error| match error {
                ControlError::Refused(why) => ProposeError::Refused(why),
                ControlError::Unavailable(why) => ProposeError::Unavailable(why),
            })
        })
    })
}

async fn forward(queue: Rc<Queue>, control: ControlHandle) {
    loop {
        queue
            .work
            .wait_until(|| !queue.waiting.borrow().is_empty())
            .await;
        let next = queue.waiting.borrow_mut().pop_front();
        if let Some(mail) = next {
            control.send(mail).await;
        }
    }
}
