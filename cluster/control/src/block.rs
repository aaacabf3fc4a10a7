//! Small files of one block with a checksum: how they are read, and replaced as a whole.

use std::io;
use std::path::{Path, PathBuf};

use engine_rt::fs::{self, Durability, File, OpenOptions};
use engine_rt::{BLOCK_BYTES, Buf, BufMut};
use net_wire::batch::crc32c;

/// Where the checksum of the bytes before it stands, in every format version.
const CRC_AT: usize = BLOCK_BYTES - 4;

/// A block of these fields, padded with zeros, with its checksum.
pub(crate) fn seal(fields: &[u8]) -> Buf {
    assert!(fields.len() <= CRC_AT, "the fields fit a block");
    let mut block = BufMut::zeroed(BLOCK_BYTES);
    block[..fields.len()].copy_from_slice(fields);
    let crc = crc32c(&block[..CRC_AT]);
    block[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    block.freeze()
}

/// The bytes before the checksum, if it holds.
pub(crate) fn unseal(block: &[u8]) -> Option<&[u8]> {
    let (fields, crc) = block.split_at_checked(CRC_AT)?;
    let crc = u32::from_le_bytes(crc.try_into().ok()?);
    (crc32c(fields) == crc).then_some(fields)
}

/// The first block of a file; `None` if there is no file or it is shorter.
pub(crate) async fn read(path: &Path) -> io::Result<Option<Buf>> {
    if !fs::exists(path).await? {
        return Ok(None);
    }
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let block = File::open(path, options)
        .await?
        .read_at(0, BLOCK_BYTES)
        .await?;
    Ok((block.len() == BLOCK_BYTES).then_some(block))
}

/// Puts `bytes`, whole blocks, in the place of a file: a crash leaves the old file or the new one.
/// The new name is durable once the directory is synced.
pub(crate) async fn replace(path: &Path, bytes: Buf) -> io::Result<()> {
    let next = write_aside(path, bytes).await?;
    fs::rename(&next, path).await
}

/// Writes what shall replace a file beside it, flushed, under a name of its own.
pub(crate) async fn write_aside(path: &Path, bytes: Buf) -> io::Result<PathBuf> {
    let next = path.with_extension("new");
    let options = OpenOptions {
        create: true,
        ..OpenOptions::default()
    };
    let file = File::open(&next, options).await?;
    file.set_len(bytes.len() as u64).await?;
    file.write_at(0, bytes, Durability::Volatile).await?;
    file.sync().await?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_block_opens_and_a_damaged_one_does_not() {
        let block = seal(b"fields");
        assert_eq!(block.len(), BLOCK_BYTES);
        assert!(unseal(&block).is_some_and(|fields| fields.starts_with(b"fields")));
        for at in [0, 5, 2000, BLOCK_BYTES - 1] {
            let mut bad = block.to_vec();
            bad[at] ^= 1;
            assert!(unseal(&bad).is_none(), "byte {at}");
        }
        assert!(unseal(&block[..100]).is_none());
    }
}
