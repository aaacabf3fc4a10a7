//! One group of entries, from its first entry to the frame on its way to the disk.

use engine_rt::{BLOCK_BYTES, Buf, BufMut};

use crate::files::JournalFile;
use crate::frame::{FrameHeader, HEADER_BYTES};

/// Entries that will leave together.
pub(crate) struct OpenGroup {
    pub header: BufMut,
    pub body: Buf,
    pub body_bytes: usize,
    pub entries: u32,
    pub durable: bool,
    /// Whether nothing but marks is in it.
    pub marks_only: bool,
}

/// How a frame becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// Not at all: every entry is weak.
    None,
    /// A durable write of its own bytes.
    Own,
    /// With everything written before it that was not flushed.
    All,
}

/// A frame on its way to the disk: its bytes never change again (rule 20).
pub(crate) struct SealedFrame {
    pub file: JournalFile,
    pub pos: u64,
    pub bytes: Buf,
    pub entries: u32,
    pub sequence: u64,
    pub flush: Flush,
}

impl OpenGroup {
    pub(crate) fn frame_bytes(&self) -> u64 {
        (HEADER_BYTES + self.body_bytes).next_multiple_of(BLOCK_BYTES) as u64
    }

    /// Adds bytes that follow the last ones in the arena.
    pub(crate) fn extend(&mut self, bytes: &Buf) {
        if self.body.is_empty() {
            self.body = bytes.clone();
            return;
        }
        assert!(
            self.body.try_join(bytes),
            "a group's bytes follow each other"
        );
    }

    /// The frame's bytes and checksum.
    pub(crate) fn encode(mut self, header: &FrameHeader) -> (Buf, u32) {
        let crc = header.encode(&mut self.header, &self.body[..self.body_bytes]);
        let mut bytes = self.header.freeze();
        assert!(
            bytes.try_join(&self.body),
            "a group's body follows its header"
        );
        (bytes, crc)
    }
}
