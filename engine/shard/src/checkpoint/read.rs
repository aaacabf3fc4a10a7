//! Reads a copy of the checkpoint: record by record, each checked before it counts.

use std::io;
use std::path::Path;

use engine_rt::BLOCK_BYTES;
use engine_rt::fs::{self, File, OpenOptions};
use engine_rt::mutant::{self, Mutant};

use super::{
    CHUNK_BYTES, CheckpointContents, CheckpointOwner, HEADER_BYTES, Place, Record, apply_changes,
    sequence_of,
};

/// Reads one copy: its full record and the changes that link to it. One that has nothing newer than
/// `known` is checked, and its states are left out: with many partitions they are much.
pub(super) async fn load_newer(
    path: &Path,
    copy: usize,
    owner: CheckpointOwner,
    known: Option<u64>,
) -> io::Result<Option<(Place, CheckpointContents)>> {
    if known.is_some() {
        let checked = load_copy(path, copy, owner, Bodies::Checked).await?;
        if sequence_of(checked.as_ref()) <= known {
            return Ok(checked);
        }
    }
    load_copy(path, copy, owner, Bodies::Kept).await
}

/// What becomes of the bodies of records.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Bodies {
    Kept,
    /// Only their checksums are of interest.
    Checked,
}

/// Reads one copy: a full record and the changes that link to it.
pub(crate) async fn load_copy(
    path: &Path,
    copy: usize,
    owner: CheckpointOwner,
    bodies: Bodies,
) -> io::Result<Option<(Place, CheckpointContents)>> {
    if !fs::exists(path).await? {
        return Ok(None);
    }
    let file = File::open(
        path,
        OpenOptions {
            read_only: true,
            ..OpenOptions::default()
        },
    )
    .await?;
    let len = file.len().await?;
    let mut place = Place {
        copy,
        ..Place::default()
    };
    let mut contents = CheckpointContents::default();
    while let Some((record, body)) = read_record(&file, place.end, len, owner, bodies).await? {
        let first = place.end == 0;
        let linked = record.prev_crc == place.crc && record.sequence == place.sequence + 1;
        if first != record.full || !(first || linked) {
            break;
        }
        if apply_changes(&body, &mut contents.states).is_none() {
            break;
        }
        contents.position = Some(record.position);
        place.end += (HEADER_BYTES as u64 + record.body_bytes).next_multiple_of(BLOCK_BYTES as u64);
        place.sequence = record.sequence;
        place.crc = record.crc;
        if first {
            place.full_bytes = place.end;
        }
    }
    Ok(contents.position.is_some().then_some((place, contents)))
}

/// The record at `at` and its body, which is empty unless it is kept; none if it is not whole.
pub(crate) async fn read_record(
    file: &File,
    at: u64,
    len: u64,
    owner: CheckpointOwner,
    bodies: Bodies,
) -> io::Result<Option<(Record, Vec<u8>)>> {
    if at + BLOCK_BYTES as u64 > len {
        return Ok(None);
    }
    let first = file.read_at(at, BLOCK_BYTES).await?;
    let Some(record) = Record::decode(&first, owner) else {
        return Ok(None);
    };
    if at + HEADER_BYTES as u64 + record.body_bytes > len {
        return Ok(None);
    }
    // Memory that is touched for the first time costs more than all else here: none of it twice.
    let mut body = match bodies {
        Bodies::Kept => Vec::with_capacity(record.body_bytes as usize),
        Bodies::Checked => Vec::new(),
    };
    let mut crc = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    let (mut part, mut read) = (first.slice(HEADER_BYTES..), 0);
    loop {
        let bytes = &part[..part.len().min((record.body_bytes - read) as usize)];
        crc.update(bytes);
        if bodies == Bodies::Kept {
            body.extend_from_slice(bytes);
        }
        read += bytes.len() as u64;
        let left = record.body_bytes - read;
        if left == 0 {
            break;
        }
        let blocks = (left as usize).next_multiple_of(BLOCK_BYTES);
        let pos = at + HEADER_BYTES as u64 + read;
        part = file.read_at(pos, blocks.min(CHUNK_BYTES)).await?;
        if part.is_empty() {
            return Ok(None);
        }
    }
    let good =
        crc.finalize() as u32 == record.body_crc || mutant::is_active(Mutant::CheckpointUnchecked);
    Ok(good.then_some((record, body)))
}
