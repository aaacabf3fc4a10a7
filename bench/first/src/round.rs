//! One round: every physical part, then a fresh broker with every case.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bench_micro::measure::Series;
use engine_rt::{Stream, now, sleep};

use crate::Options;
use crate::broker::Broker;
use crate::child::Child;
use crate::client::{Client, Frame, Outcome, bulk_frames, create_topics, single_frames};
use crate::cpu::{MachineSnapshot, MachineUse, ProcessSnapshot, ProcessUse};
use crate::part::send_frames;
use crate::rows;

const GIB: f64 = (1_u64 << 30) as f64;
/// Connections of the case of many small requests.
const CONNECTIONS: usize = 16;
/// Large requests in flight.
const IN_FLIGHT: usize = 8;
/// One in so many requests is sent before the clock starts.
const WARM_SHARE: u64 = 10;
const BATCH_BYTES: u64 = 256 << 10;
const RECEIVE_BYTES: u64 = 2 << 30;
/// A machine is quiet when others use no more than this, for so long.
const QUIET_CORES: f64 = 0.15;
const LOOK: Duration = Duration::from_millis(500);

/// Measurements by the key of their row.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<&'static str, Series>);

impl Results {
    fn add(&mut self, key: &str, value: f64) -> io::Result<()> {
        let row = rows::find(key).ok_or_else(|| io::Error::other(format!("no row {key}")))?;
        self.0.entry(row.key).or_default().push(value);
        Ok(())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Series> {
        self.0.get(key)
    }

    fn last(&self, key: &str) -> f64 {
        self.get(key)
            .and_then(|series| series.values().last())
            .copied()
            .unwrap_or(f64::NAN)
    }
}

/// A load and what was used meanwhile.
#[derive(Debug)]
struct Window {
    outcome: Outcome,
    server: ProcessUse,
    client: ProcessUse,
    machine: MachineUse,
}

/// What is sent in a case.
#[derive(Clone, Debug)]
struct Case {
    prefix: &'static str,
    frames: Vec<Rc<[Frame]>>,
    in_flight: usize,
    requests: u64,
}

/// The frames of all cases, made once.
#[derive(Debug)]
pub(crate) struct Cases {
    bulk: [Case; 2],
    small: Case,
    single: Case,
}

impl Cases {
    pub(crate) fn new(options: &Options) -> io::Result<Self> {
        let bulk = |prefix, partitions| {
            Ok::<_, io::Error>(Case {
                prefix,
                frames: vec![bulk_frames(prefix, partitions)?],
                in_flight: IN_FLIGHT,
                requests: (options.bulk_mib << 20) / BATCH_BYTES,
            })
        };
        let small = Case {
            prefix: "small",
            frames: single_frames("small", CONNECTIONS as i32)?,
            in_flight: 1,
            requests: options.small_requests,
        };
        let single = Case {
            prefix: "single",
            frames: single_frames("single", 1)?,
            in_flight: 1,
            requests: options.single_requests,
        };
        Ok(Self {
            bulk: [bulk("bulk1", 1)?, bulk("bulk16", 16)?],
            small,
            single,
        })
    }
}

impl Cases {
    fn all(&self) -> impl Iterator<Item = &Case> {
        self.bulk.iter().chain([&self.small, &self.single])
    }
}

/// Runs one round. Every other one goes through the broker's cases backwards.
pub(crate) async fn run(
    options: &Options,
    cases: &Cases,
    results: &mut Results,
    number: usize,
) -> io::Result<()> {
    if options.only.is_empty() {
        parts(options, cases, results).await?;
    }
    let Some(program) = &options.broker else {
        return Ok(());
    };
    let broker = Broker::start(program, options)?;
    let topics = [
        ("bulk1", 1),
        ("bulk16", 16),
        ("small", CONNECTIONS as i32),
        ("single", 1),
    ];
    create_topics(broker.addr, &topics).await?;
    let mut order: Vec<&Case> = cases.all().collect();
    if !options.only.is_empty() {
        order.retain(|case| options.only.iter().any(|name| name == case.prefix));
    }
    if number % 2 == 1 {
        order.reverse();
    }
    for case in order {
        let client = Client::connect(broker.addr, case.frames.len()).await?;
        let idle = idle(options, results).await?;
        let window = measured(&client, case, broker.pid()).await?;
        broker_figures(results, case.prefix, &window, idle)?;
    }
    let ratio = results.last("single.p50") / results.last("raw.p50");
    if ratio.is_finite() {
        results.add("single.ratio", ratio)?;
    }
    broker.stop().await
}

/// Cores that are in use while nothing is measured, once that is little or patience has ended.
async fn idle(options: &Options, results: &mut Results) -> io::Result<f64> {
    let deadline = now() + Duration::from_secs(options.patience);
    loop {
        let (before, started) = (MachineSnapshot::take()?, now());
        sleep(LOOK).await;
        let busy = MachineSnapshot::take()?.since(&before).busy;
        let cores = busy.as_secs_f64() / (now() - started).as_secs_f64();
        if cores <= QUIET_CORES || now() >= deadline {
            results.add("noise.idle", cores)?;
            return Ok(cores);
        }
    }
}

async fn parts(options: &Options, cases: &Cases, results: &mut Results) -> io::Result<()> {
    let cpu = options.server_cpu;
    let dir = options.data.to_string_lossy().into_owned();
    for args in [&["alone"][..], &["disk", "--dir", &dir]] {
        idle(options, results).await?;
        for (key, value) in Child::figures(args, cpu).await? {
            results.add(&key, value)?;
        }
    }
    for (name, buffers) in [("warm", "1"), ("cold", "64")] {
        idle(options, results).await?;
        receive(results, name, buffers, cpu).await?;
    }
    let (child, addr) = Child::serve(&["echo"], cpu).await?;
    for (key, case) in [("echo.small", &cases.small), ("echo.single", &cases.single)] {
        let client = Client::connect(addr, case.frames.len()).await?;
        idle(options, results).await?;
        let window = measured(&client, case, child.pid()).await?;
        part_figures(results, key, &window)?;
    }
    drop(child);
    let (child, addr) = Child::serve(&["null"], cpu).await?;
    let with_null = [
        ("null.bulk", &cases.bulk[0]),
        ("null.small", &cases.small),
        ("null.single", &cases.single),
    ];
    for (key, case) in with_null {
        let client = Client::connect(addr, case.frames.len()).await?;
        idle(options, results).await?;
        let window = measured(&client, case, child.pid()).await?;
        part_figures(results, key, &window)?;
    }
    Ok(())
}

async fn receive(results: &mut Results, name: &str, buffers: &str, cpu: usize) -> io::Result<()> {
    let (child, addr) = Child::serve(&["receive", "--buffers", buffers], cpu).await?;
    let stream = Stream::connect(addr).await?;
    send_frames(&stream, RECEIVE_BYTES / WARM_SHARE).await?;
    let (before, started) = (ProcessSnapshot::take(child.pid())?, now());
    send_frames(&stream, RECEIVE_BYTES).await?;
    let seconds = (now() - started).as_secs_f64();
    let used = ProcessSnapshot::take(child.pid())?.since(&before);
    let cpu = used.cpu.as_secs_f64() / (RECEIVE_BYTES as f64 / GIB);
    results.add(&format!("receive.{name}.cpu"), cpu)?;
    results.add(
        &format!("receive.{name}.mbps"),
        RECEIVE_BYTES as f64 / 1e6 / seconds,
    )
}

/// Sends what the case says, after a share of it that does not count.
async fn measured(client: &Client, case: &Case, server: u32) -> io::Result<Window> {
    let (frames, in_flight) = (&case.frames, case.in_flight);
    client
        .load(frames, in_flight, case.requests / WARM_SHARE)
        .await?;
    let own = std::process::id();
    let machine = MachineSnapshot::take()?;
    let (server_before, client_before) =
        (ProcessSnapshot::take(server)?, ProcessSnapshot::take(own)?);
    let outcome = client.load(frames, in_flight, case.requests).await?;
    Ok(Window {
        outcome,
        server: ProcessSnapshot::take(server)?.since(&server_before),
        client: ProcessSnapshot::take(own)?.since(&client_before),
        machine: MachineSnapshot::take()?.since(&machine),
    })
}

impl Window {
    /// GiB of bulk cases, millions of requests of the others.
    fn amount(&self) -> f64 {
        if self.is_bulk() {
            self.outcome.bytes as f64 / GIB
        } else {
            self.outcome.requests as f64 / 1e6
        }
    }

