//! Batches back to back, each judged by its own checksum and by the offset that is due.

use engine_log::segment::layout::file_pos;
use net_wire::batch::{BatchHeader, BatchView, HEADER_BYTES};

use super::chunks::Chunks;
use crate::file::{DumpError, is_zero};
use crate::item::{Item, Sink};

/// Where the walk along the batches stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    /// Position of the next batch.
    pub pos: u64,
    /// Offset that is due, if the batch before is known.
    pub offset: Option<i64>,
    /// Whether compaction may have left some out before a batch.
    pub sparse: bool,
}

/// Why the walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At the limit, on the end of a batch.
    Limit,
    /// In a batch that goes on behind the limit.
    Inside,
    /// At bytes that are no batch.
    NoBatch,
    /// At zeros.
    Zeros,
}

/// Walks from the cursor to `limit`, tells each batch, and leaves the cursor behind the last one.
/// Where the end is `open`, the last batch may not be in the file as a whole yet.
pub(crate) async fn walk(
    chunks: &mut Chunks<'_>,
    cursor: &mut Cursor,
    limit: u64,
    open: bool,
    sink: Sink<'_>,
) -> Result<End, DumpError> {
    while cursor.pos < limit {
        let left = limit - cursor.pos;
        let head = chunks
            .bytes(cursor.pos, left.min(HEADER_BYTES as u64))
            .await?;
        if is_zero(head) {
            return Ok(End::Zeros);
        }
        if head.len() < HEADER_BYTES {
            return Ok(End::Inside);
        }
        let Ok(header) = BatchHeader::read(head) else {
            return Ok(End::NoBatch);
        };
        let size = header.size_bytes() as u64;
        if size > left {
            return Ok(End::Inside);
        }
        let bytes = chunks.bytes(cursor.pos, size).await?;
        let Ok((batch, _)) = BatchView::split(bytes) else {
            return Ok(End::Inside);
        };
        let (item, intact) = (item(&batch, cursor), batch.is_intact());
        if open && !intact && is_zero(chunks.bytes(cursor.pos + size, 16).await?) {
            return Ok(End::Inside);
        }
        sink(item);
        cursor.pos += size;
        cursor.offset = Some(header.next_offset());
    }
    Ok(End::Limit)
}

fn item(batch: &BatchView<'_>, cursor: &Cursor) -> Item {
    let header = batch.header();
    let mut item = described(Item::new("batch").with("at", file_pos(cursor.pos)), header);
    if !batch.is_intact() {
        item = item.faulty(format!(
            "the checksum is {:08x}, the bytes say {:08x}",
            header.crc,
            batch.computed_crc()
        ));
    }
    match cursor.offset {
        Some(due) if header.base_offset < due || (due != header.base_offset && !cursor.sparse) => {
            item.faulty(format!("offset {} where {due} is due", header.base_offset))
        },
        _ => item,
    }
}

/// With what a batch's header says.
pub(crate) fn described(item: Item, header: &BatchHeader) -> Item {
    let codec = header
        .attributes
        .codec()
        .map_or("unknown", net_wire::codec::Codec::name);
    let mut item = item
        .with("base_offset", header.base_offset)
        .with("last_offset", header.last_offset())
        .with("records", header.record_count)
        .with("bytes", header.size_bytes())
        .with("leader_epoch", header.partition_leader_epoch)
        .with("codec", codec)
        .with("max_timestamp", header.max_timestamp);
    if header.has_producer_id() {
        item = item
            .with("producer_id", header.producer_id)
            .with("producer_epoch", header.producer_epoch)
            .with("base_sequence", header.base_sequence);
    }
    item
}
