//! Fields of a stored batch header that the log reads back from its own bytes (record batch v2;
//! `net-wire` draws the layout). These bytes were checked before they were stored.

use crate::entry::BATCH_HEADER_BYTES;
use crate::producer::ProducerStamp;

/// A batch header as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredHeader {
    /// First offset.
    pub base_offset: i64,
    /// Last offset.
    pub last_offset: i64,
    /// Bytes of the whole batch.
    pub bytes: usize,
    /// Epoch that wrote it.
    pub leader_epoch: i32,
    /// Largest timestamp.
    pub max_timestamp: i64,
    /// Producer fields.
    pub stamp: ProducerStamp,
}

/// Bytes of a header up to and including the last offset delta.
pub(crate) const SPAN_BYTES: usize = 27;

fn be_i64(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn be_i32(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

impl StoredHeader {
    /// Reads a whole header.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let span = Span::decode(bytes)?;
        let producer_epoch = i16::from_be_bytes(bytes.get(51..53)?.try_into().ok()?);
        Some(Self {
            base_offset: span.base_offset,
            last_offset: span.last_offset,
            bytes: span.bytes,
            leader_epoch: be_i32(bytes, 12)?,
            max_timestamp: be_i64(bytes, 35)?,
            stamp: ProducerStamp {
                producer_id: be_i64(bytes, 43)?,
                producer_epoch,
                base_sequence: be_i32(bytes, 53)?,
            },
        })
    }
}

/// Offsets and length of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub base_offset: i64,
    pub last_offset: i64,
    pub bytes: usize,
}

impl Span {
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let base_offset = be_i64(bytes, 0)?;
        let last_delta = be_i32(bytes, 23)?;
        let bytes = usize::try_from(be_i32(bytes, 8)?).ok()?.checked_add(12)?;
        let good = bytes >= BATCH_HEADER_BYTES && last_delta >= 0;
        let last_offset = base_offset.checked_add(i64::from(last_delta))?;
        // The offset after it is one too.
        last_offset.checked_add(1)?;
        good.then_some(Self {
            base_offset,
            last_offset,
            bytes,
        })
    }
}

/// Stamps base offset and leader epoch, which the batch's own checksum leaves out.
pub fn stamp(header: &mut [u8], base_offset: i64, leader_epoch: i32) {
    header[0..8].copy_from_slice(&base_offset.to_be_bytes());
    header[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_behind_a_batch_is_one_too() {
        let mut header = [0; BATCH_HEADER_BYTES];
        header[8..12].copy_from_slice(&100_i32.to_be_bytes());
        header[23..27].copy_from_slice(&3_i32.to_be_bytes());
        for (base, whole) in [
            (i64::MAX - 4, true),
            (i64::MAX - 3, false),
            (i64::MAX, false),
        ] {
            stamp(&mut header, base, 0);
            assert_eq!(StoredHeader::decode(&header).is_some(), whole, "{base}");
        }
    }
}
