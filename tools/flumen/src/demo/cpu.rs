//! The time that the broker's threads spent on CPUs: every thread of the process but the client's,
//! kernel workers of its rings included.

use std::fs;
use std::time::Duration;

/// The client's executor, which is not counted.
pub(super) const CLIENT_THREAD: &str = "demo-client";

/// CPU time of the process's threads since their start, without those of the client. Zero where
/// the kernel does not tell.
pub(super) fn broker_cpu() -> Duration {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    let paths = tasks.flatten().map(|task| task.path());
    let nanos = paths.filter_map(|path| {
        let name = fs::read_to_string(path.join("comm")).ok()?;
        if name.trim_end() == CLIENT_THREAD {
            return None;
        }
        run_nanos(&fs::read_to_string(path.join("schedstat")).ok()?)
    });
    Duration::from_nanos(nanos.sum())
}

/// The first number of `schedstat`: nanoseconds on a CPU.
fn run_nanos(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_on_cpus_is_read() {
        assert_eq!(run_nanos("1234 56 7\n"), Some(1234));
        assert_eq!(run_nanos(""), None);
        let before = broker_cpu();
        assert!(before > Duration::ZERO);
        let mut sum = 0_u64;
        while broker_cpu() == before {
            sum = std::hint::black_box(sum + 1);
        }
    }
}
