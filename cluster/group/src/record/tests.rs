//! Records are what Kafka writes, and come back as they went.

use net_wire::Uuid;
use proptest::prelude::*;

use super::{GroupMetadata, MemberMetadata, Record, RecordError, group_metadata, offset_commit};
use crate::offsets::CommittedOffset;

fn offset() -> impl Strategy<Value = CommittedOffset> {
    (
        any::<(i64, i32, String, i64)>(),
        proptest::option::of(0..i64::MAX),
        any::<[u8; 16]>(),
    )
        .prop_map(
            |((offset, leader_epoch, metadata, commit), expire, id)| CommittedOffset {
                offset,
                leader_epoch,
                metadata,
                commit_timestamp_ms: commit,
                expire_timestamp_ms: expire,
                topic_id: Uuid::from_bytes(id),
            },
        )
}

fn member() -> impl Strategy<Value = MemberMetadata> {
    let texts = any::<(String, Option<String>, String, String)>();
    let rest = any::<(i32, i32, Vec<u8>, Vec<u8>)>();
    (texts, rest).prop_map(|(texts, rest)| MemberMetadata {
        member_id: texts.0,
        group_instance_id: texts.1,
        client_id: texts.2,
        client_host: texts.3,
        rebalance_timeout_ms: rest.0,
        session_timeout_ms: rest.1,
        subscription: rest.2,
        assignment: rest.3,
    })
}

fn group() -> impl Strategy<Value = GroupMetadata> {
    (
        any::<(String, i32, Option<String>, Option<String>)>(),
        proptest::option::of(0..i64::MAX),
        proptest::collection::vec(member(), 0..4),
    )
        .prop_map(|(fields, state_timestamp_ms, members)| GroupMetadata {
            protocol_type: fields.0,
            generation: fields.1,
            protocol: fields.2,
            leader: fields.3,
            state_timestamp_ms,
            members,
        })
}

fn decoded(record: &Record) -> Record {
    let bytes = record.encode().unwrap();
    let back = Record::decode(&bytes.key, bytes.value.as_deref());
    back.unwrap().unwrap()
}

proptest! {
    #[test]
    fn offsets_come_back(group_id: String, topic: String, partition: i32, value in proptest::option::of(offset())) {
        let record = Record::OffsetCommit { group_id, topic, partition, value };
        let mut expected = record.clone();
        if let Record::OffsetCommit { value: Some(value), .. } = &mut expected
            && value.expire_timestamp_ms.is_some()
        {
            // The only version with an expiry is older than these.
            value.leader_epoch = -1;
            value.topic_id = Uuid::ZERO;
        }
        prop_assert_eq!(decoded(&record), expected);
    }

    #[test]
    fn groups_come_back(group_id: String, value in proptest::option::of(group())) {
        let record = Record::GroupMetadata { group_id, value };
        prop_assert_eq!(decoded(&record), record);
    }

    #[test]
    fn every_version_of_an_offset_is_read(value in offset()) {
        for version in 0..=4 {
            let back = offset_commit::decode(&offset_commit::encode_as(version, &value).unwrap()).unwrap();
            prop_assert_eq!(back.offset, value.offset);
            prop_assert_eq!(&back.metadata, &value.metadata);
            prop_assert_eq!(back.commit_timestamp_ms, value.commit_timestamp_ms);
            prop_assert_eq!(back.leader_epoch, if version >= 3 { value.leader_epoch } else { -1 });
            prop_assert_eq!(back.expire_timestamp_ms, value.expire_timestamp_ms.filter(|_| version == 1));
            prop_assert_eq!(back.topic_id, if version >= 4 { value.topic_id } else { Uuid::ZERO });
        }
    }

    #[test]
    fn every_version_of_a_group_is_read(value in group()) {
        for version in 0..=4 {
            let back = group_metadata::decode(&group_metadata::encode_as(version, &value).unwrap()).unwrap();
            let mut expected = value.clone();
            if version < 2 {
                expected.state_timestamp_ms = None;
            }
            for member in &mut expected.members {
                if version < 3 {
                    member.group_instance_id = None;
                }
                if version < 1 {
                    member.rebalance_timeout_ms = member.session_timeout_ms;
                }
            }
            prop_assert_eq!(back, expected);
        }
    }

    #[test]
    fn no_bytes_panic(key: Vec<u8>, value: Option<Vec<u8>>, kind in 0_i16..4, version in -1_i16..6) {
        let framed = |number: i16, bytes: &[u8]| [&number.to_be_bytes(), bytes].concat();
        let key = framed(kind, &key);
        let value = value.map(|value| framed(version, &value));
        // Refused or read: either is fine.
        let _seen = Record::decode(&key, value.as_deref());
    }
}

#[test]
fn bytes_are_those_of_kafka() {
    let record = Record::OffsetCommit {
        group_id: "g".to_owned(),
        topic: "t".to_owned(),
        partition: 7,
        value: Some(CommittedOffset {
            offset: 5,
            leader_epoch: 2,
            metadata: "m".to_owned(),
            commit_timestamp_ms: 9,
            ..CommittedOffset::default()
        }),
    };
    let bytes = record.encode().unwrap();
    assert_eq!(bytes.key, b"\x00\x01\x00\x01g\x00\x01t\x00\x00\x00\x07");
    let value = b"\x00\x03\0\0\0\0\0\0\0\x05\0\0\0\x02\x00\x01m\0\0\0\0\0\0\0\x09";
    assert_eq!(bytes.value.as_deref(), Some(&value[..]));
    let empty = Record::GroupMetadata {
        group_id: "g".to_owned(),
        value: Some(GroupMetadata {
            protocol_type: "consumer".to_owned(),
            generation: 3,
            ..GroupMetadata::default()
        }),
    };
    let bytes = empty.encode().unwrap();
    assert_eq!(bytes.key, b"\x00\x02\x00\x01g");
    let value =
        b"\x00\x03\x00\x08consumer\0\0\0\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";
    assert_eq!(bytes.value.as_deref(), Some(&value[..]));
}

#[test]
fn other_types_are_skipped_and_newer_versions_refused() {
    assert_eq!(
        Record::decode(b"\x00\x03\x00\x01g", Some(b"\x00\x00")),
        Ok(None)
    );
    let newer = Record::decode(b"\x00\x02\x00\x01g", Some(b"\x00\x05"));
    assert_eq!(newer, Err(RecordError::Version(2, 5)));
    let cut = Record::decode(b"\x00\x02\x00\x02g", None);
    assert!(matches!(cut, Err(RecordError::Malformed(_))));
}
