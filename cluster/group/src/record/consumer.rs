//! The records of groups of the consumer protocol (KIP-848), as Kafka 4.1 writes them.
//!
//! Their keys are never flexible, their values are in their only version. Kafka 4.0 wrote the
//! partitions of subscribed topics, too (type 4); the hash of them took its place.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::{Reader, WireError, Writer};

use super::{RecordBytes, RecordError, nullable_text, text};
use crate::consumer::{Assignment, MemberState};
use crate::request::Protocol;

/// Types of records.
const GROUP: i16 = 3;
const MEMBER: i16 = 5;
const TARGET_EPOCH: i16 = 6;
const TARGET: i16 = 7;
const CURRENT: i16 = 8;
const REGEX: i16 = 16;

const METADATA_HASH_TAG: u32 = 0;
const CLASSIC_TAG: u32 = 0;

/// A record of a group of the consumer protocol; what is `None` is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumerRecord {
    /// The group itself.
    Group(Option<GroupEpoch>),
    /// What a member is and reads, by its id.
    Member(String, Option<Subscription>),
    /// The group epoch that the target assignment was made for.
    TargetEpoch(Option<i32>),
    /// What a member shall have.
    Target(String, Option<Assignment>),
    /// What a member has.
    Current(String, Option<CurrentAssignment>),
    /// A regular expression that members are subscribed by.
    Regex(String, Option<ResolvedRegex>),
}

/// The group epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupEpoch {
    /// Grows with every change that could change who has what.
    pub epoch: i32,
    /// A hash of the topics that are read, to see whether they changed; zero if there are none.
    pub metadata_hash: i64,
}

/// What a member is and reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The instance id of a static member.
    pub instance_id: Option<String>,
    /// Its rack.
    pub rack_id: Option<String>,
    /// The name that the client gives itself.
    pub client_id: String,
    /// The address of the client.
    pub client_host: String,
    /// The names it is subscribed to.
    pub topic_names: BTreeSet<String>,
    /// The regular expression it is subscribed by.
    pub topic_regex: Option<String>,
    /// How long it may take to give partitions up.
    pub rebalance_timeout_ms: i32,
    /// The assignor it would like.
    pub server_assignor: Option<String>,
    /// What it said if it speaks the classic protocol.
    pub classic: Option<ClassicMember>,
}

/// What a member of the classic protocol says beyond its subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicMember {
    /// Silence after which it is taken out.
    pub session_timeout_ms: i32,
    /// The ways of assigning that it knows, the best first.
    pub protocols: Vec<Protocol>,
}

/// What a member has, and how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentAssignment {
    /// The epoch that it has reached; -2 for a static member that is away.
    pub epoch: i32,
    /// The one before: what it sends if it did not get the last answer.
    pub previous_epoch: i32,
    /// How far it is.
    pub state: MemberState,
    /// What it has, or was told that it may take.
    pub assigned: Assignment,
    /// What it was told to give up and may still have.
    pub revoking: Assignment,
}

/// The topics that a regular expression matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedRegex {
    /// Their names.
    pub topics: BTreeSet<String>,
    /// The version of the metadata that they were looked for in.
    pub version: i64,
    /// When, by the wall clock.
    pub timestamp_ms: i64,
}

/// The bytes of a record of `group_id`.
pub(super) fn encode(group_id: &str, record: &ConsumerRecord) -> Result<RecordBytes, WireError> {
    match record {
        ConsumerRecord::Group(value) => of(GROUP, group_id, None, value.as_ref(), |w, value| {
            w.i32(value.epoch);
            tagged(w, METADATA_HASH_TAG, value.metadata_hash != 0, |w| {
                w.i64(value.metadata_hash);
            });
        }),
        ConsumerRecord::Member(id, value) => of(
            MEMBER,
            group_id,
            Some(id),
            value.as_ref(),
            write_subscription,
        ),
        ConsumerRecord::TargetEpoch(value) => {
            of(TARGET_EPOCH, group_id, None, value.as_ref(), |w, epoch| {
                w.i32(*epoch);
                w.uvarint(0);
            })
        },
        ConsumerRecord::Target(id, value) => {
            of(TARGET, group_id, Some(id), value.as_ref(), |w, value| {
                write_assignment(w, value);
                w.uvarint(0);
            })
        },
        ConsumerRecord::Current(id, value) => {
            of(CURRENT, group_id, Some(id), value.as_ref(), write_current)
        },
        ConsumerRecord::Regex(regex, value) => {
            of(REGEX, group_id, Some(regex), value.as_ref(), |w, value| {
                write_names(w, &value.topics);
                w.i64(value.version);
                w.i64(value.timestamp_ms);
                w.uvarint(0);
            })
        },
    }
}

