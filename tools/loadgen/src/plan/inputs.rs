//! What a plan is made of: the load, the machines, what they may be used for, and what work costs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::units::{Bytes, Rate, Span};

/// A plan that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// Not TOML, or a key that is not known.
    #[error("{0}")]
    Syntax(String),
    /// A value that makes no sense.
    #[error("{0}")]
    Value(&'static str),
    /// No number of machines has enough memory.
    #[error("a machine has less memory than its cores alone want: 2 GiB each")]
    Memory,
}

/// Bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Throughput(Rate);

impl Throughput {
    /// So many bytes a second.
    pub const fn new(bytes: f64) -> Self {
        Self(Rate::Bytes(bytes))
    }

    /// Bytes a second. A number without a unit means bytes.
    pub const fn bytes(self) -> f64 {
        match self.0 {
            Rate::Bytes(number) | Rate::Records(number) => number,
        }
    }
}

/// Everything that a plan wants to know; the defaults are the worked example.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Inputs {
    /// What producers send, compressed.
    pub ingress: Throughput,
    /// Mean size of a record, compressed as it is in its batch.
    pub record: Bytes,
    /// Mean size of a batch.
    pub batch: Bytes,
    /// Mean size of a produce request.
    pub request: Bytes,
    /// Mean size of a fetch answer.
    pub fetch: Bytes,
    /// Replicas of each partition.
    pub replication: u32,
    /// How many times everything is read.
    pub fan_out: f64,
    /// How long records are kept.
    pub retention: Span,
    /// How long they are kept on local disks; without it, all the time and nowhere else.
    pub local_retention: Option<Span>,
    /// Partitions of all topics.
    pub partitions: u64,
    /// Connections of all clients.
    pub connections: u64,
    /// Zones that machines are spread over.
    pub zones: u64,
    /// Machines that may be gone while the load is carried.
    pub failures: u64,
    /// Share of what is read that is not in memory any more.
    pub cold_share: f64,
    /// Bytes written to disks for each byte of the log.
    pub write_amplification: f64,
    /// How long records stay in memory.
    pub tail: Span,
    /// Whether clients' connections are encrypted.
    pub tls: bool,
    /// Whether consumers read from a replica of their own zone.
    pub rack_aware: bool,
    /// Size of an object in the object store.
    pub segment: Bytes,
    /// The machines.
    pub machine: Machine,
    /// How far they may be used.
    pub target: Use,
    /// What work costs.
    pub costs: Calibration,
    /// What things cost.
    pub prices: Costs,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Machine {
    /// CPUs.
    pub cores: u32,
    /// Memory.
    pub memory: Bytes,
    /// Space of all disks.
    pub disk: Bytes,
    /// What all disks together write or read.
    pub disk_bandwidth: Throughput,
    /// What the network carries each way.
    pub network: Throughput,
    /// How fast a machine that was replaced is filled from each other one.
    pub rebuild: Throughput,
}

/// Shares of a machine that may be used, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Use {
    /// Of the network.
    pub network: f64,
    /// Of the CPUs.
    pub cpu: f64,
    /// Of the disks' bandwidth.
    pub disk_bandwidth: f64,
    /// Of the disks' space.
    pub space: f64,
}

/// What work costs, as measured; the defaults are placeholders but for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Calibration {
    /// Microseconds of a produce request.
    pub produce_us: f64,
    /// Microseconds of a fetch.
    pub fetch_us: f64,
    /// Nanoseconds of a byte that goes in or out.
    pub byte_ns: f64,
    /// Nanoseconds more of a byte that is encrypted.
    pub tls_byte_ns: f64,
}

