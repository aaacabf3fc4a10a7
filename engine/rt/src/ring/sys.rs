//! System calls that std does not wrap, each behind a safe function.
#![expect(unsafe_code, reason = "system calls")]

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Turns a C return value into a result.
pub(crate) fn check<T: PartialOrd + From<i8>>(result: T) -> io::Result<T> {
    if result < T::from(0) {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn c_path(path: &Path) -> io::Result<std::ffi::CString> {
    Ok(std::ffi::CString::new(path.as_os_str().as_bytes())?)
}

fn clock(id: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writing.
    let result = unsafe { libc::clock_gettime(id, &raw mut time) };
    debug_assert_eq!(result, 0, "these clocks always exist");
    time
}

/// Nanoseconds of `CLOCK_MONOTONIC`: one origin for all threads of the machine.
pub(super) fn monotonic_nanos() -> u64 {
    nanos(clock(libc::CLOCK_MONOTONIC))
}

const fn nanos(time: libc::timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The monotonic clock as of the kernel's last tick: cheaper, for who wants to know whether time
/// has passed.
pub(super) fn coarse_nanos() -> u64 {
    nanos(clock(libc::CLOCK_MONOTONIC_COARSE))
}

/// How long a tick is.
pub(super) fn coarse_tick() -> Duration {
    let mut tick = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `tick` is valid for writing.
    let result = unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut tick) };
    debug_assert_eq!(result, 0, "this clock always exists");
    Duration::from_nanos(nanos(tick))
}

/// What a thread has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) cpu: Duration,
    /// Times that it waited for something.
    pub(super) voluntary_switches: u64,
    /// Pages that had to be read.
    pub(super) major_faults: u64,
}

impl Usage {
    pub(super) const fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            voluntary_switches: self.voluntary_switches - earlier.voluntary_switches,
            major_faults: self.major_faults - earlier.major_faults,
        }
    }
}

/// What the calling thread has used (`getrusage(2)`). The CPU time is that of the thread's own
/// clock: the other one is brought up to date by ticks.
pub(super) fn thread_usage() -> Usage {
    // SAFETY: plain numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is valid for writing.
    let result = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    debug_assert_eq!(result, 0, "a thread may always ask for itself");
    Usage {
        cpu: Duration::from_nanos(nanos(clock(libc::CLOCK_THREAD_CPUTIME_ID))),
        voluntary_switches: usage.ru_nvcsw as u64,
        major_faults: usage.ru_majflt as u64,
    }
}

/// Milliseconds since the Unix epoch.
pub(super) fn wall_clock_ms() -> i64 {
    let time = clock(libc::CLOCK_REALTIME);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// Fills `words` with random numbers, at most 256 bytes (`getrandom(2)` gives those in one go).
pub(super) fn random(words: &mut [u64; 32]) {
    // SAFETY: the array is valid for writing its own size.
    let got = unsafe { libc::getrandom(words.as_mut_ptr().cast(), size_of_val(words), 0) };
    assert_eq!(
        got as usize,
        size_of_val(words),
        "getrandom gives up to 256 bytes at once"
    );
}

/// CPUs that the calling thread may run on.
pub(super) fn thread_affinity() -> io::Result<Vec<usize>> {
    // SAFETY: a CPU set is a plain bit mask.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid for writing its own size; 0 is the calling thread.
    check(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) })?;
    // SAFETY: every index is below the size of the set.
    let within = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
    Ok((0..libc::CPU_SETSIZE as usize).filter(within).collect())
}

/// Confines the calling thread to `cpus`.
pub(super) fn set_thread_affinity(cpus: &[usize]) -> io::Result<()> {
    // SAFETY: a CPU set is a plain bit mask.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus.iter().filter(|&&cpu| cpu < libc::CPU_SETSIZE as usize) {
        // SAFETY: the index is below the size of the set.
        unsafe { libc::CPU_SET(cpu, &mut set) }
    }
    // SAFETY: `set` is valid for reading its own size; 0 is the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) }).map(drop)
}

