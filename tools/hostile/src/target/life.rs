//! A life of a real shard on a simulated disk, and the files that it leaves.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;

use engine_log::ProducerStamp;
use engine_rt::fs::{self, File, OpenOptions};
use engine_rt::{BLOCK_BYTES, Buf};
use engine_shard::{FetchPart, ProduceBatch, Shard, ShardError};
use net_wire::batch::BatchBuilder;
use net_wire::codec::Codecs;

use super::shard::{PARTITIONS, id, options, specs};

/// Files by name, and what was acknowledged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remains {
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
    /// What a reader gets, by partition.
    pub(crate) records: Vec<Vec<u8>>,
}

/// Batches small and large for both partitions; then an orderly stop, or none.
pub(crate) async fn live(batches: i64, stops: bool) -> Remains {
    let shard = Shard::open(options(), specs())
        .await
        .expect("an empty directory");
    for number in 0..batches {
        let large = number % 5 == 4;
        let value = vec![number as u8; if large { 20_000 } else { 300 }];
        let partition = number as u32 % PARTITIONS;
        let placed = shard.append(vec![batch(partition, number, &value)]).await;
        assert!(placed.iter().all(Result::is_ok), "{placed:?}");
    }
    let mut records = Vec::new();
    for partition in 0..PARTITIONS {
        let read = read_all(&shard, partition).await;
        records.push(read.expect("what was acknowledged is read").concat());
    }
    if stops {
        shard.stop().await.expect("the disk works");
    }
    let mut files = BTreeMap::new();
    gather(options().data_dir, &mut files).await;
    Remains { files, records }
}

fn batch(partition: u32, number: i64, value: &[u8]) -> ProduceBatch {
    let timestamp = 1_000 + number;
    let mut builder = BatchBuilder::new().producer(7, 0, (number / i64::from(PARTITIONS)) as i32);
    builder.append(timestamp, Some(b"key"), Some(value), &[]);
    let bytes = builder
        .build(&mut Codecs::new())
        .expect("a batch of one record");
    ProduceBatch {
        id: id(partition),
        bytes: Buf::copy_from_slice(&bytes),
        records: 1,
        max_timestamp: timestamp,
        max_timestamp_delta: 0,
        stamp: ProducerStamp {
            producer_id: 7,
            producer_epoch: 0,
            base_sequence: (number / i64::from(PARTITIONS)) as i32,
        },
    }
}

/// Each answer of a reader that goes on from the last one's end.
pub(crate) async fn read_all(
    shard: &Rc<Shard>,
    partition: u32,
) -> Result<Vec<Vec<u8>>, ShardError> {
    let position = shard.position(id(partition))?;
    let (mut offset, mut answers) = (position.log_start_offset, Vec::new());
    while offset < position.high_watermark {
        let bytes = read(shard, partition, offset).await?;
        let batches = net_wire::batch::Batches::new(&bytes).map_while(Result::ok);
        let Some(last) = batches.last() else { break };
        offset = last.header().next_offset();
        answers.push(bytes);
    }
    Ok(answers)
}

pub(crate) async fn read(
    shard: &Rc<Shard>,
    partition: u32,
    offset: i64,
) -> Result<Vec<u8>, ShardError> {
    let part = FetchPart::new(id(partition), offset, 64 << 10);
    let fetched = shard.fetch(&[part], part.max_bytes).await.remove(0)?;
    Ok(fetched
        .records
        .iter()
        .flat_map(|part| part.to_vec())
        .collect())
}

fn gather(
    directory: PathBuf,
    files: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> Pin<Box<dyn Future<Output = ()> + '_>> {
    Box::pin(async move {
        for name in fs::read_dir(&directory).await.expect("a directory") {
            let path = directory.join(name);
            if fs::read_dir(&path).await.is_ok() {
                gather(path, files).await;
            } else {
                let bytes = contents(&path).await;
                files.insert(path, bytes);
            }
        }
    })
}

async fn contents(path: &Path) -> Vec<u8> {
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let file = File::open(path, options).await.expect("a file");
    let len = file.len().await.expect("a length") as usize;
    let blocks = len.next_multiple_of(BLOCK_BYTES);
    let mut bytes = match blocks {
        0 => Vec::new(),
        _ => file
            .read_at(0, blocks)
            .await
            .expect("the disk works")
            .to_vec(),
    };
    bytes.truncate(len);
    bytes
}
