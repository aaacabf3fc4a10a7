//! The lines of a plan: what each figure is, how it came about, and what it means.

use std::fmt;

use super::inputs::Throughput;
use super::{
    DAY_SECONDS, Demand, GB, GIB, HOUR_SECONDS, Inputs, MONTH_SECONDS, Resource,
    without_sensitivity,
};

/// One step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// How it came about.
    pub formula: &'static str,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it means for the plan; empty if nothing by itself.
    pub remark: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = shown(self.value, self.unit);
        write!(f, "{:<36}{value:>16}   {}", self.name, self.formula)?;
        if !self.remark.is_empty() {
            write!(f, "   <- {}", self.remark)?;
        }
        Ok(())
    }
}

fn shown(value: f64, unit: &str) -> String {
    let (scaled, prefix) = match unit {
        "B" | "B/s" => match value {
            1e12.. => (value / 1e12, "T"),
            1e9.. => (value / 1e9, "G"),
            1e6.. => (value / 1e6, "M"),
            _ => (value, ""),
        },
        _ => (value, ""),
    };
    let digits = if scaled >= 100.0 || unit == "nodes" {
        0
    } else {
        2
    };
    format!("{scaled:.digits$} {prefix}{unit}")
}

fn line(name: &str, formula: &'static str, value: f64, unit: &'static str) -> Line {
    Line {
        name: name.to_owned(),
        formula,
        value,
        unit,
        remark: String::new(),
    }
}

/// All steps.
pub(super) fn lines(
    inputs: &Inputs,
    demand: &Demand,
    by_resource: &[(Resource, u64)],
    binding: Resource,
    before_zones: u64,
) -> Vec<Line> {
    let mut lines = totals(inputs, demand);
    lines.extend(nodes(inputs, by_resource, binding, before_zones));
    lines.extend(each(inputs, demand, before_zones));
    lines.extend(months(inputs, demand, before_zones));
    lines
}

fn totals(inputs: &Inputs, demand: &Demand) -> Vec<Line> {
    let remote = if inputs.is_tiered() {
        demand.log * inputs.retention.0.as_secs_f64()
    } else {
        0.0
    };
    vec![
        line("log rate", "Wl = W (1 + 61/b + 9/s)", demand.log, "B/s"),
        line("local bytes", "Wl L RF", demand.local, "B"),
        line(
            "local bytes with headroom",
            "D = Wl L RF / u_space",
            demand.local / inputs.target.space,
            "B",
        ),
        line("remote bytes", "O = Wl T, if tiered", remote, "B"),
        line("network in", "Wl RF", demand.network_in, "B/s"),
        line(
            "network out",
            "Wl (RF - 1 + F + tier)",
            demand.network_out,
            "B/s",
        ),
        line("disk writes", "Wl RF wa", demand.disk_write, "B/s"),
        line("disk reads", "Wl F m", demand.disk_read, "B/s"),
        line(
            "CPU for requests",
            "W/request c_p + W F/fetch c_f",
            demand.cores_requests,
            "cores",
        ),
        line(
            "CPU for bytes",
            "(in + out) c_b",
            demand.cores_bytes,
            "cores",
        ),
        line("CPU for TLS", "Wl (1 + F) c_t", demand.cores_tls, "cores"),
        line(
            "cores with headroom",
            "(requests + bytes + TLS) / u_cpu",
            demand.cores() / inputs.target.cpu,
            "cores",
        ),
    ]
}

fn formula(resource: Resource) -> &'static str {
    match resource {
        Resource::Space => "D / disk",
        Resource::Network => "max(in, out) / (NIC u_net)",
        Resource::DiskBandwidth => "(writes + reads) / (bandwidth u_bw)",
        Resource::Cpu => "cores with headroom / cores",
        Resource::Memory => "the fewest whose memory is enough",
        Resource::Replication => "RF",
    }
}

fn nodes(
    inputs: &Inputs,
    by_resource: &[(Resource, u64)],
    binding: Resource,
    before_zones: u64,
) -> Vec<Line> {
    let of_resource = |&(resource, nodes): &(Resource, u64)| {
        let name = format!("nodes for {}", resource.name());
        let mut line = line(&name, formula(resource), nodes as f64, "nodes");
        if resource == binding {
            line.remark = format!("{} binds", resource.name());
        }
        line
    };
    let mut lines: Vec<Line> = by_resource.iter().map(of_resource).collect();
    let (all, failures) = (before_zones as f64, "max of these + f");
    lines.push(line("nodes with failures", failures, all, "nodes"));
    let zoned = before_zones.next_multiple_of(inputs.zones) as f64;
    lines.push(line(
        "nodes",
        "rounded up to a multiple of A",
        zoned,
        "nodes",
    ));
    lines
}

