//! What every scene works with: the options, the results so far, and the watch on the CPU.

use std::io;
use std::process;
use std::time::Duration;

use engine_rt::{now, sleep};

use crate::Options;
use crate::cpu::{MachineSnapshot, ProcessSnapshot, ProcessUse};
use crate::results::Results;
use crate::scene;

pub(crate) const GIB: f64 = (1_u64 << 30) as f64;
/// A machine is quiet when others use no more than this.
const QUIET_CORES: f64 = 0.15;
const LOOK: Duration = Duration::from_millis(500);

/// A measurement under way.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) results: Results,
    /// Rounds that went before this one.
    pub(crate) round: usize,
}

/// What was used while something ran.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) elapsed: Duration,
    pub(crate) server: ProcessUse,
    pub(crate) client: ProcessUse,
    /// Kernel threads, which finish durable writes, less what they use while nothing runs.
    pub(crate) kernel: Duration,
    /// Everybody but the client and this process, less what is used while nothing runs.
    pub(crate) machine: Duration,
}

impl Window {
    /// What the server is charged with: the larger of its own use and of what the machine used
    /// because of it.
    pub(crate) fn charged(&self) -> f64 {
        self.machine.max(self.server.cpu).as_secs_f64()
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64()
    }

    /// The client's share of its core.
    pub(crate) fn client_cores(&self) -> f64 {
        self.client.cpu.as_secs_f64() / self.seconds()
    }
}

impl Bench {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            results: Results::default(),
            round: 0,
        }
    }

    pub(crate) fn add(&mut self, key: &str, value: f64) -> io::Result<()> {
        self.results.add(key, value)
    }

    /// Adds a measurement where there is a row for it.
    pub(crate) fn add_known(&mut self, key: &str, value: f64) -> io::Result<()> {
        scene::row(key).map_or(Ok(()), |row| self.add(row.key, value))
    }

    /// Waits for a machine on which nobody else works, and says what it uses then: of all tasks
    /// and of kernel threads, in cores.
    pub(crate) async fn quiet(&mut self) -> io::Result<(f64, f64)> {
        let deadline = now() + Duration::from_secs(self.options.patience);
        loop {
            let (before, started) = (MachineSnapshot::take()?, now());
            sleep(LOOK).await;
            let used = MachineSnapshot::take()?.since(&before);
            let seconds = (now() - started).as_secs_f64();
            let cores = used.all.as_secs_f64() / seconds;
            if cores <= QUIET_CORES || now() >= deadline {
                self.add("noise.idle", cores)?;
                return Ok((cores, used.kernel.as_secs_f64() / seconds));
            }
        }
    }

    /// Runs `load`, which works a server of that process id, once the machine is quiet.
    pub(crate) async fn watch<T>(
        &mut self,
        server: u32,
        load: impl Future<Output = io::Result<T>>,
    ) -> io::Result<(T, Window)> {
        self.watch_client(server, process::id(), load).await
    }

    /// The same where a process of its own is the client, alive until `load` and what it gives are
    /// gone; what this process uses meanwhile is charged to nobody.
    pub(crate) async fn watch_client<T>(
        &mut self,
        server: u32,
        client: u32,
        load: impl Future<Output = io::Result<T>>,
    ) -> io::Result<(T, Window)> {
        let (idle, idle_kernel) = self.quiet().await?;
        let pids = [server, client, process::id()];
        let machine = MachineSnapshot::take()?;
        let before = processes(pids)?;
        let started = now();
        let output = load.await?;
        let elapsed = now() - started;
        let after = processes(pids)?;
        let [server, client, own] = [0, 1, 2].map(|which| after[which].since(&before[which]));
        let used = MachineSnapshot::take()?.since(&machine);
        let clients = if pids[1] == pids[2] {
            client.cpu
        } else {
            client.cpu + own.cpu
        };
        let less = |used: Duration, cores: f64| used.saturating_sub(elapsed.mul_f64(cores));
        let kernel = less(used.kernel, idle_kernel);
        let machine = less(used.all.saturating_sub(clients), idle);
        let known = server.cpu + clients + used.kernel;
        let others = used.all.saturating_sub(known).as_secs_f64() / elapsed.as_secs_f64();
        self.add("noise.others", others)?;
        let window = Window {
            elapsed,
            server,
            client,
            kernel,
            machine,
        };
        Ok((output, window))
    }
}

fn processes(pids: [u32; 3]) -> io::Result<[ProcessSnapshot; 3]> {
    let [server, client, own] = pids.map(ProcessSnapshot::take);
    Ok([server?, client?, own?])
}
