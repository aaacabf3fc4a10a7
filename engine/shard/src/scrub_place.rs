//! How far the scrubber is, so that a restart goes on there: one block, flushed by nobody. If it is
//! lost or torn, the round begins again.
//!
//! ```text
//!  0        8                16      17               33          37          45     49
//! +--------+----------------+-------+----------------+-----------+-----------+------+-----
//! | magic  | round began ms | begun | topic id       | partition | segment   | crc  | 0 …
//! +--------+----------------+-------+----------------+-----------+-----------+------+-----
//! ```

use std::io;
use std::path::Path;

use engine_log::TopicPartition;
use engine_rt::fs::{self, Durability, File, OpenOptions};
use engine_rt::{BLOCK_BYTES, BufMut, wall_clock_ms};
use net_wire::Uuid;

const NAME: &str = "scrub";
const MAGIC: [u8; 8] = *b"FLSCRUB\x01";
const CRC_AT: usize = 45;

/// How far the scrubber is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScrubPlace {
    /// Wall clock at the begin of the round.
    pub round_began_ms: i64,
    /// The last segment that was read.
    pub last: Option<(TopicPartition, i64)>,
}

impl ScrubPlace {
    /// The place that an earlier life left; the begin of a round if there is none.
    pub(crate) async fn load(dir: &Path) -> Self {
        let block = read(&dir.join(NAME)).await.ok();
        let now = wall_clock_ms();
        let known = block.as_deref().and_then(Self::decode);
        // Not from a clock that was wrong.
        let known = known.filter(|place| place.round_began_ms <= now);
        known.unwrap_or(Self {
            round_began_ms: now,
            last: None,
        })
    }

    /// Writes it down. It is worth no flush, and no complaint.
    pub(crate) async fn save(&self, dir: &Path) {
        let mut block = BufMut::zeroed(BLOCK_BYTES);
        block[..CRC_AT + 4].copy_from_slice(&self.encode());
        let options = OpenOptions {
            create: true,
            ..OpenOptions::default()
        };
        let written = async {
            let file = File::open(&dir.join(NAME), options).await?;
            file.write_at(0, block.freeze(), Durability::Volatile).await
        };
        if let Err(error) = written.await {
            tracing::debug!(%error, "the scrubber's place is not written down");
        }
    }

    fn encode(&self) -> [u8; CRC_AT + 4] {
        let mut fields = [0; CRC_AT + 4];
        fields[..8].copy_from_slice(&MAGIC);
        fields[8..16].copy_from_slice(&self.round_began_ms.to_le_bytes());
        if let Some((id, base)) = self.last {
            fields[16] = 1;
            fields[17..33].copy_from_slice(id.topic_id.as_bytes());
            fields[33..37].copy_from_slice(&id.partition.to_le_bytes());
            fields[37..45].copy_from_slice(&base.to_le_bytes());
        }
        let crc = crc32c(&fields[..CRC_AT]);
        fields[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        fields
    }

    fn decode(block: &[u8]) -> Option<Self> {
        let (fields, crc) = block.get(..CRC_AT + 4)?.split_at(CRC_AT);
        if !fields.starts_with(&MAGIC) || crc != crc32c(fields).to_le_bytes() {
            return None;
        }
        let id = TopicPartition {
            topic_id: Uuid::from_bytes(fields[17..33].try_into().ok()?),
            partition: u32::from_le_bytes(fields[33..37].try_into().ok()?),
        };
        let base = i64::from_le_bytes(fields[37..45].try_into().ok()?);
        Some(Self {
            round_began_ms: i64::from_le_bytes(fields[8..16].try_into().ok()?),
            last: (fields[16] != 0).then_some((id, base)),
        })
    }
}

fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

async fn read(path: &Path) -> io::Result<engine_rt::Buf> {
    if !fs::exists(path).await? {
        return Err(io::ErrorKind::NotFound.into());
    }
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    File::open(path, options)
        .await?
        .read_at(0, BLOCK_BYTES)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_and_a_torn_one_is_not() {
        let id = TopicPartition {
            topic_id: Uuid::from_bytes([7; 16]),
            partition: 3,
        };
        for last in [None, Some((id, 1 << 40))] {
            let place = ScrubPlace {
                round_began_ms: 1_700_000_000_000,
                last,
            };
            let mut fields = place.encode();
            assert_eq!(ScrubPlace::decode(&fields), Some(place));
            fields[20] ^= 1;
            assert_eq!(ScrubPlace::decode(&fields), None);
        }
        assert_eq!(ScrubPlace::decode(&[0; 4096]), None);
    }
}
