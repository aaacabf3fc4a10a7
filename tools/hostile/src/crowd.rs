//! Ten thousand clients that do harm by doing little, on real sockets, and what others feel of it.
//!
//! A broker runs as a process. An honest client measures acknowledgements before the crowd comes and
//! while it is there; the crowd opens its connections and is silent, sends a byte a second, or asks
//! and never reads.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{
    Buf, ExecutorSpec, Instant, MailReceiver, Piece, Stream, mailbox, now, ring, sleep, spawn,
    spawn_executor,
};
use hdrhistogram::Histogram;
use net_wire::frame::encode_request;
use net_wire::messages::metadata::MetadataRequest;
use tools_hostile::honest::Honest;

const RECORD_BYTES: usize = 1024;
/// How much slower others' p99 may become.
const RATIO_MAX: f64 = 2.0;
/// What the broker may take for each connection beyond its budget: tasks, a window, the kernel's
/// share is its own.
const BYTES_PER_CONNECTION: u64 = 24 << 10;

/// What the crowd does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Silent,
    ByteASecond,
    Deaf,
}

impl Manner {
    const ALL: [Self; 3] = [Self::Silent, Self::ByteASecond, Self::Deaf];

    const fn name(self) -> &'static str {
        match self {
            Self::Silent => "send nothing",
            Self::ByteASecond => "a byte a second",
            Self::Deaf => "never read",
        }
    }
}

/// What to run and how much of it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The broker's program.
    #[arg(long)]
    flumen: PathBuf,
    /// Where it keeps its data; what is there is removed.
    #[arg(long)]
    data: PathBuf,
    /// Hostile connections.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The broker's memory budget in MiB.
    #[arg(long, default_value_t = 512)]
    memory_mib: u64,
}

/// A line of the table.
#[derive(Clone, Debug)]
struct Row {
    manner: Manner,
    before: Latency,
    during: Latency,
    connected: usize,
    resident: [u64; 3],
}

#[derive(Clone, Copy, Debug, Default)]
struct Latency {
    count: u64,
    p50_us: u64,
    p99_us: u64,
}

/// Runs every manner against a broker of its own; an error if a limit is broken.
pub(crate) fn run(args: &Args) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(
        out,
        "| the crowd of {} | acks p50, p99 before (us) | during (us) | p99 | limit | resident before, during, after (MiB) | limit |",
        args.connections
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    let mut broken = 0;
    for manner in Manner::ALL {
        let row = scene(args, manner)?;
        broken += usize::from(!row.print(args, &mut out)?);
    }
    if broken == 0 {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{broken} rows beyond their limits"
    )))
}

impl Row {
    /// Prints it; whether it is within its limits.
    fn print(&self, args: &Args, out: &mut impl Write) -> io::Result<bool> {
        let ratio = self.during.p99_us as f64 / self.before.p99_us.max(1) as f64;
        let most = (args.memory_mib << 20) + self.connected as u64 * BYTES_PER_CONNECTION;
        let [before, during, after] = self.resident.map(|bytes| bytes >> 20);
        writeln!(
            out,
            "| {} ({} connected) | {}, {} ({}) | {}, {} ({}) | {ratio:.2} x | {RATIO_MAX} x | {before}, {during}, {after} | {} |",
            self.manner.name(),
            self.connected,
            self.before.p50_us,
            self.before.p99_us,
            self.before.count,
            self.during.p50_us,
            self.during.p99_us,
            self.during.count,
            most >> 20,
        )?;
        Ok(ratio <= RATIO_MAX && self.resident[1] <= most)
    }
}

