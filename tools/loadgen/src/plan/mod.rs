//! How many machines a load needs: formulae, each with its line, so that every figure can be
//! followed. The resource that asks for the most machines is named.
//!
//! `inputs.rs` has what is given, `lines.rs` prints. Rates are those of compressed bytes.

mod inputs;
mod lines;

pub use inputs::{Calibration, Costs, Inputs, Machine, PlanError, Throughput, Use};
pub use lines::Line;

/// Bytes of a batch's header, which every batch has.
const BATCH_HEADER_BYTES: f64 = 61.0;
/// What a record has besides key and value: lengths and deltas.
const RECORD_FRAMING_BYTES: f64 = 9.0;
/// The price of object storage and puts is by the month of thirty days.
const MONTH_SECONDS: f64 = 30.0 * 86_400.0;
const HOUR_SECONDS: f64 = 3600.0;
const DAY_SECONDS: f64 = 86_400.0;
const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1_073_741_824.0;
const GB: f64 = 1e9;
/// Floors that Redpanda publishes: memory of a core, and of a replica.
const MEMORY_PER_CORE: f64 = 2.0 * GIB;
const MEMORY_PER_REPLICA: f64 = 2.0 * MIB;
const MEMORY_PER_CONNECTION: f64 = 128.0 * 1024.0;

/// What may ask for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Space on local disks.
    Space,
    /// The network.
    Network,
    /// Bandwidth of the disks.
    DiskBandwidth,
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
    /// A replica each.
    Replication,
}

impl Resource {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Space => "disk space",
            Self::Network => "network",
            Self::DiskBandwidth => "disk bandwidth",
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Replication => "replication",
        }
    }
}

/// A plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Machines in all, an equal number in each zone.
    pub nodes: u64,
    /// Machines before they were made a multiple of the zones.
    pub nodes_before_zones: u64,
    /// What asks for the most.
    pub binding: Resource,
    /// Every step, in order.
    pub lines: Vec<Line>,
}

/// Loads by resource, of the whole cluster.
#[derive(Clone, Copy, Debug)]
struct Demand {
    /// Bytes a second that the log takes: what producers send, with its framing.
    log: f64,
    /// Bytes on local disks, replicas included, without headroom.
    local: f64,
    network_in: f64,
    network_out: f64,
    disk_write: f64,
    disk_read: f64,
    cores_requests: f64,
    cores_bytes: f64,
    cores_tls: f64,
}

impl Demand {
    fn of(inputs: &Inputs) -> Self {
        let w = inputs.ingress.bytes();
        let (rf, fan_out) = (f64::from(inputs.replication), inputs.fan_out);
        let framing = BATCH_HEADER_BYTES / inputs.batch.0 as f64
            + RECORD_FRAMING_BYTES / inputs.record.0 as f64;
        let log = w * (1.0 + framing);
        let tier = if inputs.is_tiered() { 1.0 } else { 0.0 };
        let network_in = log * rf;
        let network_out = log * (rf - 1.0 + fan_out + tier);
        let costs = &inputs.costs;
        let produce = w / inputs.request.0 as f64 * costs.produce_us;
        let fetch = w * fan_out / inputs.fetch.0 as f64 * costs.fetch_us;
        // Clients' bytes are what is encrypted.
        let encrypted = if inputs.tls {
            log * (1.0 + fan_out)
        } else {
            0.0
        };
        Self {
            log,
            local: log * inputs.local_retention().as_secs_f64() * rf,
            network_in,
            network_out,
            disk_write: log * rf * inputs.write_amplification,
            disk_read: log * fan_out * inputs.cold_share,
            cores_requests: (produce + fetch) / 1e6,
            cores_bytes: (network_in + network_out) * costs.byte_ns / 1e9,
            cores_tls: encrypted * costs.tls_byte_ns / 1e9,
        }
    }

    fn cores(&self) -> f64 {
        self.cores_requests + self.cores_bytes + self.cores_tls
    }

    /// Memory of each of `n` machines.
    fn memory(&self, inputs: &Inputs, n: f64) -> f64 {
        let rf = f64::from(inputs.replication);
        let tail = self.log * rf / n * inputs.tail.0.as_secs_f64();
        let replicas = inputs.partitions as f64 * rf / n * MEMORY_PER_REPLICA;
        let connections = inputs.connections as f64 / n * MEMORY_PER_CONNECTION;
        let floor = MEMORY_PER_CORE * f64::from(inputs.machine.cores);
        floor.max(tail + replicas + connections)
    }

    /// Machines that each resource asks for, failures apart.
    fn nodes(&self, inputs: &Inputs) -> Result<[(Resource, u64); 6], PlanError> {
        let (machine, used) = (&inputs.machine, &inputs.target);
        let disk = machine.disk.0 as f64 * used.space;
        let network = machine.network.bytes() * used.network;
        let bandwidth = machine.disk_bandwidth.bytes() * used.disk_bandwidth;
        let cores = f64::from(machine.cores) * used.cpu;
        let ceil = |load: f64, of: f64| (load / of).ceil() as u64;
        let memory =
            (1..=NODES_MAX).find(|n| self.memory(inputs, *n as f64) <= machine.memory.0 as f64);
        Ok([
            (Resource::Space, ceil(self.local, disk)),
            (
                Resource::Network,
                ceil(self.network_in.max(self.network_out), network),
            ),
            (
                Resource::DiskBandwidth,
                ceil(self.disk_write + self.disk_read, bandwidth),
            ),
            (Resource::Cpu, ceil(self.cores(), cores)),
            (Resource::Memory, memory.ok_or(PlanError::Memory)?),
            (Resource::Replication, u64::from(inputs.replication)),
        ])
    }
}

