//! What the machine offers and what the node does without on it, for the start-up list.

use engine_rt::ring::{Limit, Probe, StorageProbe};

use super::report::StartReport;

/// Descriptors below which a node with many partitions opens and closes files all the time.
const OPEN_FILES_GOOD: u64 = 4096;
/// File systems that are supported.
const SUPPORTED: [&str; 2] = ["ext4", "xfs"];

/// The lines of the start-up list about kernel, limits and file system.
pub fn machine_report(probe: &Probe, storage: Option<&StorageProbe>) -> StartReport {
    let mut report = StartReport::default();
    kernel(&mut report, probe);
    limits(&mut report, probe);
    if let Some(storage) = storage {
        file_system(&mut report, storage);
    }
    report
}

fn kernel(report: &mut StartReport, probe: &Probe) {
    let (kernel, cpus) = (&probe.kernel, probe.cpus.len());
    report.good(format!("Linux {kernel}, {cpus} CPUs"));
    match &probe.ring {
        Ok(features) => {
            report.good("io_uring");
            if !features.deferred_task_run {
                report.without("io_uring's deferred task run (Linux 6.1): more interrupts");
            }
            if !features.messages {
                report
                    .without("io_uring's messages (Linux 5.18): shards wake each other by eventfd");
            }
        },
        Err(refusal) => {
            let (cause, remedy) = (&refusal.cause, &refusal.remedy);
            report.warn(format!("io_uring is refused by {cause}; remedy: {remedy}"));
        },
    }
    if !probe.cachestat {
        report.without("cachestat (Linux 6.5): old data is never sent from the page cache");
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
        None => report.without("direct I/O: data passes through the page cache"),
    }
}

#[cfg(test)]
mod tests {
    use engine_rt::ring::{DirectIo, Refusal, RingFeatures};

    use super::super::report::Mark;
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

    fn marked(report: &StartReport, mark: Mark) -> String {
        let lines = report.lines.iter().filter(|line| line.mark == mark);
        lines
            .map(|line| line.text.clone())
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn a_good_machine_has_nothing_to_say_against() {
        let storage = StorageProbe {
            file_system: "ext4".to_owned(),
            direct: Some(DirectIo {
                memory_align: 4,
                offset_align: 512,
            }),
        };
        let report = machine_report(&probe(), Some(&storage));
        assert!(
            report.lines.iter().all(|line| line.mark == Mark::Good),
            "{report:?}"
        );
        assert!(marked(&report, Mark::Good).contains("8192 KiB"));
    }

    #[test]
    fn what_is_missing_is_named_with_its_remedy() {
        let mut probe = probe();
        probe.cachestat = false;
        probe.open_files.hard = 1024;
        probe.ring = Err(Refusal {
            cause: "the setting x".to_owned(),
            remedy: "set y".to_owned(),
        });
        let storage = StorageProbe {
            file_system: "tmpfs".to_owned(),
            direct: None,
        };
        let report = machine_report(&probe, Some(&storage));
        let without = marked(&report, Mark::Without);
        for word in ["cachestat", "1024", "direct I/O"] {
            assert!(without.contains(word), "{without}");
        }
        let warnings = marked(&report, Mark::Warning);
        assert!(
            warnings.contains("the setting x; remedy: set y"),
            "{warnings}"
        );
        assert!(warnings.contains("tmpfs"), "{warnings}");
    }
}
