//! How fast old data is read beside appends.
//!
//! Readers of old data take all that the disk gives, and a disk that is asked for more makes
//! everybody wait, flushes too. So readers slow down while flushes take much longer than they do
//! without them, never below two thirds of what the disk gave them, and come back carefully (as senders do
//! in TCP's congestion control, RFC 5681 and RFC 9438).

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use engine_rt::{Instant, now, sleep_until};

/// The rate is judged after so much time and so many bytes, or at once when a flush suffers.
const WINDOW: Duration = Duration::from_millis(10);
const WINDOW_BYTES: u64 = 8 << 20;
/// A slower rate is given so long to show what it does.
const SETTLE: Duration = Duration::from_millis(20);
/// After so long without a read the flushes are those of a disk without readers.
const IDLE: Duration = Duration::from_millis(100);
/// Without a flush for so long nobody appends.
const QUIET: Duration = Duration::from_secs(1);
/// Flushes suffer when they take so many times what they take without readers, and this much more.
const SUFFERING_FACTOR: u32 = 3;
const SUFFERING_MIN: Duration = Duration::from_micros(500);
/// What a flush is taken to cost until it is known.
const CALM_GUESS: Duration = Duration::from_millis(1);
/// What is left of the rate when flushes suffer.
const DECREASE: f64 = 0.7;
/// What readers get at least, of what the disk gave them before.
const LEAST: f64 = 2.0 / 3.0;
/// By what share the rate grows in a second: carefully around the one at which flushes suffered.
const GROWTH: f64 = 1.0;
const CAREFUL_GROWTH: f64 = 0.02;
const CAREFUL: RangeInclusive<f64> = 0.45..=1.2;
/// By what share the best rate is forgotten in a second.
const FADING: f64 = 0.1;

/// The flushes of a shard's journal so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flushes {
    /// Flushes that ended.
    pub count: u64,
    /// Their times, summed.
    pub total: Duration,
    /// For how long none of those under way has ended.
    pub waiting: Duration,
}

/// Tells of the flushes so far.
type Probe = Box<dyn Fn() -> Flushes>;

/// The pace of one shard's readers.
#[derive(Default)]
pub(crate) struct Pace {
    probe: OnceCell<Probe>,
    control: RefCell<Control>,
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace")
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

impl Pace {
    /// Readers give way to the flushes that `probe` tells of.
    pub(crate) fn give_way_to(&self, probe: impl Fn() -> Flushes + 'static) {
        assert!(
            self.probe.set(Box::new(probe)).is_ok(),
            "a shard has one journal"
        );
    }

    /// Waits until a read of so many bytes may begin.
    pub(crate) async fn admit(&self, bytes: u64) {
        let Some(probe) = self.probe.get() else {
            return;
        };
        let now = now();
        let at = self.control.borrow_mut().admit(now, bytes, probe());
        if at > now {
            sleep_until(at).await;
        }
    }
}

/// The decisions. Rates are bytes a second.
#[derive(Debug)]
struct Control {
    /// How fast readers may read; none while that is as fast as they can.
    rate: Option<f64>,
    /// How fast they read in the last window, and at best while nobody held them.
    seen: f64,
    best: f64,
    /// The rate at which flushes suffered last.
    hurt: f64,
    /// A flush without readers.
    calm: Duration,
    /// The next read begins then.
    next: Instant,
    last_read: Instant,
    last_flush: Instant,
    /// Not slower before that.
    settled: Instant,
    window: Window,
}

/// What has happened since the rate was judged.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began: Instant,
    bytes: u64,
    /// Whether a read had to wait.
    was_held: bool,
    /// Whether it began with an idle disk: the first reads leave at once, and say nothing of a rate.
    was_idle: bool,
    flushes: Flushes,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            rate: None,
            seen: 0.0,
            best: 0.0,
            hurt: 0.0,
            calm: CALM_GUESS,
            next: Instant::default(),
            last_read: Instant::default(),
            last_flush: Instant::default(),
            settled: Instant::default(),
            window: Window::default(),
        }
    }
}

impl Control {
    /// When a read of so many bytes may begin.
    fn admit(&mut self, now: Instant, bytes: u64, flushes: Flushes) -> Instant {
        if flushes.count > self.window.flushes.count || !flushes.waiting.is_zero() {
            self.last_flush = now;
        }
        if now.since(self.last_read) > IDLE {
            // The flushes since then are those of a disk without readers.
            self.calm = self.mean_flush(flushes).unwrap_or(self.calm);
            self.begin_window(now, flushes);
            self.window.was_idle = true;
        } else {
            self.look(now, flushes);
        }
        self.last_read = now;
        self.window.bytes += bytes;
        let at = self.next.max(now);
        self.window.was_held |= at > now;
        self.next = match self.rate {
            Some(rate) if now.since(self.last_flush) < QUIET => {
                at + Duration::from_secs_f64(bytes as f64 / rate)
            },
            _ => now,
        };
        at
    }

    fn begin_window(&mut self, now: Instant, flushes: Flushes) {
        self.window = Window {
            began: now,
            flushes,
            ..Window::default()
        };
    }

    fn look(&mut self, now: Instant, flushes: Flushes) {
        let passed = now.since(self.window.began);
        let is_full = passed >= WINDOW && self.window.bytes >= WINDOW_BYTES;
        if is_full && !self.window.was_idle {
            self.note_rate(passed.as_secs_f64());
        }
        let mean = self.mean_flush(flushes).filter(|_| is_full);
        let suffers = self.suffers(mean.unwrap_or_default().max(flushes.waiting));
        if suffers && now >= self.settled && self.seen > 0.0 {
            self.slow_down(now);
        } else if !is_full {
            return;
        } else if !suffers {
            self.hurry(passed.as_secs_f64());
        }
        self.begin_window(now, flushes);
    }

