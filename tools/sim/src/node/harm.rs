//! What faults have done to files, and which answers that explains.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use cluster_control::{HomeError, LogOpenError, MetadataError};
use engine_rt::sim::Strike;
use engine_shard::OpenError;
use engine_wal::JournalError;
use flumen::broker::StartError;
use net_wire::Uuid;

/// What faults have done to the only copy of something.
#[derive(Debug, Default)]
pub(super) struct Harm {
    /// Topic ids and partitions of segments.
    segments: BTreeSet<(String, String)>,
    /// Those of them that were struck since the last life began.
    struck_since: BTreeSet<(String, String)>,
    /// Journals, and files of which there are two copies.
    journals: BTreeSet<String>,
    checkpoints: BTreeSet<String>,
    metadata: BTreeSet<String>,
    superblocks: BTreeSet<String>,
    /// A write landed nobody knows where.
    anything: bool,
}

impl Harm {
    /// A fault has struck that costs what it hit; whether that was a journal.
    pub(super) fn note(&mut self, strike: &Strike) -> bool {
        self.anything |= strike.what.contains("misdirected");
        let Some(path) = path_in(&strike.what) else {
            return self.anything;
        };
        let (dir, name) = path.rsplit_once('/').unwrap_or_default();
        if let Some((partition, _)) = name.split_once('.').filter(|_| name.ends_with(".segment")) {
            let topic = dir.rsplit('/').next().unwrap_or_default();
            let own = (topic.to_owned(), partition.to_owned());
            self.segments.insert(own.clone());
            self.struck_since.insert(own);
        } else if name.ends_with(".journal") {
            self.journals.insert(path.to_owned());
        } else if name.starts_with("checkpoint.") {
            self.checkpoints.insert(path.to_owned());
        } else if dir.ends_with("/meta") {
            self.metadata.insert(path.to_owned());
        } else if name.starts_with("superblock.") {
            self.superblocks.insert(path.to_owned());
        }
        name.ends_with(".journal") || self.anything
    }

    /// Whether records of a partition may be refused.
    pub(super) fn has_segment(&self, topic_id: Uuid, partition: i32) -> bool {
        self.anything || self.segments.contains(&names_of(topic_id, partition))
    }

    /// Whether what the last life appended to a partition, and certified by no mark, may be gone: its
    /// segment is not what was written to it.
    pub(super) fn was_struck(&self, topic_id: Uuid, partition: i32) -> bool {
        self.struck_since.contains(&names_of(topic_id, partition))
    }

    /// A life begins.
    pub(super) fn life_begins(&mut self) {
        self.struck_since.clear();
    }

    /// Whether a partition may take no appends.
    pub(super) fn has_segments(&self) -> bool {
        self.anything || !self.segments.is_empty()
    }

    /// Whether anything may be gone but segments of these topics.
    pub(super) fn goes_beyond(&self, topics: &[Uuid]) -> bool {
        let known: Vec<String> = topics.iter().map(|topic| names_of(*topic, 0).0).collect();
        let is_foreign = |(topic, _): &(String, String)| !known.contains(topic);
        self.anything || !self.journals.is_empty() || self.segments.iter().any(is_foreign)
    }

    /// Whether a start may be refused so: nothing that there are two copies of explains it while one
    /// of them is whole.
    pub(super) fn explains_start(&self, number: &str) -> bool {
        let both = |copies: &BTreeSet<String>| {
            let twin = |path: &String| match path.strip_suffix('a') {
                Some(front) => format!("{front}b"),
                None => path.replacen("/a.", "/b.", 1),
            };
            copies.iter().any(|path| {
                let twin = twin(path);
                twin != *path && copies.contains(&twin)
            })
        };
        // A journal has one copy, and one frame of it below its mark is enough, see `engine/FAULTS.md`.
        let journal = !self.journals.is_empty() || both(&self.checkpoints);
        let unreadable = both(&self.metadata) || both(&self.superblocks);
        self.anything
            || match number {
                "FL1006" => both(&self.superblocks),
                "FL1010" => both(&self.metadata),
                "FL1011" | "FL1012" | "FL1016" => journal,
                "FL1015" => journal || unreadable,
                _ => false,
            }
    }
}

/// How the paths of segments name a partition.
fn names_of(topic_id: Uuid, partition: i32) -> (String, String) {
    let mut topic = String::new();
    for byte in topic_id.as_bytes() {
        let _infallible = write!(topic, "{byte:02x}");
    }
    (topic, format!("{partition:06}"))
}

/// The file that a strike names.
fn path_in(what: &str) -> Option<&str> {
    let from = what.find("/data/")?;
    let rest = &what[from..];
    let end = rest.find([' ', ':', ',']).unwrap_or(rest.len());
    Some(&rest[..end])
}

/// The number by which operators know why a node does not start.
pub(super) const fn number_of(error: &StartError) -> &'static str {
    match error {
        StartError::Metadata(MetadataError::Home(HomeError::Damaged { .. })) => "FL1006",
        StartError::Metadata(
            MetadataError::Home(HomeError::Io { .. })
            | MetadataError::Log {
                source: LogOpenError::Io(_),
                ..
            },
        )
        | StartError::Io { .. } => "FL1015",
        StartError::Metadata(
            MetadataError::Log { .. }
            | MetadataError::Contradiction { .. }
            | MetadataError::Missing { .. }
            | MetadataError::Foreign { .. },
        ) => "FL1010",
        StartError::Shard { source, .. } | StartError::Reshard { source, .. } => match source {
            OpenError::Journal(JournalError::Io { .. }) | OpenError::Io { .. } => "FL1015",
            OpenError::Journal(
                JournalError::Corrupt { .. }
                | JournalError::Missing { .. }
                | JournalError::Lost { .. },
            ) => "FL1011",
            OpenError::Checkpoint(_) => "FL1012",
            OpenError::Fold(_) => "FL1016",
            OpenError::Journal(JournalError::Newer { .. }) => "FL1007",
        },
        _ => "another",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn strike(what: &str) -> Strike {
        Strike {
            fault: 1,
            at: Duration::ZERO,
            what: what.to_owned(),
            acted_on: true,
        }
    }

    #[test]
    fn a_copy_of_two_explains_nothing() {
        let mut harm = Harm::default();
        harm.note(&strike("node: bits of /data/meta/a.log flip: 3 of byte 7"));
        assert!(!harm.explains_start("FL1010"));
        harm.note(&strike("node: /data/meta/b.log is gone"));
        assert!(harm.explains_start("FL1010") && !harm.explains_start("FL1011"));
    }

    #[test]
    fn a_segment_is_harmed_by_its_path() {
        let mut harm = Harm::default();
        let dir = "/data/topics/07070707070707070707070707070707";
        let path = format!("{dir}/000002.00000000000000000010.segment");
        let journal = harm.note(&strike(&format!("EIO on read of {path} 0..4096")));
        let topic = Uuid::from_bytes([7; 16]);
        assert!(!journal && harm.has_segment(topic, 2) && harm.was_struck(topic, 2));
        assert!(!harm.has_segment(topic, 1));
        assert!(!harm.goes_beyond(&[topic]) && harm.goes_beyond(&[]));
        harm.life_begins();
        assert!(harm.has_segment(topic, 2) && !harm.was_struck(topic, 2));
    }
}
