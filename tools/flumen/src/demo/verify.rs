//! The reading half: every record is compared with what was written.

use std::time::Duration;

use engine_rt::now;
use net_wire::batch::Batches;

use super::content::Content;
use super::produce::Target;
use super::progress::Progress;
use super::run::DemoError;
use crate::client::{ClientError, Connection, Fetch, FetchFrom, Fetched};

/// Bytes of one answer, of each partition in it, and how long to wait for the first.
const ANSWER_BYTES: i32 = 8 << 20;
const PARTITION_BYTES: i32 = 1 << 20;
const WAIT_MS: i32 = 500;
/// Answers without anything new after which records count as missing.
const EMPTY_MAX: usize = 20;

/// Reads all records of the target back and compares them; gives how long that took.
pub(super) async fn verify(
    connection: &Connection,
    target: &Target,
    content: Content,
    progress: &Progress,
) -> Result<Duration, DemoError> {
    let began = now();
    let mut read = vec![0; target.counts.len()];
    let mut empty = 0;
    while read != target.counts {
        let before: u64 = read.iter().sum();
        let fetch = Fetch {
            max_wait_ms: WAIT_MS,
            min_bytes: 1,
            max_bytes: ANSWER_BYTES,
            partitions: unread(target, &read),
        };
        for fetched in connection.fetch(&fetch).await? {
            compare(&fetched, target, content, &mut read)?;
        }
        let new = read.iter().sum::<u64>() - before;
        progress.read(new);
        empty = if new == 0 { empty + 1 } else { 0 };
        if empty == EMPTY_MAX {
            return Err(DemoError::Differs(
                "records are missing at the end".to_owned(),
            ));
        }
    }
    Ok(now().since(began))
}

/// The partitions that are not read to their end. Those that were read least come first, so that
/// none waits for another to end.
fn unread<'a>(target: &'a Target, read: &[u64]) -> Vec<FetchFrom<'a>> {
    let mut partitions: Vec<usize> = (0..read.len())
        .filter(|at| read[*at] < target.counts[*at])
        .collect();
    partitions.sort_by_key(|at| read[*at]);
    let from = |at: usize| FetchFrom {
        topic: &target.topic,
        partition: at as i32,
        offset: target.starts[at] + read[at] as i64,
        max_bytes: PARTITION_BYTES,
    };
    partitions.into_iter().map(from).collect()
}

fn compare(
    fetched: &Fetched,
    target: &Target,
    content: Content,
    read: &mut [u64],
) -> Result<(), DemoError> {
    ClientError::check(fetched.error, None)?;
    let at = fetched.partition as usize;
    for batch in Batches::new(&fetched.records) {
        let batch = batch.map_err(|error| DemoError::Differs(error.to_string()))?;
        let expected = target.starts[at] + read[at] as i64;
        let found = batch.header().base_offset;
        if found != expected {
            let message = format!("offset {found} of partition {at} came where {expected} was due");
            return Err(DemoError::Differs(message));
        }
        let records = content.compare(&batch, fetched.partition, read[at]);
        read[at] += records.map_err(DemoError::Differs)?;
    }
    Ok(())
}
