//! Many consumer groups and a large one: what they take of memory, how long 1,000 members need to
//! agree, commits, heartbeats, and the restart of their coordinators. Where Apache Kafka is
//! installed, the same on it, in the first round.

mod members;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Instant, now, sleep};

use crate::bench::{Bench, Window};
use crate::broker::{Broker, Start};
use crate::child::Child;
use crate::client::{
    Client, Frame, Load, Member, Outcome, Plan, committed_offsets, create_topics, echoed,
    find_coordinator, member_frames,
};
use crate::kafka::Kafka;
use crate::metrics::Metrics;
use crate::resident::Resident;
use crate::scene::fetch::preload;
use crate::table::{BYTES, KRPS, MIB, MICROS, MILLION, SECONDS, Section, TIMES, row};
use members::{CONNECTIONS, GROUPS, LARGE_GROUP, MEMBERS, TOPIC, group};

/// Offsets that each of the groups commits: 100,000 in all.
const OFFSETS: i32 = 10;
/// By the hashes of their names, so many groups are of all coordinators.
const OF_ALL_COORDINATORS: usize = 300;
/// All members every three seconds: Kafka's default.
const HEARTBEATS: u64 = (GROUPS + MEMBERS) as u64 / 3;
/// One in so many requests goes before the clock starts.
const WARM_SHARE: u64 = 10;
/// Batches of 256 KiB that fill the memory for the newest records, so that this does not grow.
const FILL: u64 = 2_500;
/// What happens behind an answer is over by then.
const SETTLED: Duration = Duration::from_millis(700);
/// Groups of one member do not wait for another.
const NO_DELAY: &str = "group.initial.rebalance.delay.ms=0";

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "10,000 consumer groups of one member and ten committed offsets each, and one of 1,000 members",
        rows: &[
            row(
                "groups.group",
                "resident, of each group with its member",
                BYTES,
                0,
            )
            .at_most(4096.0),
            row("groups.offset", "of each committed offset", BYTES, 0).at_most(256.0),
            row(
                "groups.member",
                "of each of the 1,000, with its connection",
                BYTES,
                0,
            )
            .at_most(8192.0),
            row("groups.rss", "resident in all", MIB, 0),
            row(
                "groups.join.first",
                "1,000 members make a group",
                SECONDS,
                3,
            ),
            row(
                "groups.join",
                "all of them join again and are assigned",
                SECONDS,
                3,
            )
            .at_most_of(
                "5 x as many requests to an echo + 10 ms",
                0.01,
                &[(5.0, "groups.join.echo")],
            ),
            row(
                "groups.join.echo",
                "as many requests to an echo",
                SECONDS,
                3,
            ),
            row(
                "groups.heartbeat.cpu",
                "heartbeats, 3,666/s as planned: CPU charged",
                MILLION,
                1,
            )
            .at_most_of(
                "2 x echo at this rate",
                0.0,
                &[(2.0, "groups.heartbeat.echo")],
            ),
            row("groups.heartbeat.echo", "echo at this rate", MILLION, 1),
            row("groups.heartbeat.p99", "p99", MICROS, 0),
            row(
                "groups.commit.krps",
                "commits of ten offsets, 50 connections, 1 in flight each",
                KRPS,
                1,
            )
            .at_least_of("20 % of the echo", 0.0, &[(0.2, "groups.commit.echo.krps")]),
            row("groups.commit.cpu", "CPU charged", MILLION, 1).at_most_of(
                "3 x echo + the flushes",
                0.0,
                &[
                    (3.0, "groups.commit.echo.cpu"),
                    (1.0, "groups.commit.flush_share"),
                ],
            ),
            row("groups.commit.p50", "p50", MICROS, 0),
            row("groups.commit.p99", "p99", MICROS, 0),
            row("groups.commit.group", "commits in a flush", TIMES, 1),
            row(
                "groups.commit.flush_share",
                "raw flushes, as many as it made",
                MILLION,
                1,
            ),
            row("groups.commit.echo.krps", "echo of them", KRPS, 1),
            row("groups.commit.echo.cpu", "", MILLION, 1),
            row(
                "groups.restart",
                "SIGKILL, then from the start to the first OffsetFetch of a group",
                SECONDS,
                3,
            )
            .at_most(1.0),
            row(
                "groups.restart.all",
                "to those of all 10,000 groups",
                SECONDS,
                3,
            ),
        ],
    },
    Section {
        title: "The same on Apache Kafka 4.1, where it is installed; log.flush.interval.messages=1",
        rows: &[
            row("groups.kafka.rss", "resident in all (-Xmx2g)", MIB, 0),
            row(
                "groups.kafka.join.first",
                "1,000 members make a group",
                SECONDS,
                3,
            ),
            row(
                "groups.kafka.join",
                "all of them join again and are assigned",
                SECONDS,
                3,
            ),
            row(
                "groups.kafka.heartbeat.cpu",
                "heartbeats, 3,666/s as planned: CPU charged",
                MILLION,
                1,
            ),
            row("groups.kafka.heartbeat.p99", "p99", MICROS, 0),
            row(
                "groups.kafka.commit.krps",
                "commits of ten offsets",
                KRPS,
                1,
            ),
            row("groups.kafka.commit.cpu", "CPU charged", MILLION, 1),
            row("groups.kafka.commit.p50", "p50", MICROS, 0),
            row("groups.kafka.commit.p99", "p99", MICROS, 0),
            row(
                "groups.kafka.restart",
                "SIGKILL, then from the start to the first OffsetFetch of a group",
                SECONDS,
                3,
            ),
            row(
                "groups.kafka.restart.all",
                "to those of all 10,000 groups",
                SECONDS,
                3,
            ),
        ],
    },
];

