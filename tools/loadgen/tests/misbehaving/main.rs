//! The generator against a server that misbehaves, in virtual time: what it measures is what the
//! server did, and what the server did to records is counted.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod double;
mod outages;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use double::{ADDR, Behaviour, Did, Double};
use engine_rt::sim::{Options as WorldOptions, World};
use engine_rt::{Buf, now};
use net_client::{Connection, NewTopic, ToProduce};
use net_wire::batch::BatchBuilder;
use net_wire::codec::Codecs;
use tools_loadgen::content::Size;
use tools_loadgen::delays::Delay;
use tools_loadgen::drive::{Done, Live, Options, run};
use tools_loadgen::honesty::Doubt;
use tools_loadgen::scenario::{Model, Scenario};
use tools_loadgen::units::{Bytes, Rate, Span};

const MS: u64 = 1_000_000;

fn calm() -> WorldOptions {
    WorldOptions {
        stall_probability: 0.0,
        ..WorldOptions::default()
    }
}

/// A load of small records without warm-up.
fn scenario(rate: f64, seconds: u64) -> Scenario {
    let mut scenario = Scenario::default();
    scenario.load.rate = Rate::Records(rate);
    scenario.load.warmup = Span(Duration::ZERO);
    scenario.load.duration = Span(Duration::from_secs(seconds));
    scenario.topics.partitions = 4;
    scenario.records.size = Size::Fixed(Bytes(100));
    scenario.produce.linger = Some(Span(Duration::from_millis(5)));
    scenario
}

fn play(scenario: Scenario, behaviour: Behaviour, options: WorldOptions) -> (Done, Did) {
    let world = World::new(1, options);
    let (server, client) = (world.node("server"), world.node("client"));
    let double = Double::new(behaviour);
    let serving = Rc::clone(&double);
    world.start(server, move || serving.serve());
    world.run_for(Duration::from_millis(10));
    let done = world.block_on(client, move || load(scenario));
    assert_eq!(double.topics(), 0, "the run's topics are deleted");
    (done, double.did())
}

/// One run.
async fn load(scenario: Scenario) -> Done {
    let options = Options {
        brokers: vec![ADDR.to_owned()],
        run: 0x1234,
        asks_cpu: false,
        replay: None,
    };
    let done = run(Arc::new(scenario), &options, &Arc::new(Live::default())).await;
    done.expect("the run ends")
}

fn seconds(done: &Done, delay: Delay, quantile: f64) -> f64 {
    done.delays.of(delay).value_at_quantile(quantile) as f64 / 1e9
}

fn one_pause() -> Behaviour {
    Behaviour {
        pause: Some((Duration::from_secs(30), Duration::from_secs(1))),
        ..Behaviour::default()
    }
}

#[test]
fn a_pause_of_a_second_is_measured_for_every_record_that_met_it() {
    let (done, _) = play(scenario(10_000.0, 60), one_pause(), calm());
    assert_eq!(done.counts.planned, 600_000);
    assert_eq!((done.counts.acknowledged, done.counts.failed), (600_000, 0));
    let (p99, p999) = (
        seconds(&done, Delay::Total, 0.99),
        seconds(&done, Delay::Total, 0.999),
    );
    assert!((p99 / 0.40 - 1.0).abs() < 0.05, "p99 {p99}");
    assert!((p999 / 0.94 - 1.0).abs() < 0.05, "p99.9 {p999}");
    assert_eq!(done.doubts, []);
    // What a closed loop looks at hides it: few requests were on their way.
    assert!(seconds(&done, Delay::Service, 0.99) < 0.1);
    assert!(done.verdicts[0].is_clean() && done.verdicts[0].read == 600_000);
    assert!(
        done.consumer_errors.is_empty(),
        "{:?}",
        done.consumer_errors
    );
}

/// Sends a batch, waits for its answer, sends the next, for a minute; the latencies.
async fn closed_loop() -> Vec<u64> {
    let addr: SocketAddr = ADDR.parse().expect("an address");
    let connection = Connection::connect(addr, "control")
        .await
        .expect("connected");
    let new = NewTopic {
        name: "t",
        partitions: 1,
        ..NewTopic::default()
    };
    connection.create_topic(&new).await.expect("a topic");
    let mut builder = BatchBuilder::new();
    builder.append(0, None, Some(&[7; 100]), &[]);
    let batch = builder.build(&mut Codecs::new()).expect("a batch");
    let records = Buf::copy_from_slice(&batch);
    let (started, mut latencies) = (now(), Vec::new());
    while now().since(started) < Duration::from_mins(1) {
        let sent = now();
        let batch = ToProduce {
            topic: "t",
            partition: 0,
            records: records.clone(),
        };
        let answer = connection.produce(-1, &[batch]).expect("in line");
        answer.await.expect("an answer");
        latencies.push(now().since(sent).as_nanos() as u64);
    }
    latencies.sort_unstable();
    latencies
}

