//! The load generator against a whole node, in the simulated world: every record is accounted for.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine_rt::sim;
use flumen::broker::{AdminHandle, BrokerConfig, KafkaListener, Settings, start};
use tools_loadgen::delays::Delay;
use tools_loadgen::drive::{Done, Live, Options, run};
use tools_loadgen::scenario::{Model, Scenario};
use tools_loadgen::units::{Rate, Span};

const ADDR: &str = "127.0.0.1:9092";

fn config() -> BrokerConfig {
    BrokerConfig {
        data_dir: PathBuf::from("/data"),
        listeners: vec![KafkaListener {
            name: "PLAINTEXT".to_owned(),
            bind: ADDR.parse().expect("an address"),
            advertised: None,
        }],
        shards: 2,
        cpus: Vec::new(),
        memory_bytes: 64 << 20,
        open_files: 1024,
        settings: Settings::from_pairs([("flumen.space.reserve.bytes", "0")])
            .expect("known settings"),
        node_id: None,
        accept_copy: false,
        admin: AdminHandle::new(2),
    }
}

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
        let node = start(config()).await.expect("the node starts");
        let options = Options {
            brokers: vec![ADDR.to_owned()],
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
