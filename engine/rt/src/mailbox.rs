//! Bounded mailboxes between executors: many senders, one receiver, first in, first out per sender.
//!
//! The doorbell is the receiver's waker: waking a task of another thread is the executor's affair
//! (a ring message or an eventfd when it sleeps, nothing when it runs).

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};

use crate::shim::{Arc, ArrayQueue, AtomicBool, AtomicUsize, AtomicWaker, SegQueue};

struct Shared<T> {
    queue: ArrayQueue<T>,
    receiver: AtomicWaker,
    receiver_gone: AtomicBool,
    senders: AtomicUsize,
    /// Senders that found the queue full, in the order of their coming.
    blocked: SegQueue<Waker>,
}

impl<T> Shared<T> {
    fn wake_blocked(&self) {
        while let Some(sender) = self.blocked.pop() {
            sender.wake();
        }
    }

    /// Drops what is never received, so that its senders' oneshots hear of it.
    fn drop_mails(&self) {
        while self.queue.pop().is_some() {}
    }
}

/// The other side of the mailbox is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailClosed;

impl fmt::Display for MailClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the receiving executor has stopped")
    }
}

impl std::error::Error for MailClosed {}

/// The sending half; clone it for every executor that writes.
pub struct MailSender<T> {
    shared: Arc<Shared<T>>,
}

/// The receiving half, for one task of one executor.
pub struct MailReceiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> fmt::Debug for MailSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSender")
            .field("queued", &self.shared.queue.len())
            .finish()
    }
}

impl<T> fmt::Debug for MailReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailReceiver")
            .field("queued", &self.shared.queue.len())
            .finish()
    }
}

/// A mailbox with room for `capacity` mails.
pub fn mailbox<T: Send>(capacity: usize) -> (MailSender<T>, MailReceiver<T>) {
    let shared = Arc::new(Shared {
        queue: ArrayQueue::new(capacity),
        receiver: AtomicWaker::new(),
        receiver_gone: AtomicBool::new(false),
        senders: AtomicUsize::new(1),
        blocked: SegQueue::new(),
    });
    (
        MailSender {
            shared: Arc::clone(&shared),
        },
        MailReceiver { shared },
    )
}

impl<T: Send> MailSender<T> {
    /// Sends `mail`, waiting while the mailbox is full: backpressure, not growth.
    pub async fn send(&self, mail: T) -> Result<(), MailClosed> {
        let mut mail = Some(mail);
        poll_fn(|cx| {
            let Some(next) = mail.take() else {
                return Poll::Ready(Ok(()));
            };
            let Err(next) = self.try_send(next) else {
                return Poll::Ready(Ok(()));
            };
            self.shared.blocked.push(cx.waker().clone());
            // The receiver may have made room between the try and the push.
            match self.try_send(next) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(_) if self.shared.receiver_gone.load(Ordering::Acquire) => {
                    Poll::Ready(Err(MailClosed))
                },
                Err(back) => {
                    mail = Some(back);
                    Poll::Pending
                },
            }
        })
        .await
    }

    /// Sends `mail` if there is room, else gives it back. What a receiver that is going does not
    /// take any more is dropped.
    pub fn try_send(&self, mail: T) -> Result<(), T> {
        if self.shared.receiver_gone.load(Ordering::Acquire) {
            return Err(mail);
        }
        self.shared.queue.push(mail)?;
        self.shared.receiver.wake();
        // The receiver may have gone since the first look, and have found the queue empty before
        // this mail was in it. Push, look and its counterpart in `MailReceiver::drop` are in one
        // order: one of the two sees the other.
        if self.shared.receiver_gone.load(Ordering::SeqCst) {
            self.shared.drop_mails();
        }
        Ok(())
    }
}

impl<T> Clone for MailSender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Drop for MailSender<T> {
    fn drop(&mut self) {
        if self.shared.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.receiver.wake();
        }
    }
}

impl<T: Send> MailReceiver<T> {
    /// The next mail, or `None` when every sender is gone and the mailbox is empty.
    pub async fn receive(&mut self) -> Option<T> {
        poll_fn(|cx| {
            self.shared.receiver.register(cx.waker());
            let senders = self.shared.senders.load(Ordering::Acquire);
            match self.try_receive() {
                Some(mail) => Poll::Ready(Some(mail)),
                None if senders == 0 => Poll::Ready(None),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// The next mail if one is there.
    pub fn try_receive(&mut self) -> Option<T> {
        let Some(mail) = self.shared.queue.pop() else {
            // One sender is woken for each mail, but it may have given up since: those behind it
            // must not wait for a mail that only they would send.
            self.shared.wake_blocked();
            return None;
        };
        if let Some(sender) = self.shared.blocked.pop() {
            sender.wake();
        }
        Some(mail)
    }
}

impl<T> Drop for MailReceiver<T> {
    fn drop(&mut self) {
        self.shared.receiver_gone.store(true, Ordering::SeqCst);
        self.shared.wake_blocked();
        self.shared.drop_mails();
    }
}
