//! Records are what Kafka writes, and come back as they went.

use std::collections::BTreeSet;

use net_wire::Uuid;
use proptest::prelude::*;

use super::{
    ClassicMember, ConsumerRecord, CurrentAssignment, GroupEpoch, GroupMetadata, MemberMetadata,
    Record, RecordError, ResolvedRegex, Subscription, group_metadata, offset_commit,
};
use crate::consumer::{Assignment, MemberState};
use crate::offsets::CommittedOffset;
use crate::request::Protocol;

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

fn assignment() -> impl Strategy<Value = Assignment> {
    let partitions = proptest::collection::btree_set(any::<i32>(), 1..4);
    let topic = any::<[u8; 16]>().prop_map(Uuid::from_bytes);
    proptest::collection::btree_map(topic, partitions, 0..3)
}

fn classic_member() -> impl Strategy<Value = ClassicMember> {
    let protocol = any::<(String, Vec<u8>)>();
    let protocols = proptest::collection::vec(protocol, 0..3);
    (any::<i32>(), protocols).prop_map(|(session_timeout_ms, protocols)| ClassicMember {
        session_timeout_ms,
        protocols: protocols
            .into_iter()
            .map(|(name, metadata)| Protocol { name, metadata })
            .collect(),
    })
}

fn subscription() -> impl Strategy<Value = Subscription> {
    (
        any::<(Option<String>, Option<String>, String, String)>(),
        any::<(BTreeSet<String>, Option<String>, i32, Option<String>)>(),
        proptest::option::of(classic_member()),
    )
        .prop_map(|(who, what, classic)| Subscription {
            instance_id: who.0,
            rack_id: who.1,
            client_id: who.2,
            client_host: who.3,
            topic_names: what.0,
            topic_regex: what.1.filter(|text| !text.is_empty()),
            rebalance_timeout_ms: what.2,
            server_assignor: what.3,
            classic,
        })
}

fn current() -> impl Strategy<Value = CurrentAssignment> {
    (any::<(i32, i32)>(), 0..3_i8, assignment(), assignment()).prop_map(
        |((epoch, previous_epoch), state, assigned, revoking)| CurrentAssignment {
            epoch,
            previous_epoch,
            state: MemberState::from_code(state),
            assigned,
            revoking,
        },
    )
}

fn consumer_record() -> impl Strategy<Value = ConsumerRecord> {
    use proptest::option::of;
    let group = any::<(i32, i64)>().prop_map(|(epoch, metadata_hash)| GroupEpoch {
        epoch,
        metadata_hash,
    });
    let regex = any::<(BTreeSet<String>, i64, i64)>();
    let regex = regex.prop_map(|(topics, version, timestamp_ms)| ResolvedRegex {
        topics,
        version,
        timestamp_ms,
    });
    let id = any::<String>;
    prop_oneof![
        of(group).prop_map(ConsumerRecord::Group),
        (id(), of(subscription())).prop_map(|(id, value)| ConsumerRecord::Member(id, value)),
        any::<Option<i32>>().prop_map(ConsumerRecord::TargetEpoch),
        (id(), of(assignment())).prop_map(|(id, value)| ConsumerRecord::Target(id, value)),
        (id(), of(current())).prop_map(|(id, value)| ConsumerRecord::Current(id, value)),
        (id(), of(regex)).prop_map(|(text, value)| ConsumerRecord::Regex(text, value)),
    ]
}

fn decoded(record: &Record) -> Record {
    let bytes = record.encode().unwrap();
    let back = Record::decode(&bytes.key, bytes.value.as_deref(), bytes.topic_id);
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
            // The only version with an expiry is older than this.
            value.leader_epoch = -1;
        }
        prop_assert_eq!(decoded(&record), expected);
    }

    #[test]
    fn groups_come_back(group_id: String, value in proptest::option::of(group())) {
        let record = Record::GroupMetadata { group_id, value };
        prop_assert_eq!(decoded(&record), record);
    }

    #[test]
    fn consumer_groups_come_back(group_id: String, record in consumer_record()) {
        let record = Record::Consumer { group_id, record };
        prop_assert_eq!(decoded(&record), record);
    }

    #[test]
    fn every_version_of_an_offset_is_read(value in offset()) {
        for version in 0..=4 {
            let back = offset_commit::decode(&offset_commit::encode_as(version, &value).unwrap(), None).unwrap();
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
    fn no_bytes_panic(key: Vec<u8>, value: Option<Vec<u8>>, kind in 0_i16..18, version in -1_i16..6) {
        let framed = |number: i16, bytes: &[u8]| [&number.to_be_bytes(), bytes].concat();
        let key = framed(kind, &key);
        let value = value.map(|value| framed(version, &value));
        // Refused or read: either is fine.
        let _seen = Record::decode(&key, value.as_deref(), None);
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
fn bytes_of_consumer_groups_are_those_of_kafka() {
    let bytes = |record| {
        let group_id = "g".to_owned();
        let bytes = Record::Consumer { group_id, record }.encode().unwrap();
        (bytes.key, bytes.value.unwrap())
    };
    let epoch = GroupEpoch {
        epoch: 2,
        metadata_hash: 5,
    };
    let (key, value) = bytes(ConsumerRecord::Group(Some(epoch)));
    assert_eq!(key, b"\x00\x03\x00\x01g");
    // A tagged field: its number, its length, a hash.
    let expected = b"\x00\x00\0\0\0\x02\x01\x00\x08\0\0\0\0\0\0\0\x05";
    assert_eq!(value, expected);

    let topic = Uuid::from_bytes([7; 16]);
    let current = CurrentAssignment {
        epoch: 4,
        previous_epoch: 3,
        state: MemberState::UnrevokedPartitions,
        assigned: [(topic, [1].into())].into(),
        revoking: Assignment::new(),
    };
    let record = ConsumerRecord::Current("m".to_owned(), Some(current));
    let (key, value) = bytes(record);
    assert_eq!(key, b"\x00\x08\x00\x01g\x00\x01m");
    let mut expected = b"\x00\x00\0\0\0\x04\0\0\0\x03\x01\x02".to_vec();
    expected.extend([7; 16]);
    expected.extend(b"\x02\0\0\0\x01\x00\x01\x00");
    assert_eq!(value, expected);

    let member = Subscription {
        client_id: "c".to_owned(),
        client_host: "/h".to_owned(),
        topic_names: ["t".to_owned()].into(),
        rebalance_timeout_ms: -1,
        ..Subscription::default()
    };
    let (key, value) = bytes(ConsumerRecord::Member("m".to_owned(), Some(member)));
    assert_eq!(key, b"\x00\x05\x00\x01g\x00\x01m");
    let expected = b"\x00\x00\x00\x00\x02c\x03/h\x02\x02t\x00\xff\xff\xff\xff\x00\x00";
    assert_eq!(value, expected);
}

#[test]
fn other_types_are_skipped_and_newer_versions_refused() {
    assert_eq!(
        Record::decode(b"\x00\x04\x00\x01g", Some(b"\x00\x00"), None),
        Ok(None)
    );
    let newer = Record::decode(b"\x00\x02\x00\x01g", Some(b"\x00\x05"), None);
    assert_eq!(newer, Err(RecordError::Version(2, 5)));
    let cut = Record::decode(b"\x00\x02\x00\x02g", None, None);
    assert!(matches!(cut, Err(RecordError::Malformed(_))));
}
