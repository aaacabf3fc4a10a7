//! Writing a record of the checkpoint, chunk by chunk: with many partitions it is larger than what a
//! shard would want in memory, or encode in one turn.

use std::io;
use std::path::Path;

use crc_fast::{CrcAlgorithm, Digest};
use engine_log::TopicPartition;
use engine_rt::fs::{self, Durability, File, OpenOptions};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{BLOCK_BYTES, Buf, BufMut};
use engine_wal::Position;

use super::{CHANGED, CHUNK_BYTES, Checkpoint, HEADER_BYTES, NAMES, Place, REMOVED, Record};

/// A record that is being written. Until [`RecordWriter::finish`] it says nothing: its header, whose
/// checksum covers all of it, is written last.
pub(crate) struct RecordWriter<'a> {
    checkpoint: &'a Checkpoint,
    full: bool,
    copy: usize,
    at: u64,
    file: CopyFile,
    /// The first chunk, once it is full: it begins with the header.
    first: Option<BufMut>,
    /// The chunk that is being filled, how far, and where it goes.
    chunk: BufMut,
    filled: usize,
    pos: u64,
    body_bytes: u64,
    body_crc: Digest,
}

/// A copy that is being written.
struct CopyFile {
    file: File,
    is_new: bool,
    bytes: u64,
}

impl CopyFile {
    async fn open(dir: &Path, copy: usize) -> io::Result<Self> {
        let path = dir.join(NAMES[copy]);
        let options = OpenOptions {
            create: true,
            ..OpenOptions::default()
        };
        let is_new = !fs::exists(&path).await?;
        let file = File::open(&path, options).await?;
        let bytes = file.len().await?;
        Ok(Self {
            file,
            is_new,
            bytes,
        })
    }

    async fn write(&mut self, pos: u64, bytes: Buf) -> io::Result<()> {
        let end = pos + bytes.len() as u64;
        if self.bytes < end {
            self.bytes = end.next_power_of_two();
            self.file.allocate(0, self.bytes).await?;
        }
        self.file.write_at(pos, bytes, Durability::Volatile).await
    }

    async fn flush(&self, dir: &Path) -> io::Result<()> {
        self.file.sync().await?;
        if self.is_new {
            fs::sync_dir(dir).await?;
        }
        Ok(())
    }
}

impl Checkpoint {
    /// Copies what one copy has between two places to the other one, flushed.
    pub(super) async fn mirror(&self, copy: usize, from: u64, end: u64) -> io::Result<()> {
        let path = self.dir.join(NAMES[copy]);
        let source = File::open(&path, OpenOptions::default()).await?;
        let mut other = CopyFile::open(&self.dir, 1 - copy).await?;
        let mut pos = from;
        while pos < end {
            let bytes = CHUNK_BYTES.min((end - pos) as usize);
            let chunk = source.read_at(pos, bytes).await?;
            if chunk.len() < bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            other.write(pos, chunk).await?;
            pos += bytes as u64;
        }
        other.flush(&self.dir).await
    }

    /// Begins a record; a full one goes to the other file.
    pub(crate) async fn begin(&self, full: bool) -> io::Result<RecordWriter<'_>> {
        let before = self.place.borrow().unwrap_or_default();
        assert!(full || before.end > 0, "changes follow a full record");
        self.incomplete.set(true);
        let (copy, at) = if full {
            (1 - before.copy, 0)
        } else {
            (before.copy, before.end)
        };
        Ok(RecordWriter {
            checkpoint: self,
            full,
            copy,
            at,
            file: CopyFile::open(&self.dir, copy).await?,
            first: None,
            chunk: BufMut::with_capacity(CHUNK_BYTES),
            filled: HEADER_BYTES,
            pos: at,
            body_bytes: 0,
            body_crc: Digest::new(CrcAlgorithm::Crc32Iscsi),
        })
    }
}

impl RecordWriter<'_> {
    /// A partition's new state.
    pub(crate) async fn changed(&mut self, state: &[u8]) -> io::Result<()> {
        let len = (state.len() as u32).to_le_bytes();
        self.push(&[CHANGED]).await?;
        self.push(&len).await?;
        self.push(state).await
    }

    /// A partition is gone.
    pub(crate) async fn removed(&mut self, id: TopicPartition) -> io::Result<()> {
        self.push(&[REMOVED]).await?;
        self.push(id.topic_id.as_bytes()).await?;
        self.push(&id.partition.to_le_bytes()).await
    }

    async fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.body_bytes += bytes.len() as u64;
        self.body_crc.update(bytes);
        while !bytes.is_empty() {
            let room = &mut self.chunk[self.filled..];
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            self.filled += now.len();
            bytes = later;
            if self.filled == self.chunk.len() {
                self.put_chunk().await?;
            }
        }
        Ok(())
    }

    /// Writes the chunk, unless it has the header.
    async fn put_chunk(&mut self) -> io::Result<()> {
        let full = std::mem::replace(&mut self.chunk, BufMut::with_capacity(CHUNK_BYTES));
        let (pos, len) = (self.pos, full.len() as u64);
        self.filled = 0;
        self.pos += len;
        if self.first.is_none() {
            self.first = Some(full);
            return Ok(());
        }
        self.file.write(pos, full.freeze()).await
    }

    /// Completes the record and flushes it, in one copy and then in the other.
    pub(crate) async fn finish(mut self, position: Position) -> io::Result<()> {
        let end = self.put_last_chunk().await?;
        let before = self.checkpoint.place.borrow().unwrap_or_default();
        let record = Record {
            full: self.full,
            prev_crc: if self.full { 0 } else { before.crc },
            sequence: before.sequence + 1,
            position,
            body_bytes: self.body_bytes,
            body_crc: self.body_crc.finalize() as u32,
            crc: 0,
        };
        let (header, crc) = record.encode(self.checkpoint.owner);
        let mut first = self.first.take().expect("every record has a first chunk");
        first[..HEADER_BYTES].copy_from_slice(&header);
        self.file.write(self.at, first.freeze()).await?;
        if !mutant::is_active(Mutant::CheckpointUnflushed) {
            self.file.flush(&self.checkpoint.dir).await?;
        }
        *self.checkpoint.place.borrow_mut() = Some(Place {
            copy: self.copy,
            end,
            sequence: record.sequence,
            crc,
            full_bytes: if self.full { end } else { before.full_bytes },
        });
        if !mutant::is_active(Mutant::CheckpointNotMirrored) {
            self.checkpoint.mirror(self.copy, self.at, end).await?;
        }
        self.checkpoint.incomplete.set(false);
        Ok(())
    }

    /// Fills the last block up with zeros; where the record ends.
    async fn put_last_chunk(&mut self) -> io::Result<u64> {
        if self.filled > 0 {
            let len = self.filled.next_multiple_of(BLOCK_BYTES);
            self.chunk[self.filled..len].fill(0);
            self.chunk.truncate(len);
            self.put_chunk().await?;
        }
        Ok(self.pos)
    }
}
