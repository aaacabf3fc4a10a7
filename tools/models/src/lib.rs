//! What crosses threads in the runtime seam, under every order of events that loom can find:
//! `ci/models` runs it.
//!
//! The modules are those of `engine/rt`, the same files; only `shim`, from which they take atomics,
//! queues and wakers, is another one here. What it is not: a proof of the queues themselves
//! (crossbeam's, which stand for anything linearizable here), nor of `Arc`.
//!
//! First file to read: `shim.rs`, then `models.rs`.

#![forbid(unsafe_code)]
#![cfg_attr(
    all(test, loom),
    expect(
        dead_code,
        reason = "the modules belong to another crate, which uses all of them"
    )
)]

#[cfg(all(test, loom))]
#[path = "../../../engine/rt/src/ring/doorbell.rs"]
mod doorbell;
#[cfg(all(test, loom))]
#[path = "../../../engine/rt/src/mailbox.rs"]
mod mailbox;
#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, loom))]
#[path = "../../../engine/rt/src/oneshot.rs"]
mod oneshot;
#[cfg(all(test, loom))]
mod shim;
