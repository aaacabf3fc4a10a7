//! Two shards: what it costs that a connection and its partition are on different ones. The client
//! shares a core with the second shard, so that times say nothing here.

use std::io;

use crate::bench::Bench;
use crate::broker::{Broker, Start};
use crate::client::{Client, Load, create_topics, single_frames};
use crate::metrics;
use crate::table::{MILLION, Section, TIMES, row};

const SHARDS: usize = 2;
/// One request in so many goes before the clock starts.
const WARM_SHARE: u64 = 10;
const IN_FLIGHT: [usize; 2] = [16, 256];

pub(super) const SECTIONS: &[Section] = &[Section {
    title: "Two shards, one 1 KiB record a request, 1 connection: its own partition and another's",
    rows: &[
        row("shards.own16", "CPU charged, own, 16 in flight", MILLION, 1),
        row("shards.other16", "another shard's", MILLION, 1).at_most_of(
            "1.5 x own",
            0.0,
            &[(1.5, "shards.own16")],
        ),
        row("shards.own256", "own, 256 in flight", MILLION, 1),
        row("shards.other256", "another shard's", MILLION, 1).at_most_of(
            "1.2 x own",
            0.0,
            &[(1.2, "shards.own256")],
        ),
        row(
            "shards.own16.group",
            "requests in a flush: own, 16 in flight",
            TIMES,
            1,
        ),
        row("shards.other16.group", "another shard's", TIMES, 1),
        row("shards.own256.group", "own, 256 in flight", TIMES, 1),
        row("shards.other256.group", "another shard's", TIMES, 1),
        row(
            "shards.doorbells16",
            "wake-ups of another shard by the kernel in a request, 16 in flight",
            TIMES,
            2,
        ),
        row("shards.doorbells256", "256 in flight", TIMES, 2),
    ],
}];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let start = Start {
        shards: SHARDS,
        cpus: format!("{},{}", bench.options.server_cpu, bench.options.client_cpu),
        ..Start::new(&bench.options)
    };
    let broker = start.run(&bench.options)?;
    create_topics(broker.addr, &[("small", SHARDS as i32)]).await?;
    let client = Client::connect(broker.addr, 1).await?;
    let own = own_partition(&broker, &client).await?;
    for in_flight in IN_FLIGHT {
        for (name, partition) in [("own", own), ("other", (own + 1) % SHARDS)] {
            let load = Load {
                frames: vec![single_frames("small", SHARDS as i32)?.swap_remove(partition)],
                in_flight,
                requests: bench.options.small_requests / 2,
            };
            client.run(&load.share(WARM_SHARE)).await?;
            let before = metrics::Metrics::scrape(broker.admin).await?;
            let (outcome, window) = bench.watch(broker.pid(), client.run(&load)).await?;
            let after = metrics::Metrics::scrape(broker.admin).await?;
            let cpu = window.charged() / outcome.millions();
            bench.add(&format!("shards.{name}{in_flight}"), cpu)?;
            let group = after.since(&before, "flumen_batches_appended_total")?
                / after.since(&before, "flumen_journal_frames_total")?;
            bench.add(&format!("shards.{name}{in_flight}.group"), group)?;
            if name == "other" {
                let rung = after.since(&before, "flumen_reactor_doorbells_total")?;
                let rung = rung / outcome.requests as f64;
                bench.add(&format!("shards.doorbells{in_flight}"), rung)?;
            }
        }
    }
    broker.stop().await
}

/// The partition whose shard has the client's connection.
async fn own_partition(broker: &Broker, client: &Client) -> io::Result<usize> {
    let load = Load {
        frames: single_frames("small", 1)?,
        in_flight: 1,
        requests: 1,
    };
    client.run(&load).await?;
    let page = metrics::get(broker.admin, "/metrics").await?;
    let connection = shard_of(
        &page,
        "flumen_requests_total{shard=\"",
        "\",api=\"Produce\"}",
    )?;
    let partition = shard_of(&page, "flumen_batches_appended_total{shard=\"", "\"}")?;
    Ok((partition + connection) % SHARDS)
}

/// The first shard whose figure of that name is not zero.
fn shard_of(page: &str, before: &str, behind: &str) -> io::Result<usize> {
    let figure = |shard: &usize| {
        let name = format!("{before}{shard}{behind} ");
        page.lines()
            .find_map(|line| line.strip_prefix(&name))
            .is_some_and(|value| value != "0")
    };
    let found = (0..SHARDS).find(figure);
    found.ok_or_else(|| io::Error::other(format!("no shard has {before}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_that_worked_is_found() {
        let page = "a{shard=\"0\",api=\"Produce\"} 0\na{shard=\"1\",api=\"Produce\"} 3\n";
        assert_eq!(
            shard_of(page, "a{shard=\"", "\",api=\"Produce\"}").unwrap(),
            1
        );
        assert!(shard_of(page, "a{shard=\"", "\",api=\"Fetch\"}").is_err());
    }
}
