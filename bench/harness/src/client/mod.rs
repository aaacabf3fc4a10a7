//! The load client: frames made beforehand, sent with a bound on how many wait for their answer.
//!
//! `frame.rs` makes the frames, `connection.rs` moves them, `planned.rs` at planned times;
//! `consumer.rs` fetches; `admin.rs` makes topics; `group.rs` has members and their offsets.

mod admin;
mod connection;
mod consumer;
mod frame;
mod group;
mod planned;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Instant, Task, now, spawn};
use hdrhistogram::Histogram;

use crate::bench::GIB;

pub(crate) use self::admin::{
    alter_topic, create_topic_with, create_topics, fetch_request, first_answer, metadata_request,
    wait_until_led,
};
pub(crate) use self::connection::Connection;
use self::connection::Done;
pub(crate) use self::consumer::{Consumer, FETCH_VERSION, Reading, consume, read_while};
pub(crate) use self::frame::{
    Content, Frame, bulk_frames, keyed_frame, shared_frames, single_frames, spread_frames,
};
pub(crate) use self::group::{Member, committed_offsets, echoed, find_coordinator, member_frames};
pub(crate) use self::planned::Plan;

/// Values from a microsecond to a minute, in nanoseconds, to three digits.
pub(crate) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("the bounds are in order")
}

/// What is sent to a broker.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// One list for each connection, taken by turns.
    pub(crate) frames: Vec<Rc<[Frame]>>,
    /// Requests of a connection that may be unanswered at a time.
    pub(crate) in_flight: usize,
    /// In all.
    pub(crate) requests: u64,
}

impl Load {
    /// One part in so many of the requests.
    pub(crate) fn share(&self, of: u64) -> Self {
        Self {
            requests: (self.requests / of).max(self.frames.len() as u64),
            ..self.clone()
        }
    }
}

/// What a load did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Requests that were answered without an error.
    pub(crate) requests: u64,
    /// Bytes of record batches in them.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// From the first byte given to the socket, or the planned time, to the answer, in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
}

impl Outcome {
    fn none() -> Self {
        Self {
            requests: 0,
            bytes: 0,
            elapsed: Duration::ZERO,
            latencies: latencies(),
        }
    }

    /// What all connections did from `started` on.
    async fn of(tasks: Vec<Task<io::Result<Done>>>, started: Instant) -> io::Result<Self> {
        let mut outcome = Self::none();
        for task in tasks {
            outcome.add(&task.await?)?;
        }
        outcome.elapsed = now() - started;
        Ok(outcome)
    }

    /// Adds what one connection did.
    fn add(&mut self, done: &Done) -> io::Result<()> {
        self.requests += done.latencies.len();
        self.bytes += done.bytes;
        let added = self.latencies.add(&done.latencies);
        added.map_err(io::Error::other)
    }

    pub(crate) fn gib(&self) -> f64 {
        self.bytes as f64 / GIB
    }

    pub(crate) fn millions(&self) -> f64 {
        self.requests as f64 / 1e6
    }

    pub(crate) fn mbps(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn krps(&self) -> f64 {
        self.requests as f64 / 1e3 / self.elapsed.as_secs_f64()
    }

    /// Latency at a quantile.
    pub(crate) fn micros(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1e3
    }
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

    /// Sends all of `load`, which has as many lists of frames as there are connections.
    pub(crate) async fn run(&self, load: &Load) -> io::Result<Outcome> {
        let (each, in_flight) = (
            load.requests / self.connections.len() as u64,
            load.in_flight,
        );
        let started = now();
        let send = |(connection, frames): (&Rc<Connection>, &Rc<[Frame]>)| {
            let (connection, frames) = (Rc::clone(connection), Rc::clone(frames));
            spawn(async move { connection.load(&frames, in_flight, each).await })
        };
        let tasks: Vec<Task<io::Result<Done>>> = self
            .connections
            .iter()
            .zip(&load.frames)
            .map(send)
            .collect();
        Outcome::of(tasks, started).await
    }
}
