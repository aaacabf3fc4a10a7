//! A world as a test drives it.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use super::disk::{Disk, DiskView};
use super::faults::{Fault, Strike};
use super::kernel::Kernel;
use super::node::{CrashKind, CrashPoint, Node, NodeId};
use super::options::Options;
use super::scheduler::LeftTask;
use crate::ring::Origin;

/// What has happened in a world so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Polls of tasks.
    pub polls: u64,
    /// Operations handed to disks.
    pub disk_operations: u64,
    /// Disk operations that failed by a fault.
    pub disk_faults: u64,
    /// Cells that were not durable when the power failed.
    pub cells_exposed: u64,
    /// Processes killed.
    pub kills: u64,
    /// Machines that lost their power.
    pub power_cuts: u64,
    /// Ranges of files that were sent from resident pages.
    pub resident_sends: u64,
    /// Ranges of files that were not resident any more when they were sent.
    pub cold_sends: u64,
}

/// A world of nodes, made from one seed. Nothing in it happens but by the calls that let time
/// pass; dropping it drops every task.
pub struct World {
    kernel: Rc<Kernel>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.kernel.seed)
            .finish_non_exhaustive()
    }
}

impl World {
    /// An empty world.
    pub fn new(seed: u64, options: Options) -> Self {
        let trace = options.trace || std::env::var_os("FLUMEN_SIM_TRACE").is_some();
        Self {
            kernel: Kernel::new(seed, Options { trace, ..options }),
        }
    }

    /// Adds a machine with an empty disk.
    pub fn node(&self, name: &str) -> NodeId {
        let disk = Disk::new(self.kernel.options.disk.clone(), self.next_file_system());
        self.add_node(name, disk)
    }

    /// Adds a machine whose disk is a copy of what another one's holds now: another place
    /// ([`crate::fs::place`]).
    pub fn clone_disk(&self, of: NodeId, name: &str) -> NodeId {
        let disk = self.at(of).disk.copy(self.next_file_system());
        self.add_node(name, disk)
    }

    fn next_file_system(&self) -> u64 {
        0xf5_0000 + self.kernel.nodes.borrow().len() as u64
    }

    fn add_node(&self, name: &str, disk: Disk) -> NodeId {
        let mut nodes = self.kernel.nodes.borrow_mut();
        let id = NodeId(nodes.len());
        nodes.push(Node::new(id, name, disk));
        id
    }

    fn at(&self, node: NodeId) -> Rc<Node> {
        Rc::clone(&self.kernel.nodes.borrow()[node.0])
    }

    /// Starts an executor on `node`: the first one begins a new life of the node, which ends with
    /// its last executor or by a crash. Further calls add executors to the life.
    #[track_caller]
    pub fn start<F>(&self, node: NodeId, main: impl FnOnce() -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let node = self.at(node);
        if node.life().is_over() {
            self.kernel.begin_life(&node);
        }
        let main = Box::pin(async move { main().await });
        let origin = Origin::of::<F>();
        self.kernel
            .add_executor(&node, "main".to_owned(), main, origin);
    }

    /// Starts an executor on `node`, lets time pass until it has ended, and gives its result.
    ///
    /// # Panics
    /// As [`World::run_until`], and if the node crashes first.
    pub fn block_on<T, F>(&self, node: NodeId, main: impl FnOnce() -> F + 'static) -> T
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let output = self.try_block_on(node, main);
        output.unwrap_or_else(|| panic!("{node:?} crashed while it was waited for"))
    }

    /// As [`World::block_on`], but `None` if the node crashes first.
    pub fn try_block_on<T, F>(&self, node: NodeId, main: impl FnOnce() -> F + 'static) -> Option<T>
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let result = Rc::new(RefCell::new(None));
        let slot = Rc::clone(&result);
        self.start(node, move || async move {
            let output = main().await;
            *slot.borrow_mut() = Some(output);
        });
        let life = self.at(node).life();
        self.run_until(|| result.borrow().is_some() || life.is_over());
        result.take()
    }

    /// Whether the node's process lives.
    pub fn is_running(&self, node: NodeId) -> bool {
        !self.at(node).life().is_over()
    }

    /// Tasks of the node that have not ended, main ones included.
    pub fn live_tasks(&self, node: NodeId) -> usize {
        let scheduler = self.kernel.scheduler.borrow();
        scheduler.live_tasks(|context| context.node.id == node)
    }

    /// Tasks of the node's last life that waited for something when the main future of their executor
    /// ended. Those that were about to run are not among them.
    pub fn left_tasks(&self, node: NodeId) -> Vec<LeftTask> {
        self.at(node).life().left.borrow().clone()
    }

