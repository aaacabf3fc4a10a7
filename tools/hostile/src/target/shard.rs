//! A shard's directory as a start finds it: checkpoint, journal, and the partitions they describe.
//! A start that succeeds serves: every partition is read, and stopped in order.

use std::path::PathBuf;
use std::rc::Rc;

use engine_log::{LogConfig, ReadPath, TopicPartition};
use engine_rt::BLOCK_BYTES;
use engine_shard::{
    CompactionOptions, FetchPart, PartitionSpec, Shard, ShardOptions, ShardPlace,
    checkpoint_copies, inspect,
};
use net_wire::Uuid;
use net_wire::batch::crc32c;

use super::disk::{blocks, on_a_machine, write};
use super::journal::{DISK_ID, images};
use crate::input::Input;

const HEADER_BYTES: usize = 84;
pub(crate) const PARTITIONS: u32 = 2;

/// Flags, two parts for the copies of the checkpoint, then the journal as its own target has it.
pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.u8();
    let mut copies = [input.part(), input.part()].map(|part| blocks(&mut Input::new(part)));
    for copy in &mut copies {
        if flags & 4 == 0 {
            mend(copy);
        }
    }
    let journal = images(flags, 0, &mut input);
    on_a_machine(move || async move {
        let directory = options().data_dir.join("shards/00000001/0");
        for (copy, name) in copies.iter().zip(["checkpoint.a", "checkpoint.b"]) {
            write(&directory.join(name), copy).await;
        }
        for (number, image) in journal.iter().enumerate() {
            write(&directory.join(format!("{:06}.journal", number + 1)), image).await;
        }
        let place = ShardPlace {
            data_dir: options().data_dir,
            disk_id: DISK_ID,
            generation: 1,
            index: 0,
        };
        let looked = checkpoint_copies(&place).await;
        assert_eq!(looked.expect("the disk works").len(), 2);
        let found = inspect(&place, specs()).await;
        let opened = Shard::open(options(), specs()).await;
        assert!(
            found.is_ok() || opened.is_err(),
            "a start finds what a look finds"
        );
        if let Ok(shard) = opened {
            serve(&shard).await;
        }
    });
}

pub(crate) fn id(partition: u32) -> TopicPartition {
    TopicPartition {
        topic_id: Uuid::from_bytes([3; 16]),
        partition,
    }
}

pub(crate) fn specs() -> Vec<PartitionSpec> {
    let spec = |partition| PartitionSpec {
        id: id(partition),
        leader_epoch: 1,
        config: LogConfig {
            segment_bytes: 64 << 10,
            ..LogConfig::default()
        },
    };
    (0..PARTITIONS).map(spec).collect()
}

pub(crate) fn options() -> ShardOptions {
    ShardOptions {
        index: 0,
        data_dir: PathBuf::from("/data"),
        disk_id: DISK_ID,
        generation: 1,
        journal_file_bytes: 64 << 10,
        journal_first_file_bytes: 64 << 10,
        journal_files_max: 4,
        tail_bytes_max: 1 << 20,
        read_chunks_max: 2,
        read_path: ReadPath::Direct,
        open_files_max: 8,
        bypass_bytes: 16 << 10,
        retention_check_ms: 300_000,
        producer_expiration_ms: 86_400_000,
        shards: 1,
        space_reserve_bytes: 0,
        scrub_bytes_per_second: 0,
        scrub_interval_ms: 0,
        compaction: CompactionOptions::default(),
    }
}

/// Reads what each partition says it has, until it is read or refused.
async fn serve(shard: &Rc<Shard>) {
    for partition in 0..PARTITIONS {
        let Ok(position) = shard.position(id(partition)) else {
            continue;
        };
        let (mut offset, end) = (position.log_start_offset, position.high_watermark);
        assert!(offset <= end, "{position:?}");
        for _ in 0..4 {
            if offset >= end {
                break;
            }
            let part = FetchPart::new(id(partition), offset, 64 << 10);
            let _answer = shard.fetch(&[part], part.max_bytes).await;
            offset += 1 + (end - offset) / 2;
        }
    }
    let _stopped = shard.stop().await;
}

/// Makes checksums of a copy right, of header and body; the second record links to the first.
fn mend(copy: &mut [u8]) {
    let (mut at, mut previous, mut sequence) = (0, 0, 0);
    while at + HEADER_BYTES <= copy.len() {
        let (header, body) = copy[at..].split_at_mut(HEADER_BYTES);
        if !header.starts_with(b"FLC\x01") {
            break;
        }
        let wanted = u32::from_le_bytes([header[68], header[69], header[70], header[71]]) as usize;
        let len = wanted.min(body.len());
        header[4..6].copy_from_slice(&1_u16.to_le_bytes());
        header[6..8].copy_from_slice(&u16::from(at == 0).to_le_bytes());
        header[8..24].copy_from_slice(&DISK_ID.to_le_bytes());
        header[24..28].fill(0);
        if at > 0 {
            header[28..32].copy_from_slice(&u32::to_le_bytes(previous));
            header[32..40].copy_from_slice(&u64::to_le_bytes(sequence + 1));
        }
        header[68..76].copy_from_slice(&(len as u64).to_le_bytes());
        header[76..80].copy_from_slice(&crc32c(&body[..len]).to_le_bytes());
        previous = crc32c(&header[..80]);
        sequence = u64::from(header[32]);
        header[80..84].copy_from_slice(&previous.to_le_bytes());
        at += (HEADER_BYTES + len).next_multiple_of(BLOCK_BYTES);
    }
}
