//! What every world of the seam must do alike: one suite, run on each of them.
#![cfg(test)]

use std::future::Future;

use engine_rt::ring::{self, Runtime};
use engine_rt::{ExecutorSpec, sim};

mod suite;

/// Each seed is another order of things.
const SEEDS: u64 = 10;

/// Runs `test` as the main future of an executor, once in each world.
fn on_each_world<F: Future<Output = ()> + 'static>(test: fn() -> F) {
    for runtime in [Runtime::Ring, Runtime::Epoll] {
        let spec = ExecutorSpec {
            name: "seam".into(),
            cpu: None,
        };
        let options = ring::Options {
            runtime,
            ..ring::Options::default()
        };
        ring::run(spec, options, test).expect("the kernel gives us what it takes");
    }
    for seed in 0..SEEDS {
        // What is resident stays so: the suite looks at it twice.
        let mut options = sim::Options::default();
        options.disk.evict = 0.0;
        let world = sim::World::new(seed, options);
        let node = world.node("node");
        world.block_on(node, test);
        world.run_until_idle();
        assert_eq!(world.live_tasks(node), 0, "seed {seed}");
    }
}

/// One `#[test]` per function of the suite.
macro_rules! suite {
    ($($module:ident: $($test:ident),+;)+) => {
        $(mod $module {
            $(#[test]
            fn $test() {
                super::on_each_world(super::suite::$module::$test);
            })+
        })+
    };
}

suite! {
    time: timers_fire_in_the_order_of_their_deadlines, a_timer_is_never_early,
        timeout_gives_the_output_or_the_deadline, many_timers_can_be_taken_back;
    tasks: output_and_cancel, yielding_lets_others_run, event_wakes_all,
        semaphore_is_fair, semaphore_grants_oversized_requests_alone,
        a_dropped_waiter_leaves_the_line, blocking_work_comes_back;
    executors: mailbox_holds_back_its_senders, mailbox_tells_of_its_ends,
        oneshot_tells_of_a_dropped_sender, join_waits_for_the_end,
        tasks_die_with_their_executor, thousands_of_round_trips;
    files: what_is_written_is_read, buffers_are_written_one_behind_the_other, reads_end_with_the_file, allocated_bytes_are_zero,
        lengths_change, open_modes, misaligned_requests_panic, writers_side_by_side,
        resident_ranges;
    names: directories, renaming_replaces, places_and_space, locks_exclude;
    sockets: a_line_and_its_echo, large_transfers_both_ways, many_pieces, file_pieces,
        file_pieces_cut_short, ends_and_refusals, an_accepted_socket_moves, shutdown_wakes_the_reader;
    cancel: dropped_writes_keep_their_memory, dropped_reads_do_no_harm,
        dropped_receives_lose_nothing, dropped_sends_to_a_mailbox_lose_nothing_else,
        a_sender_behind_dropped_ones_is_woken;
}
