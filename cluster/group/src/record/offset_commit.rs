//! `OffsetCommitValue`: versions 0 to 4.
//!
//! Version 1 has a time of expiry, 3 the leader epoch, 4 the topic's id as a tagged field. Kafka 4.1
//! writes 4, which monitors that decode the topic by themselves (Burrow) do not read; 3 is written
//! here, and the id goes along as a header of the record.

use net_wire::{Reader, Uuid, WireError, Writer};

use super::{FLEXIBLE, OFFSET_COMMIT, RecordError, bytes, text, versioned};
use crate::offsets::CommittedOffset;

const TOPIC_ID_TAG: u32 = 0;

pub(super) fn encode(value: &CommittedOffset) -> Result<Vec<u8>, WireError> {
    encode_as(version_for(value), value)
}

/// A time of expiry has only version 1, which is older than leader epochs.
const fn version_for(value: &CommittedOffset) -> i16 {
    if value.expire_timestamp_ms.is_some() {
        1
    } else {
        3
    }
}

pub(super) fn encode_as(version: i16, value: &CommittedOffset) -> Result<Vec<u8>, WireError> {
    bytes(version, |w| {
        w.i64(value.offset);
        if version >= 3 {
            w.i32(value.leader_epoch);
        }
        w.nullable_str(Some(&value.metadata));
        w.i64(value.commit_timestamp_ms);
        if version == 1 {
            w.i64(value.expire_timestamp_ms.unwrap_or(-1));
        }
        if version >= FLEXIBLE {
            write_tags(w, value);
        }
    })
}

fn write_tags(w: &mut Writer, value: &CommittedOffset) {
    match value.known_topic_id() {
        Some(topic_id) => {
            w.uvarint(1);
            w.tagged(TOPIC_ID_TAG, |w| w.uuid(topic_id));
        },
        None => w.uvarint(0),
    }
}

/// `topic_id` is that of the header; a value of version 4 has it itself.
pub(super) fn decode(bytes: &[u8], topic_id: Option<Uuid>) -> Result<CommittedOffset, RecordError> {
    let (version, mut r) = versioned(OFFSET_COMMIT, bytes)?;
    let offset = r.i64()?;
    let leader_epoch = if version >= 3 { r.i32()? } else { -1 };
    let metadata = text(&mut r)?;
    let commit_timestamp_ms = r.i64()?;
    let expire_timestamp_ms = if version == 1 { r.i64()? } else { -1 };
    let tagged = read_topic_id(&mut r)?;
    Ok(CommittedOffset {
        offset,
        leader_epoch,
        metadata,
        commit_timestamp_ms,
        expire_timestamp_ms: (expire_timestamp_ms >= 0).then_some(expire_timestamp_ms),
        topic_id: tagged.or(topic_id).unwrap_or(Uuid::ZERO),
    })
}

fn read_topic_id(r: &mut Reader<'_>) -> Result<Option<Uuid>, WireError> {
    let mut topic_id = None;
    for _ in 0..r.tag_count()? {
        let (tag, tail) = r.enter_tag()?;
        if tag == TOPIC_ID_TAG {
            topic_id = Some(r.uuid()?);
        }
        r.leave_tag(&tail);
    }
    Ok(topic_id)
}
