//! Writing a record of the checkpoint, chunk by chunk: with many partitions it is larger than what a
//! shard would want in memory, or encode in one turn.

use std::io;

use crc_fast::{CrcAlgorithm, Digest};
use engine_log::TopicPartition;
use engine_rt::fs::{self, Durability, File, OpenOptions};
use engine_rt::{BLOCK_BYTES, BufMut};
use engine_wal::Position;

use super::{CHANGED, CHUNK_BYTES, Checkpoint, HEADER_BYTES, NAMES, Place, REMOVED, Record};

/// A record that is being written. Until [`RecordWriter::finish`] it says nothing: its header, whose
/// checksum covers all of it, is written last.
pub(crate) struct RecordWriter<'a> {
    checkpoint: &'a Checkpoint,
    full: bool,
    copy: usize,
    at: u64,
    file: File,
    is_new_file: bool,
    file_bytes: u64,
    /// The first chunk, once it is full: it begins with the header.
    first: Option<BufMut>,
    /// The chunk that is being filled, how far, and where it goes.
    chunk: BufMut,
    filled: usize,
    pos: u64,
    body_bytes: u64,
    body_crc: Digest,
}

impl Checkpoint {
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
        let path = self.dir.join(NAMES[copy]);
        let options = OpenOptions {
            create: true,
            ..OpenOptions::default()
        };
        let is_new_file = !fs::exists(&path).await?;
        let file = File::open(&path, options).await?;
        Ok(RecordWriter {
            checkpoint: self,
            full,
            copy,
            at,
            file_bytes: file.len().await?,
            file,
            is_new_file,
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
        self.write(pos, full).await
    }

    async fn write(&mut self, pos: u64, bytes: BufMut) -> io::Result<()> {
        let end = pos + bytes.len() as u64;
        if self.file_bytes < end {
            self.file_bytes = end.next_power_of_two();
            self.file.allocate(0, self.file_bytes).await?;
        }
        self.file
            .write_at(pos, bytes.freeze(), Durability::Volatile)
            .await
    }

    /// Completes the record and flushes it.
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
        self.write(self.at, first).await?;
        self.file.sync().await?;
        if self.is_new_file {
            fs::sync_dir(&self.checkpoint.dir).await?;
        }
        *self.checkpoint.place.borrow_mut() = Some(Place {
            copy: self.copy,
            end,
            sequence: record.sequence,
            crc,
            full_bytes: if self.full { end } else { before.full_bytes },
        });
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
