//! The load client: frames made beforehand, sent with a bound on how many wait for their answer.
//!
//! `frame.rs` makes the frames, `connection.rs` moves them, `admin.rs` makes topics.

mod admin;
mod connection;
mod frame;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Task, now, spawn};
use hdrhistogram::Histogram;

pub(crate) use self::admin::create_topics;
use self::connection::Connection;
pub(crate) use self::frame::{Frame, bulk_frames, single_frames};

/// Values from a microsecond to a minute, in nanoseconds, to three digits.
pub(crate) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("the bounds are in order")
}

/// What a load did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Requests that were answered without an error.
    pub(crate) requests: u64,
    /// Bytes of record batches in them.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// From the first byte given to the socket to the answer, in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
}

/// Connections to a broker.
#[derive(Debug)]
pub(crate) struct Client {
    connections: Vec<Rc<Connection>>,
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr, connections: usize) -> io::Result<Self> {
        let mut client = Self {
            connections: Vec::with_capacity(connections),
        };
        for _ in 0..connections {
            client
                .connections
                .push(Rc::new(Connection::connect(addr).await?));
        }
        Ok(client)
    }

    /// Sends `requests` in all, each connection those of its own frames by turns, at most
    /// `in_flight` unanswered at a time. `frames` has one list for each connection.
    pub(crate) async fn load(
        &self,
        frames: &[Rc<[Frame]>],
        in_flight: usize,
        requests: u64,
    ) -> io::Result<Outcome> {
        let each = requests / self.connections.len() as u64;
        let started = now();
        let send = |(connection, frames): (&Rc<Connection>, &Rc<[Frame]>)| {
            let (connection, frames) = (Rc::clone(connection), Rc::clone(frames));
            spawn(async move { connection.load(&frames, in_flight, each).await })
        };
        let tasks: Vec<Task<io::Result<connection::Done>>> =
            self.connections.iter().zip(frames).map(send).collect();
        let mut outcome = Outcome {
            requests: 0,
            bytes: 0,
            elapsed: Duration::ZERO,
            latencies: latencies(),
        };
        for task in tasks {
            let done = task.await?;
            outcome.requests += each;
            outcome.bytes += done.bytes;
            outcome
                .latencies
                .add(&done.latencies)
                .map_err(io::Error::other)?;
        }
        outcome.elapsed = now() - started;
        Ok(outcome)
    }
}
