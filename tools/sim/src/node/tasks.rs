//! Which tasks of the node must not be there any more when its executors end in order.

use engine_rt::sim::LeftTask;

/// Where tasks of connections and requests are spawned.
const OF_REQUESTS: &[&str] = &[
    "net/server/src/",
    "engine/shard/src/api.rs",
    "engine/shard/src/outbox.rs",
    "engine/shard/src/shard.rs",
];

/// What goes on there as long as the executor.
const SERVICES: &[&str] = &[
    "connection::reap::",
    "connection::serve::",
    "peers::Inbox::serve::",
];

/// Whether a task should have ended with the connection or the request that it was for.
pub(super) fn is_leaked(left: &LeftTask) -> bool {
    let line = left.to_string();
    let has = |parts: &[&str]| parts.iter().any(|part| line.contains(part));
    has(OF_REQUESTS) && !has(SERVICES)
}
