//! `GroupMetadataValue`: versions 0 to 4.
//!
//! Version 1 has rebalance timeouts, 2 the time of the last change of state, 3 static members.

use net_wire::{Reader, WireError, Writer};

use super::{FLEXIBLE, GROUP_METADATA, RecordError, bytes, nullable_text, text, versioned};

/// The version that is written: the newest that all tools read.
const WRITTEN: i16 = 3;

/// A generation of a group of the classic protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMetadata {
    /// What kind of group it is; empty if nobody has joined yet.
    pub protocol_type: String,
    /// The generation.
    pub generation: i32,
    /// The way of assigning in force.
    pub protocol: Option<String>,
    /// The member that assigns.
    pub leader: Option<String>,
    /// When the group came into its state, by the wall clock.
    pub state_timestamp_ms: Option<i64>,
    /// The members; none in an empty group.
    pub members: Vec<MemberMetadata>,
}

/// A member of a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberMetadata {
    /// Its id.
    pub member_id: String,
    /// Its name, if it is static.
    pub group_instance_id: Option<String>,
    /// The name of its client.
    pub client_id: String,
    /// The address of its client.
    pub client_host: String,
    /// How long others wait for it in a rebalance.
    pub rebalance_timeout_ms: i32,
    /// Silence after which it is taken out.
    pub session_timeout_ms: i32,
    /// What it said to the protocol.
    pub subscription: Vec<u8>,
    /// What it was given.
    pub assignment: Vec<u8>,
}

pub(super) fn encode(value: &GroupMetadata) -> Result<Vec<u8>, WireError> {
    encode_as(WRITTEN, value)
}

pub(super) fn encode_as(version: i16, value: &GroupMetadata) -> Result<Vec<u8>, WireError> {
    bytes(version, |w| {
        w.nullable_str(Some(&value.protocol_type));
        w.i32(value.generation);
        w.nullable_str(value.protocol.as_deref());
        w.nullable_str(value.leader.as_deref());
        if version >= 2 {
            w.i64(value.state_timestamp_ms.unwrap_or(-1));
        }
        w.nullable_array(Some(&value.members), |w, member| {
            write_member(w, version, member);
        });
        no_tags(w, version);
    })
}

fn write_member(w: &mut Writer, version: i16, member: &MemberMetadata) {
    w.nullable_str(Some(&member.member_id));
    if version >= 3 {
        w.nullable_str(member.group_instance_id.as_deref());
    }
    w.nullable_str(Some(&member.client_id));
    w.nullable_str(Some(&member.client_host));
    if version >= 1 {
        w.i32(member.rebalance_timeout_ms);
    }
    w.i32(member.session_timeout_ms);
    w.nullable_bytes(Some(&member.subscription));
    w.nullable_bytes(Some(&member.assignment));
    no_tags(w, version);
}

fn no_tags(w: &mut Writer, version: i16) {
    if version >= FLEXIBLE {
        w.uvarint(0);
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<GroupMetadata, RecordError> {
    let (version, mut r) = versioned(GROUP_METADATA, bytes)?;
    let protocol_type = text(&mut r)?;
    let generation = r.i32()?;
    let protocol = nullable_text(&mut r)?;
    let leader = nullable_text(&mut r)?;
    let timestamp = if version >= 2 { r.i64()? } else { -1 };
    let members = r
        .nullable_array(|r| read_member(r, version))?
        .ok_or(WireError::UnexpectedNull("members"))?;
    r.skip_tags()?;
    Ok(GroupMetadata {
        protocol_type,
        generation,
        protocol,
        leader,
        state_timestamp_ms: (timestamp >= 0).then_some(timestamp),
        members,
    })
}

fn read_member(r: &mut Reader<'_>, version: i16) -> Result<MemberMetadata, WireError> {
    let member_id = text(r)?;
    let group_instance_id = if version >= 3 {
        nullable_text(r)?
    } else {
        None
    };
    let (client_id, client_host) = (text(r)?, text(r)?);
    let rebalance_timeout_ms = if version >= 1 { Some(r.i32()?) } else { None };
    let session_timeout_ms = r.i32()?;
    let (subscription, assignment) = (opaque(r)?, opaque(r)?);
    r.skip_tags()?;
    Ok(MemberMetadata {
        member_id,
        group_instance_id,
        client_id,
        client_host,
        // The oldest members wait as long as they are silent.
        rebalance_timeout_ms: rebalance_timeout_ms.unwrap_or(session_timeout_ms),
        session_timeout_ms,
        subscription,
        assignment,
    })
}

fn opaque(r: &mut Reader<'_>) -> Result<Vec<u8>, WireError> {
    r.nullable_bytes()?
        .map(<[u8]>::to_vec)
        .ok_or(WireError::UnexpectedNull("bytes"))
}
