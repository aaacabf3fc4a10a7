//! Header, index blocks and footer under arbitrary values and bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::footer::Footer;
use super::index::ChunkSummary;
use super::layout::{
    BLOCK, Range, SegmentHeader, SegmentName, decode_index_block, encode_index_block,
};
use crate::arbitrary::{damage, epochs, id};
use crate::bytes::crc32c;
use crate::producer::tests::states;

const BLOCK_BYTES: usize = BLOCK as usize;
const HEADER_BYTES: usize = 56;
const INDEX_HEAD_BYTES: usize = 12;

fn header() -> impl Strategy<Value = SegmentHeader> {
    let cleaning = prop_oneof![Just(0), any::<u32>()];
    let name = (any::<i64>(), cleaning).prop_map(|(base_offset, cleaning)| SegmentName {
        base_offset,
        cleaning,
    });
    (any::<u128>(), id(), name).prop_map(|(disk_id, id, name)| SegmentHeader { disk_id, id, name })
}

/// Ranges as an index has them, back to back behind `base`.
fn ranges(base: i64) -> impl Strategy<Value = Vec<Range>> {
    let range = (1..10_000_i64, 0..20_000_000_u32, any::<i64>(), any::<u32>());
    (any::<u32>(), vec(range, 0..145)).prop_map(move |(first, parts)| {
        let (mut first_offset, mut pos) = (base, u64::from(first / 8));
        let mut ranges = Vec::new();
        for (records, bytes, max_timestamp, crc) in parts {
            ranges.push(Range {
                first_offset,
                pos,
                bytes,
                max_timestamp,
                crc,
            });
            first_offset += records;
            pos += u64::from(bytes);
        }
        // Positions are four bytes long.
        ranges.retain(|range| u32::try_from(range.end()).is_ok());
        ranges
    })
}

fn based_ranges() -> impl Strategy<Value = (i64, Vec<Range>)> {
    let bases = prop_oneof![Just(0), 0..1_i64 << 60];
    bases.prop_flat_map(|base| (Just(base), ranges(base)))
}

fn footer() -> impl Strategy<Value = Footer> {
    let chunk = (any::<u32>(), any::<i64>(), any::<u64>(), any::<i64>()).prop_map(
        |(chunk, first_offset, pos, max_timestamp)| ChunkSummary {
            chunk: u64::from(chunk),
            first_offset,
            pos,
            max_timestamp,
        },
    );
    let chunks = prop_oneof![vec(chunk.clone(), 0..8), vec(chunk, 140..300)];
    let numbers = any::<(i64, i64, u64, i64, i64)>();
    (numbers, epochs(), states(), chunks).prop_map(|(numbers, epochs, producers, chunks)| {
        let (base_offset, next_offset, bytes, max_timestamp, max_timestamp_offset) = numbers;
        Footer {
            base_offset,
            next_offset,
            bytes,
            max_timestamp,
            max_timestamp_offset,
            epochs,
            producers,
            chunks,
        }
    })
}

/// A footer's blocks around these fields, with the checksum that they have.
fn sealed_footer(fields: &[u8]) -> Vec<u8> {
    let mut blocks = fields.to_vec();
    blocks.resize((fields.len() + 16).next_multiple_of(BLOCK_BYTES) - 16, 0);
    blocks.extend((fields.len() as u32).to_le_bytes());
    blocks.extend(crc32c(fields).to_le_bytes());
    blocks.extend([0; 4]);
    blocks.extend(b"FLF\x01");
    blocks
}

/// An index block around these entries, with the checksum that they have.
fn sealed_index_block(count: u32, covered: &[u8]) -> Vec<u8> {
    let len = covered.len().min(4 + count as usize * 28);
    let mut block = b"FLI\x01".to_vec();
    block.extend(count.to_le_bytes());
    block.extend(crc32c(&covered[..len]).to_le_bytes());
    block.extend(covered);
    block
}

#[test]
fn an_index_block_of_offsets_behind_the_last_one_is_refused() {
    let range = Range {
        first_offset: 10,
        pos: 0,
        bytes: 1,
        max_timestamp: 0,
        crc: 0,
    };
    let mut block = [0; BLOCK_BYTES];
    encode_index_block(0, 0, &[range], &mut block);
    assert!(decode_index_block(0, i64::MAX - 10, &block).is_some());
    assert_eq!(decode_index_block(0, i64::MAX - 9, &block), None);
}

