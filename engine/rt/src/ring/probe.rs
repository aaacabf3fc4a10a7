//! What the machine has to offer, for the start-up list. Everything here may block.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::executor::{Runtime, affinity};
use super::sys;
use super::uring::Uring;
use crate::buf::{BLOCK_BYTES, BufMut};

/// What the kernel and the process's limits allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The kernel's release, such as `6.12.1`.
    pub kernel: String,
    /// What `io_uring` can do here, or why it cannot be had.
    pub ring: Result<RingFeatures, Refusal>,
    /// Whether `cachestat(2)` tells which pages are resident (Linux 6.5): else files are never sent
    /// by sendfile.
    pub cachestat: bool,
    /// CPUs that the process may use.
    pub cpus: Vec<usize>,
    /// Bytes that the process may lock in memory, which includes registered buffers.
    pub locked_memory: Limit,
    /// Descriptors that the process may have.
    pub open_files: Limit,
}

/// Optional parts of `io_uring`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingFeatures {
    /// The kernel does a ring's work only when its thread asks for it (Linux 6.1).
    pub deferred_task_run: bool,
    /// Rings wake each other without a system call of their own (Linux 5.18).
    pub messages: bool,
}

/// Why there is no `io_uring`, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The setting that refuses it.
    pub cause: String,
    /// How to change that.
    pub remedy: String,
    /// The kernel or its policy refuses, and not a limit of this process.
    pub by_policy: bool,
}

impl Probe {
    /// What executors ask the kernel through if nobody says: `epoll` only where the kernel or its
    /// policy refuses a ring. A limit that is too low is told instead, for it can be raised.
    pub fn runtime(&self) -> Result<Runtime, &Refusal> {
        match &self.ring {
            Ok(_) => Ok(Runtime::Ring),
            Err(refusal) if refusal.by_policy => Ok(Runtime::Epoll),
            Err(refusal) => Err(refusal),
        }
    }
}

/// A limit of the process; `u64::MAX` is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// What holds now.
    pub soft: u64,
    /// What the process may raise it to.
    pub hard: u64,
}

/// What a directory's file system allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageProbe {
    /// Its type, such as `ext4`.
    pub file_system: String,
    /// Direct I/O, if a block could be written that way.
    pub direct: Option<DirectIo>,
}

/// What direct I/O asks of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectIo {
    /// Alignment of memory addresses.
    pub memory_align: u32,
    /// Alignment of file positions and lengths.
    pub offset_align: u32,
}

/// Looks at the kernel and the limits.
pub fn probe() -> Probe {
    let features = |ring: Uring| RingFeatures {
        deferred_task_run: ring.is_deferred(),
        messages: ring.has_messages(),
    };
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let cachestat = File::open("/proc/self/exe")
        .and_then(|file| sys::cached_pages(&file, 0, 4096))
        .is_ok();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Probe {
        kernel: kernel.trim_end().to_owned(),
        ring: Uring::new()
            .map(features)
            .map_err(|error| explain(&error, disabled.trim_end())),
        cachestat,
        cpus: affinity().to_vec(),
        locked_memory: limit(libc::RLIMIT_MEMLOCK),
        open_files: limit(libc::RLIMIT_NOFILE),
    }
}

fn limit(resource: libc::__rlimit_resource_t) -> Limit {
    let (soft, hard) = sys::limit(resource).unwrap_or_default();
    Limit { soft, hard }
}

