//! Properties of the whole: replay, snapshots, and decoders under hostile bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::command::{
    AlterOp, ConfigOp, NewTopic, ResourceName, TopicRef, allocate_producer_ids,
    alter_client_quotas, alter_scram_credential, change_ownership, create_cluster,
    create_partitions, create_topic, delete_topic, incremental_alter_configs, unclean_start,
};
use crate::config::StaticConfig;
use crate::log::{LogError, Tail, Verdict, encode_frame, reconcile, scan};
use crate::{
    NodeId, Record, ScramCredential, ScramMechanism, State, TopicId, decode_records, encode_records,
};

/// A client's or the node's wish; numbers choose among a few names, so that wishes meet.
#[derive(Debug, Clone)]
enum Wish {
    Create {
        name: u8,
        partitions: i32,
        config: u8,
    },
    Grow {
        name: u8,
        count: i32,
    },
    Delete {
        name: u8,
    },
    Purge,
    Alter {
        resource: u8,
        op: u8,
        config: u8,
    },
    Quota {
        entity: u8,
        value: i8,
    },
    Credential {
        user: u8,
        mechanism: i8,
        is_set: bool,
    },
    ProducerIds,
    UncleanStart,
    Shards(u32),
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        4 => (0..8_u8, -2..6, 0..8_u8)
            .prop_map(|(name, partitions, config)| Wish::Create { name, partitions, config }),
        2 => (0..8_u8, 0..9).prop_map(|(name, count)| Wish::Grow { name, count }),
        2 => (0..8_u8).prop_map(|name| Wish::Delete { name }),
        1 => Just(Wish::Purge),
        4 => (0..12_u8, 0..4_u8, 0..10_u8)
            .prop_map(|(resource, op, config)| Wish::Alter { resource, op, config }),
        2 => (0..4_u8, -1..3_i8).prop_map(|(entity, value)| Wish::Quota { entity, value }),
        2 => (0..3_u8, 1..3_i8, any::<bool>())
            .prop_map(|(user, mechanism, is_set)| Wish::Credential { user, mechanism, is_set }),
        1 => Just(Wish::ProducerIds),
        1 => Just(Wish::UncleanStart),
        1 => (1..5_u32).prop_map(Wish::Shards),
    ]
}

const NAMES: [&str; 8] = [
    "a",
    "b.c",
    "b_c",
    "d",
    "e.f.g",
    "e_f.g",
    "__consumer_offsets",
    "bad name",
];
const CONFIGS: [(&str, &str); 10] = [
    ("retention.ms", "5"),
    ("cleanup.policy", "compact"),
    ("flush.messages", "7"),
    ("segment.bytes", "1"),
    ("no.such.key", "1"),
    ("message.format.version", "3.0"),
    ("log.retention.ms", "9"),
    ("min.compaction.lag.ms", "4"),
    ("share.isolation.level", "read_committed"),
    ("metrics", "a,b"),
];

const ENTITIES: [&[(&str, Option<&str>)]; 4] = [
    &[("user", Some("u"))],
    &[("user", None), ("client-id", Some("c"))],
    &[("client-id", None)],
    &[("ip", Some("::1"))],
];

