use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn frame_of(payloads: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for payload in payloads {
        let mut entry = vec![0xAA; entry_bytes(payload.len())];
        let range = encode_entry(&mut entry, EntryKind(20), payload.len());
        entry[range].copy_from_slice(payload);
        body.extend_from_slice(&entry);
    }
    let header = FrameHeader {
        disk_id: 7,
        journal_id: 3,
        entries: payloads.len() as u32,
        generation: 5,
        sequence: 11,
        flushed_mark: 9,
        prev_generation: 4,
        prev_crc: 77,
        life_start: true,
        body_bytes: body.len() as u32,
        crc: 0,
    };
    let mut bytes = vec![0; HEADER_BYTES];
    header.encode(&mut bytes, &body);
    bytes.extend_from_slice(&body);
    bytes.resize(header.frame_bytes(), 0);
    bytes
}

fn decode(bytes: &[u8]) -> Result<Frame, FrameError> {
    let header = FrameHeader::decode(bytes, 7, 3)?;
    Frame::decode(&header, &Buf::copy_from_slice(bytes))
}

#[test]
fn entries_come_back_in_order() {
    let frame = decode(&frame_of(&[b"one", b"", b"twelve bytes"])).unwrap();
    let payloads: Vec<_> = frame
        .entries()
        .map(|entry| entry.payload.to_vec())
        .collect();
    assert_eq!(
        payloads,
        [b"one".to_vec(), Vec::new(), b"twelve bytes".to_vec()]
    );
    assert_eq!(
        (frame.generation, frame.sequence, frame.flushed_mark),
        (5, 11, 9)
    );
}

#[test]
fn every_flipped_bit_of_header_and_body_is_noticed() {
    let good = frame_of(&[b"payload"]);
    for at in 0..HEADER_BYTES + entry_bytes(7) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert!(decode(&bad).is_err(), "flip at byte {at} went unnoticed");
    }
}

#[test]
fn another_disk_or_journal_is_foreign() {
    let bytes = frame_of(&[b"x"]);
    assert_eq!(
        FrameHeader::decode(&bytes, 8, 3).unwrap_err(),
        FrameError::Foreign
    );
    assert_eq!(
        FrameHeader::decode(&bytes, 7, 4).unwrap_err(),
        FrameError::Foreign
    );
    assert_eq!(
        FrameHeader::decode(&[0; 4096], 7, 3).unwrap_err(),
        FrameError::Missing
    );
}

fn numbers() -> impl Strategy<Value = FrameHeader> {
    let counts = (0..=NUMBER_MAX, 0..=NUMBER_MAX, any::<u64>(), any::<u64>());
    let rest = any::<(u128, u32, u32, u32, bool)>();
    (counts, rest).prop_map(|(counts, rest)| {
        let (generation, sequence, flushed_mark, prev_generation) = counts;
        let (disk_id, journal_id, entries, prev_crc, life_start) = rest;
        FrameHeader {
            disk_id,
            journal_id,
            entries,
            generation,
            sequence,
            flushed_mark,
            prev_generation,
            prev_crc,
            body_bytes: 0,
            life_start,
            crc: 0,
        }
    })
}

/// Kinds and payloads.
type Entries = Vec<(u8, Vec<u8>)>;

fn entries() -> impl Strategy<Value = Entries> {
    vec((any::<u8>(), vec(any::<u8>(), 0..80)), 0..12)
}

/// A frame around this body, its header completed.
fn sealed(header: &mut FrameHeader, body: &[u8]) -> Vec<u8> {
    header.body_bytes = body.len() as u32;
    let mut bytes = vec![0; HEADER_BYTES];
    header.crc = header.encode(&mut bytes, body);
    bytes.extend_from_slice(body);
    bytes.resize(header.frame_bytes(), 0);
    bytes
}

fn body_of(entries: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, payload) in entries {
        let mut entry = vec![0xAA; entry_bytes(payload.len())];
        let range = encode_entry(&mut entry, EntryKind(*kind), payload.len());
        entry[range].copy_from_slice(payload);
        body.extend(entry);
    }
    body
}