/// What each machine does when `f` of them are gone; zones may add machines, which this leaves out.
fn each(inputs: &Inputs, demand: &Demand, before_zones: u64) -> Vec<Line> {
    let n = (before_zones - inputs.failures).max(1) as f64;
    let all = before_zones as f64;
    let rf = f64::from(inputs.replication);
    let disk = inputs.machine.disk.0 as f64;
    let others = (all - 1.0).max(1.0) * inputs.machine.rebuild.bytes();
    vec![
        line(
            "network in, each",
            "Wl RF / n",
            demand.network_in / n,
            "B/s",
        ),
        line(
            "network out, each",
            "Wl (RF - 1 + F + tier) / n",
            demand.network_out / n,
            "B/s",
        ),
        line(
            "disk writes, each",
            "Wl RF wa / n",
            demand.disk_write / n,
            "B/s",
        ),
        line(
            "memory of the newest records, each",
            "Wl RF tail / n",
            demand.log * rf / n * inputs.tail.0.as_secs_f64(),
            "B",
        ),
        line(
            "memory, each",
            "max(2 GiB cores, newest + 2 MiB replicas + 128 KiB connections)",
            demand.memory(inputs, n) / GIB,
            "GiB",
        ),
        line(
            "replicas, each",
            "P RF / n",
            inputs.partitions as f64 * rf / n,
            "replicas",
        ),
        line(
            "rebuild",
            "Wl L RF / N / ((N - 1) rebuild)",
            demand.local / all / others / HOUR_SECONDS,
            "h",
        ),
        line(
            "disk writes a day",
            "DWPD = Wl RF wa 1 d / (N disk)",
            demand.disk_write * DAY_SECONDS / (all * disk),
            "x",
        ),
    ]
}

/// What a month costs.
fn months(inputs: &Inputs, demand: &Demand, before_zones: u64) -> Vec<Line> {
    let prices = &inputs.prices;
    let zones = inputs.zones as f64;
    let away = (zones - 1.0) / zones;
    let month = |rate: f64| rate * MONTH_SECONDS / GB * prices.cross_zone_gb;
    let (log, rf) = (demand.log, f64::from(inputs.replication));
    let replicated = if inputs.zones > 1 {
        log * (rf - 1.0)
    } else {
        0.0
    };
    let read = if inputs.rack_aware {
        0.0
    } else {
        log * inputs.fan_out * away
    };
    let (remote, puts) = if inputs.is_tiered() {
        let remote = log * inputs.retention.0.as_secs_f64();
        (remote, log * MONTH_SECONDS / inputs.segment.0 as f64)
    } else {
        (0.0, 0.0)
    };
    let nodes = before_zones.next_multiple_of(inputs.zones) as f64;
    let mut lines = vec![
        line("machines", "N node", nodes * prices.node_month, "a month"),
        line(
            "object storage",
            "O price",
            remote / GB * prices.object_gb_month,
            "a month",
        ),
        line(
            "puts",
            "Wl 30 d / segment, price by the thousand",
            puts / 1000.0 * prices.puts_thousand,
            "a month",
        ),
        line(
            "across zones: producers",
            "W (A - 1)/A price",
            month(inputs.ingress.bytes() * away),
            "a month",
        ),
        line(
            "across zones: replication",
            "Wl (RF - 1) price",
            month(replicated),
            "a month",
        ),
        line(
            "across zones: consumers",
            "Wl F (A - 1)/A price, nothing if rack aware",
            month(read),
            "a month",
        ),
    ];
    if read > 0.0 {
        let saved = month(read);
        let remark = format!("fetching from a replica of the own zone saves {saved:.0}");
        lines[5].remark = remark;
    }
    let all: f64 = lines.iter().map(|line| line.value).sum();
    lines.push(line("all of it", "the sum", all, "a month"));
    lines
}

/// Changes one input.
type Change = fn(&mut Inputs, f64);

/// Inputs that are varied, with what each one is called.
const VARIED: [(&str, Change); 7] = [
    ("ingress", |inputs, by| {
        inputs.ingress = Throughput::new(inputs.ingress.bytes() * by);
    }),
    ("fan-out", |inputs, by| inputs.fan_out *= by),
    ("retention", |inputs, by| {
        inputs.retention.0 = inputs.retention.0.mul_f64(by);
        let local = inputs.local_retention.as_mut();
        if let Some(local) = local {
            local.0 = local.0.mul_f64(by);
        }
    }),
    ("disk", |inputs, by| {
        inputs.machine.disk.0 = (inputs.machine.disk.0 as f64 * by) as u64;
    }),
    ("network", |inputs, by| {
        let network = inputs.machine.network.bytes();
        inputs.machine.network = Throughput::new(network * by);
    }),
    ("memory", |inputs, by| {
        inputs.machine.memory.0 = (inputs.machine.memory.0 as f64 * by) as u64;
    }),
    ("cost of CPU", |inputs, by| {
        let costs = &mut inputs.costs;
        costs.produce_us *= by;
        costs.fetch_us *= by;
        costs.byte_ns *= by;
        costs.tls_byte_ns *= by;
    }),
];

/// How the number of machines changes with a fifth more or less of each input.
pub(super) fn sensitivity(inputs: &Inputs, nodes: u64) -> Vec<Line> {
    let varied = |&(name, change): &(&str, Change)| {
        let with = |by: f64| {
            let mut inputs = inputs.clone();
            change(&mut inputs, by);
            without_sensitivity(&inputs).ok().map(|plan| plan.nodes)
        };
        let (less, more) = (with(0.8), with(1.2));
        let told =
            |nodes: Option<u64>| nodes.map_or_else(|| "none".to_owned(), |nodes| nodes.to_string());
        let mut line = line(
            &format!("nodes by {name}"),
            "N with 20 % less and 20 % more",
            nodes as f64,
            "nodes",
        );
        line.remark = format!("{} and {}", told(less), told(more));
        line
    };
    VARIED.iter().map(varied).collect()
}
