//! A member of a group of the classic protocol.

use crate::answer::DescribedMember;
use crate::effect::Token;
use crate::record::MemberMetadata;
use crate::request::{JoinGroup, Protocol};

/// What a member costs beside what it says, as an estimate.
const MEMBER_OVERHEAD_BYTES: usize = 1_024;

/// One member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    pub(super) group_instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Vec<u8>,
    /// It has asked to join and waits for the others.
    pub(super) awaiting_join: Option<Token>,
    /// It has asked for its assignment and waits for the leader.
    pub(super) awaiting_sync: Option<Token>,
    /// It was never told that it is a member: it cannot send heartbeats, and nothing but time tells
    /// whether it is still there.
    pub(super) is_new: bool,
    /// It has joined the generation and not asked for its assignment.
    pub(super) owes_sync: bool,
    /// Silence until then ends its membership.
    pub(super) session_deadline: Option<u64>,
}

impl Member {
    pub(super) fn of(request: &JoinGroup) -> Self {
        Self {
            group_instance_id: request.group_instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: request.protocols.clone(),
            is_new: true,
            ..Self::default()
        }
    }

    pub(super) fn from_record(record: MemberMetadata, protocol: Option<&str>) -> Self {
        let protocol = protocol.map(|name| Protocol {
            name: name.to_owned(),
            metadata: record.subscription,
        });
        Self {
            group_instance_id: record.group_instance_id,
            client_id: record.client_id,
            client_host: record.client_host,
            rebalance_timeout_ms: record.rebalance_timeout_ms,
            session_timeout_ms: record.session_timeout_ms,
            protocols: protocol.into_iter().collect(),
            assignment: record.assignment,
            ..Self::default()
        }
    }

    pub(super) fn to_record(&self, member_id: &str, protocol: &str) -> MemberMetadata {
        MemberMetadata {
            member_id: member_id.to_owned(),
            group_instance_id: self.group_instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: self.metadata(protocol).to_vec(),
            assignment: self.assignment.clone(),
        }
    }

    pub(super) fn describe(&self, member_id: &str, protocol: Option<&str>) -> DescribedMember {
        let mut described = DescribedMember {
            member_id: member_id.to_owned(),
            group_instance_id: self.group_instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            ..DescribedMember::default()
        };
        if let Some(protocol) = protocol {
            described.member_metadata = self.metadata(protocol).to_vec();
            described.member_assignment.clone_from(&self.assignment);
        }
        described
    }

    /// What it says to a protocol.
    pub(super) fn metadata(&self, protocol: &str) -> &[u8] {
        let found = self.protocols.iter().find(|one| one.name == protocol);
        found.map_or(&[], |one| &one.metadata)
    }

    pub(super) fn knows(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|one| one.name == protocol)
    }

    pub(super) const fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }

    /// Whether its deadline passed in vain: one who waits for the others is not silent, unless it
    /// is new.
    pub(super) const fn is_silent(&self) -> bool {
        self.is_new || (self.awaiting_join.is_none() && self.awaiting_sync.is_none())
    }

    pub(super) fn bytes(&self) -> usize {
        member_bytes(&self.protocols) + self.assignment.len()
    }
}

/// What a member costs that says this.
pub(super) fn member_bytes(protocols: &[Protocol]) -> usize {
    MEMBER_OVERHEAD_BYTES + protocol_bytes(protocols)
}

/// What a client says to all protocols, in bytes.
pub(super) fn protocol_bytes(protocols: &[Protocol]) -> usize {
    let sizes = protocols
        .iter()
        .map(|one| one.name.len() + one.metadata.len());
    sizes.sum()
}
