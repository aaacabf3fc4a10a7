//! An open loop: requests leave at their planned times, whether earlier ones are answered or not,
//! and a latency counts from the planned time. What is late leaves as soon as it can; nothing is
//! left out.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Instant, Task, now, sleep, spawn};

use super::connection::{Connection, Done};
use super::frame::Frame;
use super::{Client, Outcome};

/// From the making of a plan to its first request.
const LEAD: Duration = Duration::from_millis(5);

/// Requests at a steady rate.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// One list for each connection, taken by turns.
    pub(crate) frames: Vec<Rc<[Frame]>>,
    /// Requests a second, of all connections together.
    pub(crate) rate: u64,
    /// In all.
    pub(crate) requests: u64,
}

/// The planned times of one connection.
#[derive(Clone, Copy, Debug)]
struct Times {
    first: Instant,
    interval: Duration,
}

impl Plan {
    /// One part in so many of the requests.
    pub(crate) fn share(&self, of: u64) -> Self {
        Self {
            requests: self.requests / of,
            ..self.clone()
        }
    }

    fn times(&self, first: Instant, connection: usize) -> Times {
        let interval = Duration::from_secs(1) / self.rate as u32;
        Times {
            first: first + interval * connection as u32,
            interval: interval * self.frames.len() as u32,
        }
    }
}

impl Times {
    fn at(&self, number: u64) -> Instant {
        self.first + self.interval * number as u32
    }
}

impl Client {
    /// Carries out `plan`, which has as many lists of frames as there are connections.
    pub(crate) async fn keep_to(&self, plan: &Plan) -> io::Result<Outcome> {
        let each = plan.requests / self.connections.len() as u64;
        let first = now() + LEAD;
        let connections = self.connections.iter().zip(&plan.frames).enumerate();
        let tasks: Vec<Task<io::Result<Done>>> = connections
            .map(|(index, (connection, frames))| {
                let (connection, frames) = (Rc::clone(connection), Rc::clone(frames));
                let times = plan.times(first, index);
                spawn(async move { connection.planned(&frames, each, times).await })
            })
            .collect();
        Outcome::of(tasks, first).await
    }
}

impl Connection {
    /// One task sends, this one receives.
    async fn planned(
        self: Rc<Self>,
        frames: &Rc<[Frame]>,
        requests: u64,
        times: Times,
    ) -> io::Result<Done> {
        let sender = {
            let (connection, frames) = (Rc::clone(&self), Rc::clone(frames));
            spawn(async move { connection.send_planned(&frames, requests, times).await })
        };
        let expected = frames.iter().cycle().take(requests as usize);
        let mut planned = (0..).map(|number| times.at(number));
        let next = || planned.next().expect("times do not end");
        let done = self.answered(expected, next).await?;
        sender.await?;
        Ok(done)
    }

    async fn send_planned(&self, frames: &[Frame], requests: u64, times: Times) -> io::Result<()> {
        for (frame, number) in frames.iter().cycle().zip(0..requests) {
            let early = times.at(number).since(now());
            if !early.is_zero() {
                sleep(early).await;
            }
            self.stream.send(&frame.pieces).await?;
        }
        Ok(())
    }
}
