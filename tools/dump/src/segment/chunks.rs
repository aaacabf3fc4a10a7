//! The bytes of batches without the header and index blocks between them.

use engine_log::segment::layout::{CHUNK_BYTES, file_pos};

use crate::file::{DumpError, Source};

/// Bytes kept in memory.
const WINDOW_BYTES: u64 = 1 << 20;

/// Reads a segment by positions of batch bytes.
#[derive(Debug)]
pub(crate) struct Chunks<'a> {
    source: &'a Source,
    start: u64,
    window: Vec<u8>,
}

impl<'a> Chunks<'a> {
    pub(crate) fn new(source: &'a Source) -> Self {
        Self {
            source,
            start: 0,
            window: Vec::new(),
        }
    }

    /// `len` bytes from `pos`, fewer where the file ends before.
    pub(crate) async fn bytes(&mut self, pos: u64, len: u64) -> Result<&[u8], DumpError> {
        let end = self.start + self.window.len() as u64;
        if pos < self.start || pos + len > end {
            self.window = self.load(pos, len.max(WINDOW_BYTES)).await?;
            self.start = pos;
        }
        let from = (pos - self.start) as usize;
        let to = (from + len as usize).min(self.window.len());
        Ok(&self.window[from.min(to)..to])
    }

    async fn load(&self, from: u64, len: u64) -> Result<Vec<u8>, DumpError> {
        let (mut pos, to) = (from, from + len);
        let mut bytes = Vec::new();
        while pos < to {
            let until = to.min((pos / CHUNK_BYTES + 1) * CHUNK_BYTES);
            let piece = self
                .source
                .read(file_pos(pos), file_pos(until - 1) + 1)
                .await?;
            let short = (piece.len() as u64) < until - pos;
            bytes.extend(piece);
            if short {
                break;
            }
            pos = until;
        }
        Ok(bytes)
    }
}
