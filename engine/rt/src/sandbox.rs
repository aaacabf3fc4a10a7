//! System calls that a process gives up: how tests stand on a kernel, or in a container, that refuses
//! them.
#![expect(unsafe_code, reason = "system calls")]

use std::io;

use crate::ring::check;

/// What is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// All of `io_uring(7)`, as by the default profile of container runtimes.
    IoUring,
    /// Writes with flags (`pwritev2(2)`), and so those that are durable by themselves.
    WriteFlags,
}

impl Refused {
    fn calls(self) -> (&'static [libc::c_long], i32) {
        match self {
            Self::IoUring => (
                &[
                    libc::SYS_io_uring_setup,
                    libc::SYS_io_uring_enter,
                    libc::SYS_io_uring_register,
                ],
                libc::EPERM,
            ),
            Self::WriteFlags => (&[libc::SYS_pwritev2], libc::ENOSYS),
        }
    }
}

/// Refuses these calls to the calling thread for ever, to the threads it starts and to the program it
/// becomes (`seccomp(2)`).
pub fn refuse(refused: &[Refused]) -> io::Result<()> {
    let mut program = vec![instruction(
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        0,
        0,
    )];
    for (calls, error) in refused.iter().map(|one| one.calls()) {
        for &call in calls {
            let is_other = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
            program.push(instruction(is_other, call as u32, 1));
            let refusal = libc::SECCOMP_RET_ERRNO | error as u32;
            program.push(instruction(libc::BPF_RET | libc::BPF_K, refusal, 0));
        }
    }
    let rest = instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0);
    program.push(rest);
    install(&mut program)
}

/// One step of the filter. The first loads the call's number, which stands first in what it is given;
/// a comparison goes `unequal` steps further if it is another one.
const fn instruction(code: u32, k: u32, unequal: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: unequal,
        k,
    }
}

fn install(program: &mut [libc::sock_filter]) -> io::Result<()> {
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    let (yes, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, none, none, none) })?;
    let mode = libc::c_ulong::from(libc::SECCOMP_MODE_FILTER);
    // SAFETY: the filter and its program live through the call, which copies them.
    check(unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter) }).map(drop)
}