#[test]
fn a_closed_loop_does_not_see_the_pause() {
    let world = World::new(1, calm());
    let (server, client) = (world.node("server"), world.node("client"));
    let double = Double::new(one_pause());
    world.start(server, move || double.serve());
    world.run_for(Duration::from_millis(10));
    let latencies = world.block_on(client, closed_loop);
    let p99 = latencies[latencies.len() * 99 / 100];
    assert!(
        latencies.last().is_some_and(|max| *max > 900 * MS),
        "it met the pause"
    );
    assert!(p99 < 10 * MS, "{p99}");
}

#[test]
fn what_a_server_does_to_records_is_counted() {
    let behaviour = Behaviour {
        loses: Some(7),
        duplicates: Some(11),
        reorders: Some(13),
        corrupts: Some(17),
        ..Behaviour::default()
    };
    let (done, did) = play(scenario(5_000.0, 5), behaviour, calm());
    let verdict = done.verdicts[0];
    assert!(did.lost > 0 && did.duplicated > 0 && did.reordered > 0 && did.corrupted > 0);
    assert_eq!((verdict.sent, verdict.acknowledged), (25_000, 25_000));
    assert_eq!(verdict.duplicated, did.duplicated, "{verdict:?} {did:?}");
    assert_eq!(verdict.reordered, did.reordered, "{verdict:?} {did:?}");
    // A damaged record was acknowledged and is not there either.
    assert_eq!(verdict.corrupted, did.corrupted, "{verdict:?} {did:?}");
    assert_eq!(
        verdict.lost,
        did.lost + did.corrupted,
        "{verdict:?} {did:?}"
    );
    assert!(!verdict.is_clean());
}

#[test]
fn refused_batches_are_failures_and_not_losses() {
    let behaviour = Behaviour {
        refuses: Some(10),
        ..Behaviour::default()
    };
    let (done, did) = play(scenario(2_000.0, 5), behaviour, calm());
    assert_eq!(done.counts.failed, did.refused);
    assert_eq!(done.counts.errors["NOT_ENOUGH_REPLICAS"], did.refused);
    assert_eq!(done.counts.acknowledged + done.counts.failed, 10_000);
    assert!(done.verdicts[0].is_clean());
}

#[test]
fn slow_answers_block_what_comes_behind() {
    let mut scenario = scenario(500.0, 10);
    scenario.produce.model = Model::Ideal;
    scenario.produce.linger = None;
    scenario.produce.in_flight = Some(1);
    let behaviour = Behaviour {
        slow: Duration::from_millis(20),
        ..Behaviour::default()
    };
    let (done, _) = play(scenario, behaviour, calm());
    assert!((0.02..0.03).contains(&seconds(&done, Delay::Service, 0.5)));
    assert!((0.005..0.03).contains(&seconds(&done, Delay::Blocked, 0.5)));
    assert!(seconds(&done, Delay::Batching, 0.99) < 0.001);
    assert!(seconds(&done, Delay::Lateness, 0.99) < 0.001);
}

#[test]
fn a_generator_that_was_stopped_says_so() {
    let stops = WorldOptions {
        stall_probability: 5e-5,
        stall: Duration::from_millis(500)..Duration::from_millis(501),
        ..WorldOptions::default()
    };
    let (done, _) = play(scenario(2_000.0, 30), Behaviour::default(), stops);
    let late = |doubt: &Doubt| matches!(doubt, Doubt::Late { .. });
    assert!(done.doubts.iter().any(late), "{:?}", done.doubts);
    assert!(seconds(&done, Delay::Lateness, 1.0) > 0.4);
    assert_eq!(done.counts.planned, 60_000, "late, but nothing is left out");
}

#[test]
fn a_load_that_is_not_delivered_ends_early() {
    let mut scenario = scenario(5_000.0, 20);
    scenario.load.max_backlog = 2_000;
    scenario.load.drain = Span(Duration::from_secs(2));
    let behaviour = Behaviour {
        pause: Some((Duration::from_secs(2), Duration::from_mins(10))),
        ..Behaviour::default()
    };
    let (done, _) = play(scenario, behaviour, calm());
    let why = done.aborted.expect("it was aborted");
    assert!(why.contains("not delivered"), "{why}");
    assert!(done.counts.undelivered >= 2_000);
    assert!(done.counts.planned < 20_000);
    // They are in the histogram at their age.
    assert_eq!(done.delays.of(Delay::Total).len(), done.counts.planned);
}
