//! The log: lines on standard error, written by a thread of their own. A terminal or a pipe that
//! does not take them must not stop a shard: then lines are lost, and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::args::LogFormat;
use crate::errors::Failure;

/// Lines that may wait to be written.
const LINES_WAITING_MAX: usize = 4096;

/// The log as long as it is wanted: what waits is written when this is dropped.
#[derive(Debug)]
pub(crate) struct Log {
    stop: SyncSender<Line>,
    thread: Option<JoinHandle<()>>,
}

enum Line {
    Text(Vec<u8>),
    Stop,
}

/// Begins the log of this process.
pub(crate) fn init(format: LogFormat, level: &str) -> Result<Log, Failure> {
    let filter = EnvFilter::try_new(level)
        .map_err(|error| Failure::invalid(format!("--log-level {level}")).because(error))?;
    let (lines, waiting) = sync_channel(LINES_WAITING_MAX);
    let lost = Arc::new(AtomicU64::new(0));
    let writer = Lines {
        lines: lines.clone(),
        lost: Arc::clone(&lost),
    };
    let begun = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(false)
        .with_thread_names(true)
        .with_target(false);
    match format {
        LogFormat::Text => begun.init(),
        LogFormat::Json => begun.json().flatten_event(true).init(),
    }
    let write = move || write_lines(&waiting, &lost, &mut io::stderr());
    let thread = Builder::new()
        .name("log".to_owned())
        .spawn(write)
        .map_err(|error| {
            Failure::new("FL1015", "the log's thread cannot be started").because(error)
        })?;
    Ok(Log {
        stop: lines,
        thread: Some(thread),
    })
}

impl Drop for Log {
    fn drop(&mut self) {
        // The thread takes lines until it takes this one.
        let _gone = self.stop.send(Line::Stop);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn write_lines(lines: &Receiver<Line>, lost: &AtomicU64, to: &mut impl Write) {
    for line in lines {
        let Line::Text(text) = line else { return };
        // Where standard error is closed, nobody wants to know.
        let _closed = to.write_all(&text);
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _closed = writeln!(
                to,
                "{lost} lines of the log were lost: nobody took them in time"
            );
        }
    }
}

/// Hands lines over without waiting.
#[derive(Clone, Debug)]
struct Lines {
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

impl Write for Lines {
    /// Called with a whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Line::Text(line.to_vec())) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_takes_is_lost_and_counted() {
        let (lines, waiting) = sync_channel(2);
        let lost = Arc::new(AtomicU64::new(0));
        let mut writer = Lines {
            lines: lines.clone(),
            lost: Arc::clone(&lost),
        };
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            writer.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(lost.load(Ordering::Relaxed), 2);
        drop((lines, writer));
        let mut written = Vec::new();
        write_lines(&waiting, &lost, &mut written);
        let text = String::from_utf8(written).unwrap();
        assert!(
            text.starts_with("one\n2 lines of the log were lost"),
            "{text}"
        );
        assert!(text.ends_with("two\n"), "{text}");
    }
}
