//! Turns of an executor without any work in them: what its loop and its accounts cost.

use std::time::Duration;

use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use engine_rt::ring::{self, Options};
use engine_rt::{ExecutorSpec, now, spawn, yield_now};

/// Tasks that are polled in a turn: the least there is, and a busy connection's with the journal.
const POLLS: [usize; 2] = [1, 6];

async fn yield_often(times: u64) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// How long so many turns take, in each of which `polls` tasks are polled. The kernel is not
/// visited: there is nothing to hand in.
fn turns(polls: usize, turns: u64) -> Duration {
    let spec = ExecutorSpec {
        name: "bench".to_owned(),
        cpu: None,
    };
    let work = async move {
        for _ in 1..polls {
            spawn(yield_often(turns)).detach();
        }
        yield_now().await;
        let begin = now();
        yield_often(turns).await;
        now().since(begin)
    };
    ring::run(spec, Options::default(), || work).expect("the kernel gives a ring")
}

fn empty_turns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a turn of an executor");
    for polls in POLLS {
        group.bench_function(
            format!("{polls} empty polls"),
            |bencher: &mut Bencher<'_>| {
                bencher.iter_custom(|times| turns(polls, times));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, empty_turns);
criterion_main!(benches);
