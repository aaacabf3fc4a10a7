//! What a broker writes into a batch that a producer made.

use super::{
    ATTRIBUTES_AT, Attributes, BatchError, BatchHeader, CRC_AT, HEADER_BYTES, LEADER_EPOCH_AT,
    MAX_TIMESTAMP_AT, TimestampType,
};

/// Writes the two fields that every append stamps. The CRC does not cover them.
pub fn stamp_header(header: &mut [u8; HEADER_BYTES], base_offset: i64, leader_epoch: i32) {
    put(header, 0, base_offset.to_be_bytes());
    put(header, LEADER_EPOCH_AT, leader_epoch.to_be_bytes());
}

/// A whole batch that can be written to.
#[derive(Debug)]
pub struct BatchMut<'a> {
    header: &'a mut [u8; HEADER_BYTES],
    payload: &'a mut [u8],
}

impl<'a> BatchMut<'a> {
    /// The batch that is exactly `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> Result<Self, BatchError> {
        let needed = BatchHeader::read(bytes)?.size_bytes();
        let available = bytes.len();
        match bytes.split_first_chunk_mut() {
            Some((header, payload)) if needed == available => Ok(Self { header, payload }),
            _ if needed < available => Err(BatchError::NotOne),
            _ => Err(BatchError::Incomplete { needed, available }),
        }
    }

    /// Stamps base offset and leader epoch.
    pub fn stamp(&mut self, base_offset: i64, leader_epoch: i32) {
        stamp_header(self.header, base_offset, leader_epoch);
    }

    /// Stamps timestamp type and largest timestamp, and the CRC that covers them.
    ///
    /// For `LogAppendTime`, and for a producer whose `max_timestamp` is not that of its records.
    pub fn stamp_timestamp(&mut self, timestamp_type: TimestampType, max_timestamp: i64) {
        let [high, low] = [self.header[ATTRIBUTES_AT], self.header[ATTRIBUTES_AT + 1]];
        let attributes = Attributes(i16::from_be_bytes([high, low]));
        let attributes = attributes.with_timestamp_type(timestamp_type);
        put(self.header, ATTRIBUTES_AT, attributes.0.to_be_bytes());
        put(self.header, MAX_TIMESTAMP_AT, max_timestamp.to_be_bytes());
        self.stamp_crc();
    }

    /// Stamps the CRC of the batch as it is now.
    pub fn stamp_crc(&mut self) {
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        digest.update(self.header.get(ATTRIBUTES_AT..).unwrap_or_default());
        digest.update(self.payload);
        put(
            self.header,
            CRC_AT,
            (digest.finalize() as u32).to_be_bytes(),
        );
    }
}

/// Writes a field of the header; `at` is one of the constants of the layout.
fn put<const N: usize>(header: &mut [u8; HEADER_BYTES], at: usize, field: [u8; N]) {
    if let Some(place) = header.get_mut(at..at + N) {
        place.copy_from_slice(&field);
    }
}
