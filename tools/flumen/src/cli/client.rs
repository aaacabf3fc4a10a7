//! What commands that talk to a broker have in common: an executor, and a way to the cluster.

use engine_rt::{ExecutorSpec, ring};
use flumen::client::Cluster;

use super::args::{BrokerArg, RuntimeChoice};
use super::runtime;
use crate::errors::Failure;

/// What brokers see as the client's name.
const CLIENT_ID: &str = "flumen";

/// Runs a command on an executor of its own.
pub(crate) fn on_ring<F>(work: impl FnOnce() -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + 'static,
{
    let options = ring::Options {
        runtime: runtime::choose(RuntimeChoice::Auto, &ring::probe())?,
        ..ring::Options::default()
    };
    let spec = ExecutorSpec {
        name: "command".to_owned(),
        cpu: None,
    };
    ring::run(spec, options, work)
        .map_err(|error| Failure::new("FL1017", "the command's executor").because(error))?
}

/// Connects to the cluster that the command line names.
pub(crate) async fn connect(broker: &BrokerArg) -> Result<Cluster, Failure> {
    Ok(Cluster::connect(&broker.addr, CLIENT_ID).await?)
}
