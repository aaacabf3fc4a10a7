//! Turns that take too long are told with the task that took the time, and audited turns with what
//! they used.
#![cfg(test)]

use std::time::Duration;

use engine_rt::ring::{self, Options, Stall, TurnAudit, take_stalls, turn_class_bound};
use engine_rt::{ExecutorSpec, ExecutorStats, now, sleep, spawn, stats};

fn run<F: Future + 'static>(name: &str, options: Options, main: F) -> F::Output {
    let spec = ExecutorSpec {
        name: name.into(),
        cpu: None,
    };
    ring::run(spec, options, || main).unwrap()
}

fn counted(name: &str) -> ExecutorStats {
    let found = stats().into_iter().find(|stats| stats.name == name);
    found.expect("it runs")
}

#[expect(clippy::disallowed_methods, reason = "what a task must not do")]
#[expect(clippy::unused_async, reason = "a task that does nothing else")]
async fn waits(time: Duration) {
    std::thread::sleep(time);
}

#[expect(clippy::unused_async, reason = "as above")]
async fn computes(time: Duration) {
    let end = now() + time;
    while now() < end {
        std::hint::spin_loop();
    }
}

/// The turn of the task is over when a timer has come.
async fn later() {
    sleep(Duration::from_millis(1)).await;
}

fn note_of(task: &str) -> Stall {
    let by = |stall: &Stall| stall.longest.is_some_and(|poll| poll.task.contains(task));
    let mut notes = take_stalls().into_iter();
    let (name, stall) = notes.find(|(_, stall)| by(stall)).expect("it was noted");
    assert_eq!(name, "stalled");
    stall
}

/// One test, since notes are taken out by whoever asks.
#[test]
fn a_task_that_blocks_its_executor_is_named() {
    let long = Duration::from_millis(30);
    run("stalled", Options::default(), async move {
        spawn(waits(long)).await;
        let here = line!() - 1;
        later().await;
        let stall = note_of("stalls::waits");
        let poll = stall.longest.unwrap();
        assert!(poll.took >= long && poll.took <= stall.turn, "{stall:?}");
        assert!(poll.spawned_at.file().ends_with("tests/stalls.rs"));
        assert_eq!(poll.spawned_at.line(), here);
        assert!(stall.ended_ms > 0 && stall.polls > 0, "{stall:?}");
        assert_eq!(stall.cpu, None);
        let parts = stall.parts;
        assert!(parts.tasks >= long, "{stall:?}");
        let others = parts.completions + parts.wakes + parts.timers + parts.kernel;
        assert_eq!(parts.tasks + others, stall.turn);
        let counted = counted("stalled");
        assert!(counted.stalls >= 1, "{counted:?}");
        assert!(counted.turn_max >= long && counted.turn_max_recent >= long);
        let longer = |class: &usize| turn_class_bound(*class).is_none_or(|bound| bound > long);
        let classes = (0..counted.turns.len()).filter(longer);
        assert!(classes.map(|class| counted.turns[class]).sum::<u64>() >= 1);
    });
    // Shorter than a tick of the kernel's clock.
    let fine = Options {
        stall: Duration::from_millis(1),
        audit_turns: true,
        ..Options::default()
    };
    run("stalled", fine, async {
        spawn(computes(Duration::from_millis(2))).await;
        later().await;
        let stall = note_of("stalls::computes");
        assert!(stall.longest.unwrap().took >= Duration::from_millis(2));
        // The two clocks are not read at the same moment.
        let between = Duration::from_micros(100);
        assert!(stall.cpu.unwrap() <= stall.turn + between, "{stall:?}");
    });
}

#[test]
fn without_a_threshold_nothing_is_a_stall() {
    let options = Options {
        stall: Duration::ZERO,
        ..Options::default()
    };
    run("unwatched", options, async {
        spawn(waits(Duration::from_millis(20))).await;
        later().await;
        let counted = counted("unwatched");
        assert_eq!((counted.stalls, counted.audit), (0, None));
        assert!(counted.turn_max >= Duration::from_millis(20));
    });
}

const WAITS: u64 = 20;

#[test]
fn an_audit_counts_what_turns_wait_for() {
    let audited = |name: &'static str, blocks: bool| -> TurnAudit {
        let options = Options {
            audit_turns: true,
            ..Options::default()
        };
        run(name, options, async move {
            // What the sleep between turns waits for is not counted.
            later().await;
            let time = Duration::from_millis(5);
            if blocks {
                for _ in 0..WAITS {
                    spawn(waits(time / WAITS as u32)).await;
                }
            } else {
                spawn(computes(time)).await;
            }
            later().await;
            counted(name).audit.expect("it was asked for")
        })
    };
    // A thread that computes may still wait for the kernel, for memory say.
    let computed = audited("computes", false);
    assert!(computed.voluntary_switches < WAITS / 2, "{computed:?}");
    assert!(computed.cpu_max > Duration::from_millis(1), "{computed:?}");
    let waited = audited("waits", true);
    assert!(waited.voluntary_switches >= WAITS, "{waited:?}");
    assert!(waited.cpu_max < Duration::from_millis(5), "{waited:?}");
}
