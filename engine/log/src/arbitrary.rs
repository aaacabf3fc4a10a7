//! Arbitrary values of what stands on the disk, and what a disk does to bytes.

use net_wire::Uuid;
use net_wire::batch::BatchBuilder;
use net_wire::codec::Codecs;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::entry::SegmentPos;
use crate::epochs::LeaderEpochs;
use crate::ids::TopicPartition;

/// One to three flipped bits, or an end that is missing.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Flipped(Vec<Index>),
    Cut(Index),
}

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        3 => vec(any::<Index>(), 1..=3).prop_map(Damage::Flipped),
        1 => any::<Index>().prop_map(Damage::Cut),
    ]
}

impl Damage {
    /// Damages bytes of which the first `used` mean something.
    pub(crate) fn of(&self, bytes: &[u8], used: usize) -> Vec<u8> {
        let mut damaged = bytes.to_vec();
        match self {
            Self::Flipped(bits) => {
                for bit in bits {
                    let bit = bit.index(used * 8);
                    damaged[bit / 8] ^= 1 << (bit % 8);
                }
            },
            Self::Cut(at) => damaged.truncate(at.index(bytes.len())),
        }
        damaged
    }
}

pub(crate) fn id() -> impl Strategy<Value = TopicPartition> {
    (any::<[u8; 16]>(), any::<u32>()).prop_map(|(topic_id, partition)| TopicPartition {
        topic_id: Uuid::from_bytes(topic_id),
        partition,
    })
}

pub(crate) fn segment_pos() -> impl Strategy<Value = SegmentPos> {
    (any::<i64>(), any::<u64>()).prop_map(|(segment_base, pos)| SegmentPos { segment_base, pos })
}

/// Epochs as a log makes them: what does not rise is left out.
pub(crate) fn epochs() -> impl Strategy<Value = LeaderEpochs> {
    vec((any::<i32>(), any::<i64>()), 0..8).prop_map(|starts| {
        let mut epochs = LeaderEpochs::default();
        for (epoch, start_offset) in starts {
            epochs.begin(epoch, start_offset);
        }
        epochs
    })
}

/// Two records with values of these many bytes each.
pub(crate) fn batch(bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for record in 0..2 {
        builder.append(1000 + record, None, Some(&vec![7; bytes]), &[]);
    }
    builder
        .build(&mut Codecs::new())
        .expect("nothing is compressed")
}
