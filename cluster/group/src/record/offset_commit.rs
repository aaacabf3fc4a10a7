//! `OffsetCommitValue`: versions 0 to 4.
//!
//! Version 1 has a time of expiry, 3 the leader epoch, 4 the topic's id as a tagged field.

use net_wire::{Reader, Uuid, WireError, Writer};

use super::{FLEXIBLE, OFFSET_COMMIT, RecordError, bytes, text, versioned};
use crate::offsets::CommittedOffset;

const TOPIC_ID_TAG: u32 = 0;

pub(super) fn encode(value: &CommittedOffset) -> Result<Vec<u8>, WireError> {
    encode_as(version_for(value), value)
}

/// The lowest version that says it all; a time of expiry has only version 1, which is older than
/// leader epochs and topic ids.
const fn version_for(value: &CommittedOffset) -> i16 {
    match value {
        CommittedOffset {
            expire_timestamp_ms: Some(_),
            ..
        } => 1,
        _ if value.has_topic_id() => FLEXIBLE,
        _ => 3,
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
    if value.has_topic_id() {
        w.uvarint(1);
        w.tagged(TOPIC_ID_TAG, |w| w.uuid(value.topic_id));
    } else {
        w.uvarint(0);
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<CommittedOffset, RecordError> {
    let (version, mut r) = versioned(OFFSET_COMMIT, bytes)?;
    let offset = r.i64()?;
    let leader_epoch = if version >= 3 { r.i32()? } else { -1 };
    let metadata = text(&mut r)?;
    let commit_timestamp_ms = r.i64()?;
    let expire_timestamp_ms = if version == 1 { r.i64()? } else { -1 };
    Ok(CommittedOffset {
        offset,
        leader_epoch,
        metadata,
        commit_timestamp_ms,
        expire_timestamp_ms: (expire_timestamp_ms >= 0).then_some(expire_timestamp_ms),
        topic_id: read_topic_id(&mut r)?,
    })
}

fn read_topic_id(r: &mut Reader<'_>) -> Result<Uuid, WireError> {
    let mut topic_id = Uuid::ZERO;
    for _ in 0..r.tag_count()? {
        let (tag, tail) = r.enter_tag()?;
        if tag == TOPIC_ID_TAG {
            topic_id = r.uuid()?;
        }
        r.leave_tag(&tail);
    }
    Ok(topic_id)
}
