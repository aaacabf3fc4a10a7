//! Options of `flumen cluster`.

use clap::Subcommand;

use super::{BrokerArg, OutputArg, WatchArg};

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Lists the brokers, with what they lead
    Info {
        #[command(flatten)]
        watch: WatchArg,
        #[command(flatten)]
        output: OutputArg,
        #[command(flatten)]
        broker: BrokerArg,
    },
    /// Says whether every partition has a leader and all its replicas; ends with 1 if not
    Health {
        #[command(flatten)]
        watch: WatchArg,
        /// Wait until it is so
        #[arg(short, long)]
        exit_when_healthy: bool,
        #[command(flatten)]
        output: OutputArg,
        #[command(flatten)]
        broker: BrokerArg,
    },
}
