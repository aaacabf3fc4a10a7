//! `flumen group seek`: moves what a group has committed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine_rt::wall_clock_ms;
use flumen::client::{ClientError, Cluster, Committer, Lag, Lags, Offsets};
use net_wire::ErrorCode;

use super::{Place, committed, places};
use crate::cli::args::GroupSeekArgs;
use crate::cli::client::connect;
use crate::cli::table::{Cell, Table};
use crate::cli::time;
use crate::errors::Failure;

/// States in which a group has no members.
const WITHOUT_MEMBERS: [&str; 2] = ["Empty", "Dead"];

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Start,
    End,
    Time(i64),
    Offset(i64),
    Shift(i64),
    /// Where this group is.
    Group(String),
    /// To these offsets.
    These(Offsets),
}

pub(super) async fn seek(args: &GroupSeekArgs) -> Result<(), Failure> {
    let target = target(args)?;
    let cluster = connect(&args.broker).await?;
    let id = args.group.id();
    refuse_with_members(&cluster, id).await?;
    let before = committed(&cluster, id).await?;
    let given = match &target {
        Target::Group(other) => committed(&cluster, other).await?,
        Target::These(offsets) => offsets.clone(),
        _ => before.clone(),
    };
    let places: BTreeSet<Place> = if args.topics.is_empty() {
        given.keys().cloned().collect()
    } else {
        places(&cluster, &args.topics).await?
    };
    if places.is_empty() {
        let nothing = Failure::invalid("there is no offset to move");
        return Err(nothing.help("`-t TOPIC` names what the group is to begin with"));
    }
    let lags = cluster.lags(&before, &places).await?;
    let given = match target {
        Target::Time(ms) => at_time(&cluster, &places, ms).await?,
        _ => given,
    };
    let mut after = Offsets::new();
    for place in places {
        let lag = lags.get(&place).copied().unwrap_or_default();
        let offset = moved(&place, lag, &target, given.get(&place).copied())?;
        after.insert(place, offset);
    }
    if !args.is_dry() {
        let commit = cluster.at_coordinator(id, async |at| {
            at.commit_offsets(Committer::outside(id), &after).await
        });
        commit.await?;
    }
    table(&lags, &after).print(args.output.format)
}

fn target(args: &GroupSeekArgs) -> Result<Target, Failure> {
    let at = |option: &str, text: &str| {
        let wrong =
            || Failure::invalid(format!("{option} {text}")).help("see `flumen group seek --help`");
        time::parse(text).ok_or_else(wrong)
    };
    if let Some(to) = &args.to {
        return Ok(match to.as_str() {
            "start" | "earliest" => Target::Start,
            "end" | "latest" => Target::End,
            text => Target::Time(at("--to", text)?),
        });
    }
    if let Some(text) = &args.to_datetime {
        return Ok(Target::Time(at("--to-datetime", text)?));
    }
    if let Some(text) = &args.by_duration {
        let wrong =
            || Failure::invalid(format!("--by-duration {text}")).help("PnDTnHnMnS, such as PT30M");
        let span = time::span(text).ok_or_else(wrong)?;
        return Ok(Target::Time((wall_clock_ms() - span).max(0)));
    }
    if let Some(path) = &args.to_file {
        return Ok(Target::These(read_file(path)?));
    }
    let others = [
        args.to_offset.map(Target::Offset),
        args.shift_by.map(Target::Shift),
        args.to_group.clone().map(Target::Group),
        args.to_latest.then_some(Target::End),
    ];
    // Clap wants one of them; what is left is --to-earliest.
    Ok(others.into_iter().flatten().next().unwrap_or(Target::Start))
}

/// Lines of `TOPIC PARTITION OFFSET`, or with commas, as Kafka's tool writes them.
fn read_file(path: &Path) -> Result<Offsets, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::invalid(format!("--to-file {name}")).because(error))?;
    let mut offsets = Offsets::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let (place, offset) = parse_line(line).ok_or_else(|| {
            let wanted = "TOPIC PARTITION OFFSET is wanted";
            Failure::invalid(format!("--to-file {name}: line {number}: {wanted}"))
        })?;
        offsets.insert(place, offset);
    }
    Ok(offsets)
}

fn parse_line(line: &str) -> Option<(Place, i64)> {
    let mut words = line.split([' ', '\t', ',']).filter(|word| !word.is_empty());
    let topic = words.next()?.to_owned();
    let partition = words.next()?.parse().ok()?;
    let offset = words
        .next()?
        .parse()
        .ok()
        .filter(|offset: &i64| *offset >= 0)?;
    words
        .next()
        .is_none()
        .then_some(((topic, partition), offset))
}