/// The group and the record of these bytes, if the type is one of these.
pub(super) fn decode(
    kind: i16,
    mut key: Reader<'_>,
    value: Option<&[u8]>,
) -> Result<Option<(String, ConsumerRecord)>, RecordError> {
    if !matches!(
        kind,
        GROUP | MEMBER | TARGET_EPOCH | TARGET | CURRENT | REGEX
    ) {
        return Ok(None);
    }
    let group_id = text(&mut key)?;
    let mut value = value.map(|value| versioned(kind, value)).transpose()?;
    let value = value.as_mut();
    let record = match kind {
        GROUP => ConsumerRecord::Group(value.map(read_group).transpose()?),
        TARGET_EPOCH => ConsumerRecord::TargetEpoch(value.map(Reader::i32).transpose()?),
        MEMBER => {
            ConsumerRecord::Member(text(&mut key)?, value.map(read_subscription).transpose()?)
        },
        TARGET => ConsumerRecord::Target(text(&mut key)?, value.map(read_assignment).transpose()?),
        CURRENT => ConsumerRecord::Current(text(&mut key)?, value.map(read_current).transpose()?),
        _ => ConsumerRecord::Regex(text(&mut key)?, value.map(read_regex).transpose()?),
    };
    Ok(Some((group_id, record)))
}

/// A record whose key is the group and maybe something of it.
fn of<T>(
    kind: i16,
    group_id: &str,
    part: Option<&str>,
    value: Option<&T>,
    write: impl FnOnce(&mut Writer, &T),
) -> Result<RecordBytes, WireError> {
    let mut key = Writer::new(false);
    key.i16(kind);
    key.nullable_str(Some(group_id));
    if let Some(part) = part {
        key.nullable_str(Some(part));
    }
    let value = value.map(|value| {
        let mut w = Writer::new(false);
        w.i16(0);
        w.set_flexible(true);
        write(&mut w, value);
        w.finish().map(|encoded| encoded.bytes)
    });
    Ok(RecordBytes {
        key: key.finish()?.bytes,
        value: value.transpose()?,
        topic_id: None,
    })
}

/// A reader of what follows the version of a value.
fn versioned(kind: i16, value: &[u8]) -> Result<Reader<'_>, RecordError> {
    let mut r = Reader::new(value, false);
    match r.i16()? {
        0 => Ok(Reader::new(r.rest(), true)),
        version => Err(RecordError::Version(kind, version)),
    }
}

/// The tagged fields of a structure that has one at most.
fn tagged(w: &mut Writer, tag: u32, is_there: bool, write: impl FnOnce(&mut Writer)) {
    w.uvarint(u32::from(is_there));
    if is_there {
        w.tagged(tag, write);
    }
}

fn read_group(r: &mut Reader<'_>) -> Result<GroupEpoch, WireError> {
    let epoch = r.i32()?;
    let hash = read_tagged(r, METADATA_HASH_TAG, Reader::i64)?;
    Ok(GroupEpoch {
        epoch,
        metadata_hash: hash.unwrap_or_default(),
    })
}

fn read_tagged<'a, T>(
    r: &mut Reader<'a>,
    wanted: u32,
    read: impl Fn(&mut Reader<'a>) -> Result<T, WireError>,
) -> Result<Option<T>, WireError> {
    let mut found = None;
    for _ in 0..r.tag_count()? {
        let (tag, tail) = r.enter_tag()?;
        if tag == wanted {
            found = Some(read(r)?);
        }
        r.leave_tag(&tail);
    }
    Ok(found)
}

fn write_subscription(w: &mut Writer, value: &Subscription) {
    w.nullable_str(value.instance_id.as_deref());
    w.nullable_str(value.rack_id.as_deref());
    w.nullable_str(Some(&value.client_id));
    w.nullable_str(Some(&value.client_host));
    write_names(w, &value.topic_names);
    w.nullable_str(value.topic_regex.as_deref());
    w.i32(value.rebalance_timeout_ms);
    w.nullable_str(value.server_assignor.as_deref());
    tagged(w, CLASSIC_TAG, value.classic.is_some(), |w| {
        if let Some(classic) = &value.classic {
            write_classic(w, classic);
        }
    });
}

