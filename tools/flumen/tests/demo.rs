//! The demonstration in the world it is made for: a real disk, a real socket.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use std::path::Path;

use engine_rt::{ExecutorSpec, ring};
use flumen::broker::{AdminHandle, BrokerConfig, KafkaListener, Settings, StartError};
use flumen::demo::{DemoError, DemoOptions, run};

const SHARDS: usize = 2;

fn options(dir: &Path, addr: &str) -> DemoOptions {
    let broker = BrokerConfig {
        data_dir: dir.to_owned(),
        listeners: vec![KafkaListener {
            name: "PLAINTEXT".to_owned(),
            bind: addr.parse().expect("an address"),
            advertised: None,
        }],
        shards: SHARDS,
        cpus: Vec::new(),
        memory_bytes: 64 << 20,
        open_files: 1024,
        settings: Settings::default(),
        node_id: None,
        accept_copy: false,
        admin: AdminHandle::new(SHARDS),
    };
    DemoOptions {
        broker,
        records: 30_000,
        exit: true,
    }
}

fn demonstrate(options: DemoOptions) -> Result<(), DemoError> {
    let spec = ExecutorSpec {
        name: "control".to_owned(),
        cpu: None,
    };
    let shown = ring::run(spec, ring::Options::default(), move || run(options));
    shown.expect("a ring")
}

#[test]
fn it_ends_well_and_may_be_repeated() {
    let dir = tempfile::tempdir().expect("a directory");
    for _ in 0..2 {
        demonstrate(options(dir.path(), "127.0.0.1:0")).expect("nothing differs");
    }
}

#[test]
fn a_taken_port_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("its address").to_string();
    let dir = tempfile::tempdir().expect("a directory");
    let refused = demonstrate(options(dir.path(), &addr));
    let is_listen =
        |error: &DemoError| matches!(error, DemoError::Start(StartError::Listen { .. }));
    assert!(refused.as_ref().is_err_and(is_listen), "{refused:?}");
    // Nothing was touched.
    let mut left = std::fs::read_dir(dir.path()).expect("the directory");
    assert!(left.next().is_none());
}
