//! What the console shows of consumer groups: those that this node coordinates.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::ErrorCode;
use serde_json::{Value, json};

use super::page::{matches, page};
use crate::client::{
    ClientError, Cluster, GroupDescription, GroupMember, Lag, Lags, ListedGroup, Offsets,
};

/// Partitions whose ends are asked for in one answer; groups behind them are shown without lag.
const PARTITIONS_MAX: usize = 5_000;
/// Rows shown of one group: members, and partitions.
const ROWS_MAX: usize = 1_000;
/// Partitions of one group whose lag in time is found out: each costs a read.
const TIMED_MAX: usize = 32;

/// A page of groups, in the order of their ids.
pub(super) async fn list(
    cluster: &Cluster,
    filter: &str,
    after: &str,
    limit: usize,
) -> Result<Value, ClientError> {
    let broker = cluster.any();
    let mut groups = broker.list_groups(&[]).await?;
    groups.retain(|group| matches(&group.id, filter));
    let (page, next) = page(&groups, |group| &group.id, after, limit);
    let ids: Vec<&str> = page.iter().map(|group| group.id.as_str()).collect();
    let described = broker.describe_groups(&ids).await?;
    let described = described.into_iter().filter(|group| group.error.is_none());
    let described: BTreeMap<String, GroupDescription> =
        described.map(|group| (group.id.clone(), group)).collect();
    let (committed, places) = committed(cluster, &ids).await?;
    let ends = cluster.lags(&Offsets::new(), &places).await?;
    let row = |group: &ListedGroup| {
        let offsets = committed.get(group.id.as_str());
        json!({
            "id": group.id,
            "state": group.state,
            "type": group.kind,
            "protocol": group.protocol_type,
            "members": described.get(&group.id).map(|one| one.members.len()),
            "partitions": offsets.map(Offsets::len),
            "lag": offsets.map(|offsets| records(offsets, &ends)),
        })
    };
    Ok(json!({
        "groups": page.iter().map(row).collect::<Vec<_>>(),
        "total": groups.len(),
        "next": next,
    }))
}

type Places = BTreeSet<(String, i32)>;

/// What groups have committed, as many of them as may be asked for the ends of their partitions.
async fn committed<'a>(
    cluster: &Cluster,
    ids: &[&'a str],
) -> Result<(BTreeMap<&'a str, Offsets>, Places), ClientError> {
    let (mut committed, mut places) = (BTreeMap::new(), Places::new());
    for id in ids {
        let offsets = cluster.any().committed_offsets(id).await?;
        places.extend(offsets.keys().cloned());
        if places.len() > PARTITIONS_MAX {
            places.retain(|place| {
                committed
                    .values()
                    .any(|one: &Offsets| one.contains_key(place))
            });
            break;
        }
        committed.insert(*id, offsets);
    }
    Ok((committed, places))
}

/// How far behind somebody is who has committed these offsets.
fn records(offsets: &Offsets, ends: &Lags) -> i64 {
    let lags = offsets.iter().filter_map(|(place, offset)| {
        let lag = Lag {
            committed: Some(*offset),
            ..*ends.get(place)?
        };
        lag.records()
    });
    lags.sum()
}

/// A group: its members, and where it is in each partition.
pub(super) async fn describe(cluster: &Cluster, id: &str) -> Result<Value, ClientError> {
    // Looking for its coordinator would make the topic that groups are kept in.
    let group = cluster.any().describe_group(id).await?;
    let committed = cluster.any().committed_offsets(id).await?;
    let assigned = group.members.iter().flat_map(places_of);
    let mut lags = cluster.lags(&committed, &assigned.collect()).await?;
    let total: i64 = lags.values().filter_map(Lag::records).sum();
    cluster.lags_in_time(&mut lags, TIMED_MAX).await?;
    let owner = |place: &(String, i32)| {
        let has = |member: &&GroupMember| {
            let partitions = member.assigned.get(&place.0);
            partitions.is_some_and(|partitions| partitions.contains(&place.1))
        };
        group
            .members
            .iter()
            .find(has)
            .map(|member| &member.client_id)
    };
    let partition = |(place, lag): (&(String, i32), &Lag)| {
        json!({
            "topic": place.0,
            "partition": place.1,
            "committed": lag.committed,
            "start": lag.start,
            "end": lag.end,
            "lag": lag.records(),
            "lag_ms": lag.ms,
            "client": owner(place),
        })
    };
    let partitions = lags.iter().take(ROWS_MAX).map(partition);
    Ok(json!({
        "id": id,
        "state": group.state,
        "type": group.kind,
        "protocol": group.protocol_type,
        "assignor": group.assignor,
        "lag": total,
        "member_count": group.members.len(),
        "members": group.members.iter().take(ROWS_MAX).map(member).collect::<Vec<_>>(),
        "partition_count": lags.len(),
        "partitions": partitions.collect::<Vec<_>>(),
    }))
}

fn places_of(member: &GroupMember) -> impl Iterator<Item = (String, i32)> {
    member.assigned.iter().flat_map(|(topic, partitions)| {
        let partitions = partitions.iter();
        partitions.map(move |partition| (topic.clone(), *partition))
    })
}

fn member(member: &GroupMember) -> Value {
    let partitions = member.assigned.values().map(Vec::len);
    json!({
        "id": member.id,
        "instance": member.instance_id,
        "client": member.client_id,
        "host": member.client_host,
        "topics": member.assigned.keys().collect::<Vec<_>>(),
        "partitions": partitions.sum::<usize>(),
    })
}

/// Whether a refusal says that there is no such group, or no groups at all.
pub(super) fn is_unknown(code: ErrorCode) -> bool {
    [ErrorCode::GROUP_ID_NOT_FOUND, ErrorCode::NOT_COORDINATOR].contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_the_sum_of_what_is_known() {
        let place = |partition| ("t".to_owned(), partition);
        let end = |end| Lag {
            start: Some(0),
            end,
            ..Lag::default()
        };
        let ends = Lags::from([(place(0), end(Some(9))), (place(1), end(None))]);
        let offsets = Offsets::from([(place(0), 2), (place(1), 5), (place(2), 5)]);
        assert_eq!(records(&offsets, &ends), 7);
    }
}
