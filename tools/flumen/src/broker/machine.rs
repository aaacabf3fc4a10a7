//! What the machine offers and what the node does without on it, for the start-up list.

use engine_rt::ring::{Limit, Probe, Runtime, StorageProbe};

use super::report::StartReport;

/// Descriptors below which a node with many partitions opens and closes files all the time.
const OPEN_FILES_GOOD: u64 = 4096;
/// File systems that are supported.
const SUPPORTED: [&str; 2] = ["ext4", "xfs"];

/// The lines of the start-up list about kernel, limits and file system, for a broker on `runtime`.
pub fn machine_report(
    probe: &Probe,
    runtime: Runtime,
    storage: Option<&StorageProbe>,
) -> StartReport {
    let mut report = StartReport::default();
    let (kernel, cpus) = (&probe.kernel, probe.cpus.len());
    report.good(format!("Linux {kernel}, {cpus} CPUs"));
    match runtime {
        Runtime::Ring => ring(&mut report, probe),
        Runtime::Epoll => epoll(&mut report, probe),
    }
    if !probe.cachestat {
        report.without("cachestat (Linux 6.5): old data is never sent from the page cache");
    }
    limits(&mut report, probe);
    if let Some(storage) = storage {
        file_system(&mut report, storage);
    }
    report
}

fn ring(report: &mut StartReport, probe: &Probe) {
    report.good("io_uring");
    let Ok(features) = &probe.ring else { return };
    if !features.deferred_task_run {
        report.without("io_uring's deferred task run (Linux 6.1): more interrupts");
    }
    if !features.messages {
        report.without("io_uring's messages (Linux 5.18): shards wake each other by eventfd");
    }
}

fn epoll(report: &mut StartReport, probe: &Probe) {
    let serves = "epoll serves, and threads for files";
    match &probe.ring {
        Ok(_) => report.good(format!("{serves}: asked for, io_uring is allowed")),
        Err(refusal) => {
            let (cause, remedy) = (&refusal.cause, &refusal.remedy);
            report.without(format!(
                "io_uring, refused by {cause}: {serves}; remedy: {remedy}"
            ));
        },
    }
}

fn limits(report: &mut StartReport, probe: &Probe) {
    let files = probe.open_files.hard;
    let text = format!("open files: {}", amount(files));
    if files < OPEN_FILES_GOOD {
        report.without(format!(
            "{text}; files are opened again more often below {OPEN_FILES_GOOD}"
        ));
    } else {
        report.good(text);
    }
    report.good(format!("locked memory: {}", bytes(probe.locked_memory)));
}

fn amount(limit: u64) -> String {
    if limit == u64::MAX {
        "no limit".to_owned()
    } else {
        limit.to_string()
    }
}

fn bytes(limit: Limit) -> String {
    if limit.soft == u64::MAX {
        "no limit".to_owned()
    } else {
        format!("{} KiB", limit.soft / 1024)
    }
}

fn file_system(report: &mut StartReport, storage: &StorageProbe) {
    let name = &storage.file_system;
    if SUPPORTED.contains(&name.as_str()) {
        report.good(format!("file system {name}"));
    } else {
        report.warn(format!(
            "file system {name} is not one of those that flushing is trusted on ({})",
            SUPPORTED.join(", ")
        ));
    }
    match storage.direct {
        Some(direct) => report.good(format!(
            "direct I/O, aligned to {} bytes in files and {} in memory",
            direct.offset_align, direct.memory_align
        )),
        None => report.without("direct I/O: data passes through the page cache, and is flushed"),
    }
}

#[cfg(test)]
mod tests {
    use engine_rt::ring::{DirectIo, Refusal, RingFeatures};

    use super::*;

    fn probe() -> Probe {
        let limit = Limit {
            soft: 8 << 20,
            hard: 20_000,
        };
        Probe {
            kernel: "6.12.1".to_owned(),
            ring: Ok(RingFeatures {
                deferred_task_run: true,
                messages: true,
            }),
            cachestat: true,
            cpus: vec![0, 1],
            locked_memory: limit,
            open_files: limit,
        }
    }

    fn storage() -> StorageProbe {
        StorageProbe {
            file_system: "ext4".to_owned(),
            direct: Some(DirectIo {
                memory_align: 4,
                offset_align: 512,
            }),
        }
    }

    fn refusal() -> Refusal {
        Refusal {
            cause: "the setting x".to_owned(),
            remedy: "set y".to_owned(),
            by_policy: true,
        }
    }

    /// The lists of five machines, by what is special about each.
    fn told() -> String {
        let (well, ext4) = (probe(), storage());
        let refused = Probe {
            ring: Err(refusal()),
            ..probe()
        };
        let mut small = probe();
        small.locked_memory.soft = 64 << 10;
        small.open_files.hard = 1024;
        let old = Probe {
            kernel: "5.18.0".to_owned(),
            ring: Ok(RingFeatures {
                deferred_task_run: false,
                messages: false,
            }),
            cachestat: false,
            ..probe()
        };
        let tmpfs = StorageProbe {
            file_system: "tmpfs".to_owned(),
            direct: None,
        };
        let (ring, epoll) = (Runtime::Ring, Runtime::Epoll);
        let machines = [
            ("all is well", &well, ring, &ext4),
            ("io_uring is refused", &refused, epoll, &ext4),
            ("epoll is asked for", &well, epoll, &ext4),
            (
                "little memory may be locked, few files opened",
                &small,
                ring,
                &ext4,
            ),
            (
                "an old kernel, and a directory on tmpfs",
                &old,
                ring,
                &tmpfs,
            ),
        ];
        let lists = machines.map(|(name, probe, runtime, storage)| {
            let lines = machine_report(probe, runtime, Some(storage)).lines;
            let lines: Vec<String> = lines.iter().map(|line| format!("  {line}\n")).collect();
            format!("{name}:\n{}", lines.concat())
        });
        lists.concat()
    }

    #[test]
    fn each_machine_is_told_what_it_has_and_what_is_done_without() {
        assert_eq!(told(), include_str!("../../tests/golden/start/machine.txt"));
    }
}
