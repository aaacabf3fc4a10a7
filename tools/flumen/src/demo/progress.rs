//! How far the client is, for the line that the terminal shows.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine_rt::sleep;

const INTERVAL: Duration = Duration::from_millis(100);
const BAR_CHARS: u64 = 30;

/// Records written and read so far; the client counts, the terminal shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    counts: Arc<[AtomicU64; 2]>,
}

impl Progress {
    pub(super) fn written(&self, records: u64) {
        self.counts[0].fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn read(&self, records: u64) {
        self.counts[1].fetch_add(records, Ordering::Relaxed);
    }

    fn line(&self, total: u64) -> String {
        let [written, read] = [0, 1].map(|at| self.counts[at].load(Ordering::Relaxed));
        format!(
            "writing {} reading {}",
            bar(written, total),
            bar(read, total)
        )
    }

    /// Shows the line on standard error, if that is a terminal, until it is cancelled.
    pub(super) async fn show(self, total: u64) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        loop {
            say(&format!("\r{}", self.line(total)));
            sleep(INTERVAL).await;
        }
    }

    /// Shows the line for the last time.
    pub(super) fn done(&self, total: u64) {
        if std::io::stderr().is_terminal() {
            say(&format!("\r{}\n", self.line(total)));
        }
    }
}

fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // Nobody is there to hear that nobody is there.
    let _gone = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

fn bar(done: u64, total: u64) -> String {
    let done = done.min(total);
    let filled = (done * BAR_CHARS).checked_div(total).unwrap_or(BAR_CHARS);
    let percent = (done * 100).checked_div(total).unwrap_or(100);
    let bar: String = (0..BAR_CHARS)
        .map(|at| if at < filled { '#' } else { '.' })
        .collect();
    format!("[{bar}] {percent:3} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_up() {
        assert!(bar(0, 10).starts_with("[...") && bar(0, 10).ends_with("  0 %"));
        assert!(bar(5, 10).starts_with("[###############....") && bar(5, 10).ends_with(" 50 %"));
        assert!(bar(12, 10).ends_with("100 %") && bar(0, 0).ends_with("100 %"));
    }
}