/// Nobody plans for more.
const NODES_MAX: u64 = 10_000;

/// Makes a plan.
pub fn plan(inputs: &Inputs) -> Result<Plan, PlanError> {
    let mut made = without_sensitivity(inputs)?;
    made.lines.extend(lines::sensitivity(inputs, made.nodes));
    Ok(made)
}

fn without_sensitivity(inputs: &Inputs) -> Result<Plan, PlanError> {
    inputs.check()?;
    let demand = Demand::of(inputs);
    let by_resource = demand.nodes(inputs)?;
    let most = by_resource
        .into_iter()
        .rev()
        .max_by_key(|(_, nodes)| *nodes);
    let (binding, surviving) = most.unwrap_or((Resource::Replication, 1));
    let before = surviving + inputs.failures;
    let nodes = before.next_multiple_of(inputs.zones);
    let lines = lines::lines(inputs, &demand, &by_resource, binding, before);
    Ok(Plan {
        nodes,
        nodes_before_zones: before,
        binding,
        lines,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::units::{Bytes, Span};

    /// A gigabyte a second for a week, on the machines that `Inputs` has by default.
    fn example() -> Inputs {
        Inputs::default()
    }

    fn value(plan: &Plan, name: &str) -> f64 {
        let line = plan.lines.iter().find(|line| line.name == name);
        line.unwrap_or_else(|| panic!("{name}")).value
    }

    fn near(found: f64, expected: f64) {
        assert!(
            (found / expected - 1.0).abs() < 0.005,
            "{found} instead of {expected}"
        );
    }

    #[test]
    fn the_worked_example_without_tiering_is_bound_by_disks() {
        let plan = plan(&example()).unwrap();
        near(
            value(&plan, "log rate"),
            1e9 * (1.0 + 61.0 / 65_536.0 + 9.0 / 1024.0),
        );
        near(value(&plan, "local bytes"), 1.832e15);
        near(value(&plan, "local bytes with headroom"), 2.617e15);
        assert_eq!((plan.nodes_before_zones, plan.nodes), (23, 24));
        assert_eq!(plan.binding, Resource::Space);
    }

    #[test]
    fn the_worked_example_with_tiering() {
        let inputs = Inputs {
            local_retention: Some(Span(Duration::from_hours(24))),
            ..example()
        };
        let plan = plan(&inputs).unwrap();
        // Four survive, one may fail, three zones make six of it.
        assert_eq!((plan.nodes_before_zones, plan.nodes), (5, 6));
        near(value(&plan, "local bytes with headroom"), 3.739e14);
        near(value(&plan, "network in, each"), 0.757e9);
        near(value(&plan, "network out, each"), 1.262e9);
        near(value(&plan, "disk writes, each"), 0.795e9);
        near(value(&plan, "memory of the newest records, each"), 45.4e9);
        near(value(&plan, "CPU for bytes"), 2.83);
        near(value(&plan, "CPU for TLS"), 3.03);
        near(value(&plan, "CPU for requests"), 0.168);
        near(value(&plan, "cores with headroom"), 12.05);
        near(value(&plan, "disk writes a day"), 0.447);
        near(value(&plan, "rebuild"), 12.1);
        near(value(&plan, "remote bytes"), 610.7e12);
        near(value(&plan, "object storage"), 14_046.0);
        near(value(&plan, "puts"), 195.0);
        near(value(&plan, "across zones: replication"), 104_688.0);
        near(value(&plan, "across zones: consumers"), 69_792.0);
        near(value(&plan, "across zones: producers"), 34_560.0);
        let near_reads = Inputs {
            rack_aware: true,
            ..inputs
        };
        let plan = super::plan(&near_reads).unwrap();
        assert!(value(&plan, "across zones: consumers").abs() < 1e-9);
    }

    #[test]
    fn every_line_says_how_it_came_about() {
        let plan = plan(&example()).unwrap();
        assert!(plan.lines.len() > 20);
        for line in &plan.lines {
            assert!(
                !line.formula.is_empty() && line.value.is_finite(),
                "{line:?}"
            );
            assert!(!line.to_string().contains("NaN"), "{line}");
        }
        let text: Vec<String> = plan.lines.iter().map(ToString::to_string).collect();
        assert!(
            text.iter().any(|line| line.contains("disk space binds")),
            "{text:#?}"
        );
    }

    #[test]
    fn other_resources_bind_too() {
        let mut inputs = Inputs {
            retention: Span(Duration::from_hours(1)),
            ..example()
        };
        inputs.fan_out = 20.0;
        assert_eq!(plan(&inputs).unwrap().binding, Resource::Network);
        inputs.fan_out = 1.0;
        inputs.request = Bytes(100);
        assert_eq!(plan(&inputs).unwrap().binding, Resource::Cpu);
        inputs.request = Bytes(65_536);
        inputs.partitions = 10_000_000;
        assert_eq!(plan(&inputs).unwrap().binding, Resource::Memory);
        inputs.machine.memory = Bytes(1 << 30);
        assert_eq!(plan(&inputs), Err(PlanError::Memory));
    }
}
