//! Clocks and timers. Monotonic time orders what the broker does; the wall clock only stamps
//! records and file ages, and may jump.

use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::{Add, Sub};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::world::{self, World};

/// A point of monotonic time, in nanoseconds since an arbitrary start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The point `nanos` nanoseconds after the world's start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the world's start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time passed since `earlier`, zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, rhs: Self) -> Duration {
        self.since(rhs)
    }
}

/// The deadline of [`timeout`] passed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline passed")
    }
}

impl std::error::Error for Elapsed {}

/// The monotonic clock of the current executor.
pub fn now() -> Instant {
    match world::current() {
        World::Ring(reactor) => reactor.now(),
        World::Sim(context) => context.now(),
    }
}

/// Milliseconds since the Unix epoch by the wall clock, which may jump both ways.
pub fn wall_clock_ms() -> i64 {
    match world::current() {
        World::Ring(reactor) => reactor.wall_clock_ms(),
        World::Sim(context) => context.wall_clock_ms(),
    }
}

/// Waits until the monotonic clock reaches `deadline`.
pub async fn sleep_until(deadline: Instant) {
    match world::current() {
        World::Ring(reactor) => reactor.sleep_until(deadline).await,
        World::Sim(context) => context.sleep_until(deadline).await,
    }
}

/// Waits for `duration`.
pub async fn sleep(duration: Duration) {
    sleep_until(now() + duration).await;
}

/// Runs `future` until `deadline`; dropping it then is the future's own affair.
pub async fn timeout<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut timer = pin!(sleep_until(deadline));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        timer.as_mut().poll(cx).map(|()| Err(Elapsed))
    })
    .await
}