/// The record for a wish, unless it is refused. Refusals change nothing, so they need no model.
fn judge(state: &State, fixed: &StaticConfig, wish: &Wish, serial: u32) -> Option<Record> {
    let name = |index: u8| NAMES[usize::from(index)];
    match wish {
        Wish::Create {
            name: index,
            partitions,
            config,
        } => {
            let (key, value) = CONFIGS[usize::from(*config)];
            let new = NewTopic {
                name: name(*index),
                topic_id: TopicId::from_bytes((u128::from(serial) + 2).to_be_bytes()),
                num_partitions: *partitions,
                replication_factor: -1,
                assignments: &[],
                configs: &[(key, Some(value))],
            };
            create_topic(state, fixed, &new).ok()
        },
        Wish::Grow { name: index, count } => {
            create_partitions(state, name(*index), *count, None).ok()
        },
        Wish::Delete { name: index } => {
            delete_topic(state, fixed, TopicRef::Name(name(*index))).ok()
        },
        Wish::Purge => {
            let topic_id = *state.tombstones().keys().next()?;
            Some(Record::TopicPurged { topic_id })
        },
        Wish::Alter {
            resource,
            op,
            config,
        } => {
            let resource = match resource {
                8 => ResourceName::Broker(""),
                9 => ResourceName::Broker("1"),
                10 => ResourceName::Group("g"),
                11 => ResourceName::ClientMetrics("m"),
                topic => ResourceName::Topic(name(*topic)),
            };
            let (key, value) = CONFIGS[usize::from(*config)];
            let op = AlterOp::from_code(*op as i8)?;
            let ops = [ConfigOp {
                name: key,
                op,
                value: Some(value),
            }];
            incremental_alter_configs(state, fixed, resource, &ops).ok()?
        },
        Wish::Quota { entity, value } => {
            let entity = &ENTITIES[usize::from(*entity)];
            let value = (*value >= 0).then_some(f64::from(*value));
            let change = [("producer_byte_rate", value)];
            alter_client_quotas(state, entity, &change).ok()?
        },
        Wish::Credential {
            user,
            mechanism,
            is_set,
        } => {
            let mechanism = ScramMechanism::from_code(*mechanism)?;
            let credential = is_set.then(|| ScramCredential {
                salt: vec![1; 20],
                stored_key: vec![2; mechanism.key_bytes()],
                server_key: vec![3; mechanism.key_bytes()],
                iterations: 4_096,
            });
            alter_scram_credential(state, name(*user).to_owned(), mechanism, credential).ok()
        },
        Wish::ProducerIds => Some(allocate_producer_ids(state).1),
        Wish::UncleanStart => Some(unclean_start(state)),
        Wish::Shards(shards) => change_ownership(state, *shards),
    }
}

/// A state and the records that made it.
fn grant(wishes: &[Wish]) -> (State, Vec<Record>) {
    let fixed = StaticConfig::default();
    let mut state = State::default();
    let mut records = vec![create_cluster("c", NodeId(1))];
    state.apply(&records[0]);
    for (wish, serial) in wishes.iter().zip(0..) {
        if let Some(record) = judge(&state, &fixed, wish, serial) {
            state.apply(&record);
            records.push(record);
        }
    }
    (state, records)
}

fn replay(records: &[Record]) -> State {
    State::replay(records).expect("what was granted fits together")
}

const HEADER_BYTES: usize = 36;

/// A log of one record a frame, and where each frame begins and its used bytes end.
fn log_of(records: &[Record]) -> (Vec<u8>, Vec<(usize, usize)>) {
    let (mut log, mut tail, mut frames) = (Vec::new(), Tail::START, Vec::new());
    for record in records {
        let one = std::slice::from_ref(record);
        let used = log.len() + HEADER_BYTES + encode_records(one).len();
        frames.push((log.len(), used));
        let (frame, next) = encode_frame(tail, one);
        log.extend(frame);
        tail = next;
    }
    (log, frames)
}

/// What two copies with these damaged bytes must give: how many frames, or none when refused.
fn expected_frames(frames: &[(usize, usize)], damage: &[Vec<usize>; 2]) -> Option<usize> {
    let hit = |copy: &[usize], from, to| copy.iter().any(|at| (from..to).contains(at));
    let lost = |(from, to): &(usize, usize)| damage.iter().all(|copy| hit(copy, *from, *to));
    let whole = frames.iter().position(lost).unwrap_or(frames.len());
    let later = frames.get(whole + 1..).unwrap_or_default();
    let seen = |(from, _): &(usize, usize)| {
        damage
            .iter()
            .any(|copy| !hit(copy, *from, *from + HEADER_BYTES))
    };
    let refused = whole < frames.len() && (whole == 0 || later.iter().any(seen));
    (!refused).then_some(whole)
}