/// Who is measured, and the keys of its rows.
#[derive(Clone, Copy, Debug)]
struct Server {
    key: &'static str,
    addr: SocketAddr,
    pid: u32,
    /// Where this broker counts its flushes.
    admin: Option<SocketAddr>,
}

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let start = Start::new(&bench.options).args(&["--set", NO_DELAY]);
    let broker = start.run(&bench.options)?;
    create_topics(broker.addr, &[(TOPIC, MEMBERS as i32), ("fill", 1)]).await?;
    preload(&broker, "fill", FILL).await?;
    let server = Server {
        key: "groups",
        addr: broker.addr,
        pid: broker.pid(),
        admin: Some(broker.admin),
    };
    let members = served(bench, server).await?;
    restart(bench, broker, &start, &members).await?;
    echo(bench, &members).await?;
    if bench.round == 0 {
        beside_kafka(bench).await?;
    }
    Ok(())
}

async fn beside_kafka(bench: &mut Bench) -> io::Result<()> {
    let Some(jars) = bench.options.kafka.clone() else {
        return Ok(());
    };
    let kafka = Kafka::start(&bench.options, &jars, NO_DELAY).await?;
    create_topics(kafka.addr, &[(TOPIC, MEMBERS as i32)]).await?;
    let server = Server {
        key: "groups.kafka",
        addr: kafka.addr,
        pid: kafka.pid(),
        admin: None,
    };
    let members = served(bench, server).await?;
    bench.quiet().await?;
    let started = now();
    let kafka = kafka.again(&bench.options, &jars)?;
    first_offsets(bench, server.key, kafka.addr, &members, started).await?;
    kafka.remove(&bench.options)
}

/// All but the restart; gives the members of all groups.
async fn served(bench: &mut Bench, server: Server) -> io::Result<Vec<Member>> {
    find_coordinator(server.addr, LARGE_GROUP).await?;
    for number in 0..OF_ALL_COORDINATORS {
        committed_offsets(server.addr, &group(number)).await?;
    }
    let client = Client::connect(server.addr, CONNECTIONS).await?;
    let empty = settled(server).await?;
    let mut members = members::many(server.addr).await?;
    let joined = settled(server).await?;
    commit_once(&client, &members).await?;
    let committed = settled(server).await?;
    let (large, took) = members::large(server.addr).await?;
    for (name, seconds) in took {
        add(bench, server.key, &[(name, seconds)])?;
    }
    members.extend(large);
    let all = settled(server).await?;
    let each = |from: f64, to: f64, count: usize| (to - from).max(0.0) / count as f64;
    let figures = [
        ("group", each(empty, joined, GROUPS)),
        ("offset", each(joined, committed, GROUPS * OFFSETS as usize)),
        ("member", each(committed, all, MEMBERS)),
        ("rss", all / f64::from(1 << 20)),
    ];
    add(bench, server.key, &figures)?;
    heartbeats(bench, server, &client, &members).await?;
    commits(bench, server, &client, &members).await?;
    Ok(members)
}

/// Adds figures that have a row.
fn add(bench: &mut Bench, key: &str, figures: &[(&str, f64)]) -> io::Result<()> {
    for (name, value) in figures {
        bench.add_known(&format!("{key}.{name}"), *value)?;
    }
    Ok(())
}

async fn settled(server: Server) -> io::Result<f64> {
    sleep(SETTLED).await;
    Ok(Resident::of(server.pid)?.now as f64)
}

async fn commit_once(client: &Client, members: &[Member]) -> io::Result<()> {
    let load = Load {
        frames: commit_frames(members)?,
        in_flight: 1,
        requests: members.len() as u64,
    };
    client.run(&load).await.map(drop)
}

fn commit_frames(members: &[Member]) -> io::Result<Vec<Rc<[Frame]>>> {
    let frame = |member: &Member, number| member.commit_frame(OFFSETS, number);
    member_frames(members, CONNECTIONS, frame)
}

async fn heartbeats(
    bench: &mut Bench,
    server: Server,
    client: &Client,
    members: &[Member],
) -> io::Result<()> {
    let plan = heartbeat_plan(bench, members)?;
    let (outcome, window) = planned(bench, server.pid, client, &plan).await?;
    let figures = [
        ("heartbeat.cpu", window.charged() / outcome.millions()),
        ("heartbeat.p99", outcome.micros(0.99)),
    ];
    add(bench, server.key, &figures)
}

