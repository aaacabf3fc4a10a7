//! A run's counters for Prometheus while it goes on: a page for `GET /metrics` and nothing else.

use std::cell::RefCell;
use std::fmt::Write;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine_rt::{Buf, Listener, Piece, Socket, Stream, now, sleep, spawn, timeout};

use crate::drive::{Live, Sample};

/// A request is not longer.
const REQUEST_BYTES_MAX: usize = 8 << 10;
/// How long it may take.
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);
/// Before the next connection is accepted when one could not be.
const ACCEPT_INTERVAL: Duration = Duration::from_millis(100);

/// What the page shows: the newest run.
#[derive(Debug, Default)]
pub struct Metrics(RefCell<Option<Shown>>);

#[derive(Debug)]
struct Shown {
    labels: String,
    live: Arc<Live>,
}

impl Metrics {
    /// Shows a run from here on, instead of the one before it.
    pub fn show(&self, scenario: &str, run: u64, live: Arc<Live>) {
        let scenario = scenario.replace('\\', "\\\\").replace('"', "\\\"");
        let scenario = scenario.replace('\n', "\\n");
        let labels = format!("{{scenario=\"{scenario}\",run=\"{run:016x}\"}}");
        self.0.replace(Some(Shown { labels, live }));
    }

    /// Answers whoever connects, as long as it is polled.
    pub async fn serve(self: Rc<Self>, listener: Listener) {
        loop {
            match listener.accept().await {
                Ok(socket) => {
                    let metrics = Rc::clone(&self);
                    // Who does not listen any more misses nothing.
                    spawn(async move { drop(metrics.answer(socket).await) }).detach();
                },
                Err(_) => sleep(ACCEPT_INTERVAL).await,
            }
        }
    }

    async fn answer(&self, socket: Socket) -> io::Result<()> {
        let stream = Stream::attach(socket)?;
        let deadline = now() + REQUEST_PATIENCE;
        let (mut request, mut filled) = (vec![0; REQUEST_BYTES_MAX], 0);
        while !request[..filled].ends_with(b"\r\n\r\n") && filled < request.len() {
            let received = timeout(deadline, stream.recv(&mut request[filled..])).await;
            match received {
                Ok(Ok(0)) | Err(_) => return Ok(()),
                Ok(received) => filled += received?,
            }
        }
        let answer = self.response(&request[..filled]);
        let piece = Piece::Mem(Buf::copy_from_slice(answer.as_bytes()));
        stream.send(&[piece]).await
    }

    fn response(&self, request: &[u8]) -> String {
        let line = request.split(|byte| *byte == b'\r').next();
        let mut words = line.unwrap_or_default().split(|byte| *byte == b' ');
        let is_ours = words.next() == Some(b"GET") && words.next() == Some(b"/metrics");
        let (status, body) = if is_ours {
            ("200 OK", self.page())
        } else {
            ("404 Not Found", String::new())
        };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    /// The text of the page; empty before the first run.
    fn page(&self) -> String {
        let mut out = String::new();
        if let Some(shown) = &*self.0.borrow() {
            // A string takes everything.
            let _infallible = write_sample(&shown.live.sample(), &shown.labels, &mut out);
        }
        out
    }
}

fn write_sample(sample: &Sample, labels: &str, out: &mut String) -> std::fmt::Result {
    let counters = [
        (
            "planned_records",
            "Records that were taken up",
            sample.planned,
        ),
        (
            "acknowledged_records",
            "Records that were acknowledged",
            sample.acknowledged,
        ),
        (
            "failed_records",
            "Records that failed for good",
            sample.failed,
        ),
        (
            "consumed_records",
            "Records that consumers have read",
            sample.consumed,
        ),
        (
            "retried_batches",
            "Batches that failed and were sent again",
            sample.retried,
        ),
        (
            "reconnects",
            "Broken connections that were made again",
            sample.reconnects,
        ),
    ];
    for (name, help, value) in counters {
        writeln!(
            out,
            "# HELP loadgen_{name}_total {help}.\n# TYPE loadgen_{name}_total counter\n\
             loadgen_{name}_total{labels} {value}"
        )?;
    }
    writeln!(
        out,
        "# HELP loadgen_total_p99_seconds Planned to acknowledged at p99, in the last second that \
         has passed.\n# TYPE loadgen_total_p99_seconds gauge\n\
         loadgen_total_p99_seconds{labels} {:.6}",
        sample.p99 as f64 / 1e9
    )
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use engine_rt::sim;

    use super::*;

    async fn ask(addr: SocketAddr, request: &[&str]) -> String {
        let stream = Stream::connect(addr).await.expect("connected");
        for part in request {
            let piece = Piece::Mem(Buf::copy_from_slice(part.as_bytes()));
            stream.send(&[piece]).await.expect("sent");
            sleep(Duration::from_millis(10)).await;
        }
        let (mut answer, mut chunk) = (Vec::new(), [0; 256]);
        while let Ok(received @ 1..) = stream.recv(&mut chunk).await {
            answer.extend_from_slice(&chunk[..received]);
        }
        String::from_utf8(answer).expect("text")
    }

    #[test]
    fn a_scrape_has_the_counters_of_the_newest_run() {
        sim::run(1, || async {
            let addr = "127.0.0.1:9645".parse().expect("an address");
            let metrics = Rc::new(Metrics::default());
            let listener = Listener::bind(addr).expect("a listener");
            spawn(Rc::clone(&metrics).serve(listener)).detach();
            let parts = ["GET /metrics HTTP/1.1\r\nHost: ", "here\r\n\r\n"];
            assert!(ask(addr, &parts).await.contains("Content-Length: 0\r\n"));
            let live = Arc::new(Live::default());
            metrics.show("a \"b\"", 0x12, Arc::clone(&live));
            live.planned(7);
            live.acknowledged(5);
            live.second(3, 2_000_000);
            let answer = ask(addr, &parts).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            let labels = "{scenario=\"a \\\"b\\\"\",run=\"0000000000000012\"}";
            for (name, value) in [
                ("planned_records_total", "7"),
                ("acknowledged_records_total", "5"),
                ("reconnects_total", "0"),
                ("total_p99_seconds", "0.002000"),
            ] {
                let line = format!("\nloadgen_{name}{labels} {value}\n");
                assert!(answer.contains(&line), "{line} {answer}");
            }
            let other = ask(addr, &["POST /metrics HTTP/1.1\r\n\r\n"]).await;
            assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
            // Neither who says nothing nor who says too much is waited for.
            assert_eq!(ask(addr, &["GET"]).await, "");
            let long = "x".repeat(REQUEST_BYTES_MAX);
            assert!(ask(addr, &[&long]).await.starts_with("HTTP/1.1 404 "));
        });
    }
}
