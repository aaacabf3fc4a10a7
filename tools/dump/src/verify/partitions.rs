//! Every segment file: those that a partition's log names, and what else lies about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cluster_meta::State;
use engine_log::segment::Segment;
use engine_log::segment::layout::{SegmentName, parse_segment_file_name, segment_file_name};
use engine_log::{PartitionLog, TopicPartition};
use engine_rt::fs;
use net_wire::Uuid;

use super::Verdict;
use super::shards::Logs;
use crate::file::{DumpError, at};
use crate::item::{Item, Sink};
use crate::segment::{Known, scan};

/// Checks all files below `topics`.
pub(super) async fn check(
    dir: &Path,
    origin: u128,
    state: Option<&State>,
    logs: &Logs,
    sink: Sink<'_>,
) -> Result<Verdict, DumpError> {
    let topics = dir.join("topics");
    let mut check = Check {
        origin,
        topics,
        state,
        logs,
        verdict: Verdict::default(),
        sink,
    };
    let mut files = check.files().await?;
    for (id, log) in logs {
        for segment in log.segments() {
            let path = files.remove(&(*id, segment.name()));
            check.segment(*id, segment, path).await?;
        }
    }
    for ((id, name), path) in files {
        check.leftover(id, name, &path).await?;
    }
    Ok(check.verdict)
}

struct Check<'a, 'b> {
    origin: u128,
    topics: PathBuf,
    state: Option<&'a State>,
    logs: &'a Logs,
    verdict: Verdict,
    sink: Sink<'b>,
}

type Files = BTreeMap<(TopicPartition, SegmentName), PathBuf>;

impl Check<'_, '_> {
    /// Every segment file by its place; tells what is none.
    async fn files(&mut self) -> Result<Files, DumpError> {
        let mut files = Files::new();
        if !fs::exists(&self.topics).await.map_err(at(&self.topics))? {
            return Ok(files);
        }
        for name in fs::read_dir(&self.topics).await.map_err(at(&self.topics))? {
            let dir = self.topics.join(&name);
            let Some(topic_id) = self.topic_of(&name, &dir) else {
                continue;
            };
            for name in fs::read_dir(&dir).await.map_err(at(&dir))? {
                let path = dir.join(&name);
                match parse_segment_file_name(&name) {
                    Some((partition, segment)) => {
                        files.insert(
                            (
                                TopicPartition {
                                    topic_id,
                                    partition,
                                },
                                segment,
                            ),
                            path,
                        );
                    },
                    None => self.tell(&path, "not a segment's name"),
                }
            }
        }
        Ok(files)
    }

    /// The topic of a directory, unless the metadata knows that it is gone.
    fn topic_of(&mut self, name: &str, dir: &Path) -> Option<Uuid> {
        let Ok(number) = u128::from_str_radix(name, 16) else {
            self.tell(dir, "not a topic's directory");
            return None;
        };
        let id = Uuid::from_bytes(number.to_be_bytes());
        let state = self.state?;
        if state.topic(id).is_some() {
            return Some(id);
        }
        if state.tombstones().contains_key(&id) {
            let item = Item::new("topic").with("file", dir.display().to_string());
            (self.sink)(item.with("note", "a deleted topic's files are not all gone yet"));
        } else {
            self.tell(
                dir,
                "the metadata knows no such topic; its files are left alone",
            );
        }
        None
    }

    fn tell(&mut self, path: &Path, why: &str) {
        (self.sink)(
            Item::new("file")
                .with("file", path.display().to_string())
                .faulty(why),
        );
    }

    async fn segment(
        &mut self,
        id: TopicPartition,
        segment: &Segment,
        path: Option<PathBuf>,
    ) -> Result<(), DumpError> {
        let Some(path) = path else {
            if !segment.is_fileless() {
                let topic = TopicPartition::topic_dir(id.topic_id);
                let name = segment_file_name(id.partition, segment.name());
                self.tell(&self.topics.join(topic).join(name), "the file is missing");
            }
            return Ok(());
        };
        let known = Known {
            disk_id: Some(self.origin),
            written: Some(segment.written),
            sealed: segment.sealed,
            next_offset: segment.sealed.then_some(segment.next_offset),
        };
        if segment.is_fileless() {
            return Ok(());
        }
        self.scan(&path, &known).await
    }

    /// A file that no log names. Below the log start it waits for its removal, as one does that
    /// compaction replaced; behind the end it was never acknowledged; where the log could not be
    /// read, it speaks for itself.
    async fn leftover(
        &mut self,
        id: TopicPartition,
        name: SegmentName,
        path: &Path,
    ) -> Result<(), DumpError> {
        let Some(log) = self.logs.get(&id) else {
            let known = Known {
                disk_id: Some(self.origin),
                ..Known::default()
            };
            return self.scan(path, &known).await;
        };
        let base = name.base_offset;
        let outside = base < log.log_start() || base >= log.next_offset() || is_begun(log, base);
        let outside = outside || log.is_left_over(name);
        let item = Item::new("file").with("file", path.display().to_string());
        (self.sink)(if outside {
            item.with(
                "note",
                "no log names it: it goes, or was never acknowledged",
            )
        } else {
            item.faulty("no log names it, though its offsets are in one")
        });
        Ok(())
    }

    /// Tells a segment's faults and notes; what is sound is counted.
    async fn scan(&mut self, path: &Path, known: &Known) -> Result<(), DumpError> {
        let name = path.display().to_string();
        let mut tell = |item: Item| {
            if item.fault().is_some() {
                (self.sink)(if item.field("file").is_none() {
                    item.with("file", name.as_str())
                } else {
                    item
                });
            }
        };
        let seen = scan(path, known, &mut tell).await?;
        self.verdict.segments += 1;
        self.verdict.batches += seen.batches;
        self.verdict.bytes += seen.bytes;
        Ok(())
    }
}

/// Whether the log's active segment begins here, though nothing of it is durable.
fn is_begun(log: &PartitionLog, base: i64) -> bool {
    log.segments()
        .last()
        .is_some_and(|active| active.base_offset == base)
}