fn heartbeat_plan(bench: &Bench, members: &[Member]) -> io::Result<Plan> {
    let seconds = if bench.options.quick { 3 } else { 6 };
    Ok(Plan {
        frames: member_frames(members, CONNECTIONS, Member::heartbeat_frame)?,
        rate: HEARTBEATS,
        requests: seconds * HEARTBEATS,
    })
}

async fn planned(
    bench: &mut Bench,
    pid: u32,
    client: &Client,
    plan: &Plan,
) -> io::Result<(Outcome, Window)> {
    client.keep_to(&plan.share(WARM_SHARE)).await?;
    bench.watch(pid, client.keep_to(plan)).await
}

async fn commits(
    bench: &mut Bench,
    server: Server,
    client: &Client,
    members: &[Member],
) -> io::Result<()> {
    let load = commit_load(bench, members)?;
    client.run(&load.share(WARM_SHARE)).await?;
    let before = frames(server).await?;
    let (outcome, window) = bench.watch(server.pid, client.run(&load)).await?;
    if let (Some(before), Some(after)) = (before, frames(server).await?) {
        let group = outcome.requests as f64 / (after - before);
        let share = bench.results.median("flush.cpu") / group;
        let figures = [("commit.group", group), ("commit.flush_share", share)];
        add(bench, server.key, &figures)?;
    }
    let figures = [
        ("commit.krps", outcome.krps()),
        ("commit.cpu", window.charged() / outcome.millions()),
        ("commit.p50", outcome.micros(0.5)),
        ("commit.p99", outcome.micros(0.99)),
    ];
    add(bench, server.key, &figures)
}

fn commit_load(bench: &Bench, members: &[Member]) -> io::Result<Load> {
    Ok(Load {
        frames: commit_frames(members)?,
        in_flight: 1,
        requests: bench.options.small_requests / 4,
    })
}

/// Frames of the journal so far, each of them a flush.
async fn frames(server: Server) -> io::Result<Option<f64>> {
    let Some(admin) = server.admin else {
        return Ok(None);
    };
    let metrics = Metrics::scrape(admin).await?;
    metrics.get("flumen_journal_frames_total").map(Some)
}

async fn restart(
    bench: &mut Bench,
    broker: Broker,
    start: &Start,
    members: &[Member],
) -> io::Result<()> {
    broker.kill();
    bench.quiet().await?;
    let started = now();
    let broker = start.again(&[]).run(&bench.options)?;
    first_offsets(bench, "groups", broker.addr, members, started).await?;
    broker.stop().await
}

/// Asks what was committed, of one group, then of all.
async fn first_offsets(
    bench: &mut Bench,
    key: &str,
    addr: SocketAddr,
    members: &[Member],
    started: Instant,
) -> io::Result<()> {
    if committed_offsets(addr, &group(0)).await? != OFFSETS as usize {
        return Err(io::Error::other("offsets are lost"));
    }
    let first = (now() - started).as_secs_f64();
    for number in 1..OF_ALL_COORDINATORS {
        committed_offsets(addr, &group(number)).await?;
    }
    let load = Load {
        frames: member_frames(&members[..GROUPS], CONNECTIONS, Member::offsets_frame)?,
        in_flight: 1,
        requests: GROUPS as u64,
    };
    Client::connect(addr, CONNECTIONS).await?.run(&load).await?;
    let all = (now() - started).as_secs_f64();
    add(bench, key, &[("restart", first), ("restart.all", all)])
}

/// The same requests to an echo.
async fn echo(bench: &mut Bench, members: &[Member]) -> io::Result<()> {
    let (echo, addr) = Child::serve(&["echo"], bench.options.server_cpu).await?;
    let client = Client::connect(addr, CONNECTIONS).await?;
    let plan = heartbeat_plan(bench, members)?;
    let plan = Plan {
        frames: echoed(&plan.frames),
        ..plan
    };
    let (outcome, window) = planned(bench, echo.pid(), &client, &plan).await?;
    let cpu = window.charged() / outcome.millions();
    let load = commit_load(bench, members)?;
    let load = Load {
        frames: echoed(&load.frames),
        ..load
    };
    client.run(&load.share(WARM_SHARE)).await?;
    let (outcome, window) = bench.watch(echo.pid(), client.run(&load)).await?;
    drop(client);
    let large = member_frames(&members[GROUPS..], MEMBERS, Member::heartbeat_frame)?;
    let join = Load {
        frames: echoed(&large),
        in_flight: 1,
        requests: 2 * MEMBERS as u64,
    };
    let all = Client::connect(addr, MEMBERS).await?.run(&join).await?;
    let figures = [
        ("heartbeat.echo", cpu),
        ("commit.echo.krps", outcome.krps()),
        ("commit.echo.cpu", window.charged() / outcome.millions()),
        ("join.echo", all.elapsed.as_secs_f64()),
    ];
    add(bench, "groups", &figures)
}
