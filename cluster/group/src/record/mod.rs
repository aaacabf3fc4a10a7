//! The records of `__consumer_offsets`, in Kafka's own format, so that its tools read them.
//!
//! A key begins with the type of the record, a value with its version; no value is a tombstone.
//! Types that are not known here (other kinds of groups) are skipped.

mod consumer;
mod group_metadata;
mod offset_commit;
#[cfg(test)]
mod tests;

use net_wire::{Encoded, Reader, Uuid, WireError, Writer};
use thiserror::Error;

use crate::offsets::CommittedOffset;

pub use consumer::{
    ClassicMember, ConsumerRecord, CurrentAssignment, GroupEpoch, ResolvedRegex, Subscription,
};
pub use group_metadata::{GroupMetadata, MemberMetadata};

/// Types of records: the number that a key begins with.
const LEGACY_OFFSET_COMMIT: i16 = 0;
const OFFSET_COMMIT: i16 = 1;
const GROUP_METADATA: i16 = 2;

/// The header of a committed offset's record that has the id of its topic, in 16 bytes.
pub const TOPIC_ID_HEADER: &[u8] = b"flumen.topic.id";

/// The first version of either value with compact lengths and tagged fields.
const FLEXIBLE: i16 = 4;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The offset of a group in a partition, or that there is none any more.
    OffsetCommit {
        /// Whose it is.
        group_id: String,
        /// The name of the topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset; `None` removes it.
        value: Option<CommittedOffset>,
    },
    /// The members of a group of the classic protocol, or that it is gone.
    GroupMetadata {
        /// The group.
        group_id: String,
        /// What it is; `None` removes it.
        value: Option<GroupMetadata>,
    },
    /// Something of a group of the consumer protocol.
    Consumer {
        /// The group.
        group_id: String,
        /// What of it.
        record: ConsumerRecord,
    },
}

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Its bytes are not what its type has.
    #[error("record of the offsets topic: {0}")]
    Malformed(#[from] WireError),
    /// A newer version of a known type.
    #[error("record type {0} has version {1}, which is not known")]
    Version(i16, i16),
}

/// The bytes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordBytes {
    /// The key.
    pub key: Vec<u8>,
    /// The value; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// What [`TOPIC_ID_HEADER`] has.
    pub topic_id: Option<Uuid>,
}

impl Record {
    /// The group that it is about.
    pub fn group_id(&self) -> &str {
        match self {
            Self::OffsetCommit { group_id, .. }
            | Self::GroupMetadata { group_id, .. }
            | Self::Consumer { group_id, .. } => group_id,
        }
    }

    /// Its bytes. Texts come from requests or from the log, whose strings have this bound, too.
    pub fn encode(&self) -> Result<RecordBytes, WireError> {
        match self {
            Self::OffsetCommit {
                group_id,
                topic,
                partition,
                value,
            } => Ok(RecordBytes {
                key: bytes(OFFSET_COMMIT, |w| {
                    w.nullable_str(Some(group_id));
                    w.nullable_str(Some(topic));
                    w.i32(*partition);
                })?,
                value: value.as_ref().map(offset_commit::encode).transpose()?,
                topic_id: value.as_ref().and_then(CommittedOffset::known_topic_id),
            }),
            Self::GroupMetadata { group_id, value } => Ok(RecordBytes {
                key: bytes(GROUP_METADATA, |w| w.nullable_str(Some(group_id)))?,
                value: value.as_ref().map(group_metadata::encode).transpose()?,
                topic_id: None,
            }),
            Self::Consumer { group_id, record } => consumer::encode(group_id, record),
        }
    }

    /// The record of these bytes, with the topic's id of its header; or `None` for a type that is not
    /// known here.
    pub fn decode(
        key: &[u8],
        value: Option<&[u8]>,
        topic_id: Option<Uuid>,
    ) -> Result<Option<Self>, RecordError> {
        let mut r = Reader::new(key, false);
        let record = match r.i16()? {
            LEGACY_OFFSET_COMMIT | OFFSET_COMMIT => Self::OffsetCommit {
                group_id: text(&mut r)?,
                topic: text(&mut r)?,
                partition: r.i32()?,
                value: value
                    .map(|value| offset_commit::decode(value, topic_id))
                    .transpose()?,
            },
            GROUP_METADATA => Self::GroupMetadata {
                group_id: text(&mut r)?,
                value: value.map(group_metadata::decode).transpose()?,
            },
            kind => {
                let found = consumer::decode(kind, r, value)?;
                return Ok(found.map(|(group_id, record)| Self::Consumer { group_id, record }));
            },
        };
        Ok(Some(record))
    }
}

/// Bytes that begin with a number: a type, or a version, which says how the rest is encoded.
fn bytes(number: i16, write: impl FnOnce(&mut Writer)) -> Result<Vec<u8>, WireError> {
    let mut w = Writer::new(false);
    w.i16(number);
    w.set_flexible(number >= FLEXIBLE);
    write(&mut w);
    w.finish().map(|Encoded { bytes, .. }| bytes)
}

/// The version of a value and a reader of what follows it.
fn versioned(kind: i16, value: &[u8]) -> Result<(i16, Reader<'_>), RecordError> {
    let mut r = Reader::new(value, false);
    let version = r.i16()?;
    if !(0..=FLEXIBLE).contains(&version) {
        return Err(RecordError::Version(kind, version));
    }
    Ok((version, Reader::new(r.rest(), version >= FLEXIBLE)))
}

fn text(r: &mut Reader<'_>) -> Result<String, WireError> {
    r.nullable_str()?
        .map(str::to_owned)
        .ok_or(WireError::UnexpectedNull("string"))
}

fn nullable_text(r: &mut Reader<'_>) -> Result<Option<String>, WireError> {
    Ok(r.nullable_str()?.map(str::to_owned))
}
