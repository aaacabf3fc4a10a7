//! What a repair would do: the damaged segments of a directory, and the offsets that are gone.

use std::path::Path;

use engine_shard::Damaged;

use crate::file::DumpError;
use crate::item::{Item, Sink};
use crate::verify::{home, lock, metadata, shards};

/// A damaged segment, with the name of its topic.
#[derive(Clone, Debug)]
pub struct Found {
    /// The topic.
    pub topic: String,
    /// What is damaged.
    pub damaged: Damaged,
}

/// What is damaged in a directory.
#[derive(Clone, Debug, Default)]
pub struct Damage {
    /// Damaged segments of all shards that can be read.
    pub segments: Vec<Found>,
    /// What no repair of segments puts right, such as a journal.
    pub beyond: u64,
}

/// Looks at every segment of the data directory `dir`, which no broker may be using, and tells what
/// is damaged and which offsets are gone. Nothing is changed.
pub async fn damage(dir: &Path, sink: Sink<'_>) -> Result<Damage, DumpError> {
    let _lock = lock(dir).await?;
    let mut damage = Damage::default();
    let mut quiet = |_: Item| {};
    let origin = home::check(dir, &mut quiet).await?;
    let state = metadata::check(dir, &mut quiet).await?;
    let (Some(origin), Some(state)) = (origin, state) else {
        let item = Item::new("directory").with("file", dir.display().to_string());
        sink(item.faulty("no copy of the superblock, or of the metadata log, can be read"));
        damage.beyond += 1;
        return Ok(damage);
    };
    for place in shards::places(dir, origin, &state) {
        let specs = shards::specs_of(&state, place.index);
        match engine_shard::damaged(&place, specs).await {
            Ok(all) => {
                for damaged in all {
                    let topic = state.topic(damaged.id.topic_id);
                    let topic = topic.map_or_else(String::new, |topic| topic.name.clone());
                    let found = Found { topic, damaged };
                    tell(&found, sink);
                    damage.segments.push(found);
                }
            },
            Err(error) => {
                damage.beyond += 1;
                sink(
                    Item::new("shard")
                        .with("shard", place.index)
                        .faulty(error.to_string()),
                );
            },
        }
    }
    Ok(damage)
}

/// Tells one damaged segment: where it is damaged, and what is gone.
pub fn tell(found: &Found, sink: Sink<'_>) {
    let Found { topic, damaged } = found;
    let item = |kind| {
        Item::new(kind)
            .with("topic", topic.clone())
            .with("partition", damaged.id.partition)
    };
    for (pos, what) in &damaged.faults {
        let item = item("damage").with("file", damaged.file.clone());
        sink(item.with("at", *pos).faulty(*what));
    }
    for (first, last) in &damaged.losses {
        let item = item("loss").with("first_offset", *first);
        let item = item.with("last_offset", *last);
        sink(item.with("offsets", last - first + 1).faulty("gone"));
    }
}
