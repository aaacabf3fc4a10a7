//! How far a group is behind: in records, and in time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use engine_rt::wall_clock_ms;
use net_wire::batch::Batches;
use net_wire::codec::Codecs;

use super::admin::{Metadata, TopicMetadata};
use super::cluster::Cluster;
use super::connection::Connection;
use super::error::ClientError;
use super::group_offsets::Offsets;
use super::reading::{ReadRecord, each_record};
use super::records::{EARLIEST, Fetch, FetchFrom, LATEST};

/// Bytes that a batch may have when it is decompressed for the time of one record.
const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

/// Where a group stands in a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// The next record to read; none if nothing was committed.
    pub committed: Option<i64>,
    /// The first record there is; none if nobody says.
    pub start: Option<i64>,
    /// The end of what may be read; none if nobody says.
    pub end: Option<i64>,
    /// For how long the next record to read has been there; none if that is not known.
    pub ms: Option<i64>,
}

impl Lag {
    /// Records that are there to be read.
    pub fn records(&self) -> Option<i64> {
        let from = self.committed?.max(self.start?);
        Some((self.end? - from).max(0))
    }

    /// For how long the next record to read has been there, in whole seconds.
    pub fn seconds(&self) -> Option<i64> {
        self.ms.map(|ms| ms / 1000)
    }
}

/// Where a group stands, by topic and partition.
pub type Lags = BTreeMap<(String, i32), Lag>;

impl Cluster {
    /// How far behind whoever has committed these offsets is, in records; also of partitions that
    /// nothing was committed of (`others`). Topics that are gone have neither start nor end.
    pub async fn lags(
        &self,
        committed: &Offsets,
        others: &BTreeSet<(String, i32)>,
    ) -> Result<Lags, ClientError> {
        let none = others.iter().map(|place| (place.clone(), Lag::default()));
        let mut lags: Lags = none.collect();
        for (place, offset) in committed {
            lags.entry(place.clone()).or_default().committed = Some(*offset);
        }
        let topics: BTreeSet<&str> = lags.keys().map(|(topic, _)| topic.as_str()).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let metadata = self.any().metadata(Some(&topics), false).await?;
        for topic in &metadata.topics {
            let partitions = partitions(&lags, &topic.name);
            let starts = self
                .offsets(&metadata, topic, &partitions, EARLIEST)
                .await?;
            let ends = self.offsets(&metadata, topic, &partitions, LATEST).await?;
            for partition in partitions {
                let lag = lags.entry((topic.name.clone(), partition)).or_default();
                lag.start = starts.get(&partition).copied();
                lag.end = ends.get(&partition).copied();
            }
        }
        Ok(lags)
    }

    /// Finds out how far behind it is in time as well, of `most` partitions at most: that costs a
    /// read of each one that is behind.
    pub async fn lags_in_time(&self, lags: &mut Lags, most: usize) -> Result<(), ClientError> {
        let is_behind = |lag: &Lag| lag.records().is_some_and(|records| records > 0);
        for lag in lags.values_mut().filter(|lag| lag.records() == Some(0)) {
            lag.ms = Some(0);
        }
        let behind: Vec<(String, i32)> = lags
            .iter()
            .filter(|(_, lag)| is_behind(lag))
            .map(|(place, _)| place.clone())
            .take(most)
            .collect();
        let mut known: Option<(Metadata, TopicMetadata)> = None;
        let mut codecs = Codecs::new();
        for place in behind {
            let (topic, partition) = &place;
            if known.as_ref().is_none_or(|(_, known)| known.name != *topic) {
                known = Some(self.described(topic).await?);
            }
            let Some(((metadata, topic), lag)) = known.as_ref().zip(lags.get_mut(&place)) else {
                continue;
            };
            let leader = self.leader(metadata, topic, *partition).await?;
            let next = lag.committed.max(lag.start).unwrap_or_default();
            let written = timestamp(&leader, &mut codecs, &topic.name, *partition, next).await?;
            lag.ms = written.map(|written| (wall_clock_ms() - written).max(0));
        }
        Ok(())
    }
}

fn partitions(lags: &Lags, topic: &str) -> Vec<i32> {
    let from = (topic.to_owned(), i32::MIN)..=(topic.to_owned(), i32::MAX);
    lags.range(from)
        .map(|((_, partition), _)| *partition)
        .collect()
}

/// The timestamp of the first record from this offset on, if its batch is readable and says one.
async fn timestamp(
    leader: &Connection,
    codecs: &mut Codecs,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Option<i64>, ClientError> {
    // The first batch comes whole, whatever is asked for.
    let fetch = Fetch {
        max_wait_ms: 0,
        min_bytes: 0,
        max_bytes: 1,
        partitions: vec![FetchFrom {
            topic,
            partition,
            offset,
            max_bytes: 1,
        }],
    };
    let mut found = None;
    for fetched in leader.fetch(&fetch).await? {
        for batch in Batches::new(&fetched.records) {
            let Ok(batch) = batch else { break };
            let take = |record: &ReadRecord<'_>| {
                found = Some(record.timestamp).filter(|timestamp| *timestamp >= 0);
                ControlFlow::Break(())
            };
            let read = each_record(
                codecs,
                &batch,
                offset..i64::MAX,
                DECOMPRESSED_BYTES_MAX,
                take,
            );
            if !matches!(read, Ok(ControlFlow::Continue(()))) {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_not_to_be_read() {
        let lag = |committed, start, end| Lag {
            committed,
            start: Some(start),
            end,
            ms: None,
        };
        assert_eq!(lag(Some(7), 0, Some(10)).records(), Some(3));
        assert_eq!(lag(Some(2), 5, Some(10)).records(), Some(5));
        // Committed in a topic of the same name that was longer.
        assert_eq!(lag(Some(20), 0, Some(10)).records(), Some(0));
        assert_eq!(lag(None, 0, Some(10)).records(), None);
        assert_eq!(lag(Some(2), 0, None).records(), None);
    }

    #[test]
    fn partitions_are_those_of_the_topic_alone() {
        let places = [("a", 1), ("b", 0), ("b", 7), ("bb", 2)];
        let lags = places.map(|(topic, partition)| ((topic.to_owned(), partition), Lag::default()));
        assert_eq!(partitions(&lags.into(), "b"), [0, 7]);
    }
}
