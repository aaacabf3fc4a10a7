//! Servers that refuse and go away, and clients that try again: it costs time, and nothing else.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::{CrashKind, World};
use tools_loadgen::delays::Delay;
use tools_loadgen::drive::Done;
use tools_loadgen::scenario::{Acks, Scenario};
use tools_loadgen::units::Span;

use crate::double::{Behaviour, Double};
use crate::{calm, load, play, scenario, seconds};

fn patient(retry_for: Duration) -> Scenario {
    let mut scenario = scenario(1_000.0, 8);
    scenario.load.retry_for = Span(retry_for);
    scenario
}

/// A run whose server is away for two seconds, three seconds after its start.
fn play_with_an_outage(scenario: Scenario, behaviour: Behaviour) -> Done {
    let world = World::new(1, calm());
    let (server, client) = (world.node("server"), world.node("client"));
    let double = Double::new(behaviour);
    let serve = || {
        let serving = Rc::clone(&double);
        world.start(server, move || serving.serve());
    };
    serve();
    world.run_for(Duration::from_millis(10));
    let done = Rc::new(RefCell::new(None));
    let sink = Rc::clone(&done);
    world.start(client, move || async move {
        let done = load(scenario).await;
        sink.replace(Some(done));
    });
    world.run_for(Duration::from_secs(3));
    world.crash(server, CrashKind::Kill);
    world.run_for(Duration::from_secs(2));
    serve();
    world.run_until(|| done.borrow().is_some());
    done.take().expect("it has ended")
}

#[test]
fn an_outage_is_in_the_latencies_and_loses_nothing() {
    let behaviour = Behaviour {
        slow: Duration::from_millis(20),
        checks_sequences: true,
        ..Behaviour::default()
    };
    let done = play_with_an_outage(patient(Duration::from_mins(1)), behaviour);
    let counts = &done.counts;
    assert_eq!((counts.planned, counts.acknowledged), (8_000, 8_000));
    assert_eq!((counts.failed, counts.undelivered), (0, 0));
    assert_eq!((counts.reconnects, &done.aborted), (1, &None));
    assert!(counts.retried["connection"] > 0, "{counts:?}");
    assert!((1.9..3.5).contains(&seconds(&done, Delay::Total, 1.0)));
    assert!(done.consumer_retried["connection"] > 0);
    assert_eq!(done.consumer_errors.len(), 0, "{:?}", done.consumer_errors);
    let verdict = done.verdicts[0];
    assert!(verdict.is_clean() && verdict.read == 8_000, "{verdict:?}");
    assert_eq!(done.doubts, []);
}

#[test]
fn what_is_too_old_is_not_sent_again_and_not_lost_either() {
    let mut scenario = patient(Duration::from_millis(300));
    scenario.produce.acks = Acks::Leader;
    let done = play_with_an_outage(scenario, Behaviour::default());
    let (counts, verdict) = (&done.counts, done.verdicts[0]);
    assert!(counts.failed > 0 && counts.errors.len() == 1, "{counts:?}");
    assert_eq!(counts.acknowledged + counts.failed, 8_000, "{counts:?}");
    assert_eq!((verdict.lost, verdict.corrupted), (0, 0), "{verdict:?}");
}

#[test]
fn refused_batches_are_sent_again_once_and_in_their_order() {
    let behaviour = Behaviour {
        refuses: Some(10),
        slow: Duration::from_millis(5),
        checks_sequences: true,
        ..Behaviour::default()
    };
    let (done, did) = play(patient(Duration::from_mins(1)), behaviour, calm());
    let counts = &done.counts;
    assert!(did.refused > 0 && counts.retried["NOT_ENOUGH_REPLICAS"] > 0);
    assert_eq!((counts.acknowledged, counts.failed), (8_000, 0));
    assert_eq!((counts.errors.len(), counts.reconnects), (0, 0));
    let verdict = done.verdicts[0];
    assert!(verdict.is_clean() && verdict.read == 8_000, "{verdict:?}");
}
