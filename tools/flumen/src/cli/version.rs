//! `flumen version`.

use engine_rt::ring;
use net_wire::ApiKey;

use super::args::VersionArgs;
use super::output::Output;
use crate::errors::Failure;

/// The commit that this was built from, where the build was told.
const COMMIT: Option<&str> = option_env!("FLUMEN_COMMIT");

/// Prints the version.
pub(crate) fn run(args: &VersionArgs) -> Result<(), Failure> {
    let mut out = Output::new();
    let commit = COMMIT
        .map(|commit| format!(" ({commit})"))
        .unwrap_or_default();
    out.line(format!("flumen {}{commit}", env!("CARGO_PKG_VERSION")))?;
    if args.verbose {
        verbose(&mut out)?;
    }
    out.flush()
}

fn verbose(out: &mut Output) -> Result<(), Failure> {
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    out.line(format!(
        "build               {build}, {}",
        std::env::consts::ARCH
    ))?;
    out.line(format!(
        "data directory      format {}",
        cluster_control::FORMAT_VERSION
    ))?;
    out.line(format!(
        "journal frame       {} bytes at most",
        engine_wal::FRAME_BYTES_MAX
    ))?;
    out.line(format!(
        "memory budget       {} bytes at least",
        flumen::broker::MEMORY_BYTES_MIN
    ))?;
    let probe = ring::probe();
    let uring = match &probe.ring {
        Ok(_) => "available".to_owned(),
        Err(refusal) => format!("refused by {}", refusal.cause),
    };
    out.line(format!(
        "kernel              {}, io_uring {uring}",
        probe.kernel
    ))?;
    out.line("APIs")?;
    for api in ApiKey::ALL.iter().map(|key| key.api()) {
        let versions = format!("{} to {}", api.version_min, api.version_max);
        out.line(format!("  {:<24} {versions}", api.name))?;
    }
    Ok(())
}
