//! What a simulation may do to the code under test.

use std::ops::Range;
use std::time::Duration;

use super::faults::FaultMask;
use super::prng::Prng;

/// What a world is like. The defaults are a calm machine: every order of things occurs, no fault
/// does.
#[derive(Clone, Debug)]
pub struct Options {
    /// The disks of new nodes.
    pub disk: DiskOptions,
    /// The network.
    pub net: NetOptions,
    /// How likely an executor is held up after a task's turn, while others go on.
    pub stall_probability: f64,
    /// For how long.
    pub stall: Range<Duration>,
    /// [`World::run_until`](super::World::run_until) gives up after this much virtual time.
    pub time_limit: Duration,
    /// Print what [`trace`](super::trace) is given, to stderr. The environment variable
    /// `FLUMEN_SIM_TRACE` does the same.
    pub trace: bool,
    /// Which faults are acted on ([`World::inject`](super::World::inject)).
    pub fault_mask: FaultMask,
}

/// What a disk is like.
#[derive(Clone, Debug)]
pub struct DiskOptions {
    /// Time of one operation, evenly over the orders of magnitude.
    pub latency: Range<Duration>,
    /// How likely an operation takes [`DiskOptions::stall`] on top.
    pub stall_probability: f64,
    /// A stall of the device.
    pub stall: Range<Duration>,
    /// Size of the file system in bytes: `ENOSPC` beyond.
    pub capacity: u64,
    /// How likely a look at resident pages finds that they were evicted.
    pub evict: f64,
    /// How likely an operation that a killed process left behind is still carried out, after the
    /// process is gone.
    pub linger: f64,
}

/// What the network is like.
#[derive(Clone, Debug)]
pub struct NetOptions {
    /// Time of a segment from one end to the other, evenly over the orders of magnitude.
    pub delay: Range<Duration>,
    /// Bytes in flight and unread per direction of a connection; the writer waits beyond.
    pub window_bytes: usize,
    /// Largest segment; smaller ones come by chance.
    pub segment_bytes: usize,
    /// How long a peer that does not answer is tried.
    pub give_up: Duration,
    /// When the peers of a machine that lost its power hear of it without sending anything, as by
    /// keepalive probes. `None`: a connection stays half open until its peer sends.
    pub keepalive: Option<Range<Duration>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            disk: DiskOptions::default(),
            net: NetOptions::default(),
            stall_probability: 0.002,
            stall: Duration::from_micros(5)..Duration::from_millis(2),
            time_limit: Duration::from_hours(1),
            trace: false,
            fault_mask: FaultMask::All,
        }
    }
}

impl Options {
    /// Options drawn from a seed: fast and slow disks and networks, executors that are never or
    /// often held up, disks that stall for seconds. No fault that the code under test would have to
    /// report.
    pub fn drawn(seed: u64) -> Self {
        // Not the numbers that the world itself will draw.
        let mut prng = Prng::new(!seed);
        let stall_probability = pick(&mut prng, [0.0, 0.002, 0.05]);
        let mut options = Self {
            stall_probability,
            ..Self::default()
        };
        options.disk.latency.end = Duration::from_micros(pick(&mut prng, [50, 3000, 30_000]));
        options.disk.stall_probability = pick(&mut prng, [0.0, 0.0, 0.01]);
        options.disk.evict = pick(&mut prng, [0.0, 0.05, 0.5]);
        options.disk.linger = pick(&mut prng, [0.0, 0.5, 1.0]);
        options.net.delay.end = Duration::from_micros(pick(&mut prng, [30, 1000, 50_000]));
        options.net.window_bytes = pick(&mut prng, [4 << 10, 64 << 10, 1 << 20]);
        options.net.segment_bytes = pick(&mut prng, [100, 1460, 64 << 10]);
        options
    }
}

fn pick<T: Copy>(prng: &mut Prng, from: [T; 3]) -> T {
    from[prng.index(from.len())]
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            latency: Duration::from_micros(10)..Duration::from_millis(3),
            stall_probability: 0.0,
            stall: Duration::from_millis(10)..Duration::from_secs(3),
            capacity: 1 << 40,
            evict: 0.05,
            linger: 0.5,
        }
    }
}

impl Default for NetOptions {
    fn default() -> Self {
        Self {
            delay: Duration::from_micros(20)..Duration::from_millis(1),
            window_bytes: 256 << 10,
            segment_bytes: 64 << 10,
            give_up: Duration::from_mins(1),
            keepalive: Some(Duration::from_millis(1)..Duration::from_secs(10)),
        }
    }
}
