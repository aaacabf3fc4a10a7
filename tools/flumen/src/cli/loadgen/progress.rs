//! The line that shows how far a run is.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use engine_rt::{Instant, now, sleep};
use tools_loadgen::drive::{Live, Sample};
use tools_loadgen::units::nanos_shown;

const INTERVAL: Duration = Duration::from_secs(1);

/// Shows a line on standard error, if that is a terminal, until it is cancelled.
pub(super) async fn show(live: Arc<Live>) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let mut last = live.sample();
    loop {
        sleep(INTERVAL).await;
        let sample = live.sample();
        if let Some(started) = sample.started {
            let passed = now().since(Instant::from_nanos(started));
            say(&format!("\r{}", line(passed, &sample, &last)));
        }
        last = sample;
    }
}

/// Ends the line.
pub(super) fn end() {
    if std::io::stderr().is_terminal() {
        say("\n");
    }
}

/// Rates are of the last second.
fn line(passed: Duration, sample: &Sample, last: &Sample) -> String {
    // Counters of other threads: each is read at its own moment.
    let settled = sample.acknowledged + sample.failed;
    let waiting = sample.planned.saturating_sub(settled);
    format!(
        "{:4} s  offered {:>8}/s  achieved {:>8}/s  waiting {waiting:>8}  failed {:>6}  read {:>10}  p99 {:>8}",
        passed.as_secs(),
        sample.planned - last.planned,
        sample.acknowledged - last.acknowledged,
        sample.failed,
        sample.consumed,
        nanos_shown(sample.p99)
    )
}

fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // Nobody is there to hear that nobody is there.
    let _gone = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_last_second() {
        let last = Sample {
            planned: 1000,
            acknowledged: 900,
            ..Sample::default()
        };
        let sample = Sample {
            planned: 3000,
            acknowledged: 2500,
            failed: 100,
            p99: 5_000_000,
            ..last
        };
        let line = line(Duration::from_secs(7), &sample, &last);
        assert!(
            line.contains("7 s  offered     2000/s  achieved     1600/s"),
            "{line}"
        );
        assert!(line.contains("waiting      400  failed    100"), "{line}");
        assert!(line.ends_with("5.00 ms"), "{line}");
    }
}
