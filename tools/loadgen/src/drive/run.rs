//! The order of a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine_rt::{
    ExecutorSpec, Instant, OneshotReceiver, OneshotSender, now, oneshot, sleep, spawn_executor,
};
use net_client::Connection;

use super::RunError;
use super::books::Counts;
use super::cluster::{Backoff, Layout, connect, connect_any, create, delete};
use super::consumer::{self, Consumed, consume};
use super::generator::{self, Produced, Wires, produce};
use super::live::Live;
use super::sender::Setup;
use crate::arrival::Plan;
use crate::delays::Delays;
use crate::honesty::{Doubt, Evidence, doubts};
use crate::ledger::{Verdict, Writer};
use crate::scenario::Scenario;

/// From the last connection to the first planned record.
const LEAD: Duration = Duration::from_millis(20);

/// Where a run goes and who it is.
#[derive(Clone, Debug)]
pub struct Options {
    /// Brokers of the cluster, `HOST:PORT`; one that answers is enough.
    pub brokers: Vec<String>,
    /// The run's number, which is in every record.
    pub run: u64,
    /// Whether to ask the system how much CPU the generator used: not in virtual time.
    pub asks_cpu: bool,
    /// When records are planned, where the scenario's rates do not say it.
    pub replay: Option<Arc<[u64]>>,
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct Done {
    /// Where time went.
    pub delays: Delays,
    /// What was counted while producing.
    pub counts: Counts,
    /// What the broker kept: one for each consumer.
    pub verdicts: Vec<Verdict>,
    /// Records that consumers have read.
    pub consumed: u64,
    /// What went wrong with reading, by its name.
    pub consumer_errors: BTreeMap<String, u64>,
    /// What failed with reading and was tried again, by its name.
    pub consumer_retried: BTreeMap<String, u64>,
    /// Why the run says nothing about the broker; empty if it does.
    pub doubts: Vec<Doubt>,
    /// Why the run ended before its plan did.
    pub aborted: Option<String>,
    /// Time that was measured: from the end of the warm-up to the last planned record.
    pub measured: Duration,
    /// Share of a core that the busiest core of the generator used.
    pub cpu: Option<f64>,
    /// Brokers that led partitions.
    pub brokers: usize,
}

/// One side of the wires to an executor: what the control keeps.
struct Ends<T> {
    connected: OneshotReceiver<Result<(), RunError>>,
    start: OneshotSender<Instant>,
    done: OneshotReceiver<T>,
}

fn wires<T>() -> (Wires<T>, Ends<T>) {
    let (connected_here, connected) = oneshot();
    let (start, start_there) = oneshot();
    let (done_here, done) = oneshot();
    let there = Wires {
        connected: connected_here,
        start: start_there,
        done: done_here,
    };
    let here = Ends {
        connected,
        start,
        done,
    };
    (there, here)
}

/// Carries out a scenario: makes its topics, loads them, reads them back and deletes them.
pub async fn run(
    scenario: Arc<Scenario>,
    options: &Options,
    live: &Arc<Live>,
) -> Result<Done, RunError> {
    let control = connect_any(&options.brokers).await?;
    let names = scenario.topic_names(options.run);
    let made = create(&control, &names, &scenario.topics).await;
    let done = match made {
        Ok(layout) => Box::pin(measure(&scenario, options, layout, live)).await,
        Err(error @ RunError::Topic { .. }) if already_exists(&error) => return Err(error),
        Err(error) => Err(error),
    };
    if !scenario.topics.keep {
        // The first connection may have been idle for too long.
        let deleted = delete_topics(&options.brokers, &names).await;
        if done.is_ok() {
            deleted?;
        }
    }
    done
}

async fn delete_topics(brokers: &[String], names: &[String]) -> Result<(), RunError> {
    delete(&connect_any(brokers).await?, names).await
}

/// A topic of somebody else, which is not ours to delete.
fn already_exists(error: &RunError) -> bool {
    let RunError::Topic { source, .. } = error else {
        return false;
    };
    let exists = net_wire::ErrorCode::TOPIC_ALREADY_EXISTS;
    matches!(source, net_client::ClientError::Refused { code, .. } if *code == exists)
}

async fn measure(
    scenario: &Arc<Scenario>,
    options: &Options,
    layout: Layout,
    live: &Arc<Live>,
) -> Result<Done, RunError> {
    let plan = options.replay.clone().map_or_else(
        || scenario.load.plan(scenario.records.size.mean()),
        Plan::Replay,
    );
    let measured_from = match options.replay {
        Some(_) => 0,
        None => scenario.load.warmup.0.as_nanos() as u64,
    };
    let stage = Stage {
        scenario,
        layout: Arc::new(layout),
        options,
        live,
        measured_from,
    };
    let cores = stage.producers(&plan)?;
    let (ends, ends_there) = oneshot();
    let readers = stage.readers(ends_there)?;
    let (produced, readers) = started(cores, readers, live).await?;
    let produced = all_done(produced).await?;
    ends.send(if scenario.consume.consumers > 0 {
        let patience = scenario.load.retry_for.0;
        ends_in_time(&stage.layout, patience).await?
    } else {
        Vec::new()
    });
    let consumed = readers.await.ok_or_else(gone)?;
    let warmup = Duration::from_nanos(measured_from);
    let whole = Whole {
        measured: plan.duration().saturating_sub(warmup),
        slo_p99: scenario.slo.total_p99.map(|slo| slo.0.as_nanos() as u64),
        brokers: stage.layout.brokers.len(),
    };
    Ok(put_together(produced, consumed, &whole))
}

/// What all executors of a run are told.
struct Stage<'a> {
    scenario: &'a Arc<Scenario>,
    layout: Arc<Layout>,
    options: &'a Options,
    live: &'a Arc<Live>,
    measured_from: u64,
}

