//! The admin thread: a listener, pages for tools, the console, and a look at the pulses every half
//! second.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, interval, timeout};
use tracing::{debug, error};

use crate::bounded::Bounded;
use crate::console::{self, Console, Hosts};
use crate::health::{Liveness, Pulses, Readiness, ReadyState};
use crate::metrics::{CONTENT_TYPE, render};
use crate::snapshot::Snapshot;

/// A snapshot on its way.
pub type SnapshotFuture = Pin<Box<dyn Future<Output = Option<Snapshot>> + Send>>;
/// Asks the shards for their counters; `None` if the broker is stopping. It must not block.
pub type SnapshotFn = Arc<dyn Fn() -> SnapshotFuture + Send + Sync>;

/// How long a scrape waits for the shards.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(3);
/// Scrapes that may ask the shards at once; more are answered 503 and cost the shards nothing.
const SCRAPES_MAX: usize = 4;
/// How often the pulses are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A connection that says nothing for this long is closed.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What the admin thread asks of the broker.
#[derive(Clone)]
pub struct Sources {
    /// The shards' pulses.
    pub pulses: Pulses,
    /// Whether produce is accepted.
    pub readiness: Readiness,
    /// Gathers the counters.
    pub snapshot: SnapshotFn,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sources = f.debug_struct("Sources");
        sources
            .field("pulses", &self.pulses)
            .field("readiness", &self.readiness);
        sources.finish_non_exhaustive()
    }
}

/// A running admin thread. Dropping it stops the thread.
#[derive(Debug)]
pub struct AdminServer {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl AdminServer {
    /// Where it listens: with port 0 asked for, the port that was given.
    pub const fn local_addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        // The thread may have ended by itself; then nobody hears, and joining returns at once.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// Binds `addr` and serves it on a thread of its own, with the console if there is one. An address
/// that cannot be bound is the error.
pub fn start(
    addr: SocketAddr,
    sources: Sources,
    console: Option<Console>,
) -> io::Result<AdminServer> {
    let listener = std::net::TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (stop, stopped) = oneshot::channel();
    let hosts = console.as_ref().map(|one| Hosts::new(addr, &one.hosts));
    let console = console.zip(hosts);
    let serve = move || {
        if let Err(error) = runtime.block_on(serve(listener, sources, console, stopped)) {
            error!(%error, "the admin listener ended");
        }
    };
    let thread = Builder::new().name("admin".into()).spawn(serve)?;
    Ok(AdminServer {
        addr,
        stop: Some(stop),
        thread: Some(thread),
    })
}

async fn serve(
    listener: std::net::TcpListener,
    sources: Sources,
    console: Option<(Console, Hosts)>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let listener = Bounded::new(TcpListener::from_std(listener)?, SILENCE_MAX);
    let (silent, watched) = watch::channel(Vec::new());
    let scrapes = Scrapes::new(Arc::clone(&sources.snapshot));
    let pages = Pages {
        readiness: sources.readiness.clone(),
        silent: watched,
        scrapes: scrapes.clone(),
    };
    let mut router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(pages);
    if let Some((console, hosts)) = console {
        let readiness = sources.readiness.clone();
        router = router.merge(console::routes(&console, hosts, readiness, scrapes));
    }
    // Open connections are not waited for: they are a monitoring tool's, and the broker is ending.
    tokio::select! {
        served = axum::serve(listener, router).into_future() => served,
        () = look(sources.pulses, silent) => Ok(()),
        _ = stopped => Ok(()),
    }
}

/// Looks at the pulses for ever and says which shards are silent.
async fn look(pulses: Pulses, silent: watch::Sender<Vec<(usize, Duration)>>) {
    let start = Instant::now();
    let mut liveness = Liveness::new(&pulses.counts(), Duration::ZERO);
    let mut ticks = interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let now = start.elapsed();
        liveness.observe(&pulses.counts(), now);
        silent.send_replace(liveness.silent(now));
    }
}

#[derive(Clone)]
struct Pages {
    readiness: Readiness,
    silent: watch::Receiver<Vec<(usize, Duration)>>,
    scrapes: Scrapes,
}

/// 200 while every shard's executor turns.
async fn livez(State(pages): State<Pages>) -> impl IntoResponse {
    let silent = pages.silent.borrow().clone();
    if silent.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let line = |(shard, silence): &(usize, Duration)| {
        format!("shard {shard} has not turned for {} s\n", silence.as_secs())
    };
    (
        StatusCode::SERVICE_UNAVAILABLE,
        silent.iter().map(line).collect(),
    )
}

/// 200 once produce is accepted.
async fn readyz(State(pages): State<Pages>) -> impl IntoResponse {
    match pages.readiness.get() {
        ReadyState::Ready => (StatusCode::OK, "ready\n"),
        ReadyState::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        ReadyState::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
    }
}

/// All counters as Prometheus text.
async fn metrics(State(pages): State<Pages>) -> axum::response::Response {
    match pages.scrapes.take().await {
        Ok(snapshot) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], render(&snapshot)).into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

/// Asks the shards for their counters, a bounded number of times at once.
#[derive(Clone)]
pub(crate) struct Scrapes {
    snapshot: SnapshotFn,
    running: Arc<AtomicUsize>,
}

impl Scrapes {
    fn new(snapshot: SnapshotFn) -> Self {
        Self {
            snapshot,
            running: Arc::default(),
        }
    }

    /// The counters, or why there are none.
    pub(crate) async fn take(&self) -> Result<Snapshot, &'static str> {
        let unavailable = |why: &'static str| {
            debug!(why, "no metrics");
            why
        };
        let Some(_scrape) = Scrape::begin(&self.running) else {
            return Err(unavailable("too many scrapes at once\n"));
        };
        match timeout(SNAPSHOT_WAIT, (self.snapshot)()).await {
            Ok(Some(snapshot)) => Ok(snapshot),
            Ok(None) => Err(unavailable("the broker is not running\n")),
            Err(_) => Err(unavailable("a shard does not answer\n")),
        }
    }
}

/// One scrape of a bounded number.
struct Scrape(Arc<AtomicUsize>);

impl Scrape {
    fn begin(scrapes: &Arc<AtomicUsize>) -> Option<Self> {
        let scrape = Self(Arc::clone(scrapes));
        (scrapes.fetch_add(1, Ordering::Relaxed) < SCRAPES_MAX).then_some(scrape)
    }
}

impl Drop for Scrape {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
