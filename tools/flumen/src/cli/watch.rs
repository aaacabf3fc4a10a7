//! Showing something again and again.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use engine_rt::sleep;

use super::output::Output;
use crate::errors::Failure;

/// How long it stands there.
const INTERVAL: Duration = Duration::from_secs(2);
/// Clears a terminal.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// Shows something once, or again and again until `show` says that this was enough.
pub(crate) async fn repeat(
    is_watched: bool,
    show: impl AsyncFn() -> Result<bool, Failure>,
) -> Result<(), Failure> {
    loop {
        if is_watched && stdout().is_terminal() {
            Output::new().bytes(CLEAR)?;
        }
        if show().await? || !is_watched {
            return Ok(());
        }
        sleep(INTERVAL).await;
    }
}
