//! A world that is dropped leaves no buffer behind, wherever its nodes were: thousands of seeds are
//! played in one process.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use engine_rt::memory_used;
use tools_sim::node::{Setup, play};

/// Alone in its file, since the count is of the process.
#[test]
fn a_seed_leaves_no_memory_behind() {
    for seed in 0..3 {
        let outcome = play(&Setup::of(seed));
        assert_eq!(outcome.violation, None, "seed {seed}");
        assert_eq!(memory_used(), 0, "seed {seed}");
    }
}
