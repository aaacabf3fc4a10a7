//! What the servers of the shards ask of each other, by mailbox.
//!
//! [`engine_shard::Shards`] reaches the partitions of another core; this reaches what the server of
//! that core keeps beside them, such as its group coordinators.

use std::future::Future;
use std::rc::Rc;

use engine_rt::{MailReceiver, MailSender, mailbox, oneshot};

use crate::broker::Broker;
use crate::propose::LocalFuture;

/// Mails that may wait for a server.
const MAILS_MAX: usize = 1_024;

/// A piece of work for the server of another shard.
type Mail = Box<dyn FnOnce(Rc<Broker>) -> LocalFuture<()> + Send>;

/// One server's way to all others, and theirs to it.
#[derive(Debug)]
pub struct Peer {
    senders: Vec<MailSender<Mail>>,
    receiver: MailReceiver<Mail>,
}

/// The peers of a node of so many shards, in their order: one for each [`Broker::new`].
pub fn peers(shards: usize) -> Vec<Peer> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..shards).map(|_| mailbox(MAILS_MAX)).unzip();
    let peer = |receiver| Peer {
        senders: senders.clone(),
        receiver,
    };
    receivers.into_iter().map(peer).collect()
}

/// The sending half that a server keeps.
#[derive(Debug)]
pub(crate) struct Peers(Rc<[MailSender<Mail>]>);

impl Peer {
    /// Keeps the senders apart from the receiver.
    pub(crate) fn split(self) -> (Peers, Inbox) {
        (Peers(self.senders.into()), Inbox(self.receiver))
    }
}

/// What others ask of a server.
#[derive(Debug)]
pub(crate) struct Inbox(MailReceiver<Mail>);

impl Inbox {
    /// Runs what comes, until all others are gone.
    pub(crate) async fn serve(mut self, broker: Rc<Broker>) {
        while let Some(mail) = self.0.receive().await {
            // It begins now, so that what one server asks keeps its order.
            let work = mail(Rc::clone(&broker));
            broker.shards.local().run(work);
        }
    }
}

impl Peers {
    /// Runs `work` on the server of a shard, here and now if it is this one. `None` if that server
    /// has stopped.
    pub(crate) async fn call<T, F>(
        &self,
        broker: &Rc<Broker>,
        shard: usize,
        work: impl FnOnce(Rc<Broker>) -> F + Send + 'static,
    ) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        if shard == broker.shards.local().index() {
            return Some(work(Rc::clone(broker)).await);
        }
        let (done, result) = oneshot();
        let run = move |broker: Rc<Broker>| -> LocalFuture<()> {
            let work = work(broker);
            Box::pin(async move { done.send(work.await) })
        };
        self.0.get(shard)?.send(Box::new(run)).await.ok()?;
        result.await
    }
}
