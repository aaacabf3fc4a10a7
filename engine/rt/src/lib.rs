//! The runtime seam: everything above it that waits, moves bytes or asks for the time does so here.
//!
//! One API, several worlds behind it. [`ring`] is the per-core reactor on `io_uring` that serves in
//! production, or on `epoll` and file threads where that is refused ([`ring::Runtime`]); [`sim`]
//! runs many executors on one thread from one seed, with virtual time and faulty disks and
//! networks. The same broker code runs on all of them: the choice is an enum behind each type, made
//! by the executor that the calling task runs on, never a type parameter.
//!
//! What it is not: it knows nothing of Kafka, journals or partitions.
//!
//! Rules of the seam:
//! - futures are `!Send`; what crosses executors goes through a [`mailbox()`] or a [`oneshot()`];
//! - an operation owns its buffer, so that a dropped future orphans the operation and never frees
//!   memory that a disk is still reading;
//! - a durable write makes durable its own bytes and nothing else, in every world.
//!
//! First file to read: `fs.rs`, then `ring/mod.rs`, `epoll/mod.rs` or `sim/mod.rs`.

mod buf;
mod epoll;
mod executor;
pub mod fs;
mod mailbox;
pub mod mutant;
mod net;
mod oneshot;
pub mod ring;
pub mod sandbox;
mod shim;
pub mod sim;
mod sync;
mod task;
mod time;
mod world;

pub use buf::{BLOCK_BYTES, Buf, BufMut, keep_idle, memory_used, memory_used_here};
pub use executor::{Executor, ExecutorSpec, blocking, spawn_executor};
pub use mailbox::{MailClosed, MailReceiver, MailSender, mailbox};
pub use net::{Listener, Piece, Socket, Stream, resolve};
pub use oneshot::{OneshotReceiver, OneshotSender, oneshot};
pub use ring::{ExecutorStats, stats};
pub use sync::{Event, Permit, Semaphore};
pub use task::{Task, spawn, yield_now};
pub use time::{Elapsed, Instant, now, sleep, sleep_until, timeout, wall_clock_ms};

/// A random number: from the kernel in the ring world, from the seed in the simulation.
pub fn random_u64() -> u64 {
    world::current().random_u64()
}
