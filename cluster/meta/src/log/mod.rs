//! The bytes of the metadata log.
//!
//! A log is a sequence of frames, each at a multiple of 4 KiB and padded with zeros to the next, so
//! that appending is a direct write of whole blocks that never touches an earlier frame's block. A
//! frame holds the records of one change, which take effect together or not at all:
//!
//! ```text
//!  0        4      6     8           12          16          24
//! +--------+------+-----+-----------+-----------+-----------+
//! | "FMET" |format|kind |generation | length    | sequence  |
//! +--------+------+-----+-----------+-----------+-----------+
//! | previous crc  | payload crc     | header crc| records … | zeros to the next 4 KiB
//! +---------------+-----------------+-----------+-----------+
//!  24              28                32          36
//! ```
//!
//! Numbers are little-endian, CRCs are CRC32C. The header CRC covers the bytes before it, and so the
//! payload by its CRC; it is what the next frame names as `previous crc`. A frame is thereby part of
//! one chain only, and what an earlier life left behind the end is not taken for part of it.
//!
//! The first frame of a file is a snapshot of the state. When a log has grown, its owner starts a
//! new generation: a new file with a snapshot, complete and flushed before it takes the old one's
//! name. Sequences go on over generations.
//!
//! **Contract with the owner of the files.** There are two copies with the same frames at the same
//! places. A frame is durable in both before the next is written: one frame is in flight, so a bad
//! frame behind which none follows was never acknowledged, unless both copies lost it. A copy that
//! [`reconcile`] wants repaired is rewritten and flushed before the first new frame.

mod frame;
mod reconcile;

pub use frame::{BLOCK_BYTES, FRAME_BYTES_MAX, Tail, encode_frame};
pub use reconcile::{Chosen, Copy, Frame, LogError, Scan, Verdict, reconcile, scan};