/// Members would commit on top of it, and not read from there.
async fn refuse_with_members(cluster: &Cluster, id: &str) -> Result<(), Failure> {
    let asked = cluster.at_coordinator(id, async |at| at.describe_group(id).await);
    match asked.await {
        // One that nobody has heard of can be given its first offsets.
        Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => Ok(()),
        Ok(group) if WITHOUT_MEMBERS.contains(&group.state.as_str()) => Ok(()),
        Ok(group) => {
            let code = ErrorCode::NON_EMPTY_GROUP;
            let message = format!(
                "group {id} is {}, its members {}: it is moved when they have left",
                group.state,
                group.members.len()
            );
            let message = Some(message);
            Err(ClientError::Refused { code, message }.into())
        },
        Err(error) => Err(error.into()),
    }
}

/// The first record of a time in each partition; -1 where all are older.
async fn at_time(
    cluster: &Cluster,
    places: &BTreeSet<Place>,
    ms: i64,
) -> Result<Offsets, ClientError> {
    let mut topics = BTreeMap::<&str, Vec<i32>>::new();
    for (topic, partition) in places {
        topics.entry(topic).or_default().push(*partition);
    }
    let mut found = Offsets::new();
    for (name, partitions) in topics {
        let (metadata, topic) = cluster.described(name).await?;
        let offsets = cluster.offsets(&metadata, &topic, &partitions, ms).await?;
        let offsets = offsets.into_iter();
        found.extend(offsets.map(|(partition, offset)| ((name.to_owned(), partition), offset)));
    }
    Ok(found)
}

/// The new offset of a partition, which has it.
fn moved(place: &Place, lag: Lag, target: &Target, given: Option<i64>) -> Result<i64, Failure> {
    let (topic, partition) = place;
    let Some((start, end)) = lag.start.zip(lag.end) else {
        let (topic, partition) = (topic.clone(), *partition);
        return Err(ClientError::NoPartition { topic, partition }.into());
    };
    let nothing = || Failure::invalid(format!("nothing is committed of {topic} {partition}"));
    let offset = match target {
        Target::Start => start,
        Target::End => end,
        Target::Offset(offset) => *offset,
        Target::Shift(by) => lag.committed.ok_or_else(nothing)?.saturating_add(*by),
        Target::Time(_) => given.filter(|found| *found >= 0).unwrap_or(end),
        Target::Group(_) | Target::These(_) => given.ok_or_else(nothing)?,
    };
    Ok(offset.clamp(start, end.max(start)))
}

fn table(before: &Lags, after: &Offsets) -> Table {
    let mut table = Table::new(&["TOPIC", "PARTITION", "BEFORE", "AFTER", "+START", "+END"]);
    for (place, offset) in after {
        let lag = before.get(place).copied().unwrap_or_default();
        let (topic, partition) = place;
        table.row([
            topic.as_str().into(),
            (*partition).into(),
            Cell::known(lag.committed),
            (*offset).into(),
            Cell::known(lag.start),
            Cell::known(lag.end),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAG: Lag = Lag {
        committed: Some(7),
        start: Some(5),
        end: Some(9),
        ms: None,
    };

    #[test]
    fn a_partition_goes_where_it_has_an_offset() {
        let place = ("t".to_owned(), 0);
        let to = |target: Target, given| moved(&place, LAG, &target, given).unwrap();
        assert_eq!(to(Target::Start, None), 5);
        assert_eq!(to(Target::End, None), 9);
        assert_eq!(to(Target::Offset(8), None), 8);
        assert_eq!(to(Target::Offset(99), None), 9);
        assert_eq!(to(Target::Shift(-1), None), 6);
        assert_eq!(to(Target::Shift(i64::MIN), None), 5);
        assert_eq!(to(Target::Time(1), Some(6)), 6);
        assert_eq!(to(Target::Time(1), Some(-1)), 9);
        assert_eq!(to(Target::Group("g".to_owned()), Some(3)), 5);
        let new = Lag {
            committed: None,
            ..LAG
        };
        assert!(moved(&place, new, &Target::Shift(1), None).is_err());
        assert!(moved(&place, Lag::default(), &Target::Start, None).is_err());
    }

    #[test]
    fn lines_are_those_of_both_tools() {
        let place = ("t".to_owned(), 3);
        assert_eq!(parse_line("t 3 17"), Some((place.clone(), 17)));
        assert_eq!(parse_line("t,3,17"), Some((place.clone(), 17)));
        assert_eq!(parse_line("  t\t3\t17  "), Some((place, 17)));
        for wrong in ["t 3", "t 3 x", "t 3 -1", "t 3 1 1"] {
            assert_eq!(parse_line(wrong), None, "{wrong}");
        }
    }
}
