//! The load generator against a node: every record is accounted for.

use std::sync::Arc;
use std::time::Duration;

use engine_rt::sim;
use flumen::broker::start;
use tools_loadgen::delays::Delay;
use tools_loadgen::drive::{Done, Live, Options, run};
use tools_loadgen::scenario::{Model, Scenario};
use tools_loadgen::units::{Rate, Span};

use crate::support::{ADDR, config};

fn play(model: Model, codec: &str) -> Done {
    let mut scenario = Scenario::default();
    scenario.load.rate = Rate::Records(500.0);
    scenario.load.warmup = Span(Duration::from_secs(1));
    scenario.load.duration = Span(Duration::from_secs(4));
    scenario.topics.count = 2;
    scenario.topics.partitions = 3;
    scenario.produce.model = model;
    scenario.produce.clients = 2;
    codec.clone_into(&mut scenario.produce.compression);
    scenario.consume.consumers = 2;
    sim::run(11, move || async move {
        let node = start(config(2, &[])).await.expect("the node starts");
        let options = Options {
            brokers: vec![ADDR.to_string()],
            run: 1,
            asks_cpu: false,
            replay: None,
        };
        let done = run(Arc::new(scenario), &options, &Arc::new(Live::default())).await;
        node.stop().await.expect("an orderly stop");
        done.expect("the run ends")
    })
}

#[test]
fn every_record_is_accounted_for() {
    for (model, codec) in [
        (Model::Java, "lz4"),
        (Model::Librdkafka, "zstd"),
        (Model::Ideal, "none"),
    ] {
        let done = play(model, codec);
        assert_eq!(done.counts.planned, 2500, "{model:?}");
        assert_eq!(done.counts.acknowledged, 2500, "{:?}", done.counts.errors);
        assert_eq!(done.delays.of(Delay::Total).len(), 2000);
        assert_eq!((done.verdicts.len(), done.consumed), (2, 5000));
        for verdict in &done.verdicts {
            assert!(verdict.is_clean() && verdict.read == 2500, "{verdict:?}");
        }
        assert!(
            done.consumer_errors.is_empty(),
            "{:?}",
            done.consumer_errors
        );
        assert_eq!(done.aborted, None);
    }
}
