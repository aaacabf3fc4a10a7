//! One `io_uring(7)`: its creation with what the kernel has, submission, waiting, completions.
#![expect(unsafe_code, reason = "submissions point to memory")]

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{Builder, IoUring, Probe, cqueue, opcode, squeue, types};

use crate::buf::Arena;

/// Room for the submissions of one turn, and for completions: every connection's poll may speak at
/// once. More submissions wait in the backlog; more completions are kept by the kernel in a list,
/// which is slower but loses nothing. The smaller ones are for low limits of locked memory, against
/// which some kernels count a ring's queues.
const SIZES: [(u32, u32); 3] = [(512, 16 * 1024), (128, 2048), (32, 256)];
/// Kernel threads per ring for what cannot be done inline, such as fsync: they run on our core.
const KERNEL_WORKERS: u32 = 4;
/// Room for files that are registered only to keep them open as long as the ring.
pub(super) const KEPT_FILES: usize = 32;

/// From here on, `user_data` names no operation: [`Key`](super::slab::Key) stays below.
pub(super) const RESERVED: u64 = (u32::MAX as u64) << 32;
/// Completions that need no answer.
pub(super) const IGNORED: u64 = u64::MAX;

/// What the kernel reports of one submission.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completion {
    pub(crate) user_data: u64,
    /// The result, or a negated error number.
    pub(crate) result: i32,
    /// Whether the same submission will report again.
    pub(crate) more: bool,
}

/// How long a visit to the kernel may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// There are tasks to run: only hand in and fetch what there is.
    No,
    /// Until something completes.
    Completion,
    /// Until something completes, no longer than this.
    AtMost(Duration),
}

pub(super) struct Uring {
    ring: IoUring,
    backlog: VecDeque<squeue::Entry>,
    files_registered: bool,
    /// After the ring: fields are dropped in the order of their declaration.
    registered: Option<Arc<Arena>>,
}

type SetUp = fn(&mut Builder) -> &mut Builder;

/// Ways to set up a ring, best first; older kernels refuse flags with `EINVAL`. All of them take
/// `IORING_SETUP_SUBMIT_ALL`, so that none before Linux 5.18 will do.
const SET_UPS: [SetUp; 3] = [
    |ring| {
        let ring = ring.setup_single_issuer().setup_defer_taskrun();
        ring.setup_coop_taskrun().setup_taskrun_flag()
    },
    |ring| ring.setup_coop_taskrun().setup_taskrun_flag(),
    |ring| ring,
];

impl Uring {
    /// Sets up a ring that belongs to the calling thread.
    pub(super) fn new() -> io::Result<Self> {
        let mut refusal = io::Error::from(io::ErrorKind::Unsupported);
        for (submissions, completions) in SIZES {
            for set_up in SET_UPS {
                let mut builder = IoUring::builder();
                builder
                    .setup_clamp()
                    .setup_submit_all()
                    .setup_cqsize(completions);
                match set_up(&mut builder).build(submissions) {
                    Ok(ring) => return Ok(Self::with(ring)),
                    Err(error) if error.raw_os_error() == Some(libc::EINVAL) => refusal = error,
                    Err(error) => {
                        refusal = error;
                        break;
                    },
                }
            }
            if refusal.raw_os_error() != Some(libc::ENOMEM) {
                break;
            }
        }
        Err(refusal)
    }

    fn with(ring: IoUring) -> Self {
        // If it is refused, the kernel's own limit holds.
        let _limited = ring
            .submitter()
            .register_iowq_max_workers(&mut [KERNEL_WORKERS, KERNEL_WORKERS]);
        Self {
            ring,
            backlog: VecDeque::new(),
            files_registered: false,
            registered: None,
        }
    }

