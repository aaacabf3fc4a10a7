//! A core of the generator: takes records up at their planned times and gives them to its clients.
//!
//! An open loop: nothing here waits for an answer. What is late is taken up as soon as it can be,
//! and nothing is left out.

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine_rt::{
    Event, Instant, OneshotReceiver, OneshotSender, now, sleep_until, spawn, timeout, yield_now,
};

use super::RunError;
use super::accumulator::Waiting;
use super::books::{Books, Counts};
use super::live::Live;
use super::partitioner::Partitioner;
use super::sender::{Client, Setup, Shared};
use crate::arrival::{Plan, Share};
use crate::content::{Keys, Sizes};
use crate::delays::Delays;
use crate::ledger::Writer;

/// Records that are taken up before other tasks have their turn.
const TURN_RECORDS: u32 = 256;
const SECOND: Duration = Duration::from_secs(1);

/// What a core does.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) setup: Setup,
    pub(crate) plan: Plan,
    pub(crate) measured_from: u64,
    pub(crate) live: Arc<Live>,
    /// Whether to ask the system how much CPU its thread used.
    pub(crate) asks_cpu: bool,
}

/// What a core did.
#[derive(Debug)]
pub(crate) struct Produced {
    pub(crate) delays: Delays,
    pub(crate) writer: Writer,
    pub(crate) counts: Counts,
    /// Why it ended before its plan.
    pub(crate) aborted: Option<String>,
    /// Share of a core that it used.
    pub(crate) cpu: Option<f64>,
}

/// How a core is told what comes next, and tells what it did.
#[derive(Debug)]
pub(crate) struct Wires<T> {
    pub(crate) connected: OneshotSender<Result<(), RunError>>,
    pub(crate) start: OneshotReceiver<Instant>,
    pub(crate) done: OneshotSender<T>,
}

/// The main future of a core.
pub(crate) async fn produce(job: Job, wires: Wires<Produced>) {
    let core = match Core::connect(job).await {
        Ok(core) => core,
        Err(error) => return wires.connected.send(Err(error)),
    };
    wires.connected.send(Ok(()));
    // Without a start, another core could not connect.
    if let Some(start) = wires.start.await {
        wires.done.send(core.run(start).await);
    }
}

struct Core {
    job: Job,
    shared: Rc<Shared>,
    clients: Vec<Rc<Client>>,
}

/// Chance of a core.
struct Draws {
    keys: Keys,
    sizes: Sizes,
    /// One for each client.
    partitioners: Vec<Partitioner>,
    /// The client of the next record: they take turns.
    client: usize,
}

impl Core {
    async fn connect(job: Job) -> Result<Self, RunError> {
        let books = Books::new(job.measured_from, Arc::clone(&job.live));
        let shared = Rc::new(Shared {
            books: RefCell::new(books),
            progress: Event::new(),
            aborted: RefCell::default(),
        });
        let mut clients = Vec::new();
        for number in 0..job.setup.scenario.produce.clients {
            let client = Client::connect(job.setup.clone(), number, &shared);
            clients.push(Box::pin(client).await?);
        }
        Ok(Self {
            job,
            shared,
            clients,
        })
    }

    async fn run(self, start: Instant) -> Produced {
        sleep_until(start).await;
        let cpu = self.job.asks_cpu.then(thread_cpu).flatten();
        for client in &self.clients {
            client.begin(start);
        }
        let ticks = spawn(tick(
            Rc::clone(&self.shared),
            Arc::clone(&self.job.live),
            start,
        ));
        let aborted = self.drive(start).await;
        let passed = now().since(start);
        let used = cpu.and_then(|before| Some(thread_cpu()?.saturating_sub(before)));
        if aborted.is_none() {
            self.drain().await;
        }
        ticks.cancel();
        for client in &self.clients {
            client.give_up();
        }
        let aborted = aborted.or_else(|| self.shared.aborted.borrow_mut().take());
        let books = self.shared.books.borrow();
        Produced {
            delays: books.delays.clone(),
            writer: books.writer.clone(),
            counts: books.counts.clone(),
            aborted,
            cpu: used.map(|used| used.as_secs_f64() / passed.as_secs_f64()),
        }
    }