/// A broker of its own for each manner.
fn scene(args: &Args, manner: Manner) -> io::Result<Row> {
    let broker = Broker::start(args)?;
    let (addr, pid) = (broker.addr, broker.child.id());
    let (connections, time) = (args.connections, Duration::from_secs(args.seconds));
    let spec = ExecutorSpec {
        name: "honest".into(),
        cpu: None,
    };
    let main = move || async move {
        let honest = Honest::begin(addr).await;
        measure(&honest, Duration::from_secs(2)).await;
        let before = measure(&honest, time).await;
        let mut resident = [resident(pid), 0, 0];
        let (end, ended) = mailbox::<()>(1);
        let (report, mut reports) = mailbox::<usize>(1);
        let spec = ExecutorSpec {
            name: "crowd".into(),
            cpu: None,
        };
        let crowd = spawn_executor(spec, move || async move {
            let connected = gather(addr, connections, manner).await;
            let _told = report.send(connected.len()).await;
            hold(connected, ended).await;
        });
        let connected = reports.receive().await.unwrap_or(0);
        let during = measure(&honest, time).await;
        resident[1] = self::resident(pid);
        drop(end);
        crowd.expect("an executor").join().await;
        sleep(Duration::from_secs(2)).await;
        resident[2] = self::resident(pid);
        Row {
            manner,
            before,
            during,
            connected,
            resident,
        }
    };
    ring::run(spec, ring::Options::default(), main)
}

/// The crowd is there until the other side of the mailbox is dropped.
async fn hold(crowd: Vec<Rc<Stream>>, mut ended: MailReceiver<()>) {
    let _end = ended.receive().await;
    drop(crowd);
}

/// Connects them all and lets each go about it.
async fn gather(addr: SocketAddr, count: usize, manner: Manner) -> Vec<Rc<Stream>> {
    let request = encode_request(12, 1, Some("crowd"), &MetadataRequest::default());
    let request = Buf::copy_from_slice(&request.expect("a small request").bytes);
    let mut crowd = Vec::with_capacity(count);
    for _ in 0..count {
        let Ok(stream) = Stream::connect(addr).await else {
            break;
        };
        let stream = Rc::new(stream);
        crowd.push(Rc::clone(&stream));
        spawn(behave(stream, manner, request.clone())).detach();
    }
    crowd
}

async fn behave(stream: Rc<Stream>, manner: Manner, request: Buf) {
    match manner {
        Manner::Silent => {},
        Manner::ByteASecond => {
            for at in 0..request.len() {
                if stream
                    .send(&[Piece::Mem(request.slice(at..=at))])
                    .await
                    .is_err()
                {
                    return;
                }
                sleep(Duration::from_secs(1)).await;
            }
        },
        Manner::Deaf => while stream.send(&[Piece::Mem(request.clone())]).await.is_ok() {},
    }
}

/// What the honest client feels in that time.
async fn measure(honest: &Honest, time: Duration) -> Latency {
    let mut times = Histogram::<u64>::new(3).expect("three digits");
    let end = now() + time;
    while now() < end {
        let began = now();
        honest.produce(None, &[7; RECORD_BYTES]).await;
        times.saturating_record(micros_since(began));
    }
    Latency {
        count: times.len(),
        p50_us: times.value_at_quantile(0.5),
        p99_us: times.value_at_quantile(0.99),
    }
}

fn micros_since(began: Instant) -> u64 {
    now().since(began).as_micros() as u64
}

/// The broker's process.
struct Broker {
    child: Child,
    addr: SocketAddr,
}

impl Broker {
    fn start(args: &Args) -> io::Result<Self> {
        let _old = std::fs::remove_dir_all(&args.data);
        // A port that was free a moment ago.
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(&args.flumen)
            .arg("start")
            .args(["--shards", "1", "--kafka-addr", &addr.to_string()])
            .args(["--memory", &format!("{}MiB", args.memory_mib)])
            .arg("--data")
            .arg(&args.data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let broker = Self { child, addr };
        for _ in 0..100 {
            if std::net::TcpStream::connect(addr).is_ok() {
                return Ok(broker);
            }
            wait_a_moment();
        }
        Err(io::Error::other(
            "the broker does not listen after ten seconds",
        ))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no shard yet that it could block"
)]
fn wait_a_moment() {
    std::thread::sleep(Duration::from_millis(100));
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Resident bytes of a process; zero if it is gone.
fn resident(pid: u32) -> u64 {
    let path = Path::new("/proc").join(pid.to_string()).join("status");
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
