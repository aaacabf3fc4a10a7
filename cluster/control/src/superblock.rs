//! The superblock: what a data directory says of itself, in two copies.
//!
//! ```text
//!  0        8        12       16         24        40          56           72
//! +--------+--------+--------+----------+---------+-----------+------------+
//! | "FLUMENDD" |ver | node id| sequence | disk id | origin id | cluster id |
//! +--------+--------+--------+----------+---------+-----------+------------+
//! | inode  | file system | zeros … | CRC32C of all before, at byte 4092     |
//! +--------+-------------+---------+----------------------------------------+
//!  72       80            88
//! ```
//!
//! Numbers are little-endian. A later version keeps magic, version and the checksum's place, so that
//! it is told from damage.

use std::io;
use std::path::{Path, PathBuf};

use cluster_meta::NodeId;
use engine_rt::fs::{self, Place, READS_BEFORE_LOSS};
use net_wire::Uuid;

use crate::block;

/// Version of the data directory's layout.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"FLUMENDD";
const NAMES: [&str; 2] = ["superblock.a", "superblock.b"];

/// What a data directory says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The node that it belongs to.
    pub node_id: NodeId,
    /// Counts the changes: the newer of two copies wins.
    pub sequence: u64,
    /// The directory's identity; a copy of the directory gets another one.
    pub disk_id: Uuid,
    /// The identity that the directory had when its journals and segments were begun, which stands
    /// in every frame of them: a copy keeps it.
    pub origin_id: Uuid,
    /// The cluster that it belongs to.
    pub cluster_id: Uuid,
    /// Where the directory was, to recognise a copy.
    pub place: Place,
}

/// What the copies of a superblock say together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No copy can be read.
    Nothing,
    /// A whole one; the other copy may need to be written again.
    Whole {
        superblock: Superblock,
        repair: bool,
    },
    /// A whole one of another version.
    OtherVersion(u32),
}

impl Superblock {
    fn encode(&self) -> Vec<u8> {
        let mut fields = MAGIC.to_vec();
        fields.extend(FORMAT_VERSION.to_le_bytes());
        fields.extend(self.node_id.0.to_le_bytes());
        fields.extend(self.sequence.to_le_bytes());
        for id in [self.disk_id, self.origin_id, self.cluster_id] {
            fields.extend(id.as_bytes());
        }
        fields.extend(self.place.inode.to_le_bytes());
        fields.extend(self.place.file_system.to_le_bytes());
        fields
    }

    fn decode(fields: &[u8]) -> Option<Self> {
        Some(Self {
            node_id: NodeId(i32::from_le_bytes(at(fields, 12)?)),
            sequence: u64::from_le_bytes(at(fields, 16)?),
            disk_id: Uuid::from_bytes(at(fields, 24)?),
            origin_id: Uuid::from_bytes(at(fields, 40)?),
            cluster_id: Uuid::from_bytes(at(fields, 56)?),
            place: Place {
                inode: u64::from_le_bytes(at(fields, 72)?),
                file_system: u64::from_le_bytes(at(fields, 80)?),
            },
        })
    }

    /// Writes both copies, durably.
    pub(crate) async fn write(&self, dir: &Path) -> io::Result<()> {
        let block = block::seal(&self.encode());
        // One after the other: at any moment one of them is whole.
        for path in paths(dir) {
            block::replace(&path, block.clone()).await?;
            fs::sync_dir(dir).await?;
        }
        Ok(())
    }

    /// Reads both copies; some more times if they are not the same, before one is written again.
    pub(crate) async fn read(dir: &Path) -> io::Result<Found> {
        let (mut found, mut refused) = (Found::Nothing, None);
        for _ in 0..READS_BEFORE_LOSS {
            let mut copies = Vec::new();
            for path in paths(dir) {
                // A copy that cannot be read is as good as a damaged one, if there is another.
                let block = block::read(&path).await.unwrap_or_else(|error| {
                    refused = Some(error);
                    None
                });
                copies.push(block.as_deref().map_or(Found::Nothing, judge));
            }
            found = choose(&copies);
            if copies[0] == copies[1] && refused.is_none() {
                break;
            }
        }
        match refused {
            Some(error) if found == Found::Nothing => Err(error),
            _ => Ok(found),
        }
    }
}

fn at<const N: usize>(fields: &[u8], from: usize) -> Option<[u8; N]> {
    fields.get(from..from + N)?.try_into().ok()
}

fn paths(dir: &Path) -> [PathBuf; 2] {
    NAMES.map(|name| dir.join(name))
}