proptest! {
    #[test]
    fn replay_of_the_log_gives_the_same_state(wishes in vec(wish(), 0..60), cut in 1..5_usize) {
        let (state, records) = grant(&wishes);
        let (mut log, mut tail) = encode_frame(Tail::START, &records[..1]);
        for change in records[1..].chunks(cut) {
            let (frame, next) = encode_frame(tail, change);
            log.extend(frame);
            tail = next;
        }
        let chosen = reconcile(&log, &log).unwrap().unwrap();
        prop_assert_eq!(chosen.tail, tail);
        prop_assert_eq!(replay(&chosen.records), state);
    }

    #[test]
    fn a_snapshot_stands_for_the_records_before_it(wishes in vec(wish(), 0..60), at in 0..60_usize) {
        let (state, records) = grant(&wishes);
        let (before, after) = records.split_at(at.min(records.len()));
        let snapshot = replay(before).snapshot();
        let snapshot = decode_records(&encode_records(&snapshot)).unwrap();
        let mut restored = replay(&snapshot);
        for record in after {
            restored.apply(record);
        }
        prop_assert_eq!(restored, state);
    }

    /// Whatever is damaged, what comes back is a prefix of what was written, and all of it that
    /// was whole in one of the copies; a loss that can be known is refused.
    #[test]
    fn damaged_copies_give_the_truth_or_are_refused(
        wishes in vec(wish(), 0..12),
        damage in [vec(any::<prop::sample::Index>(), 0..6), vec(any::<prop::sample::Index>(), 0..6)],
    ) {
        let (_, records) = grant(&wishes);
        let (log, frames) = log_of(&records);
        // Half of the damage in headers, so that all cases come up.
        let places = damage.map(|copy| {
            let place = |index: &prop::sample::Index| {
                let (from, to) = frames[index.index(frames.len())];
                from + index.index((to - from).min(2 * HEADER_BYTES))
            };
            copy.iter().map(place).collect::<Vec<usize>>()
        });
        let mut copies = [log.clone(), log.clone()];
        for (copy, places) in copies.iter_mut().zip(&places) {
            for at in places {
                copy[*at] = log[*at] ^ 0x40;
            }
        }
        let chosen = reconcile(&copies[0], &copies[1]);
        match expected_frames(&frames, &places) {
            None => prop_assert!(matches!(chosen, Err(LogError::Corrupt { .. })), "{chosen:?}"),
            Some(whole) => {
                let chosen = chosen.unwrap().unwrap();
                prop_assert_eq!(&chosen.records[..], &records[..whole]);
                prop_assert_eq!(chosen.torn, whole < records.len());
                if !chosen.repair.is_empty() {
                    prop_assert_eq!(&chosen.image[..], &log[..chosen.tail.offset as usize]);
                }
            },
        }
    }

    #[test]
    fn hostile_records_are_refused_without_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode_records(&bytes);
    }

    /// Counts that claim more than the bytes can hold must not be believed: what is decoded is
    /// never larger than a small multiple of the input.
    #[test]
    fn damaged_records_are_refused_without_panic(
        wishes in vec(wish(), 1..20),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode_records(&grant(&wishes).1);
        for (index, value) in flips {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(records) = decode_records(&bytes) {
            prop_assert!(records.len() <= bytes.len() / 6);
            prop_assert!(encode_records(&records).len() <= bytes.len());
        }
    }

    #[test]
    fn hostile_logs_are_refused_without_panic(
        mut bytes in vec(any::<u8>(), 0..9000),
        magic in any::<bool>(),
    ) {
        if magic && bytes.len() > 4 {
            bytes[..4].copy_from_slice(b"FMET");
        }
        let found = scan(&bytes);
        prop_assert!(found.frames.is_empty());
        let zeros = bytes.iter().take(4096).all(|byte| *byte == 0);
        prop_assert_eq!(found.verdict == Verdict::Clean, zeros);
    }
}
