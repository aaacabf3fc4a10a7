//! What a connection owes its client: responses leave in the order of their requests.
//!
//! Produce requests start as they come and wait for the disk together. Everything else starts when
//! all before it is computed, and a produce behind it waits for it: a client that pipelines sees
//! the order that Kafka, which takes one request of a connection at a time, gives it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use engine_rt::{Event, Instant};

use crate::budget::Reservation;
use crate::propose::LocalFuture;
use crate::request::Outcome;

/// A handler at work, or what it ended with.
pub(crate) enum Work {
    /// Still to be polled.
    Running(LocalFuture<Outcome>),
    /// Finished before it was queued.
    Done(Outcome),
}

/// A request without its response.
pub(crate) struct Pending {
    pub(crate) work: Work,
    /// Whether it starts only after those before it are computed, and holds up those behind it.
    pub(crate) is_serial: bool,
    /// When the request was here.
    pub(crate) received: Instant,
    /// Bytes of the connection and of the shard that the request holds.
    pub(crate) _held: [Reservation; 2],
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending")
            .field("is_serial", &self.is_serial)
            .finish_non_exhaustive()
    }
}

/// The requests of one connection that are not answered, oldest first.
#[derive(Debug)]
pub(crate) struct ResponseQueue {
    pending: RefCell<VecDeque<Pending>>,
    /// Requests that are queued or whose responses are being sent.
    in_flight: Cell<usize>,
    /// Serial requests whose responses are not computed.
    serial: Cell<usize>,
    /// Nothing comes any more.
    closed: Cell<bool>,
    /// Nothing goes any more.
    broken: Cell<bool>,
    changed: Event,
}

impl Default for ResponseQueue {
    fn default() -> Self {
        Self {
            // Most connections have one request at a time: room for more comes with more.
            pending: RefCell::new(VecDeque::with_capacity(1)),
            in_flight: Cell::default(),
            serial: Cell::default(),
            closed: Cell::default(),
            broken: Cell::default(),
            changed: Event::default(),
        }
    }
}

impl ResponseQueue {
    /// Waits until another request may start; `false` if none may any more.
    pub(crate) async fn admit(&self, is_serial: bool, in_flight_max: usize) -> bool {
        self.changed
            .wait_until(|| {
                let room = self.in_flight.get() < in_flight_max;
                self.broken.get() || (room && (is_serial || self.serial.get() == 0))
            })
            .await;
        !self.broken.get()
    }

    /// Queues a request.
    pub(crate) fn push(&self, pending: Pending) {
        self.in_flight.set(self.in_flight.get() + 1);
        self.serial
            .set(self.serial.get() + usize::from(pending.is_serial));
        self.pending.borrow_mut().push_back(pending);
        self.changed.notify();
    }

    /// No request follows.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.changed.notify();
    }

    /// No response can be sent any more; what waits is dropped. Appends that are on their way go
    /// on: only their answers are lost.
    pub(crate) fn break_off(&self) {
        self.broken.set(true);
        self.pending.borrow_mut().clear();
        self.changed.notify();
    }

    /// Waits for the next response; `None` when all are sent and no request follows.
    pub(crate) async fn next(&self) -> Option<(Outcome, Instant)> {
        let idle = || self.pending.borrow().is_empty() && !self.closed.get();
        self.changed.wait_until(|| !idle()).await;
        let pending = self.pending.borrow_mut().pop_front()?;
        let Pending {
            work,
            is_serial,
            received,
            _held,
        } = pending;
        let outcome = match work {
            Work::Running(work) => work.await,
            Work::Done(outcome) => outcome,
        };
        self.computed(is_serial);
        Some((outcome, received))
    }

    /// The next response, if it needs no waiting.
    pub(crate) async fn next_if_ready(&self) -> Option<(Outcome, Instant)> {
        let mut pending = self.pending.borrow_mut().pop_front()?;
        let outcome = match &mut pending.work {
            Work::Running(work) => {
                poll_fn(|cx| {
                    Poll::Ready(match work.as_mut().poll(cx) {
                        Poll::Ready(outcome) => Some(outcome),
                        Poll::Pending => None,
                    })
                })
                .await
            },
            Work::Done(outcome) => Some(std::mem::replace(outcome, Ok(None))),
        };
        let Some(outcome) = outcome else {
            self.pending.borrow_mut().push_front(pending);
            return None;
        };
        self.computed(pending.is_serial);
        Some((outcome, pending.received))
    }

    fn computed(&self, is_serial: bool) {
        self.serial.set(self.serial.get() - usize::from(is_serial));
        self.changed.notify();
    }

    /// Waits until nothing is queued or being sent.
    pub(crate) async fn wait_until_sent(&self) {
        self.changed
            .wait_until(|| self.in_flight.get() == 0 || self.broken.get())
            .await;
    }

    /// Notes that so many responses left.
    pub(crate) fn sent(&self, count: usize) {
        self.in_flight.set(self.in_flight.get() - count);
        self.changed.notify();
    }
}

