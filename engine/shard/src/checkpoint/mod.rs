//! The shard's checkpoint: what its files cannot tell (rule 9), and from where the journal must be
//! read. Each of two files begins with a full record, to which records of what changed are appended
//! until they outgrow it. A record goes to one file, and when it is flushed, to the other: journal
//! files that it covers are used again after that, so that either copy is enough for a start.
//!
//! ```text
//!  0      4    6    8            24      28      32       40           68        76    80   84
//! +------+----+----+------------+-------+-------+--------+------------+---------+-----+----+
//! |magic |ver |full| disk id    | shard |prev   |sequence| journal    |body len |body |crc |
//! |      |    |    |            |       | crc   |        | position   |         | crc |    |
//! +------+----+----+------------+-------+-------+--------+------------+---------+-----+----+
//! ```
//!
//! The journal position is generation 8, byte position 8, sequence 8, previous CRC 4. The body is a
//! list of changes: 1 and a length-prefixed partition state, or 2 and a partition's id. A record
//! starts on a block; its CRC covers the header, and through it the body. The chain of CRCs keeps
//! records of an older turn of the same file out.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use engine_log::TopicPartition;
use engine_rt::fs::{File, OpenOptions, READS_BEFORE_LOSS};

use engine_rt::mutant::{self, Mutant};
use engine_wal::Position;

mod read;
mod record;

use self::read::load_newer;
pub(crate) use self::read::{Bodies, load_copy, read_record};
pub(crate) use self::record::RecordWriter;

const MAGIC: u32 = u32::from_le_bytes(*b"FLC\x01");
const FORMAT_VERSION: u16 = 1;
const HEADER_BYTES: usize = 84;
const CHANGED: u8 = 1;
const REMOVED: u8 = 2;
/// Bytes of a partition's id, with which its state begins.
const ID_BYTES: usize = 20;
/// Changes are not worth a full record before they reach this size.
const CHANGES_MIN_BYTES: u64 = 1 << 20;
const CHUNK_BYTES: usize = 1 << 20;
/// No body is larger, since no file is.
const BODY_BYTES_MAX: u64 = 1 << 62;

/// The names of the two copies.
pub(crate) const NAMES: [&str; 2] = ["checkpoint.a", "checkpoint.b"];

/// Who a checkpoint belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckpointOwner {
    /// The data directory.
    pub(crate) disk_id: u128,
    /// The shard.
    pub shard: u32,
}

/// What a checkpoint says.
#[derive(Clone, Debug, Default)]
pub(crate) struct CheckpointContents {
    /// Where the journal goes on.
    pub position: Option<Position>,
    /// Partition states as `engine-log` encodes them.
    pub states: BTreeMap<TopicPartition, Vec<u8>>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    copy: usize,
    pub end: u64,
    pub sequence: u64,
    crc: u32,
    full_bytes: u64,
}

/// The checkpoint files of one shard.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    dir: PathBuf,
    owner: CheckpointOwner,
    place: RefCell<Option<Place>>,
    /// A record was begun and is not finished, or one copy lacks what the other has.
    incomplete: Cell<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    full: bool,
    prev_crc: u32,
    pub sequence: u64,
    position: Position,
    body_bytes: u64,
    body_crc: u32,
    crc: u32,
}

fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

impl Record {
    fn encode(&self, owner: CheckpointOwner) -> ([u8; HEADER_BYTES], u32) {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&MAGIC.to_le_bytes());
        header.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        header.extend_from_slice(&u16::from(self.full).to_le_bytes());
        header.extend_from_slice(&owner.disk_id.to_le_bytes());
        header.extend_from_slice(&owner.shard.to_le_bytes());
        header.extend_from_slice(&self.prev_crc.to_le_bytes());
        header.extend_from_slice(&self.sequence.to_le_bytes());
        header.extend_from_slice(&self.position.generation.to_le_bytes());
        header.extend_from_slice(&self.position.pos.to_le_bytes());
        header.extend_from_slice(&self.position.sequence.to_le_bytes());
        header.extend_from_slice(&self.position.prev_crc.to_le_bytes());
        header.extend_from_slice(&self.body_bytes.to_le_bytes());
        header.extend_from_slice(&self.body_crc.to_le_bytes());
        let crc = crc32c(&header);
        header.extend_from_slice(&crc.to_le_bytes());
        (header.try_into().expect("the fields add up"), crc)
    }

    fn decode(bytes: &[u8], owner: CheckpointOwner) -> Option<Self> {
        let header = bytes.get(..HEADER_BYTES)?;
        let u64_at = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
        let u32_at = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let crc = u32_at(HEADER_BYTES - 4)?;
        let good = u32_at(0)? == MAGIC
            && header[4..6] == FORMAT_VERSION.to_le_bytes()
            && header[8..24] == owner.disk_id.to_le_bytes()
            && u32_at(24)? == owner.shard
            && crc == crc32c(&header[..HEADER_BYTES - 4]);
        let record = Self {
            full: header[6] != 0,
            prev_crc: u32_at(28)?,
            sequence: u64_at(32)?,
            position: Position {
                generation: u64_at(40)?,
                pos: u64_at(48)?,
                sequence: u64_at(56)?,
                prev_crc: u32_at(64)?,
            },
            body_bytes: u64_at(68)?,
            body_crc: u32_at(76)?,
            crc,
        };
        // Another record follows it, and its length is added to where it stands.
        let possible = record.position.is_possible()
            && record.sequence < u64::MAX
            && record.body_bytes <= BODY_BYTES_MAX;
        (good && possible).then_some(record)
    }
}

