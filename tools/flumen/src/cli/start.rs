//! `flumen start`: a broker from its options to its orderly end.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;

use engine_rt::ring::{self, Probe, Runtime};
use engine_rt::{Executor, ExecutorSpec, blocking, now, spawn};
use flumen::broker::{self, AdminHandle, BrokerConfig, Line, Settings, machine_report};
use flumen::console::{ConsoleClient, console_client};
use flumen::demo::DATA_DIR_DEFAULT;
use net_admin::console::Console;

use super::args::{LogFormat, StartArgs};
use super::banner::{Facts, Manner, tell};
use super::{config, listeners, log, machine, runtime, size, stalls};
use crate::errors::Failure;

const LOG_LEVEL_DEFAULT: &str = "info";

/// Runs a broker until it is asked to end.
pub(crate) fn run(mut args: StartArgs) -> Result<(), Failure> {
    let env = std::env::vars_os().map(|(name, value)| (text(&name), text(&value)));
    let settings = config::complete(&mut args, env)?;
    let format = args.log.unwrap_or(LogFormat::Text);
    let level = args.log_level.as_deref().unwrap_or(LOG_LEVEL_DEFAULT);
    let log = log::init(format, level)?;
    let probe = ring::probe();
    let runtime = runtime::choose(args.runtime.unwrap_or_default(), &probe)?;
    let plan = Plan {
        config: broker_config(&args, settings)?,
        admin: match &args.admin_addr {
            Some(addr) => Some(listeners::resolve("--admin-addr", addr)?),
            None => None,
        },
        console_hosts: args.console_host.clone(),
        file: args.config.clone(),
        manner: Manner::of(format, args.no_banner),
        probe,
        runtime,
    };
    let spec = ExecutorSpec {
        name: "control".to_owned(),
        cpu: None,
    };
    let options = executor_options(&args, runtime, &plan.config.settings);
    let served = ring::run(spec, options, move || serve(plan));
    // What waits of the log is written before an error is.
    drop(log);
    served.map_err(|error| {
        Failure::new("FL1017", "the control executor cannot start").because(error)
    })?
}

fn text(os: &std::ffi::OsStr) -> String {
    os.to_string_lossy().into_owned()
}

/// What all executors have in common.
fn executor_options(args: &StartArgs, runtime: Runtime, settings: &Settings) -> ring::Options {
    let defaults = ring::Options::default();
    ring::Options {
        runtime,
        stall: settings.stall().unwrap_or(defaults.stall),
        audit_turns: args.audit_turns,
        ..defaults
    }
}

/// What a start does.
struct Plan {
    config: BrokerConfig,
    admin: Option<SocketAddr>,
    console_hosts: Vec<String>,
    file: Option<PathBuf>,
    manner: Manner,
    probe: Probe,
    runtime: Runtime,
}

fn invalid(message: String, help: &str) -> Failure {
    Failure::invalid(message).help(help)
}

/// The broker's configuration: what was asked for, and what the machine suggests.
pub(crate) fn broker_config(args: &StartArgs, settings: Settings) -> Result<BrokerConfig, Failure> {
    let cpus = ring::affinity();
    let shards = match &args.shards {
        None => cpus.len(),
        Some(text) => shards(text)?,
    };
    let memory_bytes = match &args.memory {
        None => machine::memory_default().max(broker::MEMORY_BYTES_MIN),
        Some(text) => size::parse(text).ok_or_else(|| {
            invalid(
                format!("--memory {text}"),
                "a size is a number with a unit, such as 512MiB",
            )
        })?,
    };
    let dir = args
        .data
        .clone()
        .unwrap_or_else(|| PathBuf::from(DATA_DIR_DEFAULT));
    let node_id = settings.fixed.get("node.id").and_then(|id| id.parse().ok());
    Ok(BrokerConfig {
        data_dir: absolute(&dir)?,
        listeners: listeners::listeners(&args.kafka_addr, &args.advertised_addr)?,
        shards,
        cpus: (0..shards).map(|shard| cpus[shard % cpus.len()]).collect(),
        memory_bytes,
        open_files: open_files()?,
        settings,
        node_id,
        accept_copy: args.accept_copy,
        admin: AdminHandle::new(shards),
    })
}

fn shards(text: &str) -> Result<usize, Failure> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=1024).contains(number));
    number.ok_or_else(|| invalid(format!("--shards {text}"), "a number from 1 to 1024"))
}

fn absolute(dir: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(dir)
        .map_err(|error| Failure::new("FL1015", dir.display().to_string()).because(error))
}

/// Raises the limit of open files to what the process may have.
fn open_files() -> Result<usize, Failure> {
    let raised = ring::raise_open_files();
    let raised = raised.map_err(|error| {
        Failure::new("FL1015", "the limit of open files cannot be raised").because(error)
    })?;
    Ok(usize::try_from(raised).unwrap_or(usize::MAX))
}

