//! One walk through a segment file, for the dump and for `verify`.
//!
//! Where index blocks are, they lead: a damaged range is told, and the walk goes on behind it.
//! Behind the last one, batches lead.

use std::path::Path;

use engine_log::TopicPartition;
use engine_log::segment::footer::Footer;
use engine_log::segment::layout::{
    BLOCK, CHUNK_BYTES, Range, SegmentHeader, SegmentName, decode_index_block, file_pos,
    index_block_pos, parse_segment_file_name, range_crc, sealed_index_pos,
};
use net_wire::Uuid;

use super::batches::{Cursor, End, walk};
use super::chunks::Chunks;
use crate::file::{DumpError, Source, is_zero};
use crate::item::{Item, Sink, hex};

/// What is known of a segment from elsewhere, for `verify`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// The data directory's identity.
    pub disk_id: Option<u128>,
    /// Bytes of batches that are in the file for certain.
    pub written: Option<u64>,
    /// Whether the footer must be there.
    pub sealed: bool,
    /// Offset after the last record, for a sealed segment.
    pub next_offset: Option<i64>,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Batches.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Walks through the file at `path` and tells what it sees.
pub(crate) async fn scan(path: &Path, known: &Known, sink: Sink<'_>) -> Result<Seen, DumpError> {
    let source = Source::open(path).await?;
    let mut seen = Seen::default();
    let mut count = |item: Item| {
        if item.kind() == "batch" {
            seen.batches += 1;
            seen.bytes += item
                .field("bytes")
                .and_then(serde_json::Value::as_u64)
                .unwrap_or(0);
        }
        sink(item);
    };
    let scan = Scan::begin(&source, known, &mut count).await?;
    scan.run(&mut count).await?;
    Ok(seen)
}

/// The segment's place, from the path: `TOPIC_ID/PARTITION.BASE.segment`, with a cleaning's number
/// before its end if compaction wrote it.
fn place_of(path: &Path) -> Option<(TopicPartition, SegmentName)> {
    let (partition, name) = parse_segment_file_name(path.file_name()?.to_str()?)?;
    let topic = path.parent()?.file_name()?.to_str()?;
    let topic = u128::from_str_radix(topic, 16).ok()?;
    let topic_id = Uuid::from_bytes(topic.to_be_bytes());
    Some((
        TopicPartition {
            topic_id,
            partition,
        },
        name,
    ))
}

struct Scan<'a> {
    source: &'a Source,
    known: &'a Known,
    id: Option<TopicPartition>,
    name: SegmentName,
    footer: Option<Footer>,
}

impl<'a> Scan<'a> {
    /// Reads what tells how to read the rest: header and footer.
    async fn begin(
        source: &'a Source,
        known: &'a Known,
        sink: Sink<'_>,
    ) -> Result<Self, DumpError> {
        let place = place_of(&source.path);
        let block = source.block(0).await?;
        let header = block.as_deref().and_then(SegmentHeader::decode);
        sink(header_item(source, place, known, header.as_ref()));
        let own = header.map(|header| (header.id, header.name));
        let id = place.or(own).map(|place| place.0);
        let unknown = SegmentName::appended(0);
        let name = place.or(own).map_or(unknown, |place| place.1);
        let footer = read_footer(source).await?;
        Ok(Self {
            source,
            known,
            id,
            name,
            footer,
        })
    }

    async fn run(&self, sink: Sink<'_>) -> Result<(), DumpError> {
        let mut chunks = Chunks::new(self.source);
        let mut cursor = Cursor {
            pos: 0,
            offset: Some(self.name.base_offset),
            sparse: self.name.is_cleaned(),
        };
        let mut chunk = 0;
        while let Some(block_pos) = self.index_block(chunk) {
            let Some(block) = self.source.block(block_pos).await? else {
                break;
            };
            let ranges = decode_index_block(chunk, self.name.base_offset, &block);
            if ranges.is_none() && !self.is_certain(chunk) && is_zero(&block) {
                break;
            }
            let index = Item::new("index")
                .with("at", block_pos)
                .with("chunk", chunk);
            match &ranges {
                Some(ranges) => sink(index.with("ranges", ranges.len())),
                None => sink(index.faulty("the index block is damaged")),
            }
            for range in ranges.into_iter().flatten() {
                self.range(&mut chunks, &mut cursor, &range, sink).await?;
            }
            chunk += 1;
        }
        self.tail(&mut chunks, &mut cursor, sink).await?;
        self.footer(&cursor, sink);
        Ok(())
    }

    /// Bytes of batches, where that is known.
    fn end(&self) -> Option<u64> {
        self.footer
            .as_ref()
            .map(|footer| footer.bytes)
            .or(self.known.written)
    }

    fn is_sealed(&self) -> bool {
        self.footer.is_some() || self.known.sealed
    }

    /// Where a chunk's index block stands; `None` behind the last one.
    fn index_block(&self, chunk: u64) -> Option<u64> {
        match self.end() {
            Some(end) if chunk == end / CHUNK_BYTES => {
                self.is_sealed().then(|| sealed_index_pos(end))
            },
            Some(end) if chunk > end / CHUNK_BYTES => None,
            _ => Some(index_block_pos(chunk)),
        }
    }

    /// Whether a chunk's index block must be there.
    fn is_certain(&self, chunk: u64) -> bool {
        self.is_sealed()
            || self
                .known
                .written
                .is_some_and(|end| chunk < end / CHUNK_BYTES)
    }

