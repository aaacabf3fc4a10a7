//! `flumen repair`: shows what is gone, and cuts it out of the partitions for which that is accepted.

use std::collections::BTreeSet;

use flumen::broker;
use tools_dump::{Damage, Found, Item, damage, tell};

use super::args::RepairArgs;
use super::client::on_ring;
use super::look::{Printer, cannot_look};
use crate::errors::Failure;

/// A partition as the command line names it.
type Name = (String, u32);

pub(crate) fn run(args: RepairArgs) -> Result<(), Failure> {
    let accepted = args.accept_loss.iter().map(|text| parse(text));
    let accepted: BTreeSet<Name> = accepted.collect::<Result<_, _>>()?;
    on_ring(move || async move {
        let mut printer = Printer::new(args.json);
        let changes = (args.mend || !accepted.is_empty()) && !args.dry_run;
        // Everything is looked at before anything is changed.
        let mut quiet = |_: Item| {};
        let seen = if changes {
            damage(&args.dir, &mut quiet).await
        } else {
            damage(&args.dir, &mut |item| printer.print(&item)).await
        };
        let seen = seen.map_err(|error| cannot_look(&error))?;
        let verdict = if changes {
            change(&args, &accepted, &seen, &mut printer).await
        } else {
            show(&args, &accepted, &seen)
        };
        printer.end()?;
        verdict
    })
}

fn parse(text: &str) -> Result<Name, Failure> {
    let name = text.rsplit_once('/').and_then(|(topic, partition)| {
        let partition = partition.parse().ok()?;
        (!topic.is_empty()).then(|| (topic.to_owned(), partition))
    });
    name.ok_or_else(|| {
        Failure::invalid(format!("--accept-loss {text}: no partition"))
            .help("it is written TOPIC/PARTITION, such as orders/3")
    })
}

/// The partitions that have lost something.
fn losers(damage: &Damage) -> BTreeSet<Name> {
    let lost = damage.segments.iter();
    lost.filter(|found| !found.damaged.losses.is_empty())
        .map(name)
        .collect()
}

fn name(found: &Found) -> Name {
    (found.topic.clone(), found.damaged.id.partition)
}

/// What a repair would do.
fn show(args: &RepairArgs, accepted: &BTreeSet<Name>, seen: &Damage) -> Result<(), Failure> {
    refuse_others(accepted, seen)?;
    if seen.segments.is_empty() && seen.beyond == 0 {
        return Ok(());
    }
    let lost = losers(seen);
    let wanted = lost
        .iter()
        .map(|(topic, partition)| format!("--accept-loss {topic}/{partition}"));
    let wanted = wanted.collect::<Vec<_>>().join(" ");
    let failure = Failure::new(
        "FL4003",
        format!(
            "{}: {} damaged segments, nothing was changed",
            args.dir.display(),
            seen.segments.len()
        ),
    );
    Err(if wanted.is_empty() {
        failure
    } else {
        failure.help(format!(
            "to go on without what is gone: flumen repair {} {wanted}",
            args.dir.display()
        ))
    })
}

/// A loss is accepted for a partition that has one: anything else is a mistake.
fn refuse_others(accepted: &BTreeSet<Name>, seen: &Damage) -> Result<(), Failure> {
    match accepted.difference(&losers(seen)).next() {
        None => Ok(()),
        Some((topic, partition)) => Err(Failure::invalid(format!(
            "--accept-loss {topic}/{partition}: nothing of it is gone"
        ))
        .help("flumen repair DIR shows what is")),
    }
}

async fn change(
    args: &RepairArgs,
    accepted: &BTreeSet<Name>,
    seen: &Damage,
    printer: &mut Printer,
) -> Result<(), Failure> {
    refuse_others(accepted, seen)?;
    let names: Vec<Name> = accepted.iter().cloned().collect();
    let found = broker::repair(&args.dir, &names).await?;
    let mut left = 0;
    for one in &found {
        tell(one, &mut |item| printer.print(&item));
        let stays = !one.damaged.losses.is_empty() && !accepted.contains(&name(one));
        left += usize::from(stays);
        let item = Item::new("segment").with("file", one.damaged.file.clone());
        let done = if stays {
            "left as it is"
        } else {
            "written anew"
        };
        printer.print(&item.with("note", done));
    }
    if left == 0 {
        return Ok(());
    }
    let what = format!("{}: {left} damaged segments are left", args.dir.display());
    Err(Failure::new("FL4003", what))
}