impl Stage<'_> {
    fn setup(&self, core: usize) -> Setup {
        Setup {
            scenario: Arc::clone(self.scenario),
            layout: Arc::clone(&self.layout),
            run: self.options.run,
            core,
        }
    }

    fn producers(&self, plan: &Plan) -> Result<Vec<Ends<Produced>>, RunError> {
        let mut cores = Vec::new();
        for core in 0..self.scenario.produce.cores {
            let job = generator::Job {
                setup: self.setup(core),
                plan: plan.clone(),
                measured_from: self.measured_from,
                live: Arc::clone(self.live),
                asks_cpu: self.options.asks_cpu,
            };
            let (there, here) = wires();
            start_executor(format!("loadgen-{core}"), move || produce(job, there))?;
            cores.push(here);
        }
        Ok(cores)
    }

    fn readers(&self, ends: OneshotReceiver<Vec<i64>>) -> Result<Ends<Consumed>, RunError> {
        let job = consumer::Job {
            setup: self.setup(0),
            measured_from: self.measured_from,
            live: Arc::clone(self.live),
            ends,
        };
        let (there, here) = wires();
        start_executor("loadgen-reader".to_owned(), move || consume(job, there))?;
        Ok(here)
    }
}

fn start_executor<F>(
    name: String,
    main: impl FnOnce() -> F + Send + 'static,
) -> Result<(), RunError>
where
    F: Future<Output = ()> + 'static,
{
    let spec = ExecutorSpec { name, cpu: None };
    let started = spawn_executor(spec, main);
    started
        .map(drop)
        .map_err(|error| RunError::Executor(error.to_string()))
}

fn gone() -> RunError {
    RunError::Executor("it ended before its work".to_owned())
}

type Started = (Vec<OneshotReceiver<Produced>>, OneshotReceiver<Consumed>);

/// Starts all at one moment, once all have connected.
async fn started(
    cores: Vec<Ends<Produced>>,
    readers: Ends<Consumed>,
    live: &Live,
) -> Result<Started, RunError> {
    let (mut starts, mut produced) = (vec![readers.start], Vec::new());
    readers.connected.await.ok_or_else(gone)??;
    for core in cores {
        core.connected.await.ok_or_else(gone)??;
        starts.push(core.start);
        produced.push(core.done);
    }
    let at = now() + LEAD;
    live.start(at.as_nanos());
    for start in starts {
        start.send(at);
    }
    Ok((produced, readers.done))
}

async fn all_done(cores: Vec<OneshotReceiver<Produced>>) -> Result<Vec<Produced>, RunError> {
    let mut all = Vec::with_capacity(cores.len());
    for core in cores {
        all.push(core.await.ok_or_else(gone)?);
    }
    Ok(all)
}

/// Where the partitions end; looks again for so long if no broker says it.
async fn ends_in_time(layout: &Layout, patience: Duration) -> Result<Vec<i64>, RunError> {
    let (deadline, mut backoff) = (now() + patience, Backoff::default());
    loop {
        match Box::pin(ends_of(layout)).await {
            Err(_) if now() < deadline => sleep(backoff.next()).await,
            found => return found,
        }
    }
}

/// Where the partitions end, in the order of the layout.
async fn ends_of(layout: &Layout) -> Result<Vec<i64>, RunError> {
    const LATEST: i64 = -1;
    let mut connections: Vec<Connection> = Vec::with_capacity(layout.brokers.len());
    for addr in &layout.brokers {
        connections.push(connect(addr).await?);
    }
    let mut ends = Vec::with_capacity(layout.leaders.len());
    for (lane, &leader) in layout.leaders.iter().enumerate() {
        let (topic, partition) = (layout.topic(lane), layout.place(lane).partition);
        let end = connections[leader].list_offset(topic, partition, LATEST);
        ends.push(end.await.map_err(RunError::of("the end of a partition"))?);
    }
    Ok(ends)
}

/// What is known of all cores together.
struct Whole {
    measured: Duration,
    slo_p99: Option<u64>,
    brokers: usize,
}

fn put_together(produced: Vec<Produced>, consumed: Consumed, whole: &Whole) -> Done {
    let mut delays = consumed.delays;
    let (mut writer, mut counts) = (Writer::default(), Counts::default());
    let (mut aborted, mut cpu) = (None, None::<f64>);
    for core in produced {
        delays.merge(&core.delays);
        counts.merge(&core.counts);
        writer.merge(core.writer);
        aborted = aborted.or(core.aborted);
        cpu = cpu.into_iter().chain(core.cpu).max_by(f64::total_cmp);
    }
    let evidence = Evidence {
        slo_p99: whole.slo_p99,
        cpu,
        not_taken: 0,
    };
    Done {
        doubts: doubts(&delays, &evidence),
        verdicts: consumed
            .readers
            .iter()
            .map(|one| writer.judge(one))
            .collect(),
        consumed: consumed.records,
        consumer_errors: consumed.errors,
        consumer_retried: consumed.retried,
        delays,
        counts,
        aborted,
        measured: whole.measured,
        cpu,
        brokers: whole.brokers,
    }
}
