//! What partitions take on the disk of a broker.

use net_wire::frame::decode_response;
use net_wire::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
};

use super::connection::Connection;
use super::error::ClientError;

/// A data directory of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDir {
    /// Where it is.
    pub path: String,
    /// Size of its file system, or -1.
    pub total_bytes: i64,
    /// Room left on it, or -1.
    pub usable_bytes: i64,
    /// What partitions take in it.
    pub partitions: Vec<PartitionSize>,
}

/// What a partition takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionSize {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Bytes of its batches.
    pub bytes: u64,
}

impl Connection {
    /// The directories of the broker, with these partitions of topics, or all there are.
    pub async fn log_dirs(
        &self,
        topics: Option<&[(&str, Vec<i32>)]>,
    ) -> Result<Vec<LogDir>, ClientError> {
        let topics = topics.map(|topics| {
            let topics = topics.iter();
            let wanted = topics.map(|(topic, partitions)| DescribableLogDirTopic {
                topic,
                partitions: partitions.clone(),
            });
            wanted.collect()
        });
        let request = DescribeLogDirsRequest { topics };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<DescribeLogDirsResponse<'_>>(frame, version)?;
            let told = ClientError::check(answer.error_code, None);
            Ok(told.and_then(|()| answer.results.iter().map(owned).collect()))
        };
        self.call(&request, read).await?
    }
}

fn owned(dir: &DescribeLogDirsResult<'_>) -> Result<LogDir, ClientError> {
    ClientError::check(dir.error_code, None)?;
    let mut partitions = Vec::new();
    for topic in &dir.topics {
        partitions.extend(topic.partitions.iter().map(|one| PartitionSize {
            topic: topic.name.to_owned(),
            partition: one.partition_index,
            bytes: u64::try_from(one.partition_size).unwrap_or(0),
        }));
    }
    Ok(LogDir {
        path: dir.log_dir.to_owned(),
        total_bytes: dir.total_bytes,
        usable_bytes: dir.usable_bytes,
        partitions,
    })
}
