//! Makes batches: for clients, tests, and the broker when it compresses anew.

use super::record::{RecordHeader, write_record};
use super::{
    Attributes, BatchError, BatchHeader, BatchMut, HEADER_BYTES, LENGTH_OVERHEAD, MAGIC,
    NO_PRODUCER_ID, NO_TIMESTAMP, TimestampType,
};
use crate::codec::{Codec, Codecs};
use crate::writer::Writer;

/// Collects records and encodes them as one batch.
///
/// ```
/// use net_wire::batch::{BatchBuilder, BatchView};
/// use net_wire::codec::Codecs;
/// let mut builder = BatchBuilder::new();
/// builder.append(1_000, Some(b"key"), Some(b"value"), &[]);
/// let bytes = builder.build(&mut Codecs::new()).unwrap();
/// let (batch, rest) = BatchView::split(&bytes).unwrap();
/// assert!(batch.is_intact() && rest.is_empty());
/// assert_eq!(batch.records().next().unwrap().unwrap().key, Some(&b"key"[..]));
/// ```
#[derive(Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    records: Writer,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// A batch without records, idempotence and compression.
    pub fn new() -> Self {
        let header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: -1,
            crc: 0,
            attributes: Attributes::default(),
            last_offset_delta: -1,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        };
        Self {
            header,
            records: Writer::new(false),
        }
    }

    /// Compressed with `codec`.
    #[must_use]
    pub const fn codec(mut self, codec: Codec) -> Self {
        self.header.attributes = self.header.attributes.with_codec(codec);
        self
    }

    /// From an idempotent producer.
    #[must_use]
    pub const fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// As if appended at `base_offset` under `leader_epoch`.
    #[must_use]
    pub const fn placed(mut self, base_offset: i64, leader_epoch: i32) -> Self {
        self.header.base_offset = base_offset;
        self.header.partition_leader_epoch = leader_epoch;
        self
    }

    /// With this timestamp type.
    #[must_use]
    pub const fn timestamp_type(mut self, timestamp_type: TimestampType) -> Self {
        self.header.attributes = self.header.attributes.with_timestamp_type(timestamp_type);
        self
    }

    /// As part of a transaction.
    #[must_use]
    pub const fn transactional(mut self) -> Self {
        self.header.attributes = self.header.attributes.with_transactional(true);
        self
    }

    /// As control batch.
    #[must_use]
    pub const fn control(mut self) -> Self {
        self.header.attributes = self.header.attributes.with_control(true);
        self
    }

    /// Appends a record with the next offset.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) {
        let header = &mut self.header;
        if header.record_count == 0 {
            header.base_timestamp = timestamp;
        }
        let timestamp_delta = timestamp.wrapping_sub(header.base_timestamp);
        let offset_delta = header.record_count;
        write_record(
            &mut self.records,
            timestamp_delta,
            offset_delta,
            key,
            value,
            headers,
        );
        header.max_timestamp = header.max_timestamp.max(timestamp);
        header.last_offset_delta = offset_delta;
        header.record_count += 1;
    }

    /// How many records were appended.
    pub const fn len(&self) -> usize {
        self.header.record_count as usize
    }

    /// Whether none was appended.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the batch if it is not compressed.
    pub fn size_bytes(&self) -> usize {
        HEADER_BYTES + self.records.len()
    }

    /// Encodes the batch.
    pub fn build(self, codecs: &mut Codecs) -> Result<Vec<u8>, BatchError> {
        let records = self
            .records
            .finish()
            .map_err(|cause| BatchError::Record { index: -1, cause })?;
        encode_batch(&self.header, &records.bytes, None, codecs)
    }
}

/// A batch with the fields of `header`, except for length and CRC, and these records, which the
/// codec of its attributes compresses.
pub(super) fn encode_batch(
    header: &BatchHeader,
    records: &[u8],
    level: Option<i32>,
    codecs: &mut Codecs,
) -> Result<Vec<u8>, BatchError> {
    let codec_id = header.attributes.codec_id();
    let codec = header
        .attributes
        .codec()
        .ok_or(BatchError::UnknownCodec(codec_id))?;
    let mut bytes = vec![0; HEADER_BYTES];
    codecs
        .compress(codec, level, records, &mut bytes)
        .map_err(BatchError::Compress)?;
    let batch_length = (bytes.len() - LENGTH_OVERHEAD) as i32;
    let fixed = encode_header(&BatchHeader {
        batch_length,
        ..*header
    });
    if let Some(place) = bytes.first_chunk_mut() {
        *place = fixed;
    }
    BatchMut::new(&mut bytes)?.stamp_crc();
    Ok(bytes)
}

fn encode_header(header: &BatchHeader) -> [u8; HEADER_BYTES] {
    let mut w = Writer::new(false);
    w.i64(header.base_offset);
    w.i32(header.batch_length);
    w.i32(header.partition_leader_epoch);
    w.i8(MAGIC);
    w.u32(header.crc);
    w.i16(header.attributes.0);
    w.i32(header.last_offset_delta);
    w.i64(header.base_timestamp);
    w.i64(header.max_timestamp);
    w.i64(header.producer_id);
    w.i16(header.producer_epoch);
    w.i32(header.base_sequence);
    w.i32(header.record_count);
    let encoded = w.finish().unwrap_or_default();
    encoded
        .bytes
        .first_chunk()
        .copied()
        .unwrap_or([0; HEADER_BYTES])
}