/// Starts, serves until a signal comes, stops.
async fn serve(plan: Plan) -> Result<(), Failure> {
    let began = now();
    spawn(stalls::watch()).detach();
    let terminate = ring::on_terminate()
        .map_err(|error| Failure::new("FL1015", "signals cannot be caught").because(error))?;
    let admin = plan
        .admin
        .map(|addr| admin(addr, &plan.config.admin, plan.console_hosts))
        .transpose()?;
    let (admin, console) = admin.unzip();
    let mut facts = Facts {
        shards: plan.config.shards,
        cpus: plan.config.cpus.clone(),
        memory_bytes: plan.config.memory_bytes,
        admin: admin.as_ref().map(net_admin::AdminServer::local_addr),
        has_console: console.as_ref().is_some_and(Option::is_some),
        file: plan.file,
        took: std::time::Duration::ZERO,
    };
    let dir = plan.config.data_dir.clone();
    let Some(started) = unless(broker::start(plan.config), terminate.next()).await else {
        tracing::info!("asked to end before it was ready");
        return Ok(());
    };
    let running = started?;
    let console = match (console.flatten(), running.kafka_addrs()) {
        (Some(client), [addr, ..]) => Some(serve_console(client, *addr)?),
        _ => None,
    };
    facts.took = now().since(began);
    let machine = machine_lines(plan.probe, plan.runtime, dir).await;
    tell(
        plan.manner,
        &[machine, running.report().lines.clone()].concat(),
        &facts,
    );
    let signal = terminate.next().await;
    tracing::info!(?signal, "stopping");
    let Some(stopped) = unless(running.stop(), terminate.next()).await else {
        return Err(Failure::new("FL1018", "the broker did not stop in order")
            .because("a second signal cut it short"));
    };
    stopped?;
    // Nobody can ask any more, and so the console's executor ends.
    drop(admin);
    if let Some(console) = console {
        console.join().await;
    }
    tracing::info!("stopped in order");
    Ok(())
}

type Admin = (net_admin::AdminServer, Option<ConsoleClient>);

/// The admin thread, with a console where browsers may ask for one: on loopback, or by a name.
fn admin(addr: SocketAddr, handle: &AdminHandle, hosts: Vec<String>) -> Result<Admin, Failure> {
    let is_wanted = addr.ip().is_loopback() || !hosts.is_empty();
    let (console, client) = is_wanted
        .then(console_client)
        .map(|(ask, client)| (Console { ask, hosts }, client))
        .unzip();
    let server = net_admin::start(addr, handle.sources(), console).map_err(|error| {
        let what = format!("the admin pages cannot be served on {addr}");
        Failure::new("FL1004", what).because(error)
    })?;
    Ok((server, client))
}

fn serve_console(client: ConsoleClient, addr: SocketAddr) -> Result<Executor, Failure> {
    client
        .serve(addr)
        .map_err(|error| Failure::new("FL1017", "the console's executor").because(error))
}

/// The lines of the list about the machine.
async fn machine_lines(probe: Probe, runtime: Runtime, dir: PathBuf) -> Vec<Line> {
    let storage = blocking(move || ring::probe_storage(&dir)).await;
    if let Err(error) = &storage {
        tracing::warn!(%error, "the file system of the data directory could not be looked at");
    }
    machine_report(&probe, runtime, storage.ok().as_ref()).lines
}

/// What `work` comes to, unless `end` comes first.
pub(super) async fn unless<T>(work: impl Future<Output = T>, end: impl Future) -> Option<T> {
    let (mut work, mut end) = (pin!(Box::pin(work)), pin!(end));
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        end.as_mut().poll(cx).map(|_| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_come_from_the_machine() {
        let config = broker_config(&StartArgs::default(), Settings::default()).unwrap();
        assert_eq!(config.shards, ring::affinity().len());
        assert_eq!(config.cpus, ring::affinity());
        assert!(config.data_dir.is_absolute() && config.data_dir.ends_with("flumen-data"));
        assert!(config.memory_bytes >= broker::MEMORY_BYTES_MIN);
        assert_eq!(config.node_id, None);
    }

    #[test]
    fn more_shards_than_cpus_share_them() {
        let args = StartArgs {
            shards: Some("9".to_owned()),
            memory: Some("1GiB".to_owned()),
            ..StartArgs::default()
        };
        let settings = Settings::from_pairs([("node.id", "7")]).unwrap();
        let config = broker_config(&args, settings).unwrap();
        assert_eq!((config.shards, config.cpus.len()), (9, 9));
        assert!(config.cpus.iter().all(|cpu| ring::affinity().contains(cpu)));
        assert_eq!((config.memory_bytes, config.node_id), (1 << 30, Some(7)));
    }

    #[test]
    fn stalls_are_told_unless_they_are_switched_off() {
        let args = StartArgs::default();
        let options = executor_options(&args, Runtime::Ring, &Settings::default());
        assert_eq!(options, ring::Options::default());
        assert!(!options.stall.is_zero() && !options.audit_turns);
        let off = Settings::from_pairs([("flumen.stall.ms", "0")]).unwrap();
        let options = executor_options(&args, Runtime::Epoll, &off);
        assert!(options.stall.is_zero() && options.runtime == Runtime::Epoll);
    }

    #[test]
    fn wrong_values_are_usage_errors() {
        for (shards, memory) in [
            (Some("0"), None),
            (Some("many"), None),
            (None, Some("much")),
        ] {
            let own = |text: Option<&str>| text.map(str::to_owned);
            let args = StartArgs {
                shards: own(shards),
                memory: own(memory),
                ..StartArgs::default()
            };
            let failure = broker_config(&args, Settings::default()).unwrap_err();
            assert_eq!(failure.code(), "FL1002");
        }
    }
}
