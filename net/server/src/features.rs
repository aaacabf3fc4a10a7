//! Features that clients may look at (KIP-584): what of Kafka's behaviour, and of which level.
//!
//! A level is fixed: there is no other behaviour to go back to, so lowest, highest and finalized
//! level are one. `transaction.version` is missing until there are transactions: a producer would
//! rely on it.

/// A feature with its level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    pub(crate) level: i16,
}

/// All of them, sorted by name.
pub(crate) const FEATURES: [Feature; 3] = [
    Feature {
        name: "group.version",
        level: 1,
    },
    Feature {
        name: "kraft.version",
        level: 1,
    },
    // 4.1-IV1, the newest of Kafka 4.1.1.
    Feature {
        name: "metadata.version",
        level: 27,
    },
];

/// Counts changes of finalized levels, of which there are none.
pub(crate) const FINALIZED_EPOCH: i64 = 0;

/// The feature of this name.
pub(crate) fn feature(name: &str) -> Option<Feature> {
    FEATURES.into_iter().find(|feature| feature.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_that_is_not_there() {
        assert!(FEATURES.is_sorted_by_key(|feature| feature.name));
        assert!(feature("transaction.version").is_none());
        // Java clients before 4.0 cannot read a lowest level of 0 (KAFKA-17492).
        assert!(FEATURES.iter().all(|feature| feature.level > 0));
    }
}
