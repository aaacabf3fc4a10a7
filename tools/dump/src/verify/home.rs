//! The superblock's two copies, read independently of the code that writes them.

use std::path::Path;

use engine_rt::{BLOCK_BYTES, fs};
use net_wire::batch::crc32c;

use crate::file::{DumpError, Source};
use crate::item::{Item, Sink, hex};

const MAGIC: &[u8] = b"FLUMENDD";
const VERSION: u32 = cluster_control::FORMAT_VERSION;
const CRC_AT: usize = BLOCK_BYTES - 4;

/// What verification needs of a superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fields {
    sequence: u64,
    disk_id: u128,
    origin: u128,
}

/// Checks both copies and gives the identity that stands in every journal and segment; `None` if no
/// copy can be read.
pub(crate) async fn check(dir: &Path, sink: Sink<'_>) -> Result<Option<u128>, DumpError> {
    let mut found: Vec<Fields> = Vec::new();
    for name in ["superblock.a", "superblock.b"] {
        let path = dir.join(name);
        let fields = read(&path).await?;
        let item = Item::new("superblock")
            .with("file", path.display().to_string())
            .with("at", 0);
        sink(match &fields {
            Ok(fields) => item
                .with("sequence", fields.sequence)
                .with("disk", hex(fields.disk_id)),
            Err(why) => item.faulty(why.clone()),
        });
        found.extend(fields.ok());
    }
    if let [a, b] = found[..]
        && a != b
    {
        let item = Item::new("superblock").with("file", dir.display().to_string());
        sink(item.faulty("the copies differ; a start takes the newer one"));
    }
    let newest = found.into_iter().max_by_key(|fields| fields.sequence);
    Ok(newest.map(|fields| fields.origin))
}

async fn read(path: &Path) -> Result<Result<Fields, String>, DumpError> {
    if !fs::exists(path).await.unwrap_or(false) {
        return Ok(Err("this copy is missing".to_owned()));
    }
    let block = Source::open(path).await?.block(0).await?;
    Ok(block
        .as_deref()
        .ok_or_else(|| "too short".to_owned())
        .and_then(decode))
}

fn decode(block: &[u8]) -> Result<Fields, String> {
    let (fields, crc) = block.split_at(CRC_AT);
    if crc != crc32c(fields).to_le_bytes() {
        return Err("checksum mismatch".to_owned());
    }
    let version = u32::from_le_bytes(fields[8..12].try_into().expect("four bytes"));
    if !fields.starts_with(MAGIC) || version != VERSION {
        return Err(format!("not a superblock of version {VERSION}"));
    }
    let id = |at: usize| u128::from_be_bytes(fields[at..at + 16].try_into().expect("sixteen"));
    let sequence = u64::from_le_bytes(fields[16..24].try_into().expect("eight bytes"));
    Ok(Fields {
        sequence,
        disk_id: id(24),
        origin: id(40),
    })
}
