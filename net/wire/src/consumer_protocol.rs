//! What consumers of the classic protocol say to each other: the topics that they are subscribed to,
//! and who has what. A coordinator reads it where it must know, and where a group changes its
//! protocol.
//!
//! Nobody but members checks what members say, so that any other bytes are no error of anybody.
//! Versions only add: a newer one is read as the newest that is known.

use std::collections::BTreeSet;

use crate::error::WireError;
use crate::reader::Reader;
use crate::writer::Writer;

/// The protocol type whose subscriptions have this form.
pub const CONSUMER: &str = "consumer";

/// First versions with the partitions of a member, with its generation, with its rack.
const OWNED_VERSION: i16 = 1;
const GENERATION_VERSION: i16 = 2;
const RACK_VERSION: i16 = 3;

/// Partitions by the names of their topics.
pub type NamedPartitions = Vec<(String, Vec<i32>)>;

/// A `ConsumerProtocolSubscription`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerSubscription {
    /// The version that it was written in.
    pub version: i16,
    /// The topics that the member reads.
    pub topics: BTreeSet<String>,
    /// What the member has.
    pub owned: NamedPartitions,
    /// Where the member is, if it says so.
    pub rack_id: Option<String>,
}

impl ConsumerSubscription {
    /// Reads one, of any version.
    pub fn read(subscription: &[u8]) -> Result<Self, WireError> {
        let (version, topics, mut r) = begin(subscription)?;
        r.nullable_bytes()?;
        let owned = if version >= OWNED_VERSION {
            named_partitions(&mut r)?
        } else {
            Vec::new()
        };
        if version >= GENERATION_VERSION {
            r.i32()?;
        }
        let rack_id = if version >= RACK_VERSION {
            r.nullable_str()?.map(str::to_owned)
        } else {
            None
        };
        Ok(Self {
            version,
            topics,
            owned,
            rack_id,
        })
    }
}

/// The topics of a `ConsumerProtocolSubscription`, whatever follows them.
pub fn topics(subscription: &[u8]) -> Result<BTreeSet<String>, WireError> {
    begin(subscription).map(|(_, topics, _)| topics)
}

/// The bytes of a `ConsumerProtocolSubscription` of version 0, without data of an assignor's own.
pub fn subscription_bytes(topics: &[&str]) -> Result<Vec<u8>, WireError> {
    let mut w = Writer::new(false);
    w.i16(0);
    w.nullable_array(Some(topics), |w, topic| w.nullable_str(Some(*topic)));
    w.nullable_bytes(None);
    w.finish().map(|encoded| encoded.bytes)
}

/// A version, then an array of names.
fn begin(subscription: &[u8]) -> Result<(i16, BTreeSet<String>, Reader<'_>), WireError> {
    let mut r = Reader::new(subscription, false);
    let version = version(&mut r)?;
    let names =
        r.nullable_array(|r| r.nullable_str()?.ok_or(WireError::UnexpectedNull("topic")))?;
    let names = names.unwrap_or_default().into_iter();
    Ok((version, names.map(str::to_owned).collect(), r))
}

fn version(r: &mut Reader<'_>) -> Result<i16, WireError> {
    match r.i16()? {
        version @ 0.. => Ok(version),
        negative => Err(WireError::NegativeLength(negative.into())),
    }
}

fn named_partitions(r: &mut Reader<'_>) -> Result<NamedPartitions, WireError> {
    let topics = r.nullable_array(|r| {
        let name = r.nullable_str()?;
        let name = name.ok_or(WireError::UnexpectedNull("topic"))?.to_owned();
        let partitions = r.nullable_array(Reader::i32)?.unwrap_or_default();
        Ok((name, partitions))
    })?;
    Ok(topics.unwrap_or_default())
}

/// A `ConsumerProtocolAssignment`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerAssignment {
    /// What the member is to have.
    pub partitions: NamedPartitions,
    /// Whether an assignor of the client's own keeps something in it.
    pub has_user_data: bool,
}

