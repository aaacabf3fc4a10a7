//! Journals of a simulated disk, damaged before they are read back.

use std::path::PathBuf;

use engine_rt::fs::{self, Durability, File, OpenOptions};
use engine_rt::{BLOCK_BYTES, Buf, sim};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::frame::{FrameHeader, HEADER_BYTES};
use crate::{JournalError, JournalOptions, Position, recover};

const FILE_BYTES: usize = 16 * BLOCK_BYTES;

fn options() -> JournalOptions {
    JournalOptions {
        dir: PathBuf::from("journal"),
        disk_id: 5,
        journal_id: 2,
        file_bytes: FILE_BYTES as u64,
        first_file_bytes: FILE_BYTES as u64,
        files_max: 4,
    }
}

/// Files with frames one after the other, of these many body bytes; each certifies all but `lag`
/// frames before it. Gives the files and the place behind every frame.
fn journal(files: &[Vec<u16>], lag: u64) -> (Vec<Vec<u8>>, Vec<Position>) {
    let (mut images, mut places) = (Vec::new(), vec![Position::START]);
    for (number, frames) in files.iter().enumerate() {
        let mut image = Vec::new();
        for body_bytes in frames {
            let last = places[places.len() - 1];
            let generation = number as u64 + 1;
            let body = vec![0; usize::from(*body_bytes)];
            let header = FrameHeader {
                disk_id: 5,
                journal_id: 2,
                entries: 0,
                generation,
                sequence: last.sequence,
                flushed_mark: last.sequence.saturating_sub(lag),
                prev_generation: last.generation,
                prev_crc: last.prev_crc,
                body_bytes: body.len() as u32,
                life_start: last.sequence == 1,
                crc: 0,
            };
            let mut front = vec![0; HEADER_BYTES];
            let crc = header.encode(&mut front, &body);
            image.extend(front);
            image.extend(body);
            image.resize(image.len().next_multiple_of(BLOCK_BYTES), 0);
            places.push(Position {
                generation,
                pos: image.len() as u64,
                sequence: last.sequence + 1,
                prev_crc: crc,
            });
        }
        image.resize(FILE_BYTES, 0);
        images.push(image);
    }
    (images, places)
}

fn layout() -> impl Strategy<Value = Vec<Vec<u16>>> {
    vec(vec(0..6000_u16, 1..7), 1..4)
}

/// Where the journal ended and which frames were shown.
type Read = Result<(Position, Vec<(u64, u32)>), JournalError>;

fn read_back(images: Vec<Vec<u8>>, from: Position) -> Read {
    sim::run(1, move || async move {
        fs::create_dir_all(&options().dir)
            .await
            .expect("the disk works");
        for (number, image) in images.iter().enumerate() {
            let create = OpenOptions {
                create: true,
                ..OpenOptions::default()
            };
            let path = options().dir.join(format!("{}.journal", number + 1));
            let file = File::open(&path, create).await.expect("the disk works");
            let mut blocks = image.clone();
            blocks.resize(image.len().next_multiple_of(BLOCK_BYTES), 0);
            if !blocks.is_empty() {
                let written = file.write_at(0, Buf::copy_from_slice(&blocks), Durability::Durable);
                written.await.expect("the disk works");
            }
            file.set_len(image.len() as u64)
                .await
                .expect("the disk works");
        }
        let mut shown = Vec::new();
        let visit = |frame: &crate::Frame| shown.push((frame.sequence, frame.crc));
        let recovered = recover(&options(), from, visit).await?;
        Ok((recovered.end, shown))
    })
}

/// What those frames certify that are as they were.
fn flushed_mark(whole: &[Vec<u8>], now: &[Vec<u8>], places: &[Position], lag: u64) -> u64 {
    let begins = places.iter().zip(&places[1..]);
    let frames = begins.map(|(before, behind)| {
        let same_file = before.generation == behind.generation;
        (behind, if same_file { before.pos as usize } else { 0 })
    });
    let intact = frames.filter(|(behind, begin)| {
        let file = behind.generation as usize - 1;
        let range = *begin..behind.pos as usize;
        now[file].get(range.clone()) == whole[file].get(range)
    });
    intact
        .map(|(behind, _)| (behind.sequence - 1).saturating_sub(lag))
        .max()
        .unwrap_or(0)
}

