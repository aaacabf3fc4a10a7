//! The bytes of a frame: one group of entries, written in one direct write.
//!
//! ```text
//!  0        4    6    8               24      28      32            40
//! +--------+----+----+---------------+-------+-------+-------------+
//! | magic  |ver |hlen| disk id       |journal|entries| generation  |
//! +--------+----+----+---------------+-------+-------+-------------+
//! 40             48             56       60       64      68       72
//! +--------------+--------------+--------+--------+-------+--------+
//! | sequence     | flushed mark |prev crc|body len| crc   | flags  |
//! +--------------+--------------+--------+--------+-------+--------+
//! 72               80                                 next 4 KiB
//! +---------------+------+---+-----+---------+------+-...+---------+
//! |prev generation| kind | 0 | len | payload | kind |    | zeros   |
//! +---------------+------+---+-----+---------+------+-...+---------+
//!                  1      3   4     len, padded to 8
//! ```
//!
//! A frame links to the one before by that frame's file generation and checksum; the first frame
//! of a file and the first frame of a life (flag 1) thereby name where the log went on.
//!
//! All integers are little-endian. The checksum is CRC-32C of header (its own field zero) and body.
//! A frame starts and ends on a 4 KiB boundary, so that it is never rewritten by a later one.

use engine_rt::{BLOCK_BYTES, Buf};
use thiserror::Error;

/// Bytes before the first entry.
pub const HEADER_BYTES: usize = 80;
/// Largest frame, header and padding included.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

const MAGIC: u32 = u32::from_le_bytes(*b"FLJ\x01");
const FORMAT_VERSION: u16 = 1;
const ENTRY_HEADER_BYTES: usize = 8;
const CRC_AT: usize = 64;
const FLAG_LIFE_START: u32 = 1;
/// No journal counts so far, and what is added to a number or a position stays one.
pub(crate) const NUMBER_MAX: u64 = 1 << 62;

/// Identifies the disk (data directory) that a file belongs to.
pub type DiskId = u128;

/// What an entry is. The journal keeps 0 to 15 for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryKind(pub u8);

impl EntryKind {
    /// Certifies the frames before it as flushed; nothing else.
    pub const MARK: Self = Self(2);
    /// The first kind that users of the journal may define.
    pub const FIRST_USER: u8 = 16;
}

/// Why bytes are not the frame that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Not a frame at all.
    #[error("no frame here")]
    Missing,
    /// A frame of a newer format.
    #[error("format version {0} is newer than this program")]
    Version(u16),
    /// A frame of another data directory or journal.
    #[error("frame of another disk or journal")]
    Foreign,
    /// The length field does not fit.
    #[error("impossible length")]
    Length,
    /// A number that no journal gets to.
    #[error("impossible number")]
    Number,
    /// The checksum does not match: torn or altered.
    #[error("checksum mismatch")]
    Checksum,
}

/// What a frame header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameHeader {
    /// The data directory.
    pub disk_id: DiskId,
    /// The journal, one of several in the directory.
    pub journal_id: u32,
    /// Number of entries.
    pub entries: u32,
    /// Generation of the file that the frame is written to.
    pub generation: u64,
    /// Number of the frame in its journal, dense.
    pub sequence: u64,
    /// Every frame up to this one was flushed, with its extents, when this frame was sealed.
    pub flushed_mark: u64,
    /// Generation of the file that holds the previous frame.
    pub prev_generation: u64,
    /// Checksum of the previous frame.
    pub prev_crc: u32,
    /// Bytes of the entries.
    pub body_bytes: u32,
    /// Whether a new life of the journal begins here.
    pub life_start: bool,
    /// Checksum of this frame; when it is encoded, it is computed.
    pub crc: u32,
}

/// A frame read back and checked.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Generation of the file that the frame was written to.
    pub generation: u64,
    /// Number of the frame in its journal, dense.
    pub sequence: u64,
    /// Every frame up to this one was flushed, with its extents, when this frame was sealed.
    pub flushed_mark: u64,
    /// Generation of the file that holds the previous frame.
    pub prev_generation: u64,
    /// Checksum of the previous frame.
    pub prev_crc: u32,
    /// Whether a new life of the journal begins here.
    pub life_start: bool,
    /// Checksum of this frame.
    pub crc: u32,
    body: Buf,
}

/// One entry of a frame.
#[derive(Clone, Debug)]
pub struct FrameEntry {
    /// What the payload is.
    pub kind: EntryKind,
    /// The payload, a slice of the frame.
    pub payload: Buf,
}

/// Bytes that an entry with `payload_bytes` takes in a frame.
pub(crate) const fn entry_bytes(payload_bytes: usize) -> usize {
    ENTRY_HEADER_BYTES + payload_bytes.next_multiple_of(8)
}

