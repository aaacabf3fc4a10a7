//! The mark of an orderly stop: everything acknowledged was on the disk when it was written, weak
//! topics included. It is gone before anything of the next life is acknowledged.

use std::io;
use std::path::{Path, PathBuf};

use engine_rt::fs;
use net_wire::Uuid;

use crate::block;

const MAGIC: [u8; 8] = *b"FLUMENCS";
const NAME: &str = "stopped";

fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// The mark of this directory at this end of its metadata log: one that was left behind by a copy
/// or an older life means nothing.
fn fields(disk_id: Uuid, sequence: u64) -> Vec<u8> {
    let mut fields = MAGIC.to_vec();
    fields.extend(disk_id.as_bytes());
    fields.extend(sequence.to_le_bytes());
    fields
}

/// Leaves the mark, durably.
pub(crate) async fn write(dir: &Path, disk_id: Uuid, sequence: u64) -> io::Result<()> {
    block::replace(&path(dir), block::seal(&fields(disk_id, sequence))).await?;
    fs::sync_dir(dir).await
}

/// Whether the mark is there.
pub(crate) async fn is_there(dir: &Path, disk_id: Uuid, sequence: u64) -> io::Result<bool> {
    let block = block::read(&path(dir)).await?;
    let found = block.as_deref().and_then(block::unseal);
    Ok(found.is_some_and(|found| found.starts_with(&fields(disk_id, sequence))))
}

/// Takes the mark away, durably.
pub(crate) async fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_file(&path(dir)).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => {
            removed?;
            fs::sync_dir(dir).await
        },
    }
}
