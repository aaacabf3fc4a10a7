//! What the machine has, for the defaults.

use std::fs;

/// The share of the machine's memory that is taken by default.
const MEMORY_SHARE: u64 = 4;
/// What is taken where the machine does not say what it has.
const MEMORY_UNKNOWN: u64 = 256 << 20;

/// The memory budget where none is given: a quarter of what the process may use.
pub(crate) fn memory_default() -> u64 {
    let total = fs::read_to_string("/proc/meminfo").ok();
    let total = total.as_deref().and_then(mem_total);
    // The root of a container's own hierarchy (cgroups(7), version 2); "max" is no number.
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse().ok());
    let usable = [total, limit].into_iter().flatten().min();
    usable.map_or(MEMORY_UNKNOWN, |bytes: u64| bytes / MEMORY_SHARE)
}

/// `MemTotal` in bytes (`proc_meminfo(5)`).
fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_read() {
        assert_eq!(
            mem_total("MemTotal:       16384 kB\nMemFree: 1 kB\n"),
            Some(16 << 20)
        );
        assert_eq!(mem_total("nothing"), None);
        assert!(memory_default() >= 64 << 20);
    }
}
