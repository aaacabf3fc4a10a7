//! What a simulation may do to the code under test.

use std::ops::Range;
use std::time::Duration;

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
    /// How likely a read fails with `EIO`, the next one of the same bytes being as good as any.
    pub read_error: f64,
    /// How likely a write fails with `EIO`, some of its blocks having been written.
    pub write_error: f64,
    /// How likely a flush fails with `EIO`: what it should have covered is lost to later flushes too
    /// (the kernel marks the pages clean), unless it is written again.
    pub sync_error: f64,
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
        }
    }
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            latency: Duration::from_micros(10)..Duration::from_millis(3),
            stall_probability: 0.0,
            stall: Duration::from_millis(10)..Duration::from_secs(3),
            capacity: 1 << 40,
            read_error: 0.0,
            write_error: 0.0,
            sync_error: 0.0,
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
        }
    }
}
