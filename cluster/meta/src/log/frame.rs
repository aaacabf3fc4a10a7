//! One frame: how it is written, and whether bytes are one.

use crc_fast::{CrcAlgorithm, checksum};

use crate::record::{Record, encode_records};

/// Unit of direct writes; every frame begins at a multiple of it.
pub const BLOCK_BYTES: usize = 4096;

/// Largest frame. A snapshot of a million partitions takes a tenth of it.
pub const FRAME_BYTES_MAX: usize = 256 << 20;

/// Version of the frame. A later one keeps the header's layout up to its CRC.
const FORMAT: u16 = 1;
const MAGIC: [u8; 4] = *b"FMET";
const HEADER_BYTES: usize = 36;
const HEADER_CRC_AT: usize = 32;

/// What a frame's records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
enum Kind {
    /// The whole state; the first frame of a file.
    Snapshot = 1,
    /// One change.
    Change = 2,
}

/// Where the next frame goes and what it must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Generation of the file.
    pub generation: u32,
    /// Byte position in the file.
    pub offset: u64,
    /// Sequence of the next frame.
    pub sequence: u64,
    /// Header CRC of the last frame; zero before the first.
    pub crc: u32,
}

impl Tail {
    /// The place of the very first frame.
    pub const START: Self = Self {
        generation: 1,
        offset: 0,
        sequence: 1,
        crc: 0,
    };

    /// The place of the next generation's snapshot.
    #[must_use]
    pub fn next_generation(&self) -> Self {
        Self {
            generation: self.generation + 1,
            offset: 0,
            sequence: self.sequence,
            crc: 0,
        }
    }

    fn kind(&self) -> Kind {
        if self.offset == 0 {
            Kind::Snapshot
        } else {
            Kind::Change
        }
    }
}

/// The bytes of the next frame, padded to whole blocks, and the place behind it.
///
/// At the start of a file the records must be those of [`crate::State::snapshot`].
///
/// # Panics
///
/// When the records exceed [`FRAME_BYTES_MAX`], which commands do not allow to happen.
pub fn encode_frame(tail: Tail, records: &[Record]) -> (Vec<u8>, Tail) {
    frame_of(tail, &encode_records(records))
}

/// A frame around encoded records.
pub(super) fn frame_of(tail: Tail, payload: &[u8]) -> (Vec<u8>, Tail) {
    let used = HEADER_BYTES + payload.len();
    assert!(used <= FRAME_BYTES_MAX, "frames are bounded");
    let mut bytes = Vec::with_capacity(used.next_multiple_of(BLOCK_BYTES));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&(tail.kind() as u16).to_le_bytes());
    bytes.extend_from_slice(&tail.generation.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&tail.sequence.to_le_bytes());
    bytes.extend_from_slice(&tail.crc.to_le_bytes());
    bytes.extend_from_slice(&crc32c(payload).to_le_bytes());
    let crc = crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(used.next_multiple_of(BLOCK_BYTES), 0);
    let offset = tail.offset + bytes.len() as u64;
    (
        bytes,
        Tail {
            offset,
            sequence: tail.sequence + 1,
            crc,
            ..tail
        },
    )
}

fn crc32c(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// A header whose CRC holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    format: u16,
    kind: u16,
    pub(super) generation: u32,
    payload_bytes: u32,
    pub(super) sequence: u64,
    previous_crc: u32,
    payload_crc: u32,
    crc: u32,
}

impl Header {
    /// The header at this place, if the bytes there are one.
    pub(super) fn at(file: &[u8], offset: u64) -> Option<Self> {
        let bytes = file
            .get(usize::try_from(offset).ok()?..)?
            .first_chunk::<HEADER_BYTES>()?;
        let crc = u32_at(bytes, HEADER_CRC_AT);
        let covered = bytes.split_at(HEADER_CRC_AT).0;
        if !bytes.starts_with(&MAGIC) || crc32c(covered) != crc {
            return None;
        }
        Some(Self {
            format: u16_at(bytes, 4),
            kind: u16_at(bytes, 6),
            generation: u32_at(bytes, 8),
            payload_bytes: u32_at(bytes, 12),
            sequence: u64::from(u32_at(bytes, 16)) | u64::from(u32_at(bytes, 20)) << 32,
            previous_crc: u32_at(bytes, 24),
            payload_crc: u32_at(bytes, 28),
            crc,
        })
    }