fn judge(block: &[u8]) -> Found {
    let Some(fields) = block::unseal(block).filter(|fields| fields.starts_with(&MAGIC)) else {
        return Found::Nothing;
    };
    match at(fields, MAGIC.len()).map(u32::from_le_bytes) {
        Some(FORMAT_VERSION) => {
            Superblock::decode(fields).map_or(Found::Nothing, |superblock| Found::Whole {
                superblock,
                repair: false,
            })
        },
        Some(version) => Found::OtherVersion(version),
        None => Found::Nothing,
    }
}

/// The newest of the copies; any that differs wants to be written again.
fn choose(copies: &[Found]) -> Found {
    let mut newest: Option<Superblock> = None;
    for copy in copies {
        match copy {
            Found::OtherVersion(version) => return Found::OtherVersion(*version),
            Found::Whole { superblock, .. }
                if newest.is_none_or(|known| known.sequence < superblock.sequence) =>
            {
                newest = Some(*superblock);
            },
            _ => {},
        }
    }
    newest.map_or(Found::Nothing, |superblock| {
        let same = Found::Whole {
            superblock,
            repair: false,
        };
        let repair = copies.iter().any(|copy| *copy != same);
        Found::Whole { superblock, repair }
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn superblock(sequence: u64) -> Superblock {
        Superblock {
            node_id: NodeId(3),
            sequence,
            disk_id: Uuid::from_bytes([1; 16]),
            origin_id: Uuid::from_bytes([2; 16]),
            cluster_id: Uuid::from_bytes([3; 16]),
            place: Place {
                inode: 4,
                file_system: 5,
            },
        }
    }

    fn whole(sequence: u64) -> Found {
        judge(&block::seal(&superblock(sequence).encode()))
    }

    #[test]
    fn a_superblock_reads_back() {
        let expected = Found::Whole {
            superblock: superblock(7),
            repair: false,
        };
        assert_eq!(whole(7), expected);
        assert_eq!(judge(&block::seal(b"")), Found::Nothing);
        assert_eq!(judge(&[0; 4096]), Found::Nothing);
    }

    #[test]
    fn the_newer_copy_wins_and_the_other_is_repaired() {
        let expected = Found::Whole {
            superblock: superblock(2),
            repair: true,
        };
        assert_eq!(choose(&[whole(1), whole(2)]), expected);
        assert_eq!(choose(&[whole(2), Found::Nothing]), expected);
        assert_eq!(choose(&[whole(2), whole(2)]), whole(2));
        assert_eq!(choose(&[Found::Nothing, Found::Nothing]), Found::Nothing);
    }

    #[test]
    fn another_version_is_told_from_damage() {
        let mut fields = superblock(1).encode();
        fields[8] = 9;
        assert_eq!(judge(&block::seal(&fields)), Found::OtherVersion(9));
        assert_eq!(
            choose(&[whole(1), Found::OtherVersion(9)]),
            Found::OtherVersion(9)
        );
    }

    /// What was written by whoever came last must be read by whoever comes next.
    #[test]
    fn the_last_sequence_reads_back() {
        assert_ne!(whole(u64::MAX), Found::Nothing);
    }

    fn any_superblock() -> impl Strategy<Value = Superblock> {
        let numbers = (any::<i32>(), any::<u64>(), any::<(u64, u64)>());
        let ids = any::<[[u8; 16]; 3]>();
        (numbers, ids).prop_map(|((node_id, sequence, (inode, file_system)), ids)| {
            let [disk_id, origin_id, cluster_id] = ids.map(Uuid::from_bytes);
            Superblock {
                node_id: NodeId(node_id),
                sequence,
                disk_id,
                origin_id,
                cluster_id,
                place: Place { inode, file_system },
            }
        })
    }

    proptest! {
        #[test]
        fn superblocks_read_back_or_are_refused(
            superblock in any_superblock(),
            flips in vec(any::<Index>(), 1..=3),
            cut: Index,
        ) {
            let mut block = block::seal(&superblock.encode()).to_vec();
            let good = Found::Whole { superblock, repair: false };
            prop_assert_eq!(judge(&block), Found::Whole { superblock, repair: false });
            prop_assert_eq!(judge(&block[..cut.index(block.len())]), Found::Nothing);
            for flip in flips {
                let bit = flip.index(block.len() * 8);
                block[bit / 8] ^= 1 << (bit % 8);
            }
            let damaged = judge(&block);
            // Two flips of one bit are none.
            prop_assert!(damaged == Found::Nothing || damaged == good);
        }

        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..100), with_magic: bool) {
            prop_assert_eq!(judge(&bytes), Found::Nothing);
            let magic: &[u8] = if with_magic { &MAGIC } else { &[] };
            let fields = [magic, &bytes].concat();
            let found = judge(&block::seal(&fields));
            prop_assert!(with_magic || found == Found::Nothing);
        }
    }
}
