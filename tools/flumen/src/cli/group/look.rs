//! Commands that look at groups.

use std::collections::{BTreeMap, BTreeSet};

use flumen::client::{Cluster, GroupDescription, GroupMember, Lag, Lags};

use super::{Place, committed};
use crate::cli::args::{GroupDescribeArgs, GroupListArgs};
use crate::cli::client::connect;
use crate::cli::table::{Cell, Description, Table};
use crate::cli::watch::repeat;
use crate::errors::Failure;

/// A word, or nothing where it is empty.
fn word(text: &str) -> Cell {
    Cell::known((!text.is_empty()).then_some(text))
}

pub(super) async fn list(args: &GroupListArgs) -> Result<(), Failure> {
    let cluster = connect(&args.broker).await?;
    let states: Vec<&str> = args.states.iter().map(String::as_str).collect();
    let metadata = cluster.any().metadata(Some(&[]), false).await?;
    let mut groups = Vec::new();
    for broker in &metadata.brokers {
        let coordinator = cluster.broker(&metadata, broker.node_id).await?;
        let listed = coordinator.list_groups(&states).await?.into_iter();
        groups.extend(listed.map(|group| (group, broker.node_id)));
    }
    groups.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
    let mut table = Table::new(&["GROUP", "STATE", "TYPE", "PROTOCOL", "+COORDINATOR"]);
    for (group, coordinator) in groups {
        table.row([
            group.id.into(),
            word(&group.state),
            word(&group.kind),
            word(&group.protocol_type),
            coordinator.into(),
        ]);
    }
    table.print(args.output.format)
}

pub(super) async fn describe(args: &GroupDescribeArgs) -> Result<(), Failure> {
    let cluster = connect(&args.broker).await?;
    let show = async || {
        describe_once(&cluster, args).await?;
        Ok::<bool, Failure>(false)
    };
    repeat(args.watch.is_on, show).await
}

async fn describe_once(cluster: &Cluster, args: &GroupDescribeArgs) -> Result<(), Failure> {
    let id = args.group.id();
    let asked = cluster.at_coordinator(id, async |at| at.describe_group(id).await);
    let group = asked.await?;
    let mut description = Description::default();
    description.fact("group", id);
    description.fact("state", word(&group.state));
    description.fact("type", group.kind);
    description.fact("assignor", word(&group.assignor));
    description.fact("member count", group.members.len());
    if !args.state && !args.members {
        let lags = lags(cluster, &group).await?;
        let records = lags.values().filter_map(Lag::records);
        description.fact("lag", records.sum::<i64>());
        description.table("partitions", partitions(&lags, &group.members));
    }
    if !args.state && !args.lag && !group.members.is_empty() {
        description.table("members", members(&group.members));
    }
    description.print(args.output.format)
}

/// What the group has committed, and what its members are assigned.
async fn lags(cluster: &Cluster, group: &GroupDescription) -> Result<Lags, Failure> {
    let assigned: BTreeSet<Place> = owners(&group.members).into_keys().collect();
    let committed = committed(cluster, &group.id).await?;
    let mut lags = cluster.lags(&committed, &assigned).await?;
    cluster.lags_in_time(&mut lags, usize::MAX).await?;
    Ok(lags)
}

/// Who has which partition.
fn owners(members: &[GroupMember]) -> BTreeMap<Place, &GroupMember> {
    let mut owners = BTreeMap::new();
    for member in members {
        for (topic, partitions) in &member.assigned {
            let places = partitions.iter().map(|one| (topic.clone(), *one));
            owners.extend(places.map(|place| (place, member)));
        }
    }
    owners
}

fn partitions(lags: &Lags, members: &[GroupMember]) -> Table {
    let owners = owners(members);
    let mut table = Table::new(&[
        "TOPIC",
        "PARTITION",
        "OFFSET",
        "END",
        "LAG",
        "LAG-SECONDS",
        "CLIENT",
        "+START",
        "+MEMBER",
        "+HOST",
    ]);
    for (place, lag) in lags {
        let owner = owners.get(place);
        let (topic, partition) = place;
        table.row([
            topic.as_str().into(),
            (*partition).into(),
            Cell::known(lag.committed),
            Cell::known(lag.end),
            Cell::known(lag.records()),
            Cell::known(lag.seconds()),
            Cell::known(owner.map(|one| one.client_id.as_str())),
            Cell::known(lag.start),
            Cell::known(owner.map(|one| one.id.as_str())),
            Cell::known(owner.map(|one| one.client_host.as_str())),
        ]);
    }
    table
}

fn members(members: &[GroupMember]) -> Table {
    let mut table = Table::new(&[
        "MEMBER",
        "CLIENT",
        "HOST",
        "PARTITIONS",
        "+INSTANCE",
        "+ASSIGNED",
    ]);
    for member in members {
        let assigned = member.assigned.iter().flat_map(|(topic, partitions)| {
            let partitions = partitions.iter();
            partitions.map(move |partition| format!("{topic}:{partition}"))
        });
        let assigned: Vec<String> = assigned.collect();
        table.row([
            member.id.as_str().into(),
            word(&member.client_id),
            word(&member.client_host),
            assigned.len().into(),
            Cell::known(member.instance_id.as_deref()),
            assigned.into(),
        ]);
    }
    table
}
