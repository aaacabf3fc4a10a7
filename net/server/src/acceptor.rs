//! Accepting: one task per listener, which gives each connection to the shard with the fewest.
//!
//! A hash over sockets, as `SO_REUSEPORT` has it, leaves cores idle while connections are few.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine_rt::{Listener, MailReceiver, MailSender, Socket, mailbox, sleep};
use tracing::{debug, warn};

/// Connections that may wait for a shard to take them.
const ARRIVALS_MAX: usize = 1024;
/// Pause after a failed accept; doubles up to the longest one.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Where a shard takes connections in; for the acceptors.
#[derive(Clone, Debug)]
pub struct Door {
    mail: MailSender<Arrival>,
    connections: Arc<AtomicUsize>,
}

/// The other side of a [`Door`]; for the shard.
#[derive(Debug)]
pub struct Arrivals {
    mail: MailReceiver<Arrival>,
}

/// A connection on its way to a shard.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) socket: Socket,
    /// Index of the listener that it came by.
    pub(crate) listener: usize,
    pub(crate) counted: Counted,
}

/// One connection in the count of its shard.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A shard's door: the outer side for every acceptor, the inner one for the shard.
pub fn door() -> (Door, Arrivals) {
    let (sender, receiver) = mailbox(ARRIVALS_MAX);
    let door = Door {
        mail: sender,
        connections: Arc::new(AtomicUsize::new(0)),
    };
    (door, Arrivals { mail: receiver })
}

impl Arrivals {
    pub(crate) async fn next(&mut self) -> Option<Arrival> {
        self.mail.receive().await
    }
}

impl Door {
    fn count(&self) -> Counted {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(&self.connections))
    }
}

/// Accepts connections of the listener with this index in
/// [`BrokerConfig::listeners`](crate::BrokerConfig::listeners), for ever: the caller cancels the
/// task to stop. `doors` has the door of every shard.
///
/// # Panics
/// Without any door.
pub async fn accept(listener: Listener, index: usize, doors: Vec<Door>) {
    let mut pause = PAUSE_MIN;
    loop {
        match listener.accept().await {
            Ok(socket) => {
                pause = PAUSE_MIN;
                hand_over(socket, index, &doors).await;
            },
            // Out of descriptors or memory, or the client gave up: those in service go on.
            Err(error) => {
                warn!(%error, pause_ms = pause.as_millis(), "accept failed");
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            },
        }
    }
}

async fn hand_over(socket: Socket, listener: usize, doors: &[Door]) {
    let door = emptiest(doors);
    let arrival = Arrival {
        socket,
        listener,
        counted: door.count(),
    };
    if door.mail.send(arrival).await.is_err() {
        debug!("connection refused, its shard has stopped");
    }
}

fn emptiest(doors: &[Door]) -> &Door {
    let count = |door: &&Door| door.connections.load(Ordering::Relaxed);
    doors.iter().min_by_key(count).expect("a node has a shard")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_to_the_shard_with_the_fewest() {
        let (doors, _arrivals): (Vec<_>, Vec<_>) = (0..3).map(|_| door()).unzip();
        let load = || {
            doors
                .iter()
                .map(|door| door.connections.load(Ordering::Relaxed))
        };
        let mut open: Vec<_> = (0..7).map(|_| emptiest(&doors).count()).collect();
        assert_eq!(load().collect::<Vec<_>>(), [3, 2, 2]);
        // Connections of the first shard end: the next one goes there.
        drop((open.remove(3), open.remove(0)));
        assert_eq!(load().collect::<Vec<_>>(), [1, 2, 2]);
        let next = emptiest(&doors).count();
        assert_eq!(load().collect::<Vec<_>>(), [2, 2, 2]);
        drop((open, next));
        assert_eq!(load().collect::<Vec<_>>(), [0, 0, 0]);
    }
}