/// Header and entries, if the bytes are a frame of `of`'s journal.
fn read(bytes: &[u8], of: &FrameHeader) -> Option<(FrameHeader, Entries)> {
    let header = FrameHeader::decode(bytes, of.disk_id, of.journal_id).ok()?;
    let frame = Frame::decode(&header, &Buf::copy_from_slice(bytes)).ok()?;
    let entries = frame.entries();
    let entries = entries.map(|entry| (entry.kind.0, entry.payload.to_vec()));
    Some((header, entries.collect()))
}

#[test]
fn numbers_that_leave_no_room_behind_them_are_refused() {
    for (generation, sequence) in [
        (NUMBER_MAX + 1, 1),
        (1, NUMBER_MAX + 1),
        (u64::MAX, u64::MAX),
    ] {
        let mut header = FrameHeader::decode(&frame_of(&[b"x"]), 7, 3).unwrap();
        (header.generation, header.sequence) = (generation, sequence);
        let bytes = sealed(&mut header, &[]);
        assert_eq!(decode(&bytes).unwrap_err(), FrameError::Number);
    }
}

proptest! {
    #[test]
    fn frames_read_back(mut header in numbers(), entries in entries()) {
        let bytes = sealed(&mut header, &body_of(&entries));
        prop_assert_eq!(bytes.len() % BLOCK_BYTES, 0);
        prop_assert_eq!(read(&bytes, &header), Some((header, entries)));
    }

    #[test]
    fn flipped_bits_are_noticed(
        mut header in numbers(),
        entries in entries(),
        flips in vec(any::<Index>(), 1..=3),
    ) {
        let body = body_of(&entries);
        let mut bytes = sealed(&mut header, &body);
        for flip in flips {
            let bit = flip.index((HEADER_BYTES + body.len()) * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        // Two flips of one bit are none.
        prop_assert!(read(&bytes, &header).is_none_or(|read| read == (header, entries)));
    }

    #[test]
    fn a_frame_that_is_cut_short_is_refused(mut header in numbers(), entries in entries(), at: Index) {
        let body = body_of(&entries);
        let bytes = sealed(&mut header, &body);
        let at = at.index(HEADER_BYTES + body.len());
        prop_assert_eq!(read(&bytes[..at], &header), None);
    }

    /// A right checksum makes nothing true: entries are slices of the body, and they end.
    #[test]
    fn hostile_bodies_end(
        mut header in numbers(),
        body in vec(prop_oneof![3 => Just(0), 1 => any::<u8>()], 0..300),
        lengths in vec((any::<Index>(), any::<u32>()), 0..4),
    ) {
        let mut body = body;
        for (at, len) in lengths {
            let at = at.index(body.len() / 4 + 1) * 4;
            if let Some(place) = body.get_mut(at..at + 4) {
                place.copy_from_slice(&len.to_le_bytes());
            }
        }
        let bytes = sealed(&mut header, &body);
        let (_, entries) = read(&bytes, &header).expect("the checksum is right");
        prop_assert!(entries.len() <= body.len() / ENTRY_HEADER_BYTES);
        let payloads: usize = entries.iter().map(|(_, payload)| payload.len()).sum();
        prop_assert!(payloads <= body.len());
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200), like_a_frame: bool, header in numbers()) {
        let mut bytes = bytes;
        if like_a_frame && bytes.len() >= HEADER_BYTES {
            let mut front = vec![0; HEADER_BYTES];
            header.encode(&mut front, &[]);
            bytes[..28].copy_from_slice(&front[..28]);
        }
        if let Ok(found) = FrameHeader::decode(&bytes, header.disk_id, header.journal_id) {
            prop_assert!(found.frame_bytes() <= FRAME_BYTES_MAX);
            prop_assert!(Frame::decode(&found, &Buf::copy_from_slice(&bytes)).is_err());
        }
    }
}