    fn continues(&self, tail: &Tail) -> bool {
        // The next frame counts on from it, and the next generation.
        let countable = self.sequence < u64::MAX && self.generation < u32::MAX;
        countable
            && self.kind == tail.kind() as u16
            && self.generation == tail.generation
            && self.sequence == tail.sequence
            && self.previous_crc == tail.crc
    }
}

fn u16_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u16 {
    let [low, high] = [bytes[at], bytes[at + 1]];
    u16::from_le_bytes([low, high])
}

fn u32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// What stands at the place of a chain's next frame.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// The next frame.
    Valid {
        /// Its records' bytes.
        payload: &'a [u8],
        /// The place behind it.
        next: Tail,
    },
    /// A frame of a format this binary does not know.
    Newer(u16),
    /// Nothing: the file ends, or zeros.
    Absent,
    /// Bytes that are not the next frame.
    Bad,
}

/// Looks for the chain's next frame.
pub(super) fn place<'a>(file: &'a [u8], tail: &Tail) -> Place<'a> {
    let rest = usize::try_from(tail.offset)
        .ok()
        .and_then(|at| file.get(at..))
        .unwrap_or_default();
    let Some(header) = Header::at(file, tail.offset) else {
        let block = rest.get(..BLOCK_BYTES).unwrap_or(rest);
        let zeros = block.iter().all(|byte| *byte == 0);
        return if zeros { Place::Absent } else { Place::Bad };
    };
    if header.format > FORMAT {
        return Place::Newer(header.format);
    }
    let payload_bytes = header.payload_bytes as usize;
    let payload = rest
        .get(HEADER_BYTES..)
        .and_then(|behind| behind.get(..payload_bytes));
    match payload {
        Some(payload) if header.continues(tail) && crc32c(payload) == header.payload_crc => {
            let used = HEADER_BYTES + payload_bytes;
            let offset = tail.offset + used.next_multiple_of(BLOCK_BYTES) as u64;
            let next = Tail {
                offset,
                sequence: tail.sequence + 1,
                crc: header.crc,
                ..*tail
            };
            Place::Valid { payload, next }
        },
        _ => Place::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_fills_whole_blocks_and_reads_back() {
        let record = Record::UncleanStart { total: 1 };
        for count in [1, 300, 1000] {
            let records = vec![record.clone(); count];
            let (bytes, next) = encode_frame(Tail::START, &records);
            assert_eq!(bytes.len() % BLOCK_BYTES, 0);
            assert_eq!(next.offset, bytes.len() as u64);
            match place(&bytes, &Tail::START) {
                Place::Valid {
                    payload,
                    next: found,
                } => {
                    assert_eq!(found, next);
                    assert_eq!(crate::record::decode_records(payload).unwrap(), records);
                },
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn every_flipped_bit_of_the_used_bytes_is_seen() {
        let (bytes, _) = encode_frame(Tail::START, &[Record::ProducerIdBlock { next: 1000 }]);
        for bit in 0..(HEADER_BYTES + 14) * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(place(&flipped, &Tail::START), Place::Bad),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn numbers_that_nothing_can_follow_are_bad() {
        let tail = |generation, sequence| Tail {
            generation,
            sequence,
            ..Tail::START
        };
        for (there, wanted) in [
            (tail(u32::MAX, 1), tail(u32::MAX, 1)),
            (tail(1, u64::MAX - 1), tail(1, u64::MAX)),
        ] {
            let (mut bytes, _) = encode_frame(there, &[]);
            bytes[16..24].copy_from_slice(&wanted.sequence.to_le_bytes());
            let crc = crc32c(&bytes[..HEADER_CRC_AT]);
            bytes[HEADER_CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
            assert!(matches!(place(&bytes, &wanted), Place::Bad), "{wanted:?}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let (mut bytes, _) = encode_frame(Tail::START, &[]);
        bytes[4] = 2;
        let crc = crc32c(&bytes[..HEADER_CRC_AT]);
        bytes[HEADER_CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(place(&bytes, &Tail::START), Place::Newer(2)));
    }
}