/// Prices, in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Costs {
    /// A machine for a month.
    pub node_month: f64,
    /// A gigabyte in the object store for a month.
    pub object_gb_month: f64,
    /// A thousand puts.
    pub puts_thousand: f64,
    /// A gigabyte from one zone to another.
    pub cross_zone_gb: f64,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            ingress: Throughput::new(1e9),
            record: Bytes(1024),
            batch: Bytes(64 << 10),
            request: Bytes(64 << 10),
            fetch: Bytes(1 << 20),
            replication: 3,
            fan_out: 2.0,
            retention: Span(Duration::from_hours(7 * 24)),
            local_retention: None,
            partitions: 1000,
            connections: 1000,
            zones: 3,
            failures: 1,
            cold_share: 0.0,
            write_amplification: 1.05,
            tail: Span(Duration::from_mins(1)),
            tls: true,
            rack_aware: false,
            segment: Bytes(64 << 20),
            machine: Machine::default(),
            target: Use::default(),
            costs: Calibration::default(),
            prices: Costs::default(),
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            cores: 16,
            memory: Bytes(128 << 30),
            disk: Bytes(8 * 15_360_000_000_000),
            disk_bandwidth: Throughput::new(8e9),
            network: Throughput::new(25e9 / 8.0),
            rebuild: Throughput::new(0.3e9),
        }
    }
}

impl Default for Use {
    fn default() -> Self {
        Self {
            network: 0.6,
            cpu: 0.5,
            disk_bandwidth: 0.6,
            space: 0.7,
        }
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            produce_us: 10.0,
            fetch_us: 8.0,
            byte_ns: 0.35,
            tls_byte_ns: 1.0,
        }
    }
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            node_month: 0.0,
            object_gb_month: 0.023,
            puts_thousand: 0.005,
            cross_zone_gb: 0.02,
        }
    }
}

impl Inputs {
    /// Reads a file's text with single keys above it, such as `ingress` and `2GB/s`.
    pub fn parse_with(text: &str, keys: &[(&str, &str)]) -> Result<Self, PlanError> {
        let text = crate::scenario::with_keys(text, keys)
            .map_err(|error| PlanError::Syntax(error.to_string()))?;
        toml::from_str(&text).map_err(|error| PlanError::Syntax(error.to_string()))
    }

    /// How long records stay on local disks.
    pub fn local_retention(&self) -> Duration {
        self.local_retention
            .map_or(self.retention.0, |local| local.0.min(self.retention.0))
    }

    /// Whether what is older goes to an object store.
    pub fn is_tiered(&self) -> bool {
        self.local_retention() < self.retention.0
    }

    /// Refuses what makes no sense.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        let sizes = [
            self.record,
            self.batch,
            self.request,
            self.fetch,
            self.segment,
        ];
        let machine = &self.machine;
        let rates = [
            self.ingress,
            machine.disk_bandwidth,
            machine.network,
            machine.rebuild,
        ];
        let used = &self.target;
        let shares = [used.network, used.cpu, used.disk_bandwidth, used.space];
        let fault = if sizes.contains(&Bytes(0)) || machine.disk.0 == 0 || machine.cores == 0 {
            "sizes, disks and cores are above 0"
        } else if !rates.iter().all(|rate| rate.bytes() > 0.0) {
            "rates are above 0"
        } else if !shares.iter().all(|share| *share > 0.0 && *share <= 1.0) {
            "target shares are above 0 and at most 1"
        } else if self.replication == 0 || self.zones == 0 {
            "one replica in one zone is the least"
        } else {
            return Ok(());
        };
        Err(PlanError::Value(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_keys_above_is_read() {
        let text = "retention = \"7d\"\nlocal-retention = \"24h\"\n[machine]\ncores = 8\n";
        let keys = [("ingress", "500MB/s"), ("machine.memory", "64GiB")];
        let inputs = Inputs::parse_with(text, &keys).unwrap();
        assert!((inputs.ingress.bytes() - 5e8).abs() < 1e-3);
        assert!(inputs.is_tiered());
        assert_eq!(
            (inputs.machine.cores, inputs.machine.memory),
            (8, Bytes(64 << 30))
        );
        assert!(Inputs::parse_with("speed = 1", &[]).is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |change: fn(&mut Inputs)| {
            let mut inputs = Inputs::default();
            change(&mut inputs);
            inputs.check().is_err()
        };
        assert!(Inputs::default().check().is_ok());
        assert!(refused(|inputs| inputs.batch = Bytes(0)));
        assert!(refused(|inputs| inputs.ingress = Throughput::new(0.0)));
        assert!(refused(|inputs| inputs.target.cpu = 1.5));
        assert!(refused(|inputs| inputs.zones = 0));
    }
}
