//! What only a real machine can show, on rings.
#![cfg(test)]

use engine_rt::ring::Runtime;

mod machine;

const RUNTIME: Runtime = Runtime::Ring;