    fn note_rate(&mut self, passed: f64) {
        self.seen = self.window.bytes as f64 / passed;
        if !self.window.was_held {
            self.best = self.seen.max(self.best * (1.0 - FADING * passed).max(0.0));
        }
    }

    fn mean_flush(&self, flushes: Flushes) -> Option<Duration> {
        let count = flushes.count.saturating_sub(self.window.flushes.count);
        let total = flushes.total.saturating_sub(self.window.flushes.total);
        total.checked_div(u32::try_from(count).ok()?)
    }

    fn suffers(&self, flush: Duration) -> bool {
        flush > (self.calm * SUFFERING_FACTOR).max(self.calm + SUFFERING_MIN)
    }

    fn slow_down(&mut self, now: Instant) {
        self.hurt = self.rate.unwrap_or(self.seen).min(self.seen);
        self.rate = Some((self.hurt * DECREASE).max(self.best * LEAST));
        self.settled = now + SETTLE;
    }

    fn hurry(&mut self, passed: f64) {
        self.rate = self.rate.and_then(|rate| {
            let growth = if CAREFUL.contains(&(rate / self.hurt)) {
                CAREFUL_GROWTH
            } else {
                GROWTH
            };
            let rate = rate * (1.0 + growth * passed);
            // Faster than they can: nobody needs to be held.
            (rate < 2.0 * self.best).then_some(rate)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: u64 = 1 << 20;
    const FLUSH: Duration = Duration::from_micros(200);
    const FLUSH_INTERVAL: Duration = Duration::from_micros(500);

    /// A disk that serves in order, so many bytes a second, with a flush by the way every half
    /// millisecond, and one reader that always has a read under way.
    struct Disk {
        control: Control,
        bytes_per_second: f64,
        now: Instant,
        free_at: Instant,
        next_flush: Instant,
        flushes: Flushes,
        slowest: Vec<Duration>,
    }

    impl Disk {
        fn new(bytes_per_second: f64) -> Self {
            let start = Instant::default() + Duration::from_secs(1);
            Self {
                control: Control::default(),
                bytes_per_second,
                now: start,
                free_at: start,
                next_flush: start,
                flushes: Flushes::default(),
                slowest: Vec::new(),
            }
        }

        /// Flushes that fall due until `now`: each waits for what the disk has to do before it.
        fn flush_until(&mut self, now: Instant) {
            while self.next_flush < now {
                let begins = self.next_flush.max(self.free_at);
                let took = (begins + FLUSH).since(self.next_flush);
                self.flushes.count += 1;
                self.flushes.total += took;
                self.slowest.push(took);
                self.next_flush = self.next_flush + FLUSH_INTERVAL;
            }
        }

        /// Reads as fast as it may for so long, four chunks ahead; the bytes it got in a second.
        fn read_for(&mut self, time: Duration, appends: bool) -> f64 {
            let (began, mut bytes) = (self.now, 0);
            while self.now.since(began) < time {
                let at = self.control.admit(self.now, CHUNK, self.flushes);
                if appends {
                    self.flush_until(at);
                }
                let transfer = Duration::from_secs_f64(CHUNK as f64 / self.bytes_per_second);
                self.free_at = self.free_at.max(at) + transfer;
                bytes += CHUNK;
                let ahead = transfer * 4;
                let waits = self.free_at.since(at).saturating_sub(ahead);
                self.now = at + waits.max(Duration::from_micros(1));
            }
            bytes as f64 / self.now.since(began).as_secs_f64()
        }

        fn p99(&mut self) -> Duration {
            self.slowest.sort_unstable();
            self.slowest[self.slowest.len() * 99 / 100]
        }
    }

    #[test]
    fn readers_give_way_and_keep_most() {
        for bytes_per_second in [1e8, 1e9, 4e9] {
            let mut disk = Disk::new(bytes_per_second);
            disk.flush_until(disk.now + Duration::from_millis(500));
            disk.now = disk.next_flush;
            // Until the first windows are judged, it suffers.
            disk.read_for(Duration::from_secs(1), true);
            disk.slowest.clear();
            let read = disk.read_for(Duration::from_secs(10), true);
            assert!(
                read >= 0.5 * bytes_per_second,
                "{read} of {bytes_per_second}"
            );
            let chunk = Duration::from_secs_f64(CHUNK as f64 / bytes_per_second);
            let bound = FLUSH + chunk * 2;
            assert!(disk.p99() <= bound, "{:?} of {bound:?}", disk.p99());
        }
    }

    #[test]
    fn without_appends_nobody_is_held() {
        let mut disk = Disk::new(1e9);
        let read = disk.read_for(Duration::from_secs(2), false);
        assert!(read >= 0.99e9, "{read}");
        disk.flush_until(disk.now);
        disk.read_for(Duration::from_secs(2), true);
        assert!(disk.control.rate.is_some());
        disk.read_for(QUIET * 2, false);
        let read = disk.read_for(Duration::from_secs(2), false);
        assert!(read >= 0.99e9, "{read}");
    }

    #[test]
    fn a_disk_that_has_become_faster_is_found_out() {
        let mut disk = Disk::new(2e8);
        disk.flush_until(disk.now + Duration::from_millis(500));
        disk.now = disk.next_flush;
        disk.read_for(Duration::from_secs(5), true);
        disk.bytes_per_second = 2e9;
        disk.read_for(Duration::from_secs(40), true);
        let read = disk.read_for(Duration::from_secs(10), true);
        assert!(read >= 0.5 * 2e9, "{read}");
    }
}
