//! A whole node in the simulated world, with clients of every kind.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod day;
mod groups;
mod lives;
mod loadgen;
mod support;