    /// Lets things happen until `done` holds.
    ///
    /// # Panics
    /// If nothing will ever happen again, or the time limit of the options passes, first; the
    /// message names the tasks that wait.
    pub fn run_until(&self, mut done: impl FnMut() -> bool) {
        let kernel = &self.kernel;
        let limit = kernel.now() + kernel.options.time_limit.as_nanos() as u64;
        while !done() {
            if !kernel.step(limit) {
                let waiting = kernel.scheduler.borrow().waiting();
                panic!("deadlock, or nothing but timers beyond the time limit; waiting:{waiting}");
            }
        }
    }

    /// Lets `duration` pass.
    pub fn run_for(&self, duration: Duration) {
        let limit = self.kernel.now() + duration.as_nanos() as u64;
        while self.kernel.step(limit) {}
        self.kernel.idle_until(limit);
    }

    /// Lets things happen until nothing more does.
    ///
    /// # Panics
    /// If that is not so within the time limit of the options.
    pub fn run_until_idle(&self) {
        let kernel = &self.kernel;
        let limit = kernel.now() + kernel.options.time_limit.as_nanos() as u64;
        while kernel.step(limit) {}
        let waiting = kernel.scheduler.borrow().waiting();
        assert!(
            !kernel.step(u64::MAX),
            "things go on beyond the time limit; waiting:{waiting}"
        );
    }

    /// Crashes a node now. A node that does not run can still lose its power, and with it what its
    /// disk had not made durable.
    pub fn crash(&self, node: NodeId, kind: CrashKind) {
        self.kernel.crash(&self.at(node), kind);
    }

    /// Has a node crash later, in the middle of whatever happens then.
    pub fn schedule_crash(&self, node: NodeId, point: CrashPoint, kind: CrashKind) {
        self.kernel.arm(&self.at(node), point, kind);
    }

    /// Takes a fault, which strikes when its time has come; its number. Give a world all its faults
    /// before anything runs, so that their numbers do not depend on what happens.
    pub fn inject(&self, fault: Fault) -> u64 {
        self.kernel.inject(fault)
    }

    /// Ends every fault: what lasts is undone, what is to come does not come. What was damaged stays
    /// so.
    pub fn end_faults(&self) {
        self.kernel.end_faults();
    }

    /// What has struck so far, the first few strikes of every fault.
    pub fn strikes(&self) -> Vec<Strike> {
        self.kernel.faults.borrow().strikes().to_vec()
    }

    /// The node's disk.
    pub fn disk(&self, node: NodeId) -> DiskView {
        DiskView::new(self.at(node))
    }

    /// Cuts the link between two nodes: what is sent is held, connection requests go unanswered.
    pub fn cut(&self, one: NodeId, other: NodeId) {
        self.cut_one_way(one, other);
        self.cut_one_way(other, one);
    }

    /// Cuts one direction of a link: one node hears the other and cannot answer.
    pub fn cut_one_way(&self, from: NodeId, to: NodeId) {
        self.kernel.net.borrow_mut().cut(from, to);
    }

    /// Ends a cut, both ways.
    pub fn heal(&self, one: NodeId, other: NodeId) {
        let mut net = self.kernel.net.borrow_mut();
        net.heal(&self.kernel, one, other);
        net.heal(&self.kernel, other, one);
    }

    /// Resets every connection between two nodes.
    pub fn reset(&self, one: NodeId, other: NodeId) {
        self.kernel.net.borrow_mut().reset(one, other);
    }

    /// Connections that some process still holds an end of, or that have bytes on their way.
    pub fn connections(&self) -> usize {
        self.kernel.net.borrow().connections()
    }

    /// Lets a node's wall clock jump. Its monotonic clock goes on.
    pub fn jump_wall_clock(&self, node: NodeId, by_ms: i64) {
        let offset = &self.at(node).wall_offset_ms;
        offset.set(offset.get() + by_ms);
    }

    /// Virtual time since the start of the world, the same for all nodes.
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.kernel.now())
    }

    /// A random number from the seed, for the test's own choices.
    pub fn random_u64(&self) -> u64 {
        self.kernel.prng.borrow_mut().next()
    }

    /// A random number below `limit`; 0 if there is none.
    pub fn random_below(&self, limit: u64) -> u64 {
        self.kernel.prng.borrow_mut().below(limit)
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.kernel.seed
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        self.kernel.stats.get()
    }

    /// A hash over every scheduling decision, disk operation and network event so far. The same
    /// seed, options and code give the same hash.
    pub fn trace_hash(&self) -> u64 {
        self.kernel.hash()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // After a panic the tasks are leaked: a second panic in their drops would hide the first.
        if !std::thread::panicking() {
            self.kernel.end();
        }
    }
}
