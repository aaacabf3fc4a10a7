//! The models: each is run under every order of its threads that differs. Loom ends a model in which
//! everybody waits, so a wake-up that is lost is found without asking for it.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use loom::cell::UnsafeCell;
use loom::future::block_on;
use loom::model::Builder;
use loom::sync::atomic::AtomicBool;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::doorbell::{Doorbell, Queued};
use crate::mailbox::mailbox;
use crate::oneshot::oneshot;

fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

#[test]
fn a_mailbox_delivers_in_order_and_tells_its_end() {
    explore(3, || {
        let (sender, mut receiver) = mailbox::<u32>(1);
        let sending = thread::spawn(move || {
            block_on(async {
                for number in 0..2 {
                    sender.send(number).await.unwrap();
                }
            });
        });
        block_on(async {
            for number in 0..2 {
                assert_eq!(receiver.receive().await, Some(number));
            }
            assert_eq!(receiver.receive().await, None);
        });
        sending.join().unwrap();
    });
}

#[test]
fn two_senders_that_wait_for_room_both_get_it() {
    explore(2, || {
        let (sender, mut receiver) = mailbox::<u32>(1);
        let senders = [0, 1].map(|number| {
            let sender = sender.clone();
            thread::spawn(move || block_on(sender.send(number)).unwrap())
        });
        drop(sender);
        let sum = block_on(async {
            let mut sum = 0;
            while let Some(number) = receiver.receive().await {
                sum += 1 + number;
            }
            sum
        });
        assert_eq!(sum, 3);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

/// Each mail is a oneshot's sender: refused, or dropped with the mailbox, its receiver hears of it,
/// though the mailbox's sender lives on.
#[test]
fn a_sender_hears_of_a_receiver_that_goes() {
    explore(3, || {
        let (sender, receiver) = mailbox(1);
        let going = thread::spawn(move || drop(receiver));
        block_on(async {
            // Two do not fit: without a receiver the second is not kept waiting for room.
            for _ in 0..2 {
                let (reply, answer) = oneshot::<()>();
                let _refused = sender.send(reply).await;
                assert_eq!(answer.await, None);
            }
        });
        going.join().unwrap();
    });
}

/// Whoever gave up waiting uses up a wake-up, not that of another.
#[test]
fn a_sender_behind_one_that_gave_up_is_woken() {
    explore(2, || {
        let (sender, mut receiver) = mailbox::<u32>(1);
        sender.try_send(0).unwrap();
        let given_up = sender.clone();
        {
            let mut sending = pin!(given_up.send(1));
            let waker = std::task::Waker::noop();
            assert!(
                sending
                    .as_mut()
                    .poll(&mut Context::from_waker(waker))
                    .is_pending()
            );
        }
        drop(given_up);
        let waiting = thread::spawn(move || block_on(sender.send(2)).unwrap());
        block_on(async {
            assert_eq!(receiver.receive().await, Some(0));
            assert_eq!(receiver.receive().await, Some(2));
        });
        waiting.join().unwrap();
    });
}

#[test]
fn a_oneshot_arrives_or_ends() {
    for sends in [true, false] {
        explore(3, move || {
            let (sender, receiver) = oneshot::<u32>();
            let sending = thread::spawn(move || {
                if sends {
                    sender.send(7);
                }
            });
            assert_eq!(block_on(receiver), sends.then_some(7));
            sending.join().unwrap();
        });
    }
}

/// What an executor sleeps on: the ring, as one bit that stays set.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// An executor's loop around its doorbell: it ends when it has seen `keys` keys.
fn serve(doorbell: &Doorbell<u32>, bell: &Bell, keys: u32) {
    let mut seen = 0;
    loop {
        while doorbell.next().is_some() {
            seen += 1;
        }
        if seen == keys {
            return;
        }
        if doorbell.try_sleep() {
            bell.wait();
        } else {
            thread::yield_now();
        }
        doorbell.wake_up();
    }
}

#[test]
fn no_wake_up_is_lost_between_the_last_look_and_the_sleep() {
    explore(3, || {
        let doorbell = Arc::new(Doorbell::new());
        let bell = Arc::new(Bell {
            rung: Mutex::new(false),
            changed: Condvar::new(),
        });
        let wakers = [1, 2].map(|key| {
            let (doorbell, bell) = (Arc::clone(&doorbell), Arc::clone(&bell));
            thread::spawn(move || {
                if doorbell.post(key) {
                    bell.ring();
                }
            })
        });
        serve(&doorbell, &bell, 2);
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}

/// A task that is woken while it is polled is polled again, or has seen what its waker did.
#[test]
fn a_wake_during_a_poll_is_kept() {
    explore(3, || {
        let queued = Arc::new(Queued::new());
        let doorbell = Arc::new(Doorbell::new());
        let said = Arc::new(AtomicBool::new(false));
        let waking = {
            let (queued, doorbell) = (Arc::clone(&queued), Arc::clone(&doorbell));
            let said = Arc::clone(&said);
            thread::spawn(move || {
                said.store(true, Ordering::Relaxed);
                if queued.mark() {
                    doorbell.post(1_u32);
                }
            })
        };
        // It was queued at its making: this is its first poll.
        queued.take();
        let first = said.load(Ordering::Relaxed);
        waking.join().unwrap();
        let polled_again = doorbell.next().is_some();
        assert!(
            first || polled_again,
            "what the waker said is seen by some poll"
        );
    });
}

/// The rule of `Buf::try_into_mut`: the last reference may write, having seen all reads. The cell
/// stands for the block's bytes; loom names an access that is in no order with another.
#[test]
fn a_block_is_written_again_after_its_last_reader() {
    explore(3, || {
        let mut mine = Arc::new(UnsafeCell::new(0_u32));
        let theirs = Arc::clone(&mine);
        let reading = thread::spawn(move || {
            theirs.with(|bytes| assert!(!bytes.is_null()));
        });
        if let Some(block) = Arc::get_mut(&mut mine) {
            block.with_mut(|bytes| assert!(!bytes.is_null()));
        } else {
            mine.with(|bytes| assert!(!bytes.is_null()));
        }
        reading.join().unwrap();
    });
}

/// A future that is dropped between two polls leaves nothing that is woken in its place.
#[test]
fn a_receiver_may_stop_waiting_and_begin_again() {
    explore(2, || {
        let (sender, mut receiver) = mailbox::<u32>(1);
        let sending = thread::spawn(move || block_on(sender.send(5)).unwrap());
        let early = {
            let mut receiving = pin!(receiver.receive());
            receiving
                .as_mut()
                .poll(&mut Context::from_waker(std::task::Waker::noop()))
        };
        match early {
            Poll::Ready(mail) => assert_eq!(mail, Some(5)),
            Poll::Pending => assert_eq!(block_on(receiver.receive()), Some(5)),
        }
        sending.join().unwrap();
    });
}