/// A non-blocking event counter (`eventfd(2)`).
pub(super) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds one to an event counter. Async-signal-safe, as long as `errno` is not looked at.
pub(super) fn eventfd_signal(fd: RawFd) {
    // SAFETY: no pointers. The one error, a full counter, still leaves the reader awake.
    unsafe { libc::eventfd_write(fd, 1) };
}

/// Takes what an event counter holds.
pub(super) fn eventfd_take(fd: RawFd) -> u64 {
    let mut value = 0;
    // SAFETY: `value` is valid for writing.
    let result = unsafe { libc::eventfd_read(fd, &raw mut value) };
    if result == 0 { value } else { 0 }
}

/// Reserves space and extends the file's size over it (`fallocate(2)`, mode 0).
pub(super) fn allocate(fd: &impl AsRawFd, pos: u64, len: u64) -> io::Result<()> {
    loop {
        // SAFETY: no pointers.
        let result = unsafe { libc::fallocate(fd.as_raw_fd(), 0, pos as i64, len as i64) };
        match check(result) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {},
            done => return done.map(drop),
        }
    }
}

/// What `statvfs(3)` says about the file system that holds `path`.
pub(super) fn statvfs(path: &Path) -> io::Result<libc::statvfs> {
    let path = c_path(path)?;
    let mut stat = MaybeUninit::uninit();
    // SAFETY: the path ends with a zero byte, `stat` is valid for writing.
    check(unsafe { libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) })?;
    // SAFETY: the call succeeded and filled it.
    Ok(unsafe { stat.assume_init() })
}

fn statx(fd: &impl AsRawFd, mask: u32) -> Option<libc::statx> {
    let mut stat = MaybeUninit::<libc::statx>::zeroed();
    let flags = libc::AT_EMPTY_PATH;
    // SAFETY: the empty path ends with a zero byte, `stat` is valid for writing.
    let result =
        unsafe { libc::statx(fd.as_raw_fd(), c"".as_ptr(), flags, mask, stat.as_mut_ptr()) };
    // SAFETY: zeroed at first, plain numbers, maybe filled by the call.
    let stat = unsafe { stat.assume_init() };
    (result == 0 && stat.stx_mask & mask == mask).then_some(stat)
}

/// Memory and offset alignment of direct I/O on an open file (Linux 6.1), if the file system says.
pub(super) fn direct_alignment(fd: &impl AsRawFd) -> Option<(u32, u32)> {
    let stat = statx(fd, libc::STATX_DIOALIGN)?;
    let align = (stat.stx_dio_mem_align, stat.stx_dio_offset_align);
    (align.1 != 0).then_some(align)
}

/// The mount that an open file is on, as in the first field of `/proc/self/mountinfo` (Linux 5.8).
pub(super) fn mount_id(fd: &impl AsRawFd) -> Option<u64> {
    Some(statx(fd, libc::STATX_MNT_ID)?.stx_mnt_id)
}

#[repr(C)]
struct CachestatRange {
    off: u64,
    len: u64,
}