    /// Judges a range, and tells its batches.
    async fn range(
        &self,
        chunks: &mut Chunks<'_>,
        cursor: &mut Cursor,
        range: &Range,
        sink: Sink<'_>,
    ) -> Result<(), DumpError> {
        if range.pos > cursor.pos {
            // Behind a damaged index block: the batches speak for themselves.
            let end = walk(chunks, cursor, range.pos, false, sink).await?;
            tell_end(end, cursor, sink);
        }
        let bytes = chunks.bytes(range.pos, u64::from(range.bytes)).await?;
        let crc = self.id.map(|id| range_crc(id, self.name, range.pos, bytes));
        if crc.is_some_and(|crc| crc != range.crc) || bytes.len() < range.bytes as usize {
            let item = Item::new("range").with("at", file_pos(range.pos));
            let item = item
                .with("bytes", range.bytes)
                .with("first_offset", range.first_offset);
            sink(item.faulty("the bytes are not those that the index block names"));
        }
        *cursor = Cursor {
            pos: range.pos,
            offset: Some(range.first_offset),
            sparse: self.name.is_cleaned(),
        };
        let end = walk(chunks, cursor, range.end(), false, sink).await?;
        tell_end(end, cursor, sink);
        cursor.pos = range.end();
        Ok(())
    }

    /// The batches behind the last index block.
    async fn tail(
        &self,
        chunks: &mut Chunks<'_>,
        cursor: &mut Cursor,
        sink: Sink<'_>,
    ) -> Result<(), DumpError> {
        let limit = self.end().unwrap_or(u64::MAX - CHUNK_BYTES);
        let unknown = self.end().is_none();
        let end = walk(chunks, cursor, limit, unknown, sink).await?;
        let open = !self.is_sealed() && (end == End::Inside || (unknown && end == End::Zeros));
        if open {
            let note = "goes on in the journal";
            sink(
                Item::new("end")
                    .with("at", file_pos(cursor.pos))
                    .with("note", note),
            );
        } else {
            tell_end(end, cursor, sink);
        }
        Ok(())
    }

    fn footer(&self, cursor: &Cursor, sink: Sink<'_>) {
        let Some(footer) = &self.footer else {
            if self.known.sealed {
                let item = Item::new("footer").with("at", self.source.len.saturating_sub(BLOCK));
                sink(item.faulty("the footer is missing or damaged"));
            }
            return;
        };
        let item = Item::new("footer")
            .with("at", sealed_index_pos(footer.bytes) + BLOCK)
            .with("base_offset", footer.base_offset)
            .with("next_offset", footer.next_offset)
            .with("bytes", footer.bytes)
            .with("max_timestamp", footer.max_timestamp)
            .with("producers", footer.producers.len())
            .with("chunks", footer.chunks.len());
        sink(item.judged(self.judge_footer(footer, cursor)));
    }

    fn judge_footer(&self, footer: &Footer, cursor: &Cursor) -> Option<String> {
        let known_end = self.known.next_offset.unwrap_or(footer.next_offset);
        if footer.base_offset != self.name.base_offset {
            return Some(format!(
                "base offset {} in segment {}",
                footer.base_offset, self.name.base_offset
            ));
        }
        if footer.next_offset != known_end {
            return Some(format!(
                "ends at offset {} where {known_end} is due",
                footer.next_offset
            ));
        }
        let last = cursor.offset.unwrap_or(footer.next_offset);
        (last != footer.next_offset).then(|| {
            format!(
                "ends at offset {}, the batches at {last}",
                footer.next_offset
            )
        })
    }
}

/// Tells that a walk did not end where it should.
fn tell_end(end: End, cursor: &Cursor, sink: Sink<'_>) {
    let why = match end {
        End::Limit => return,
        End::Inside => "a batch goes on where it should end",
        End::NoBatch => "no batch here",
        End::Zeros => "zeros where a batch is due",
    };
    sink(
        Item::new("batch")
            .with("at", file_pos(cursor.pos))
            .faulty(why),
    );
}

fn header_item(
    source: &Source,
    place: Option<(TopicPartition, SegmentName)>,
    known: &Known,
    header: Option<&SegmentHeader>,
) -> Item {
    let item = Item::new("segment").with("file", source.path.display().to_string());
    let item = item.with("at", 0).with("file_bytes", source.len);
    let Some(header) = header else {
        return item.faulty("the header is damaged, or of another version");
    };
    let item = item
        .with("disk", hex(header.disk_id))
        .with("topic", header.id.topic_id.to_string())
        .with("partition", header.id.partition)
        .with("base_offset", header.name.base_offset)
        .with("cleaning", header.name.cleaning);
    if place.is_some_and(|place| place != (header.id, header.name)) {
        return item.faulty("the header names another place than the path");
    }
    if known
        .disk_id
        .is_some_and(|disk_id| disk_id != header.disk_id)
    {
        return item.faulty("the header names another data directory");
    }
    item
}

/// The footer, where a sound one is.
async fn read_footer(source: &Source) -> Result<Option<Footer>, DumpError> {
    let Some(last) = source.len.checked_sub(BLOCK) else {
        return Ok(None);
    };
    let Some(block) = source.block(last - last % BLOCK).await? else {
        return Ok(None);
    };
    let Some(bytes) = Footer::blocks_bytes(&block).filter(|bytes| *bytes <= source.len) else {
        return Ok(None);
    };
    let blocks = source.read(source.len - bytes, source.len).await?;
    Ok(Footer::decode(&blocks))
}
