//! The one request of the consumer protocol, and what can be said of it without knowing the group.

use std::collections::BTreeSet;

use net_wire::ErrorCode;

use super::assignor::Assignor;
use super::{Assignment, EPOCH_JOIN, EPOCH_LEAVE, EPOCH_LEAVE_STATIC};
use crate::record::ClassicMember;

/// What a member says. What is `None` is as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberHeartbeat {
    /// Its id.
    pub member_id: String,
    /// The epoch it has reached, or what it wants: to join, to leave.
    pub member_epoch: i32,
    /// The instance id of a static member.
    pub instance_id: Option<String>,
    /// Its rack.
    pub rack_id: Option<String>,
    /// How long it may take to give partitions up.
    pub rebalance_timeout_ms: Option<i32>,
    /// The names it is subscribed to.
    pub topic_names: Option<BTreeSet<String>>,
    /// The regular expression it is subscribed by; an empty one takes it back.
    pub topic_regex: Option<String>,
    /// The assignor it would like.
    pub server_assignor: Option<String>,
    /// The partitions it has.
    pub owned: Option<Assignment>,
    /// The name that the client gives itself.
    pub client_id: String,
    /// The address of the client.
    pub client_host: String,
    /// What it says if it speaks the classic protocol.
    pub classic: Option<ClassicMember>,
}

impl MemberHeartbeat {
    /// Refuses what makes no sense in any group. From version 1 of the request on the client makes
    /// the member id; before that an empty one is filled in afterwards.
    pub fn check(
        &self,
        version: i16,
        group_id: &str,
        assignors: &[Assignor],
    ) -> Result<(), Refusal> {
        let epoch = self.member_epoch;
        let needs_id = version >= 1 || epoch > 0 || epoch == EPOCH_LEAVE;
        let is_empty = |text: &Option<String>| text.as_deref() == Some("");
        let wrong = if needs_id && self.member_id.is_empty() {
            "MemberId can't be empty."
        } else if group_id.is_empty() {
            "GroupId can't be empty."
        } else if is_empty(&self.instance_id) {
            "InstanceId can't be empty."
        } else if is_empty(&self.rack_id) {
            "RackId can't be empty."
        } else if epoch == EPOCH_JOIN {
            self.wrong_in_join()
        } else if epoch == EPOCH_LEAVE_STATIC && self.instance_id.is_none() {
            "InstanceId can't be null."
        } else if epoch < EPOCH_LEAVE_STATIC {
            "MemberEpoch is invalid."
        } else {
            ""
        };
        if !wrong.is_empty() {
            return Err(Refusal::new(ErrorCode::INVALID_REQUEST, wrong));
        }
        let known = || assignors.iter().map(|one| one.name());
        match self.server_assignor.as_deref() {
            Some(name) if !known().any(|one| one == name) => {
                let known = known().collect::<Vec<_>>().join(", ");
                let message = format!(
                    "ServerAssignor {name} is not supported. Supported assignors: {known}."
                );
                Err(Refusal::new(ErrorCode::UNSUPPORTED_ASSIGNOR, message))
            },
            _ => Ok(()),
        }
    }

    fn wrong_in_join(&self) -> &'static str {
        if self.rebalance_timeout_ms.is_none() {
            "RebalanceTimeoutMs must be provided in first request."
        } else if self.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
            "TopicPartitions must be empty when (re-)joining."
        } else if self.topic_names.is_none() && self.topic_regex.is_none() {
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."
        } else {
            ""
        }
    }

    /// Whether it says everything: when it joins, and after an answer that did not come.
    pub(super) const fn is_full(&self) -> bool {
        self.member_epoch == EPOCH_JOIN
            || (self.rebalance_timeout_ms.is_some()
                && (self.topic_names.is_some() || self.topic_regex.is_some())
                && self.owned.is_some())
    }
}

/// What a member is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberUpdate {
    /// Its epoch from now on.
    pub member_epoch: i32,
    /// How often it shall send heartbeats.
    pub heartbeat_interval_ms: i32,
    /// What it may have from now on; `None` if that did not change.
    pub assignment: Option<Assignment>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error.
    pub error_code: ErrorCode,
    /// The error in words.
    pub message: String,
}

impl Refusal {
    /// A refusal of this code and text.
    pub(crate) fn new(error_code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            error_code,
            message: message.into(),
        }
    }
}