/// The head of the newest file is one block: what it began was flushed all the same.
#[test]
fn frames_behind_a_damaged_first_frame_are_not_given_up() {
    let (mut images, places) = journal(&[vec![10, 10], vec![10, 10, 10]], 1);
    images[1][100 - HEADER_BYTES] ^= 1;
    let read = read_back(images.clone(), Position::START);
    assert!(
        matches!(
            read,
            Err(JournalError::Lost {
                flushed: 3,
                reached: 2,
                ..
            })
        ),
        "{read:?}"
    );
    // Without anything behind it, it is a frame that was being written.
    images[1].truncate(BLOCK_BYTES);
    let (end, _) = read_back(images, Position::START).expect("a torn tail");
    assert_eq!(end, places[2]);
}

/// The newest file leads back to the checkpoint's, but that one is not known any more by its own
/// beginning.
#[test]
fn a_checkpoints_file_that_is_damaged_at_its_beginning_is_missing() {
    let (mut images, places) = journal(&[vec![10, 10], vec![10, 10]], 1);
    assert!(read_back(images.clone(), places[1]).is_ok());
    images[0][100 - HEADER_BYTES] ^= 1;
    let read = read_back(images, places[1]);
    assert!(
        matches!(read, Err(JournalError::Missing { generation: 1, .. })),
        "{read:?}"
    );
}

proptest! {
    #[test]
    fn a_journal_reads_back_from_every_frame_on(files in layout(), from: Index) {
        let (images, places) = journal(&files, 1);
        let at = from.index(places.len());
        let (end, shown) = read_back(images, places[at]).expect("nothing is damaged");
        prop_assert_eq!(end, places[places.len() - 1]);
        let expected: Vec<_> =
            places[at..].iter().skip(1).map(|place| (place.sequence - 1, place.prev_crc)).collect();
        prop_assert_eq!(shown, expected);
    }

    /// What is shown is the begin of what was written, and all of it that is known to be flushed.
    #[test]
    fn a_damaged_journal_gives_its_begin_or_is_refused(
        files in layout(),
        lag in 1..4_u64,
        flips in vec(any::<Index>(), 0..=3),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let (whole, places) = journal(&files, lag);
        let mut images = whole.clone();
        for flip in &flips {
            let number = flip.index(images.len());
            let used = places.iter().rfind(|place| place.generation == number as u64 + 1);
            let used = used.map_or(FILE_BYTES, |place| place.pos as usize);
            let bit = flip.index(used * 8);
            images[number][bit / 8] ^= 1 << (bit % 8);
        }
        if let Some(cut) = cut {
            let number = cut.index(images.len());
            images[number].truncate(cut.index(FILE_BYTES));
        }
        let flushed = flushed_mark(&whole, &images, &places, lag);
        if let Ok((end, shown)) = read_back(images, Position::START) {
            prop_assert_eq!(end, places[shown.len()]);
            prop_assert!(shown.len() as u64 >= flushed, "frame {flushed} was flushed");
            let written = places.iter().skip(1).map(|place| (place.sequence - 1, place.prev_crc));
            prop_assert!(written.zip(&shown).all(|(written, shown)| written == *shown));
        }
    }

    /// A checkpoint may name any place, and with a right checksum too.
    #[test]
    fn no_possible_place_panics(
        files in layout(),
        generation in prop_oneof![0..5_u64, 0..=1_u64 << 62],
        block in prop_oneof![0..20_u64, 0..=(1_u64 << 62) / BLOCK_BYTES as u64],
        sequence in prop_oneof![1..12_u64, 1..=1_u64 << 62],
        linked: Index,
    ) {
        let (images, places) = journal(&files, 1);
        let from = Position {
            generation,
            pos: block * BLOCK_BYTES as u64,
            sequence,
            prev_crc: places[linked.index(places.len())].prev_crc,
        };
        prop_assert!(from.is_possible());
        let _ = read_back(images, from);
    }
}
