//! What a program asks the kernel through: what was asked for, or what the machine allows.

use engine_rt::ring::{Probe, Refusal, Runtime};

use super::args::RuntimeChoice;
use crate::errors::Failure;

/// The runtime for this machine. An error where `io_uring` is wanted and refused, or refused by no
/// more than a limit.
pub(crate) fn choose(asked: RuntimeChoice, probe: &Probe) -> Result<Runtime, Failure> {
    let chosen = match asked {
        RuntimeChoice::Auto => probe.runtime(),
        RuntimeChoice::Ring => probe.ring.as_ref().map(|_| Runtime::Ring),
        RuntimeChoice::Epoll => Ok(Runtime::Epoll),
    };
    chosen.map_err(refused)
}

fn refused(refusal: &Refusal) -> Failure {
    let failure = Failure::new("FL1013", "the kernel refuses io_uring").because(&refusal.cause);
    let without = "do without: --runtime epoll";
    failure.help(match refusal.remedy.as_str() {
        "" => without.to_owned(),
        remedy => format!("{remedy}; or {without}"),
    })
}

#[cfg(test)]
mod tests {
    use engine_rt::ring;

    use super::*;

    #[test]
    fn epoll_serves_where_a_ring_is_refused_unless_a_ring_is_wanted() {
        let mut probe = ring::probe();
        let choose_all = |probe: &Probe| {
            let ways = [
                RuntimeChoice::Auto,
                RuntimeChoice::Ring,
                RuntimeChoice::Epoll,
            ];
            ways.map(|asked| choose(asked, probe).ok())
        };
        let (ring, epoll) = (Some(Runtime::Ring), Some(Runtime::Epoll));
        assert_eq!(choose_all(&probe), [ring, ring, epoll]);
        let refusal = |by_policy| Refusal {
            cause: "the setting x".into(),
            remedy: "sysctl y".into(),
            by_policy,
        };
        probe.ring = Err(refusal(true));
        assert_eq!(choose_all(&probe), [epoll, None, epoll]);
        probe.ring = Err(refusal(false));
        assert_eq!(choose_all(&probe), [None, None, epoll]);
    }

    #[test]
    fn a_refused_ring_is_told_with_its_remedy() {
        let told = |remedy: &str| {
            let refusal = Refusal {
                cause: "the setting x".into(),
                remedy: remedy.into(),
                by_policy: true,
            };
            refused(&refusal).to_string()
        };
        let text = told("sysctl y");
        let wanted = "cause: the setting x\n  help:  sysctl y; or do without: --runtime epoll\n";
        assert!(text.contains(wanted), "{text}");
        assert!(told("").contains("help:  do without: --runtime epoll"));
    }
}
