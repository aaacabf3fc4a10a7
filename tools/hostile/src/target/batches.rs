//! Record batches: the check of a produce, and everything that reads a batch which passed it.

use net_wire::batch::{
    BatchError, BatchHeader, BatchMut, BatchView, Batches, CheckedBatch, HEADER_BYTES,
    LENGTH_OVERHEAD, Limits, RecordIter, TimestampType, check_batch, recompress,
};
use net_wire::codec::{Codec, Codecs};

use crate::input::Input;

const NOW_MS: i64 = 1_700_000_000_000;
/// Small, so that bombs are bombs.
const DECOMPRESSED_BYTES_MAX: usize = 256 << 10;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.u8();
    let version = if flags & 1 == 0 { 11 } else { 3 };
    let limits = Limits {
        decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
        compacted: flags & 2 != 0,
        timestamp_type: if flags & 4 == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        },
        ..Limits::default()
    };
    let mut batch = input.rest().to_vec();
    if flags & 8 == 0 {
        mend(&mut batch);
    }
    let mut codecs = Codecs::new();
    let checked = check_batch(&batch, version, &limits, NOW_MS, &mut codecs);
    if let Ok(checked) = checked {
        accepted(&batch, &checked, &limits, &mut codecs);
    }
    for view in Batches::new(&batch).flatten() {
        // Of one that was not checked, too: readers stop at what they cannot read.
        assert!(view.records().take_while(Result::is_ok).count() <= batch.len());
    }
}

/// Length and CRC as they should be: the fuzzer's work begins behind them.
pub(super) fn mend(batch: &mut [u8]) {
    let Some(body) = batch.len().checked_sub(LENGTH_OVERHEAD) else {
        return;
    };
    batch[8..12].copy_from_slice(&(body as u32).to_be_bytes());
    if let Ok(mut batch) = BatchMut::new(batch) {
        batch.stamp_crc();
    }
}

/// What is true of a batch that passed, whatever else it is.
fn accepted(bytes: &[u8], checked: &CheckedBatch, limits: &Limits, codecs: &mut Codecs) {
    let (view, rest) = BatchView::split(bytes).expect("it was one batch");
    assert!(rest.is_empty() && view.is_intact(), "a whole batch");
    let records = decompressed(&view, codecs).expect("it was read before");
    assert!(records.len() <= DECOMPRESSED_BYTES_MAX, "bounded");
    look_at_records(view.header(), &records, checked, limits);
    for codec in Codec::ALL {
        let other = recompress(&view, codec, None, DECOMPRESSED_BYTES_MAX, codecs);
        let other = other.expect("what was read can be written");
        let (other, rest) = BatchView::split(&other).expect("a batch");
        assert!(rest.is_empty() && other.is_intact());
        assert_eq!(
            decompressed(&other, codecs).as_ref(),
            Ok(&records),
            "{codec:?}"
        );
    }
}

fn decompressed(view: &BatchView<'_>, codecs: &mut Codecs) -> Result<Vec<u8>, BatchError> {
    codecs.with_decompressed(view, DECOMPRESSED_BYTES_MAX, |records, _| {
        Ok(records.to_vec())
    })
}

fn look_at_records(header: &BatchHeader, bytes: &[u8], checked: &CheckedBatch, limits: &Limits) {
    let (mut count, mut newest) = (0, -1);
    for record in RecordIter::new(header, bytes) {
        let record = record.expect("the check read all records");
        assert_eq!(record.offset_delta, count, "offsets are dense");
        assert!(record.key.is_some() || !limits.compacted);
        assert_eq!(record.headers.iter().count(), record.headers.len());
        newest = newest.max(header.base_timestamp + record.timestamp_delta);
        count += 1;
    }
    assert_eq!(count, header.record_count, "as many as the header says");
    let by_broker = limits.timestamp_type == TimestampType::LogAppendTime;
    assert_eq!(
        checked.max_timestamp,
        if by_broker { NOW_MS } else { newest }
    );
    assert!((0..count).contains(&checked.max_timestamp_offset_delta));
    assert!(bytes.len() >= count as usize, "no record without a byte");
    assert!(checked.header.size_bytes() >= HEADER_BYTES);
}
