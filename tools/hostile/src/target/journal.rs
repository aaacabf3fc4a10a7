//! A journal's directory: frames of several files, linked or not, and what recovery makes of them.

use std::path::PathBuf;

use engine_log::entry;
use engine_rt::BLOCK_BYTES;
use engine_wal::{
    FRAME_BYTES_MAX, FrameHeader, HEADER_BYTES, JournalOptions, Position, Recovered, recover,
};
use net_wire::batch::crc32c;

use super::disk::{blocks, on_a_machine, write};
use crate::input::Input;

const FILES: usize = 3;
const CRC_AT: usize = 64;
pub(super) const DISK_ID: u128 = 5;

/// Flags, then two parts of frames, then the frames of the last file.
pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.u8();
    let images = images(flags, 0, &mut input);
    on_a_machine(move || async move {
        let options = options();
        for (number, image) in images.iter().enumerate() {
            let name = format!("{:06}.journal", number + 1);
            write(&options.dir.join(name), image).await;
        }
        let first = read(&options, Position::START).await;
        if let Some((end, frames)) = first {
            // Nothing was changed by looking.
            assert_eq!(read(&options, Position::START).await, Some((end, frames)));
        }
        let mut told = 0;
        let sink = &mut |_| told += 1;
        let dumped = tools_dump::journal::dump(&options.dir, sink).await;
        assert!(dumped.is_err() || told > 0, "a dump tells something");
    });
}

/// The files of a journal. Flag 1: checksums stay as they are; flag 2: links stay as they are.
pub(super) fn images(flags: u8, journal_id: u32, input: &mut Input<'_>) -> Vec<Vec<u8>> {
    let mut images = Vec::new();
    for _ in 1..FILES {
        images.push(blocks(&mut Input::new(input.part())));
    }
    images.push(blocks(input));
    let mut last = Position::START;
    for (index, image) in images.iter_mut().enumerate() {
        if flags & 1 == 0 {
            let generation = index as u64 + 1;
            mend(
                image,
                (flags & 2 == 0).then_some((generation, journal_id)),
                &mut last,
            );
        }
    }
    images
}

fn options() -> JournalOptions {
    JournalOptions {
        dir: PathBuf::from("/data/journal"),
        disk_id: DISK_ID,
        journal_id: 0,
        file_bytes: 64 << 10,
        first_file_bytes: 64 << 10,
        files_max: FILES,
    }
}

async fn read(options: &JournalOptions, from: Position) -> Option<(Position, u64)> {
    let mut frames = 0_u64;
    let mut sequence = from.sequence;
    let visit = |frame: &engine_wal::Frame| {
        assert_eq!(frame.sequence, sequence, "frames come without gaps");
        sequence += 1;
        frames += 1;
        for found in frame.entries() {
            drop(entry::decode(found.kind.0, &found.payload));
        }
    };
    let Recovered {
        end, flushed_mark, ..
    } = recover(options, from, visit).await.ok()?;
    assert_eq!(end.sequence, sequence, "the end is behind the last frame");
    assert!(flushed_mark < end.sequence, "what is certified was reached");
    assert!(end.is_possible(), "a next life can begin there");
    Some((end, frames))
}

/// Makes checksums right; with a generation, also what a frame says of its place. Flags, marks,
/// entries and lengths are the fuzzer's.
fn mend(image: &mut [u8], place: Option<(u64, u32)>, last: &mut Position) {
    let mut at = 0;
    while at + HEADER_BYTES <= image.len() {
        let (header, body) = image[at..].split_at_mut(HEADER_BYTES);
        if !header.starts_with(b"FLJ\x01") {
            at += BLOCK_BYTES;
            continue;
        }
        let wanted = u32::from_le_bytes([header[60], header[61], header[62], header[63]]) as usize;
        let len = wanted.min(body.len()).min(FRAME_BYTES_MAX - HEADER_BYTES);
        if let Some((generation, journal_id)) = place {
            let flushed = u64::from(header[48]).min(last.sequence);
            let placed = FrameHeader {
                disk_id: DISK_ID,
                journal_id,
                entries: 0,
                generation,
                sequence: last.sequence,
                flushed_mark: last.sequence.saturating_sub(flushed),
                prev_generation: last.generation,
                prev_crc: last.prev_crc,
                body_bytes: len as u32,
                life_start: header[68] & 1 != 0,
                crc: 0,
            };
            last.prev_crc = placed.encode(header, &body[..len]);
            last.generation = generation;
            last.sequence += 1;
        } else {
            header[CRC_AT..CRC_AT + 4].fill(0);
            let crc = crc32c(&[&*header, &body[..len]].concat());
            header[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        }
        at += (HEADER_BYTES + len).next_multiple_of(BLOCK_BYTES);
    }
}
