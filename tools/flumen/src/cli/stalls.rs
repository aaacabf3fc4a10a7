//! Tells what kept executors busy for too long. They leave notes; this runs on the control executor
//! and not on a shard, and what it writes waits in the log's own thread.

use std::time::Duration;

use engine_rt::ring::{Stall, take_stalls};
use engine_rt::{Instant, now, sleep, wall_clock_ms};

const INTERVAL: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_mins(1);
const LINES_PER_WINDOW: u32 = 10;

/// Looks for notes for ever.
pub(crate) async fn watch() {
    let mut limit = Limit::default();
    loop {
        sleep(INTERVAL).await;
        for (executor, stall) in limit.pass(now(), take_stalls()) {
            tell(&executor, &stall);
        }
        if let Some((count, longest)) = limit.withheld(now()) {
            tracing::warn!(
                count,
                longest_ms = ms(longest),
                "FL2201: further turns took too long in the last minute"
            );
        }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}

fn tell(executor: &str, stall: &Stall) {
    let (poll, parts) = (stall.longest, stall.parts);
    tracing::warn!(
        executor,
        turn_ms = ms(stall.turn),
        task = poll.map(|poll| poll.task),
        spawned_at = poll.map(|poll| display(poll.spawned_at)),
        poll_ms = poll.map(|poll| ms(poll.took)),
        polls = stall.polls,
        completions_ms = ms(parts.completions),
        wakes_ms = ms(parts.wakes),
        timers_ms = ms(parts.timers),
        tasks_ms = ms(parts.tasks),
        kernel_ms = ms(parts.kernel),
        cpu_ms = stall.cpu.map(ms),
        ago_ms = wall_clock_ms() - stall.ended_ms,
        "FL2201: a turn took too long"
    );
}

/// How much of it is printed.
#[derive(Debug, Default)]
struct Limit {
    end: Instant,
    printed: u32,
    withheld: u32,
    longest: Duration,
}

impl Limit {
    /// Which of the notes are printed; the others are counted.
    fn pass(&mut self, now: Instant, mut notes: Vec<(String, Stall)>) -> Vec<(String, Stall)> {
        if now >= self.end && self.withheld == 0 {
            self.printed = 0;
        }
        if self.printed == 0 {
            self.end = now + WINDOW;
        }
        let left = (LINES_PER_WINDOW - self.printed) as usize;
        let rest = notes.split_off(notes.len().min(left));
        self.printed += notes.len() as u32;
        self.withheld += rest.len() as u32;
        let longest = rest.iter().map(|(_, stall)| stall.turn).max();
        self.longest = self.longest.max(longest.unwrap_or_default());
        notes
    }

    /// At the end of a window: how many notes were not printed, and the longest turn of theirs.
    fn withheld(&mut self, now: Instant) -> Option<(u32, Duration)> {
        if now < self.end || self.withheld == 0 {
            return None;
        }
        let told = (self.withheld, self.longest);
        *self = Self::default();
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(count: u64) -> Vec<(String, Stall)> {
        let note = |number| {
            let stall = Stall {
                turn: Duration::from_millis(10 + number),
                ..Stall::default()
            };
            ("shard-0".to_owned(), stall)
        };
        (0..count).map(note).collect()
    }

    #[test]
    fn ten_lines_a_minute_are_printed_and_the_rest_is_counted() {
        let mut limit = Limit::default();
        let start = Instant::from_nanos(7);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limit.pass(at(0), notes(8)).len(), 8);
        assert_eq!(limit.pass(at(1), notes(8)).len(), 2);
        assert_eq!(limit.withheld(at(1)), None);
        assert_eq!(limit.pass(at(59), notes(3)).len(), 0);
        assert_eq!(limit.withheld(at(59)), None);
        assert_eq!(limit.pass(at(60), notes(0)).len(), 0);
        let told = Some((9, Duration::from_millis(17)));
        assert_eq!(limit.withheld(at(60)), told);
        assert_eq!(limit.withheld(at(60)), None);
        assert_eq!(limit.pass(at(61), notes(11)).len(), 10);
    }

    #[test]
    fn lines_are_counted_anew_each_minute() {
        let mut limit = Limit::default();
        for minute in 0..5 {
            let now = Instant::from_nanos(1) + Duration::from_secs(61 * minute);
            assert_eq!(limit.pass(now, notes(10)).len(), 10, "minute {minute}");
            assert_eq!(limit.withheld(now), None);
        }
    }
}