/// Writes an entry's header into `into` and gives the payload's range.
pub(crate) fn encode_entry(
    into: &mut [u8],
    kind: EntryKind,
    payload_bytes: usize,
) -> std::ops::Range<usize> {
    into[0] = kind.0;
    into[1..4].fill(0);
    into[4..8].copy_from_slice(&(payload_bytes as u32).to_le_bytes());
    let end = ENTRY_HEADER_BYTES + payload_bytes;
    into[end..].fill(0);
    ENTRY_HEADER_BYTES..end
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

impl FrameHeader {
    /// Writes the header into its 80 bytes, with the checksum over it and `body`; returns the
    /// checksum.
    pub fn encode(&self, into: &mut [u8], body: &[u8]) -> u32 {
        into[..HEADER_BYTES].fill(0);
        into[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        into[4..6].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        into[6..8].copy_from_slice(&(HEADER_BYTES as u16).to_le_bytes());
        into[8..24].copy_from_slice(&self.disk_id.to_le_bytes());
        into[24..28].copy_from_slice(&self.journal_id.to_le_bytes());
        into[28..32].copy_from_slice(&self.entries.to_le_bytes());
        into[32..40].copy_from_slice(&self.generation.to_le_bytes());
        into[40..48].copy_from_slice(&self.sequence.to_le_bytes());
        into[48..56].copy_from_slice(&self.flushed_mark.to_le_bytes());
        into[56..60].copy_from_slice(&self.prev_crc.to_le_bytes());
        into[60..64].copy_from_slice(&self.body_bytes.to_le_bytes());
        let flags = if self.life_start { FLAG_LIFE_START } else { 0 };
        into[68..72].copy_from_slice(&flags.to_le_bytes());
        into[72..80].copy_from_slice(&self.prev_generation.to_le_bytes());
        let crc = checksum(&into[..HEADER_BYTES], body);
        into[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        crc
    }

    /// Reads a header; checks all that can be checked without the body.
    pub(crate) fn decode(
        bytes: &[u8],
        disk_id: DiskId,
        journal_id: u32,
    ) -> Result<Self, FrameError> {
        if bytes.len() < HEADER_BYTES || u32_at(bytes, 0) != MAGIC {
            return Err(FrameError::Missing);
        }
        let version = u16::from_le_bytes([bytes[4], bytes[5]]);
        if version != FORMAT_VERSION {
            return Err(FrameError::Version(version));
        }
        let header = Self {
            disk_id: u128::from_le_bytes(bytes[8..24].try_into().expect("sixteen bytes")),
            journal_id: u32_at(bytes, 24),
            entries: u32_at(bytes, 28),
            generation: u64_at(bytes, 32),
            sequence: u64_at(bytes, 40),
            flushed_mark: u64_at(bytes, 48),
            prev_crc: u32_at(bytes, 56),
            prev_generation: u64_at(bytes, 72),
            body_bytes: u32_at(bytes, 60),
            life_start: u32_at(bytes, 68) & FLAG_LIFE_START != 0,
            crc: u32_at(bytes, CRC_AT),
        };
        if header.disk_id != disk_id || header.journal_id != journal_id {
            return Err(FrameError::Foreign);
        }
        if header.body_bytes as usize > FRAME_BYTES_MAX - HEADER_BYTES {
            return Err(FrameError::Length);
        }
        if header.generation.max(header.sequence) > NUMBER_MAX {
            return Err(FrameError::Number);
        }
        Ok(header)
    }

    /// Bytes of the whole frame on disk.
    pub(crate) const fn frame_bytes(&self) -> usize {
        (HEADER_BYTES + self.body_bytes as usize).next_multiple_of(BLOCK_BYTES)
    }
}

fn checksum(header: &[u8], body: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(&header[..CRC_AT]);
    digest.update(&[0; 4]);
    digest.update(&header[CRC_AT + 4..HEADER_BYTES]);
    digest.update(body);
    digest.finalize() as u32
}

impl Frame {
    /// Checks `bytes`, which begin with `header`, and takes them.
    pub(crate) fn decode(header: &FrameHeader, bytes: &Buf) -> Result<Self, FrameError> {
        let end = HEADER_BYTES + header.body_bytes as usize;
        if bytes.len() < end {
            return Err(FrameError::Length);
        }
        let body = bytes.slice(HEADER_BYTES..end);
        let unchecked = engine_rt::mutant::is_active(engine_rt::mutant::Mutant::CrcUnchecked);
        if !unchecked && checksum(&bytes[..HEADER_BYTES], &body) != header.crc {
            return Err(FrameError::Checksum);
        }
        Ok(Self {
            generation: header.generation,
            sequence: header.sequence,
            flushed_mark: header.flushed_mark,
            prev_generation: header.prev_generation,
            prev_crc: header.prev_crc,
            life_start: header.life_start,
            crc: header.crc,
            body,
        })
    }

    /// Bytes of the frame on disk, padding included.
    pub(crate) fn frame_bytes(&self) -> u64 {
        (HEADER_BYTES + self.body.len()).next_multiple_of(BLOCK_BYTES) as u64
    }

    /// The entries in order. Stops at the first that does not fit, which a matching checksum rules
    /// out.
    pub fn entries(&self) -> impl Iterator<Item = FrameEntry> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            if at + ENTRY_HEADER_BYTES > self.body.len() {
                return None;
            }
            let kind = EntryKind(self.body[at]);
            let len = u32_at(&self.body, at + 4) as usize;
            let start = at + ENTRY_HEADER_BYTES;
            let end = start
                .checked_add(len)
                .filter(|end| *end <= self.body.len())?;
            at += entry_bytes(len);
            Some(FrameEntry {
                kind,
                payload: self.body.slice(start..end),
            })
        })
    }
}

#[cfg(test)]
mod tests;