/// A partition and its new state; none if it is gone.
type Change<'a> = (TopicPartition, Option<&'a [u8]>);

/// Applies encoded changes, all of them; `None` if they are malformed.
fn apply_changes(body: &[u8], states: &mut BTreeMap<TopicPartition, Vec<u8>>) -> Option<()> {
    for (id, state) in decode_changes(body)? {
        match state {
            Some(state) => states.insert(id, state.to_vec()),
            None => states.remove(&id),
        };
    }
    Some(())
}

fn decode_changes(body: &[u8]) -> Option<Vec<Change<'_>>> {
    let (mut changes, mut rest) = (Vec::new(), body);
    while let Some((kind, behind)) = rest.split_first() {
        let state_bytes = match *kind {
            CHANGED => {
                let (len, behind) = behind.split_first_chunk()?;
                rest = behind;
                u32::from_le_bytes(*len) as usize
            },
            REMOVED => {
                rest = behind;
                ID_BYTES
            },
            _ => return None,
        };
        let (state, behind) = rest.split_at_checked(state_bytes)?;
        rest = behind;
        changes.push((read_id(state)?, (*kind == CHANGED).then_some(state)));
    }
    Some(changes)
}

fn read_id(bytes: &[u8]) -> Option<TopicPartition> {
    let topic_id = net_wire::Uuid::from_bytes(bytes.get(..16)?.try_into().ok()?);
    let partition = u32::from_le_bytes(bytes.get(16..ID_BYTES)?.try_into().ok()?);
    Some(TopicPartition {
        topic_id,
        partition,
    })
}

impl Checkpoint {
    /// Reads the newest checkpoint in `dir`; contents are empty if there never was one. Torn records
    /// were not promised anything. While the copies differ they are read again: older than the
    /// newest record, a start would miss journal files that were used again.
    pub(crate) async fn load(
        dir: &Path,
        owner: CheckpointOwner,
    ) -> io::Result<(Self, CheckpointContents)> {
        let mut best: Option<(Place, CheckpointContents)> = None;
        let (mut differ, mut refused, mut is_read) = (true, None, false);
        for _ in 0..READS_BEFORE_LOSS {
            let mut ends = Vec::new();
            for (copy, name) in NAMES.iter().enumerate() {
                let known = sequence_of(best.as_ref());
                let found = match load_newer(&dir.join(name), copy, owner, known).await {
                    Ok(found) => {
                        is_read = true;
                        found
                    },
                    // A copy that cannot be read is as good as a damaged one, if there is another.
                    Err(error) => {
                        refused = Some(error);
                        None
                    },
                };
                ends.push(sequence_of(found.as_ref()));
                if sequence_of(best.as_ref()) < sequence_of(found.as_ref()) {
                    best = found;
                }
            }
            differ = ends.iter().any(|end| *end != sequence_of(best.as_ref()));
            if !differ && refused.is_none() {
                break;
            }
        }
        let (place, contents) = match (best, refused) {
            (Some((place, contents)), _) => (Some(place), contents),
            (None, Some(error)) if !is_read => return Err(error),
            // Journal files are used again when both copies have a record: what one alone may have is
            // not needed.
            (None, _) => (None, CheckpointContents::default()),
        };
        Ok((
            Self {
                dir: dir.to_path_buf(),
                owner,
                place: RefCell::new(place),
                incomplete: Cell::new(differ),
            },
            contents,
        ))
    }

    /// Makes the copy that was read durable (rule 4): the journal before it may be written over.
    pub(crate) async fn make_durable(&self) -> io::Result<()> {
        let Some(copy) = self.place.borrow().map(|place| place.copy) else {
            return Ok(());
        };
        let file = File::open(&self.dir.join(NAMES[copy]), OpenOptions::default()).await?;
        file.sync().await
    }

    /// Makes a copy that was lost or damaged, or that a crash left behind, the same as the other one.
    /// If that cannot be done now, the next record is a full one.
    pub(crate) async fn mend(&self) {
        let place = *self.place.borrow();
        let Some(place) = place.filter(|_| self.incomplete.get()) else {
            return;
        };
        match self.mirror(place.copy, 0, place.end).await {
            Ok(()) => self.incomplete.set(false),
            Err(error) => {
                let copy = NAMES[1 - place.copy];
                tracing::warn!(shard = self.owner.shard, copy, %error, "FL2004: a copy of the checkpoint cannot be written; the next checkpoint tries again");
            },
        }
    }

    /// Whether the next record should be a full one: changes outgrew it, or a record that was begun
    /// is not there, and with it what it would have said.
    pub(crate) fn wants_full(&self) -> bool {
        (self.incomplete.get() && !mutant::is_active(Mutant::FailedCheckpointKept))
            || self.place.borrow().is_none_or(|place| {
                let changes = place.end - place.full_bytes;
                changes > place.full_bytes.max(CHANGES_MIN_BYTES)
            })
    }
}

/// The last record that was found; below all others, if none was.
fn sequence_of(found: Option<&(Place, CheckpointContents)>) -> Option<u64> {
    found.map(|(place, _)| place.sequence)
}

#[cfg(test)]
mod tests;