#[test]
fn ranges_that_do_not_stand_back_to_back_are_refused() {
    let range = |first_offset, pos| Range {
        first_offset,
        pos,
        bytes: 8192,
        max_timestamp: 0,
        crc: 0,
    };
    let read = |second| {
        let mut block = [0; BLOCK_BYTES];
        encode_index_block(0, 0, &[range(5, 0), second], &mut block);
        decode_index_block(0, 0, &block).is_some()
    };
    assert!(read(range(6, 8192)));
    // A reader would take a range of some gigabytes for the way to it.
    assert!(!read(range(6, 3 << 30)));
    assert!(!read(range(6, 0)));
    assert!(!read(range(5, 8192)));
}

proptest! {
    #[test]
    fn headers_read_back(header in header(), damage in damage()) {
        let mut block = [0xAA; BLOCK_BYTES];
        header.encode(&mut block);
        prop_assert_eq!(SegmentHeader::decode(&block), Some(header));
        let read = SegmentHeader::decode(&damage.of(&block, HEADER_BYTES));
        prop_assert!(read.is_none_or(|read| read == header));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = SegmentHeader::decode(&bytes);
        let _ = decode_index_block(0, 0, &bytes);
        let _ = Footer::blocks_bytes(&bytes);
        let _ = Footer::decode(&bytes);
        let _ = crate::header::StoredHeader::decode(&bytes);
    }

    #[test]
    fn index_blocks_read_back((base, ranges) in based_ranges(), chunk: u32, damage in damage()) {
        let chunk = u64::from(chunk);
        let mut block = [0xAA; BLOCK_BYTES];
        encode_index_block(chunk, base, &ranges, &mut block);
        prop_assert_eq!(decode_index_block(chunk, base, &block), Some(ranges.clone()));
        let used = INDEX_HEAD_BYTES + 4 + ranges.len() * 28;
        let read = decode_index_block(chunk, base, &damage.of(&block, used));
        prop_assert!(read.is_none_or(|read| read == ranges));
    }

    /// A right checksum makes nothing true: what is read is in order and within its bytes.
    #[test]
    fn hostile_index_blocks_stay_within_bounds(
        base: i64,
        count in 0..8_u32,
        entries in vec(prop_oneof![Just(0), Just(0xff), any::<u8>()], 0..200),
    ) {
        let covered = [&[0; 4][..], &entries].concat();
        let block = sealed_index_block(count, &covered);
        if let Some(ranges) = decode_index_block(0, base, &block) {
            prop_assert_eq!(ranges.len(), count as usize);
            prop_assert!(ranges.capacity() <= block.len() / 28);
            prop_assert!(ranges.is_sorted_by_key(|range| range.first_offset));
        }
    }

    #[test]
    fn footers_read_back(footer in footer(), damage in damage(), in_trailer: bool) {
        let blocks = footer.encode();
        let last = &blocks[blocks.len() - BLOCK_BYTES..];
        prop_assert_eq!(Footer::blocks_bytes(last), Some(blocks.len() as u64));
        prop_assert_eq!(Footer::decode(&blocks), Some(footer.clone()));
        let damaged = if in_trailer {
            let turned: Vec<u8> = blocks.iter().rev().copied().collect();
            damage.of(&turned, 16).into_iter().rev().collect()
        } else {
            damage.of(&blocks, blocks.len())
        };
        let at = damaged.len().saturating_sub(BLOCK_BYTES);
        let bytes = Footer::blocks_bytes(&damaged[at..]);
        prop_assert!(bytes.is_none_or(|bytes| bytes <= (1 << 32) + BLOCK));
        prop_assert!(Footer::decode(&damaged).is_none_or(|read| read == footer));
    }

    #[test]
    fn hostile_footers_stay_within_bounds(
        footer in footer(),
        damage in damage(),
        bytes in vec(any::<u8>(), 0..100),
    ) {
        let _ = Footer::decode(&sealed_footer(&bytes));
        let blocks = footer.encode();
        let at = blocks.len() - 16;
        let used = u32::from_le_bytes(blocks[at..at + 4].try_into().expect("four bytes")) as usize;
        let fields = damage.of(&blocks[..used], used);
        if let Some(read) = Footer::decode(&sealed_footer(&fields)) {
            prop_assert!(read.chunks.capacity() <= used / 28);
            prop_assert!(read.encode().len() <= blocks.len());
        }
    }
}
