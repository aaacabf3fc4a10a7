//! Records out of the batches of an answer.

use std::ops::{ControlFlow, Range};

use net_wire::batch::{BatchError, BatchHeader, BatchView, Headers, RecordIter, TimestampType};
use net_wire::codec::Codecs;

/// A record as readers see it.
#[derive(Clone, Copy, Debug)]
pub struct ReadRecord<'a> {
    /// The header of its batch.
    pub batch: &'a BatchHeader,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp: the client's, or that of the append.
    pub timestamp: i64,
    /// The key, or null.
    pub key: Option<&'a [u8]>,
    /// The value; null is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// Gives the records of a batch in this range of offsets to `take` until it has enough. A batch may
/// have `bytes_max` when it is decompressed. Markers of transactions are left out.
pub fn each_record(
    codecs: &mut Codecs,
    batch: &BatchView<'_>,
    wanted: Range<i64>,
    bytes_max: usize,
    mut take: impl FnMut(&ReadRecord<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, BatchError> {
    let header = batch.header();
    if header.attributes.is_control() {
        return Ok(ControlFlow::Continue(()));
    }
    let by_broker = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
    codecs.with_decompressed(batch, bytes_max, |payload, _| {
        for record in RecordIter::new(header, payload) {
            let record = record?;
            let offset = header.base_offset + i64::from(record.offset_delta);
            if !wanted.contains(&offset) {
                continue;
            }
            let own = header.base_timestamp.wrapping_add(record.timestamp_delta);
            let read = ReadRecord {
                batch: header,
                offset,
                timestamp: if by_broker { header.max_timestamp } else { own },
                key: record.key,
                value: record.value,
                headers: record.headers,
            };
            if take(&read).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}

#[cfg(test)]
mod tests {
    use net_wire::batch::BatchBuilder;
    use net_wire::codec::Codec;

    use super::*;

    fn batch(codec: Codec) -> Vec<u8> {
        let mut builder = BatchBuilder::new().codec(codec).placed(10, 3);
        for number in 0..5_i64 {
            let value = vec![b'a' + number as u8; 100];
            builder.append(1000 + number, None, Some(&value), &[]);
        }
        builder.build(&mut Codecs::new()).unwrap()
    }

    #[test]
    fn records_are_given_until_there_are_enough() {
        for codec in [Codec::None, Codec::Zstd] {
            let bytes = batch(codec);
            let (view, _) = BatchView::split(&bytes).unwrap();
            let mut found = Vec::new();
            let told = each_record(&mut Codecs::new(), &view, 11..99, 1 << 20, |record| {
                found.push((record.offset, record.timestamp));
                if found.len() == 2 {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            assert!(told.unwrap().is_break());
            assert_eq!(found, [(11, 1001), (12, 1002)]);
        }
    }

    #[test]
    fn a_batch_that_grows_too_large_is_refused() {
        let bytes = batch(Codec::Zstd);
        let (view, _) = BatchView::split(&bytes).unwrap();
        let told = each_record(&mut Codecs::new(), &view, 0..99, 100, |_| {
            ControlFlow::Continue(())
        });
        assert!(told.is_err());
    }
}
