//! A journal file as it stands, frame by frame, for people who look into it: no chain is followed,
//! nothing is cut.

use std::io;

use engine_rt::BLOCK_BYTES;
use engine_rt::fs::File;

use crate::frame::{DiskId, Frame, FrameError, FrameHeader, HEADER_BYTES};

/// A frame as found.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The data directory that it says it belongs to.
    pub disk_id: DiskId,
    /// The journal that it says it belongs to.
    pub journal_id: u32,
    /// Bytes in the file, padding included.
    pub bytes: u64,
    /// The frame, whose checksum matches.
    pub frame: Frame,
}

/// Reads the frame at `pos`, whatever disk and journal it is of: an outer error if the system
/// refuses, an inner one if it is no frame.
pub async fn inspect(file: &File, pos: u64) -> io::Result<Result<Inspected, FrameError>> {
    let first = file.read_at(pos, BLOCK_BYTES).await?;
    if first.len() < HEADER_BYTES {
        return Ok(Err(FrameError::Missing));
    }
    let disk_id = DiskId::from_le_bytes(first[8..24].try_into().expect("sixteen bytes"));
    let journal_id = u32::from_le_bytes(first[24..28].try_into().expect("four bytes"));
    let header = match FrameHeader::decode(&first, disk_id, journal_id) {
        Ok(header) => header,
        Err(error) => return Ok(Err(error)),
    };
    let bytes = file.read_at(pos, header.frame_bytes()).await?;
    let frame = Frame::decode(&header, &bytes);
    let found = |frame| Inspected {
        disk_id,
        journal_id,
        bytes: header.frame_bytes() as u64,
        frame,
    };
    Ok(frame.map(found))
}