impl ConsumerAssignment {
    /// Reads one; no bytes are one without partitions.
    pub fn read(assignment: &[u8]) -> Result<Self, WireError> {
        if assignment.is_empty() {
            return Ok(Self::default());
        }
        let mut r = Reader::new(assignment, false);
        version(&mut r)?;
        let partitions = named_partitions(&mut r)?;
        let user_data = r.nullable_bytes()?.unwrap_or_default();
        Ok(Self {
            partitions,
            has_user_data: !user_data.is_empty(),
        })
    }
}

/// The bytes of a `ConsumerProtocolAssignment` of this version.
pub fn assignment_bytes(
    version: i16,
    partitions: &[(String, Vec<i32>)],
) -> Result<Vec<u8>, WireError> {
    let mut w = Writer::new(false);
    w.i16(version);
    w.nullable_array(Some(partitions), |w, (name, partitions)| {
        w.nullable_str(Some(name));
        w.nullable_array(Some(partitions), |w, partition| w.i32(*partition));
    });
    w.nullable_bytes(None);
    w.finish().map(|encoded| encoded.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_rubbish_is_refused() {
        let bytes = b"\x00\x01\x00\x00\x00\x02\x00\x01a\x00\x01b\xff\xff\xff\xff";
        let expected = ["a", "b"].map(str::to_owned);
        assert_eq!(topics(bytes), Ok(expected.into()));
        assert!(topics(b"").is_err());
        assert!(topics(b"\x00\x01\x00\x00\x00\x09").is_err());
        assert!(topics(b"\xff\xff").is_err());
    }

    #[test]
    fn a_subscription_comes_back() {
        let bytes = subscription_bytes(&["b", "a"]).unwrap();
        let read = ConsumerSubscription::read(&bytes).unwrap();
        assert_eq!(read.topics, ["a", "b"].map(str::to_owned).into());
        assert_eq!((read.version, read.owned), (0, NamedPartitions::new()));
    }

    #[test]
    fn each_version_of_a_subscription_is_read() {
        let begin = b"\x00\x00\x00\x01\x00\x01a\xff\xff\xff\xff";
        let owned = b"\x00\x00\x00\x01\x00\x01a\x00\x00\x00\x01\x00\x00\x00\x05";
        let generation = b"\x00\x00\x00\x07";
        let rack = b"\x00\x01r";
        let parts: [&[u8]; 4] = [begin, owned, generation, rack];
        for version in 0..=4_i16 {
            let known = usize::from(version.unsigned_abs()).min(3) + 1;
            let bytes = [&version.to_be_bytes(), &*parts[..known].concat()].concat();
            let read = ConsumerSubscription::read(&bytes).unwrap();
            assert_eq!(read.topics, ["a".to_owned()].into());
            assert_eq!(
                (read.version, read.owned.len()),
                (version, version.min(1) as usize)
            );
            assert_eq!(read.rack_id.is_some(), version >= 3);
        }
        assert!(ConsumerSubscription::read(b"\x00\x01\x00\x00\x00\x00\xff\xff\xff\xff").is_err());
    }

    #[test]
    fn assignments_come_back() {
        let partitions = vec![("a".to_owned(), vec![1, 2]), ("b".to_owned(), vec![])];
        let bytes = assignment_bytes(1, &partitions).unwrap();
        let read = ConsumerAssignment::read(&bytes).unwrap();
        assert_eq!((read.partitions, read.has_user_data), (partitions, false));
        assert_eq!(
            ConsumerAssignment::read(b"").unwrap(),
            ConsumerAssignment::default()
        );
        let with_data = [&bytes[..bytes.len() - 4], b"\x00\x00\x00\x01x"].concat();
        assert!(ConsumerAssignment::read(&with_data).unwrap().has_user_data);
    }
}