    pub(super) fn fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }

    /// Whether the kernel does a ring's work only when its thread asks for it.
    pub(super) fn is_deferred(&self) -> bool {
        self.ring.params().is_setup_single_issuer()
    }

    /// Whether rings can wake each other by messages (Linux 5.18).
    pub(super) fn has_messages(&self) -> bool {
        let mut probe = Probe::new();
        self.ring.submitter().register_probe(&mut probe).is_ok()
            && probe.is_supported(opcode::MsgRingData::CODE)
    }

    /// Whether a visit would bring something, without visiting.
    pub(super) fn has_news(&self) -> bool {
        // SAFETY: of the views of this thread's queues none is held elsewhere.
        let completions = unsafe { self.ring.completion_shared() };
        // SAFETY: as above.
        let submissions = unsafe { self.ring.submission_shared() };
        !completions.is_empty() || submissions.taskrun()
    }

    /// Registers memory for reads and writes, if the limit of locked memory allows.
    pub(super) fn register(&mut self, arena: Arc<Arena>) -> io::Result<()> {
        let memory = libc::iovec {
            iov_base: arena.start().cast(),
            iov_len: arena.len(),
        };
        // SAFETY: the arena is kept until the ring is closed, which is dropped first.
        unsafe { self.ring.submitter().register_buffers(&[memory]) }?;
        self.registered = Some(arena);
        Ok(())
    }

    /// The memory that is registered, as the kernel's buffer number 0.
    pub(super) const fn registered(&self) -> Option<&Arc<Arena>> {
        self.registered.as_ref()
    }

    /// Queues a submission for the next [`Uring::enter`].
    ///
    /// # Safety
    /// Memory and descriptors that `entry` refers to live until its last completion.
    pub(super) unsafe fn push(&mut self, entry: squeue::Entry) {
        // SAFETY: passed on to the caller.
        let full =
            !self.backlog.is_empty() || unsafe { self.ring.submission().push(&entry) }.is_err();
        if full {
            self.backlog.push_back(entry);
        }
    }

    /// Queues a submission that refers to no memory.
    fn push_plain(&mut self, entry: squeue::Entry, user_data: u64) {
        // SAFETY: nothing has to outlive anything; a closed descriptor is an error of the kernel's.
        unsafe { self.push(entry.user_data(user_data)) }
    }

    /// Reports every change of `fd` to readable or writable, until removed. Edge-triggered.
    pub(super) fn poll(&mut self, fd: RawFd, user_data: u64) {
        let events = libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP;
        let poll = opcode::PollAdd::new(types::Fd(fd), events as u32)
            .multi(true)
            .build();
        self.push_plain(poll, user_data);
    }

    /// Ends a poll; its last completion comes then. Not by `POLL_REMOVE`, which leaves alone a poll
    /// that has just been triggered (`EALREADY`).
    pub(super) fn cancel_poll(&mut self, user_data: u64) {
        self.push_plain(opcode::AsyncCancel::new(user_data).build(), IGNORED);
    }

    /// Wakes the thread of another ring. Only a failure completes here, as `user_data`.
    pub(super) fn message(&mut self, ring: RawFd, user_data: u64) {
        let message = opcode::MsgRingData::new(types::Fd(ring), 0, IGNORED, None).build();
        self.push_plain(message.flags(squeue::Flags::SKIP_SUCCESS), user_data);
    }

    /// Hands in what is queued, and waits.
    pub(super) fn enter(&mut self, wait: Wait) -> io::Result<()> {
        let (submitter, mut submissions, completions) = self.ring.split();
        while let Some(entry) = self.backlog.front() {
            // SAFETY: as promised to `push`.
            if unsafe { submissions.push(entry) }.is_err() {
                break;
            }
            self.backlog.pop_front();
        }
        let to_do = !submissions.is_empty() || submissions.taskrun() || submissions.cq_overflow();
        let waits = wait != Wait::No && completions.is_empty() && self.backlog.is_empty();
        drop((submissions, completions));
        let entered = match wait {
            _ if !waits && !to_do => return Ok(()),
            Wait::AtMost(limit) if waits => {
                let limit = Timespec::from(limit);
                submitter.submit_with_args(1, &SubmitArgs::new().timespec(&limit))
            },
            _ => submitter.submit_and_wait(usize::from(waits)),
        };
        match entered {
            Ok(_) => Ok(()),
            // The time is over, a signal came, or completions have to be fetched first: all are
            // met by the next turn.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)
                ) =>
            {
                Ok(())
            },
            Err(error) => Err(error),
        }
    }

    /// Moves all completions that have arrived to `into`.
    pub(super) fn reap(&mut self, into: &mut Vec<Completion>) {
        into.extend(self.ring.completion().map(|entry| Completion {
            user_data: entry.user_data(),
            result: entry.result(),
            more: cqueue::more(entry.flags()),
        }));
    }

    /// Lets the ring hold these files open, whatever becomes of their descriptors: `-1` lets go of
    /// a place's file, `-2` leaves it as it is.
    pub(super) fn keep_files(&mut self, fds: &[RawFd; KEPT_FILES]) -> io::Result<()> {
        if !self.files_registered {
            self.ring
                .submitter()
                .register_files_sparse(KEPT_FILES as u32)?;
            self.files_registered = true;
        }
        self.ring
            .submitter()
            .register_files_update(0, fds)
            .map(drop)
    }
}
