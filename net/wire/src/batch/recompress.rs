//! Compresses a batch anew, for topics with a `compression.type` of their own.

use super::builder::encode_batch;
use super::{BatchError, BatchHeader, BatchView};
use crate::codec::{Codec, Codecs};

/// The same batch under another codec: records, offsets, timestamps and producer are kept, length
/// and CRC are new.
///
/// The result can be larger than the batch was: the caller checks `max.message.bytes` again, as
/// Kafka does.
pub fn recompress(
    batch: &BatchView<'_>,
    codec: Codec,
    level: Option<i32>,
    decompressed_bytes_max: usize,
    codecs: &mut Codecs,
) -> Result<Vec<u8>, BatchError> {
    let header = batch.header();
    let attributes = header.attributes.with_codec(codec);
    let header = BatchHeader {
        attributes,
        ..*header
    };
    codecs.with_decompressed(batch, decompressed_bytes_max, |records, codecs| {
        encode_batch(&header, records, level, codecs)
    })
}
