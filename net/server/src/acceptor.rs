//! Accepting: one task per listener, which gives each connection to the shard with the fewest.
//!
//! A hash over sockets, as `SO_REUSEPORT` has it, leaves cores idle while connections are few.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine_rt::{Instant, Listener, MailReceiver, MailSender, Socket, mailbox, now, sleep};
use tracing::{debug, warn};

/// Connections that may wait for a shard to take them.
const ARRIVALS_MAX: usize = 1024;
/// Pause after a failed accept; doubles up to the longest one.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often a node that has all the connections it takes looks again.
const PAUSE_FULL: Duration = Duration::from_millis(20);
/// So long after the last failure, the next one is news again.
const QUIET: Duration = Duration::from_secs(10);

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
/// task to stop. `doors` has the door of every shard. With `connections_max` of all listeners open,
/// others wait in the system's queue: descriptors are left for journals and segments.
///
/// # Panics
/// Without any door.
pub async fn accept(listener: Listener, index: usize, doors: Vec<Door>, connections_max: usize) {
    let mut trouble = Trouble::default();
    loop {
        while open_connections(&doors) >= connections_max {
            if trouble.is_news(now()) {
                warn!(
                    listener = index,
                    connections_max, "accepting pauses; connections in service go on"
                );
            }
            sleep(PAUSE_FULL).await;
        }
        match listener.accept().await {
            Ok(socket) => {
                trouble.failures = 0;
                hand_over(socket, index, &doors).await;
            },
            // Out of descriptors or memory, or the client gave up: those in service go on.
            Err(error) => {
                if trouble.is_news(now()) {
                    warn!(listener = index, %error, "accepting pauses; connections in service go on");
                }
                sleep(trouble.pause()).await;
            },
        }
    }
}

/// Failed accepts: how long to wait after one, and which of them the log shows. A client at the
/// limit of descriptors could make it show a line for each connection otherwise.
#[derive(Debug, Default)]
struct Trouble {
    /// Failures since the last success.
    failures: u32,
    last: Option<Instant>,
}

impl Trouble {
    /// Notes a failure; whether it is the first one for a while.
    fn is_news(&mut self, at: Instant) -> bool {
        let before = self.last.replace(at);
        self.failures += 1;
        before.is_none_or(|before| at.since(before) > QUIET)
    }

    fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        (PAUSE_MIN * (1 << doublings)).min(PAUSE_MAX)
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

fn open_connections(doors: &[Door]) -> usize {
    let counts = doors.iter();
    counts
        .map(|door| door.connections.load(Ordering::Relaxed))
        .sum()
}

fn emptiest(doors: &[Door]) -> &Door {
    let count = |door: &&Door| door.connections.load(Ordering::Relaxed);
    doors.iter().min_by_key(count).expect("a node has a shard")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_log_shows_the_first_failure() {
        let mut trouble = Trouble::default();
        let mut at = Instant::default();
        let mut pauses = Vec::new();
        for failure in 0..20 {
            assert_eq!(trouble.is_news(at), failure == 0, "failure {failure}");
            pauses.push(trouble.pause().as_millis());
            at = at + trouble.pause();
        }
        assert_eq!(pauses[..8], [10, 20, 40, 80, 160, 320, 640, 1000]);
        assert_eq!(pauses[19], 1000);
        // One that gets in does not make the next failure news, but shortens the pause.
        trouble.failures = 0;
        assert!(!trouble.is_news(at));
        assert_eq!(trouble.pause(), PAUSE_MIN);
        trouble.failures = 0;
        assert!(trouble.is_news(at + QUIET * 2));
    }

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