/// A nullable structure: a byte says that there is one.
fn write_classic(w: &mut Writer, classic: &ClassicMember) {
    w.i8(1);
    w.i32(classic.session_timeout_ms);
    w.nullable_array(Some(&classic.protocols), |w, protocol| {
        w.nullable_str(Some(&protocol.name));
        w.nullable_bytes(Some(&protocol.metadata));
        w.uvarint(0);
    });
    w.uvarint(0);
}

fn read_subscription(r: &mut Reader<'_>) -> Result<Subscription, WireError> {
    Ok(Subscription {
        instance_id: nullable_text(r)?,
        rack_id: nullable_text(r)?,
        client_id: text(r)?,
        client_host: text(r)?,
        topic_names: read_names(r)?,
        // Kafka has both for none.
        topic_regex: nullable_text(r)?.filter(|regex| !regex.is_empty()),
        rebalance_timeout_ms: r.i32()?,
        server_assignor: nullable_text(r)?,
        classic: read_tagged(r, CLASSIC_TAG, read_classic)?.flatten(),
    })
}

fn read_classic(r: &mut Reader<'_>) -> Result<Option<ClassicMember>, WireError> {
    if r.i8()? < 0 {
        return Ok(None);
    }
    let session_timeout_ms = r.i32()?;
    let protocols = r.nullable_array(|r| {
        let name = text(r)?;
        let metadata = r.nullable_bytes()?.unwrap_or_default().to_vec();
        r.skip_tags()?;
        Ok(Protocol { name, metadata })
    })?;
    Ok(Some(ClassicMember {
        session_timeout_ms,
        protocols: protocols.unwrap_or_default(),
    }))
}

fn write_current(w: &mut Writer, value: &CurrentAssignment) {
    w.i32(value.epoch);
    w.i32(value.previous_epoch);
    w.i8(value.state.code());
    write_assignment(w, &value.assigned);
    write_assignment(w, &value.revoking);
    w.uvarint(0);
}

fn read_current(r: &mut Reader<'_>) -> Result<CurrentAssignment, WireError> {
    Ok(CurrentAssignment {
        epoch: r.i32()?,
        previous_epoch: r.i32()?,
        state: MemberState::from_code(r.i8()?),
        assigned: read_assignment(r)?,
        revoking: read_assignment(r)?,
    })
}

fn write_assignment(w: &mut Writer, assignment: &Assignment) {
    let topics: Vec<_> = assignment.iter().collect();
    w.nullable_array(Some(&topics), |w, (topic, partitions)| {
        w.uuid(**topic);
        let partitions: Vec<i32> = partitions.iter().copied().collect();
        w.nullable_array(Some(&partitions), |w, partition| w.i32(*partition));
        w.uvarint(0);
    });
}

fn read_assignment(r: &mut Reader<'_>) -> Result<Assignment, WireError> {
    let topics = r.nullable_array(|r| {
        let topic = r.uuid()?;
        let partitions = r.nullable_array(Reader::i32)?.unwrap_or_default();
        r.skip_tags()?;
        Ok((topic, partitions))
    })?;
    let mut assignment: Assignment = BTreeMap::new();
    for (topic, partitions) in topics.unwrap_or_default() {
        if !partitions.is_empty() {
            assignment.entry(topic).or_default().extend(partitions);
        }
    }
    Ok(assignment)
}

fn read_regex(r: &mut Reader<'_>) -> Result<ResolvedRegex, WireError> {
    Ok(ResolvedRegex {
        topics: read_names(r)?,
        version: r.i64()?,
        timestamp_ms: r.i64()?,
    })
}

fn write_names(w: &mut Writer, names: &BTreeSet<String>) {
    let names: Vec<&String> = names.iter().collect();
    w.nullable_array(Some(&names), |w, name| w.nullable_str(Some(name)));
}

fn read_names(r: &mut Reader<'_>) -> Result<BTreeSet<String>, WireError> {
    let names = r.nullable_array(text)?;
    Ok(names.unwrap_or_default().into_iter().collect())
}
