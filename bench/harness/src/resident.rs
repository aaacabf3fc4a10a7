//! Physical memory of a process.

use std::fs;
use std::io;

/// Bytes of a process's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) now: u64,
    /// The most there was at any time.
    pub(crate) peak: u64,
}

impl Resident {
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        Ok(Self {
            now: kib(&status, "VmRSS:")? << 10,
            peak: kib(&status, "VmHWM:")? << 10,
        })
    }

    /// From now on, the peak is the most since now (`proc_pid_clear_refs(5)`).
    pub(crate) fn forget_peak(pid: u32) -> io::Result<()> {
        fs::write(format!("/proc/{pid}/clear_refs"), "5")
    }
}

/// Bytes that the sockets of the machine hold.
pub(crate) fn socket_bytes() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/net/sockstat")?;
    let tcp = text.lines().find(|line| line.starts_with("TCP:"));
    let pages = tcp.and_then(|line| line.rsplit_once("mem "));
    let pages: u64 = pages
        .map_or(Ok(0), |(_, pages)| pages.trim().parse())
        .map_err(io::Error::other)?;
    Ok(pages * 4096)
}

fn kib(status: &str, name: &str) -> io::Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().strip_suffix("kB"));
    let number = number.ok_or_else(|| io::Error::other(format!("no {name}")))?;
    number.trim().parse().map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory() {
        let found = Resident::of(std::process::id()).unwrap();
        assert!(found.now > 1 << 20 && found.peak >= found.now);
        Resident::forget_peak(std::process::id()).unwrap();
        assert!(kib("VmRSS:\t  12 kB\n", "VmHWM:").is_err());
        assert_eq!(kib("VmRSS:\t  12 kB\n", "VmRSS:").unwrap(), 12);
    }
}
