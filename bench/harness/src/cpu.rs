//! Whose CPU time it was: a process with all its threads, the kernel's own threads, the machine.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

/// `USER_HZ` of every Linux on x86-64 and arm64: the unit of `/proc/PID/stat`.
const TICK: Duration = Duration::from_millis(10);

/// What a process had used at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessSnapshot {
    /// Nanoseconds of each thread (`schedstat`), and whether it is a worker of `io_uring`.
    threads: BTreeMap<u32, (u64, bool)>,
    /// Ticks of the process, threads that ended included.
    ticks: u64,
    /// Bytes that it sent to block devices.
    written: u64,
    /// Bytes that it had from block devices.
    read: u64,
}

/// What a process used between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessUse {
    /// CPU time of all threads.
    pub(crate) cpu: Duration,
    /// The share of `io_uring`'s worker threads in it.
    pub(crate) workers: Duration,
    /// Bytes sent to block devices.
    pub(crate) written: u64,
    /// Bytes that came from block devices.
    pub(crate) read: u64,
}

impl ProcessSnapshot {
    pub(crate) fn take(pid: u32) -> io::Result<Self> {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let thread = name.and_then(|name| name.parse().ok());
            // A thread may end while it is looked at.
            let (Some(thread), Ok(schedstat), Ok(comm)) = (
                thread,
                fs::read_to_string(path.join("schedstat")),
                fs::read_to_string(path.join("comm")),
            ) else {
                continue;
            };
            threads.insert(thread, (number(&schedstat, 0), comm.starts_with("iou-wrk")));
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        let bytes = |name| io.lines().find_map(|line: &str| line.strip_prefix(name));
        Ok(Self {
            threads,
            ticks: process_ticks(&stat),
            written: number(bytes("write_bytes: ").unwrap_or(""), 0),
            read: number(bytes("read_bytes: ").unwrap_or(""), 0),
        })
    }

    /// What was used since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> ProcessUse {
        let mut all = 0;
        let mut workers = 0;
        for (thread, (nanos, is_worker)) in &self.threads {
            let before = earlier.threads.get(thread).map_or(0, |(nanos, _)| *nanos);
            let used = nanos.saturating_sub(before);
            all += used;
            workers += if *is_worker { used } else { 0 };
        }
        let all = Duration::from_nanos(all);
        // Where threads have ended, the process's coarser account is the whole one.
        let ended = earlier
            .threads
            .keys()
            .any(|thread| !self.threads.contains_key(thread));
        let coarse = ticks(self.ticks - earlier.ticks);
        ProcessUse {
            cpu: if ended { all.max(coarse) } else { all },
            workers: Duration::from_nanos(workers),
            written: self.written - earlier.written,
            read: self.read - earlier.read,
        }
    }
}

/// Every task of the machine at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct MachineSnapshot {
    /// Nanoseconds of each task, and whether it is one of the kernel's own.
    tasks: BTreeMap<u32, (u64, bool)>,
}

/// What the machine used between two moments, but for interrupts that met an idle core.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct MachineUse {
    /// CPU time of all tasks.
    pub(crate) all: Duration,
    /// The kernel's own threads in it.
    pub(crate) kernel: Duration,
}

impl MachineSnapshot {
    pub(crate) fn take() -> io::Result<Self> {
        let mut tasks = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            let Ok(stat) = fs::read_to_string(path.join("stat")) else {
                continue;
            };
            let is_kernel = is_kernel_thread(&stat);
            // A process may end while it is looked at.
            let threads = fs::read_dir(path.join("task")).into_iter().flatten();
            for thread in threads.filter_map(Result::ok) {
                let id = thread.file_name().to_str().and_then(|id| id.parse().ok());
                let used = fs::read_to_string(thread.path().join("schedstat"));
                if let (Some(id), Ok(used)) = (id, used) {
                    tasks.insert(id, (number(&used, 0), is_kernel));
                }
            }
        }
        Ok(Self { tasks })
    }

    /// What was used since `earlier`. A task that has ended meanwhile took its account with it.
    pub(crate) fn since(&self, earlier: &Self) -> MachineUse {
        let mut used = MachineUse::default();
        for (task, (nanos, is_kernel)) in &self.tasks {
            let before = earlier.tasks.get(task).map_or(0, |(nanos, _)| *nanos);
            let more = Duration::from_nanos(nanos.saturating_sub(before));
            used.all += more;
            used.kernel += if *is_kernel { more } else { Duration::ZERO };
        }
        used
    }
}

fn ticks(count: u64) -> Duration {
    TICK * u32::try_from(count).unwrap_or(u32::MAX)
}

fn number(text: &str, index: usize) -> u64 {
    let field = text.split_ascii_whitespace().nth(index);
    field.and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// What stands behind the name in `/proc/PID/stat`: the name may have spaces and brackets.
fn after_name(stat: &str) -> &str {
    stat.rsplit_once(") ").map_or("", |(_, rest)| rest)
}

/// User and system time: fields 14 and 15 of `proc_pid_stat(5)`; 3 is the first behind the name.
fn process_ticks(stat: &str) -> u64 {
    let rest = after_name(stat);
    number(rest, 11) + number(rest, 12)
}

/// Whether a process is a child of `kthreadd`.
fn is_kernel_thread(stat: &str) -> bool {
    number(after_name(stat), 1) == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "12 (a) b (c) S 2 12 12 0 -1 4194368 0 0 0 0 7 5 0 0 20 0";
        assert!(is_kernel_thread(stat));
        assert_eq!(process_ticks(stat), 12);
        assert!(!is_kernel_thread("12 (sh) S 1 12"));
    }

    #[test]
    fn the_kernels_tasks_are_told_apart() {
        let of = |tasks: &[(u32, (u64, bool))]| MachineSnapshot {
            tasks: tasks.iter().copied().collect(),
        };
        let earlier = of(&[(1, (10, false)), (2, (20, true)), (3, (5, false))]);
        let later = of(&[(1, (40, false)), (2, (27, true)), (4, (2, true))]);
        let expected = MachineUse {
            all: Duration::from_nanos(39),
            kernel: Duration::from_nanos(9),
        };
        assert_eq!(later.since(&earlier), expected);
    }

    #[test]
    fn threads_that_ended_are_in_the_process_account() {
        let earlier = ProcessSnapshot {
            threads: BTreeMap::from([(1, (1_000_000, false)), (2, (5_000_000, true))]),
            ticks: 10,
            written: 100,
            read: 7,
        };
        let mut later = earlier.clone();
        later.threads.insert(1, (4_000_000, false));
        later.threads.insert(2, (7_000_000, true));
        later.written = 300;
        later.read = 10;
        let used = later.since(&earlier);
        let expected = ProcessUse {
            cpu: Duration::from_millis(5),
            workers: Duration::from_millis(2),
            written: 200,
            read: 3,
        };
        assert_eq!(used, expected);
        later.threads.remove(&2);
        later.ticks = 12;
        assert_eq!(later.since(&earlier).cpu, Duration::from_millis(20));
    }

    #[test]
    fn this_process_is_found() {
        let pid = std::process::id();
        let before = ProcessSnapshot::take(pid).unwrap();
        let machine = MachineSnapshot::take().unwrap();
        assert!(!before.threads.is_empty() && before.ticks < 1_000_000);
        assert!(MachineSnapshot::take().unwrap().since(&machine).all < Duration::from_secs(10));
    }
}