    fn is_bulk(&self) -> bool {
        self.outcome.bytes / self.outcome.requests > BATCH_BYTES / 2
    }

    fn seconds(&self) -> f64 {
        self.outcome.elapsed.as_secs_f64()
    }

    fn micros(&self, quantile: f64) -> f64 {
        self.outcome.latencies.value_at_quantile(quantile) as f64 / 1e3
    }

    fn rate(&self) -> (&'static str, f64) {
        if self.is_bulk() {
            ("mbps", self.outcome.bytes as f64 / 1e6 / self.seconds())
        } else {
            ("krps", self.outcome.requests as f64 / 1e3 / self.seconds())
        }
    }
}

fn part_figures(results: &mut Results, prefix: &str, window: &Window) -> io::Result<()> {
    if prefix.ends_with("single") {
        return results.add(&format!("{prefix}.p50"), window.micros(0.5));
    }
    let (rate, value) = window.rate();
    results.add(
        &format!("{prefix}.cpu"),
        window.server.cpu.as_secs_f64() / window.amount(),
    )?;
    results.add(&format!("{prefix}.{rate}"), value)
}

fn broker_figures(
    results: &mut Results,
    prefix: &str,
    window: &Window,
    idle: f64,
) -> io::Result<()> {
    let per = |time: Duration| time.as_secs_f64() / window.amount();
    let machine = window
        .machine
        .busy
        .saturating_sub(window.client.cpu)
        .as_secs_f64();
    let known = window.server.cpu + window.client.cpu + window.machine.kernel;
    let others = window.machine.busy.saturating_sub(known);
    let (rate, value) = window.rate();
    let figures = [
        ("cpu", per(window.server.cpu)),
        ("workers", per(window.server.workers)),
        ("kernel", per(window.machine.kernel)),
        (
            "machine",
            (machine - idle * window.seconds()) / window.amount(),
        ),
        (rate, value),
        ("p50", window.micros(0.5)),
        ("p99", window.micros(0.99)),
        (
            "written",
            window.server.written as f64 / window.outcome.bytes as f64,
        ),
        ("client", window.client.cpu.as_secs_f64() / window.seconds()),
    ];
    for (name, value) in figures {
        let key = format!("{prefix}.{name}");
        // The case of one connection is about its latency, and has fewer rows.
        if rows::find(&key).is_some() {
            results.add(&key, value)?;
        }
    }
    results.add("noise.others", others.as_secs_f64() / window.seconds())
}