/// Says that the work of the task is in line, and lets go of that task: what comes now waits for
/// others, and is polled anew by the task that answers.
pub(crate) async fn hand_over(started: &Cell<bool>) {
    poll_fn(|_| {
        if started.replace(true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Polls `work` until it says that it has started or is done: what follows it may start then.
pub(crate) async fn until_started(mut work: LocalFuture<Outcome>, started: &Cell<bool>) -> Work {
    let done = poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if started.get() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await;
    done.map_or(Work::Running(work), Work::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::rc::Rc;
    use std::task::{Context, Waker};

    use crate::budget::Budget;
    use crate::request::CloseReason;

    fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn now<F: Future>(future: F) -> F::Output {
        match poll(pin!(future)) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("had to wait"),
        }
    }

    /// An outcome that can be told from others.
    fn named(name: &str) -> Outcome {
        Err(CloseReason::UnacknowledgedProduce(name.to_owned()))
    }

    fn gate(open: &Rc<Cell<bool>>, name: &'static str) -> Work {
        let open = Rc::clone(open);
        Work::Running(Box::pin(poll_fn(move |_| {
            if open.get() {
                Poll::Ready(named(name))
            } else {
                Poll::Pending
            }
        })))
    }

    fn pending(work: Work, is_serial: bool) -> Pending {
        let budget = Budget::new(10);
        let held = [now(budget.reserve(1)), now(budget.reserve(1))];
        Pending {
            work,
            is_serial,
            received: Instant::default(),
            _held: held,
        }
    }

    fn name_of(answer: Option<(Outcome, Instant)>) -> String {
        match answer {
            Some((Err(CloseReason::UnacknowledgedProduce(name)), _)) => name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn responses_keep_the_order_of_requests() {
        let queue = ResponseQueue::default();
        let open = Rc::new(Cell::new(false));
        queue.push(pending(gate(&open, "slow"), false));
        queue.push(pending(Work::Done(named("fast")), false));
        let mut first = pin!(queue.next());
        assert!(poll(first.as_mut()).is_pending());
        open.set(true);
        let Poll::Ready(first) = poll(first.as_mut()) else {
            panic!("the gate is open")
        };
        assert_eq!(name_of(first), "slow");
        assert_eq!(name_of(now(queue.next_if_ready())), "fast");
        queue.sent(2);
        queue.close();
        assert!(now(queue.next()).is_none());
    }

    #[test]
    fn what_is_not_ready_stays_in_line() {
        let queue = ResponseQueue::default();
        let open = Rc::new(Cell::new(false));
        queue.push(pending(gate(&open, "one"), false));
        queue.push(pending(Work::Done(named("two")), false));
        assert!(now(queue.next_if_ready()).is_none());
        open.set(true);
        assert_eq!(name_of(now(queue.next_if_ready())), "one");
        assert_eq!(name_of(now(queue.next())), "two");
    }

    #[test]
    fn produces_wait_for_serial_requests_and_for_room() {
        let queue = ResponseQueue::default();
        assert!(now(queue.admit(false, 2)));
        queue.push(pending(Work::Done(named("fetch")), true));
        let mut produce = pin!(queue.admit(false, 2));
        assert!(poll(produce.as_mut()).is_pending());
        assert_eq!(name_of(now(queue.next())), "fetch");
        assert_eq!(poll(produce.as_mut()), Poll::Ready(true));
        queue.push(pending(Work::Done(named("produce")), false));
        // The response of the first is not sent yet: two are in flight.
        let mut third = pin!(queue.admit(true, 2));
        assert!(poll(third.as_mut()).is_pending());
        let mut all = pin!(queue.wait_until_sent());
        queue.sent(1);
        assert_eq!(poll(third.as_mut()), Poll::Ready(true));
        assert!(poll(all.as_mut()).is_pending());
        assert_eq!(name_of(now(queue.next())), "produce");
        queue.sent(1);
        assert!(poll(all.as_mut()).is_ready());
    }

    #[test]
    fn a_broken_connection_admits_nothing() {
        let queue = ResponseQueue::default();
        queue.push(pending(Work::Done(named("lost")), true));
        let mut waiting = pin!(queue.admit(false, 2));
        assert!(poll(waiting.as_mut()).is_pending());
        queue.break_off();
        assert_eq!(poll(waiting.as_mut()), Poll::Ready(false));
    }

    #[test]
    fn work_is_driven_until_it_started() {
        let started = Rc::new(Cell::new(false));
        let turns = Rc::new(Cell::new(0));
        let work = {
            let (started, turns) = (Rc::clone(&started), Rc::clone(&turns));
            poll_fn(move |_| {
                turns.set(turns.get() + 1);
                started.set(turns.get() == 2);
                if turns.get() == 3 {
                    Poll::Ready(named("done"))
                } else {
                    Poll::Pending
                }
            })
        };
        let mut driving = pin!(until_started(Box::pin(work), &started));
        assert!(poll(driving.as_mut()).is_pending());
        let Poll::Ready(Work::Running(mut rest)) = poll(driving.as_mut()) else {
            panic!("it started")
        };
        assert!(poll(rest.as_mut()).is_ready());
        let done = now(until_started(
            Box::pin(async { named("at once") }),
            &Cell::new(false),
        ));
        assert!(matches!(done, Work::Done(_)));
    }
}
