//! The production world: one reactor on `io_uring(7)` per core, a few helper threads for calls that
//! block. Where `io_uring` is refused, the same reactor runs on `epoll(7)` ([`Runtime::Epoll`],
//! `src/epoll`).
//!
//! [`run`] starts the first executor of a process, [`crate::spawn_executor`] the others. Sockets are
//! tried first and then waited for by one poll each; files are read and written by direct I/O
//! through the ring or the file threads; names, allocation and whatever else may block go to the helpers.
//!
//! What it is not: general. There is no work stealing, no `Send` future, no I/O but what a broker
//! needs. Unsafe code stands in `sys.rs` (system calls), `uring.rs` and `ops.rs` (memory lent to the
//! kernel) and nowhere else.
//!
//! A turn that takes longer than [`Options::stall`] leaves a note of what took the time, for
//! [`take_stalls`] on another thread; [`stats`] has the turns by their length.
//!
//! First file to read: `turn.rs`, for the order of things; then `ops.rs` for who owns memory in flight.

mod doorbell;
mod driver;
mod executor;
mod file;
pub(crate) mod fs;
mod helpers;
mod lock;
mod net;
mod ops;
mod probe;
mod reactor;
mod readiness;
mod registry;
mod remote;
mod signal;
mod slab;
mod stalls;
mod stats;
mod sys;
mod timers;
mod turn;
mod uring;

pub use executor::{Options, Runtime, affinity, run};
pub(crate) use file::File;
pub(crate) use helpers::start_helper;
pub(crate) use lock::Lock;
pub(crate) use net::{Listener, Socket, Stream};
pub(crate) use ops::Request;
pub use probe::{
    DirectIo, Limit, Probe, Refusal, RingFeatures, StorageProbe, probe, probe_storage,
    raise_open_files,
};
pub(crate) use reactor::Reactor;
pub(crate) use remote::Remote;
pub use signal::{Signal, Terminate, on_terminate};
pub(crate) use stalls::Origin;
pub use stalls::{LongestPoll, Stall, TurnParts, take_stalls};
pub use stats::{ExecutorStats, TURN_CLASSES, TurnAudit, stats, turn_class_bound};
pub(crate) use sys::check;
pub(crate) use uring::{Completion, Wait};