/// Raises the number of open files to what the process may have, and returns it.
pub fn raise_open_files() -> io::Result<u64> {
    let (soft, hard) = sys::limit(libc::RLIMIT_NOFILE)?;
    if soft < hard {
        sys::set_soft_limit(libc::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// The reason for a refused ring. `disabled` is the value of `kernel.io_uring_disabled`.
fn explain(error: &io::Error, disabled: &str) -> Refusal {
    let (cause, remedy) = match error.raw_os_error() {
        Some(libc::EPERM) if disabled == "2" => (
            "the setting kernel.io_uring_disabled = 2",
            "sysctl -w kernel.io_uring_disabled=0",
        ),
        Some(libc::EPERM) if disabled == "1" => (
            "the setting kernel.io_uring_disabled = 1, for processes outside kernel.io_uring_group",
            "sysctl -w kernel.io_uring_disabled=0, or join that group",
        ),
        Some(libc::EPERM | libc::EACCES) => (
            "a security policy (seccomp filter of a container runtime, SELinux)",
            "allow io_uring_setup, io_uring_enter and io_uring_register in its profile \
             (docker, podman: --security-opt seccomp=PROFILE)",
        ),
        Some(libc::ENOSYS) => (
            "a kernel without io_uring, or a seccomp filter that hides it",
            "run on Linux 5.18 or newer with CONFIG_IO_URING, and allow it in the container's \
             seccomp profile",
        ),
        Some(libc::ENOMEM) => (
            "the limit of locked memory",
            "raise it: ulimit -l, LimitMEMLOCK=",
        ),
        Some(libc::EMFILE | libc::ENFILE) => (
            "the limit of open files",
            "raise it: ulimit -n, LimitNOFILE=",
        ),
        Some(libc::EINVAL) => (
            "a kernel whose io_uring is too old",
            "run on Linux 5.18 or newer",
        ),
        _ => {
            return Refusal {
                cause: error.to_string(),
                remedy: String::new(),
                by_policy: false,
            };
        },
    };
    let limits = [libc::ENOMEM, libc::EMFILE, libc::ENFILE];
    let by_policy = error
        .raw_os_error()
        .is_some_and(|code| !limits.contains(&code));
    Refusal {
        cause: cause.to_owned(),
        remedy: remedy.to_owned(),
        by_policy,
    }
}

/// Looks at the file system that holds the directory `dir`, by a file that is written and removed.
pub fn probe_storage(dir: &Path) -> io::Result<StorageProbe> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let file_system = sys::mount_id(&File::open(dir)?).and_then(|id| mount_type(&mounts, id));
    let path = dir.join(format!(".probe-{}", std::process::id()));
    let direct = probe_direct(&path);
    let removed = fs::remove_file(&path);
    let direct = direct?;
    removed?;
    Ok(StorageProbe {
        file_system: file_system.unwrap_or("unknown").to_owned(),
        direct,
    })
}

/// The file system's type in the line of a mount (`proc_pid_mountinfo(5)`).
fn mount_type(mounts: &str, id: u64) -> Option<&str> {
    let of_mount =
        |line: &&str| line.split(' ').next().and_then(|field| field.parse().ok()) == Some(id);
    let (_, after) = mounts.lines().find(of_mount)?.split_once(" - ")?;
    after.split(' ').next()
}

fn probe_direct(path: &Path) -> io::Result<Option<DirectIo>> {
    let mut how = File::options();
    how.read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_DIRECT);
    let file = match how.open(path) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(None),
        opened => opened?,
    };
    match file.write_all_at(&BufMut::zeroed(BLOCK_BYTES), 0) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(None),
        written => written?,
    }
    // Where the file system does not say, the block that was just written is known to do.
    let block = BLOCK_BYTES as u32;
    let (memory_align, offset_align) = sys::direct_alignment(&file).unwrap_or((block, block));
    Ok(Some(DirectIo {
        memory_align,
        offset_align,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_setting() {
        let refused = io::Error::from_raw_os_error(libc::EPERM);
        assert!(
            explain(&refused, "2")
                .cause
                .contains("io_uring_disabled = 2")
        );
        assert!(explain(&refused, "1").remedy.contains("group"));
        assert!(explain(&refused, "0").cause.contains("seccomp"));
        assert!(explain(&refused, "").remedy.contains("seccomp"));
        let missing = io::Error::from_raw_os_error(libc::ENOSYS);
        assert!(explain(&missing, "").remedy.contains("5.18"));
        // What an older kernel says to a flag that it does not know.
        let old = explain(&io::Error::from_raw_os_error(libc::EINVAL), "");
        assert!(old.cause.contains("too old") && old.remedy.contains("5.18"));
        let odd = io::Error::from_raw_os_error(libc::EFAULT);
        assert_eq!(explain(&odd, "").cause, odd.to_string());
    }

    #[test]
    fn epoll_serves_where_policy_refuses_a_ring_and_no_limit_does() {
        let mut found = probe();
        assert_eq!(found.runtime(), Ok(Runtime::Ring));
        for (code, by_policy) in [
            (libc::EPERM, true),
            (libc::EACCES, true),
            (libc::ENOSYS, true),
            (libc::EINVAL, true),
            (libc::ENOMEM, false),
            (libc::EMFILE, false),
            (libc::EFAULT, false),
        ] {
            let refusal = explain(&io::Error::from_raw_os_error(code), "0");
            found.ring = Err(refusal.clone());
            let chosen = if by_policy {
                Ok(Runtime::Epoll)
            } else {
                Err(&refusal)
            };
            assert_eq!(found.runtime(), chosen, "{code}");
        }
    }

    #[test]
    fn a_mount_is_found_by_its_number() {
        let mounts = "22 28 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n\
                      28 1 259:2 / / rw,relatime - ext4 /dev/root rw,errors=remount-ro\n\
                      2 28 0:44 / /with\\040space rw shared:1 master:2 - xfs /dev/sdb rw\n";
        assert_eq!(mount_type(mounts, 28), Some("ext4"));
        assert_eq!(mount_type(mounts, 2), Some("xfs"));
        assert_eq!(mount_type(mounts, 9), None);
    }

    #[test]
    fn this_machine_is_described() {
        let found = probe();
        assert!(!found.kernel.is_empty() && !found.cpus.is_empty());
        assert!(found.ring.is_ok(), "{found:?}");
        assert!(found.open_files.soft > 0 && found.open_files.soft <= found.open_files.hard);
        let hard = raise_open_files().unwrap();
        assert_eq!(probe().open_files, Limit { soft: hard, hard });
        let storage = probe_storage(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert_ne!(storage.file_system, "unknown");
        assert!(probe_storage(Path::new("/nowhere")).is_err());
    }
}