#[repr(C)]
#[derive(Default)]
struct Cachestat {
    cache: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// `cachestat(2)`: the same number on every architecture but alpha.
const SYS_CACHESTAT: libc::c_long = 451;

/// Number of the range's pages in the page cache (`cachestat(2)`, since Linux 6.5).
pub(super) fn cached_pages(fd: &impl AsRawFd, pos: u64, len: u64) -> io::Result<u64> {
    let range = CachestatRange { off: pos, len };
    let mut stat = Cachestat::default();
    // SAFETY: both structures have the kernel's layout and live through the call.
    let result = unsafe {
        libc::syscall(
            SYS_CACHESTAT,
            fd.as_raw_fd(),
            &raw const range,
            &raw mut stat,
            0,
        )
    };
    check(result).map(|_| stat.cache)
}

/// Sends a range of a file to a socket; returns the bytes sent (`sendfile(2)`).
pub(super) fn sendfile(
    socket: &impl AsRawFd,
    file: &impl AsRawFd,
    pos: u64,
    len: usize,
) -> io::Result<usize> {
    let mut pos = pos as libc::off_t;
    // SAFETY: `pos` is valid for reading and writing.
    let sent = unsafe { libc::sendfile(socket.as_raw_fd(), file.as_raw_fd(), &raw mut pos, len) };
    check(sent).map(|sent| sent as usize)
}

/// Sends the slices without waiting; `more` says that further bytes follow at once.
pub(super) fn send(socket: &impl AsRawFd, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    // SAFETY: a message header is plain numbers and pointers, null is valid for all of them.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    // IoSlice has the layout of iovec; sendmsg only reads it.
    message.msg_iov = slices.as_ptr().cast_mut().cast();
    message.msg_iovlen = slices.len();
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
    // SAFETY: the header refers to slices that live through the call.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) };
    check(sent).map(|sent| sent as usize)
}

/// Bounds what the kernel takes of a socket's bytes beyond those that are on their way to the peer
/// (`TCP_NOTSENT_LOWAT`, tcp(7)).
pub(super) fn limit_unsent(socket: &impl AsRawFd, bytes: i32) -> io::Result<()> {
    let len = size_of_val(&bytes) as libc::socklen_t;
    let (fd, value) = (socket.as_raw_fd(), (&raw const bytes).cast());
    // SAFETY: `value` is readable for `len` bytes.
    let set =
        unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, value, len) };
    check(set).map(drop)
}

/// Sets the backlog of a socket that listens already.
pub(super) fn set_backlog(socket: &impl AsRawFd, backlog: i32) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) }).map(drop)
}

/// A new non-blocking stream socket that has begun to connect to `addr`.
pub(super) fn connect(addr: SocketAddr) -> io::Result<OwnedFd> {
    let domain = if addr.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::socket(domain, kind, 0) })?;
    // SAFETY: a new descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let result = match addr {
        SocketAddr::V4(addr) => {
            let name = libc::sockaddr_in {
                sin_family: libc::AF_INET as _,
                sin_port: addr.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from(*addr.ip()).to_be(),
                },
                sin_zero: [0; 8],
            };
            connect_to(&socket, &name)
        },
        SocketAddr::V6(addr) => {
            let name = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as _,
                sin6_port: addr.port().to_be(),
                sin6_flowinfo: addr.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: addr.ip().octets(),
                },
                sin6_scope_id: addr.scope_id(),
            };
            connect_to(&socket, &name)
        },
    };
    match result {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

fn connect_to<T>(socket: &OwnedFd, name: &T) -> io::Result<()> {
    let len = size_of_val(name) as libc::socklen_t;
    // SAFETY: `name` is a socket address and valid for reading `len` bytes.
    let result = unsafe { libc::connect(socket.as_raw_fd(), std::ptr::from_ref(name).cast(), len) };
    check(result).map(drop)
}

/// Has `handler` called on `signal`. System calls in progress are begun again.
pub(super) fn on_signal(signal: i32, handler: extern "C" fn(i32)) -> io::Result<()> {
    // SAFETY: a signal action is plain numbers and pointers, null is valid for all of them.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the mask is valid for writing.
    unsafe { libc::sigemptyset(&raw mut action.sa_mask) };
    // SAFETY: the action is complete; the handler has the type that these flags ask for.
    check(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }).map(drop)
}

/// Soft and hard limit of a resource; `u64::MAX` is none.
pub(super) fn limit(resource: libc::__rlimit_resource_t) -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writing.
    check(unsafe { libc::getrlimit(resource, &raw mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// Sets the soft limit of a resource.
pub(super) fn set_soft_limit(
    resource: libc::__rlimit_resource_t,
    soft: u64,
    hard: u64,
) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: `limit` is valid for reading.
    check(unsafe { libc::setrlimit(resource, &raw const limit) }).map(drop)
}
