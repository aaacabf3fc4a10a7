//! Journal files: every frame with its entries, in the order of the file.

use std::path::{Path, PathBuf};

use engine_log::entry::{BATCH_HEADER_BYTES, Entry, SegmentPos, decode};
use engine_rt::{BLOCK_BYTES, fs};
use engine_wal::{EntryKind, Frame, FrameEntry, FrameError, Inspected, inspect};
use net_wire::batch::BatchHeader;

use crate::file::{DumpError, Source, at, is_zero};
use crate::item::{Item, Sink, hex};
use crate::segment::described;

const BLOCK: u64 = BLOCK_BYTES as u64;

/// Tells every frame of a journal file, or of all journal files in a directory in the order of
/// their use. What an earlier use of a file left behind its end is counted, not told.
pub async fn dump(path: &Path, sink: Sink<'_>) -> Result<(), DumpError> {
    let mut before = None;
    for path in files(path).await? {
        let source = Source::open(&path).await?;
        before = File {
            source: &source,
            before,
            sink,
        }
        .tell()
        .await?;
    }
    Ok(())
}

/// The files in the order of their generations; those that were never used come first.
async fn files(path: &Path) -> Result<Vec<PathBuf>, DumpError> {
    let Ok(names) = fs::read_dir(path).await else {
        return Ok(vec![path.to_owned()]);
    };
    let mut files = Vec::new();
    for name in names.iter().filter(|name| name.ends_with(".journal")) {
        let path = path.join(name);
        let source = Source::open(&path).await?;
        let first = inspect(&source.file, 0).await.map_err(at(&path))?;
        files.push((first.ok().map(|first| first.frame.generation), path));
    }
    if files.is_empty() {
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "no journal file in here");
        return Err(at(path)(missing));
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// One file on its way to the sink.
struct File<'a, 'b> {
    source: &'a Source,
    /// The last frame of the file before.
    before: Option<Inspected>,
    sink: Sink<'b>,
}

impl File<'_, '_> {
    /// Gives the last frame.
    async fn tell(mut self) -> Result<Option<Inspected>, DumpError> {
        let file = Item::new("journal").with("file", self.source.path.display().to_string());
        (self.sink)(file.with("file_bytes", self.source.len));
        let (mut pos, mut generation) = (0, None);
        let why = loop {
            if pos >= self.source.len {
                break None;
            }
            match self.inspect(pos).await? {
                Ok(found) if generation.is_none_or(|own| own == found.frame.generation) => {
                    generation = Some(found.frame.generation);
                    self.frame(pos, &found);
                    pos += found.bytes;
                    self.before = Some(found);
                },
                Ok(_) => break None,
                Err(error) => break Some(error),
            }
        };
        self.end(pos, why).await?;
        Ok(self.before)
    }

    async fn inspect(&self, pos: u64) -> Result<Result<Inspected, FrameError>, DumpError> {
        inspect(&self.source.file, pos)
            .await
            .map_err(at(&self.source.path))
    }

    fn frame(&mut self, pos: u64, found: &Inspected) {
        let frame = &found.frame;
        let mut item = Item::new("frame")
            .with("at", pos)
            .with("sequence", frame.sequence)
            .with("generation", frame.generation)
            .with("bytes", found.bytes)
            .with("flushed_mark", frame.flushed_mark)
            .with("entries", frame.entries().count());
        if pos == 0 {
            item = item
                .with("disk", hex(found.disk_id))
                .with("journal", found.journal_id);
        }
        if frame.life_start {
            item = item.with("life_start", true);
        }
        let fault = self.judge(frame);
        (self.sink)(item.judged(fault));
        for entry in frame.entries() {
            (self.sink)(entry_item(frame.sequence, &entry));
        }
    }

    /// Whether a frame follows the one before. A new life may leave frames of the last one out.
    fn judge(&self, frame: &Frame) -> Option<String> {
        let before = &self.before.as_ref()?.frame;
        let same_file = before.generation == frame.generation;
        let linked = frame.prev_crc == before.crc && frame.prev_generation == before.generation;
        if linked && frame.sequence == before.sequence + 1 || frame.life_start && !same_file {
            return None;
        }
        Some(format!(
            "does not follow frame {} of generation {}",
            before.sequence, before.generation
        ))
    }

    /// Tells what stands behind the last frame.
    async fn end(&mut self, from: u64, why: Option<FrameError>) -> Result<(), DumpError> {
        let (mut older, mut pos) = (0_u64, from);
        while pos < self.source.len {
            let found = self.inspect(pos).await?;
            older += u64::from(found.is_ok());
            pos += found.map_or(BLOCK, |found| found.bytes);
        }
        let item = Item::new("end")
            .with("at", from)
            .with("frames_behind", older);
        let block = self.source.block(from).await?;
        let zeros = block.is_none_or(|block| is_zero(&block));
        (self.sink)(match why {
            Some(error @ (FrameError::Checksum | FrameError::Length)) => {
                item.with("note", format!("torn or damaged: {error}"))
            },
            Some(FrameError::Missing) if zeros => item.with("note", "zeros"),
            Some(error) => item.with("note", error.to_string()),
            None => item,
        });
        Ok(())
    }
}

fn entry_item(sequence: u64, entry: &FrameEntry) -> Item {
    let kind = entry.kind;
    let item = Item::new("entry").with("sequence", sequence);
    if kind == EntryKind::MARK {
        return item.with("is", "mark");
    }
    let Some((id, change)) = decode(kind.0, &entry.payload) else {
        let item = item
            .with("is", format!("kind {}", kind.0))
            .with("bytes", entry.payload.len());
        return item.faulty("an entry of an unknown kind, or too short");
    };
    let item = |is: &str| {
        let item = item.with("is", is).with("topic", id.topic_id.to_string());
        item.with("partition", id.partition)
    };
    match change {
        Entry::Batch { at, bytes, .. } => batch_item(item("batch"), at, &bytes),
        Entry::Extent {
            at,
            extent,
            header,
            remainder,
            ..
        } => batch_item(item("extent"), at, &header)
            .with("extent_at", extent.file_pos)
            .with("extent_bytes", extent.file_bytes)
            .with("extent_crc", format!("{:08x}", extent.crc))
            .with("remainder_bytes", remainder.len()),
        Entry::LogStart(offset) => item("log_start").with("offset", offset),
        Entry::EpochStart { epoch, offset } => item("epoch_start")
            .with("epoch", epoch)
            .with("offset", offset),
        Entry::Truncate(offset) => item("truncate").with("offset", offset),
        Entry::Ownership { generation, shard } => item("ownership")
            .with("generation", generation)
            .with("shard", shard),
        Entry::Promise(epoch) => item("promise").with("epoch", epoch),
        Entry::Cleaned(segment) => item("cleaned")
            .with("segment", segment.name.base_offset)
            .with("cleaning", segment.name.cleaning)
            .with("next_offset", segment.next_offset)
            .with("bytes", segment.bytes)
            .with("clean_to", segment.clean_to),
    }
}

fn batch_item(item: Item, at: SegmentPos, bytes: &[u8]) -> Item {
    let item = item.with("segment", at.segment_base).with("pos", at.pos);
    match bytes.get(..BATCH_HEADER_BYTES).map(BatchHeader::read) {
        Some(Ok(header)) => described(item, &header),
        _ => item.faulty("no batch header"),
    }
}
