//! What only a real machine can show, on epoll and file threads.
#![cfg(test)]

use engine_rt::ring::Runtime;

mod machine;

const RUNTIME: Runtime = Runtime::Epoll;
