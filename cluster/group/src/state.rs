//! The states of a group, by Kafka's names.

/// Where a group is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupState {
    /// No members; maybe offsets.
    #[default]
    Empty,
    /// Members are asked to join again.
    PreparingRebalance,
    /// All have joined; the leader works out who gets what.
    CompletingRebalance,
    /// Everybody has an assignment.
    Stable,
    /// There is no such group.
    Dead,
}

impl GroupState {
    /// Kafka's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}