    /// Takes up all planned records; why it had to end before.
    async fn drive(&self, start: Instant) -> Option<String> {
        let mut draws = self.draws();
        let (mut now_ns, mut taken) = (0, 0);
        for planned in self.job.plan.arrivals(self.share()) {
            if planned > now_ns {
                now_ns = since(start);
            }
            let is_early = planned > now_ns;
            if is_early || taken == TURN_RECORDS {
                if is_early {
                    sleep_until(start + Duration::from_nanos(planned)).await;
                } else {
                    yield_now().await;
                }
                taken = 0;
                now_ns = since(start);
                if let Some(why) = self.must_end() {
                    return Some(why);
                }
            }
            self.take(planned, now_ns, &mut draws);
            taken += 1;
        }
        None
    }

    fn share(&self) -> Share {
        let setup = &self.job.setup;
        Share {
            core: setup.core,
            cores: setup.scenario.produce.cores,
            seed: setup.scenario.seed,
        }
    }

    fn draws(&self) -> Draws {
        let setup = &self.job.setup;
        let (scenario, core) = (&setup.scenario, setup.core);
        let seed = scenario.seed;
        let sticky = scenario.batching().sticky;
        let partitioner = |client: usize| {
            let stream = (core * self.clients.len() + client) as u64;
            let (topics, partitions) = (setup.layout.topics.len(), setup.layout.partitions);
            Partitioner::new(topics, partitions, sticky, seed.wrapping_add(stream))
        };
        Draws {
            keys: scenario
                .records
                .key
                .keys(core, scenario.produce.cores, seed),
            sizes: scenario.records.size.sizes(core, seed),
            partitioners: (0..self.clients.len()).map(partitioner).collect(),
            client: 0,
        }
    }

    fn take(&self, planned: u64, picked: u64, draws: &mut Draws) {
        let record = Waiting {
            planned,
            picked,
            size: draws.sizes.draw(),
            key: draws.keys.draw(),
        };
        let client = draws.client;
        draws.client = (client + 1) % self.clients.len();
        let lane = draws.partitioners[client].lane(&record);
        self.shared.books.borrow_mut().picked(planned, picked);
        self.clients[client].push(lane, record);
    }

    fn must_end(&self) -> Option<String> {
        if let Some(why) = self.shared.aborted.borrow().clone() {
            return Some(why);
        }
        let backlog: u64 = self.clients.iter().map(|client| client.backlog()).sum();
        let bound = self.job.setup.scenario.load.max_backlog;
        (backlog > bound).then(|| {
            format!("{backlog} records wait in the clients: what is offered is not delivered")
        })
    }

    /// Waits for what is on its way, but not for ever.
    async fn drain(&self) {
        for client in &self.clients {
            client.close();
        }
        let deadline = now() + self.job.setup.scenario.load.drain.0;
        loop {
            let progress = self.shared.progress.wait();
            let is_over = self.clients.iter().all(|client| client.is_idle());
            if is_over || self.shared.aborted.borrow().is_some() {
                return;
            }
            if timeout(deadline, progress).await.is_err() {
                return;
            }
        }
    }
}

/// Nanoseconds since the start of the run.
fn since(start: Instant) -> u64 {
    now().since(start).as_nanos() as u64
}

/// Tells once a second what the last one was like.
async fn tick(shared: Rc<Shared>, live: Arc<Live>, start: Instant) {
    let mut second = 0;
    loop {
        second += 1;
        sleep_until(start + SECOND * second).await;
        let p99 = {
            let books = shared.books.borrow();
            let passed = books.delays.seconds().get(&(second - 1));
            passed.map(|passed| passed.total.value_at_quantile(0.99))
        };
        live.second(second - 1, p99.unwrap_or(0));
    }
}

/// What this thread has used of the CPU so far.
fn thread_cpu() -> Option<Duration> {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = schedstat.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}
