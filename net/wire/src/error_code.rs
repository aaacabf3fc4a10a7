//! Kafka's error codes, as of 4.1: number, name, meaning, and whether clients try again.

use core::fmt;

/// An error code of the protocol. Codes this table does not have are kept as they came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ErrorCode(i16);

impl ErrorCode {
    /// The code of this number.
    pub const fn new(code: i16) -> Self {
        Self(code)
    }

    /// The number on the wire.
    pub const fn code(self) -> i16 {
        self.0
    }

    /// Whether this is no error.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Kafka's name of the code.
    pub const fn name(self) -> &'static str {
        self.facts().0
    }

    /// What the code means, for people.
    pub const fn message(self) -> &'static str {
        self.facts().1
    }

    /// Whether clients repeat a request that got it.
    pub const fn is_retriable(self) -> bool {
        self.facts().2
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! error_codes {
    ($( $code:literal $name:ident $($retriable:ident)? $message:literal; )*) => {
        impl ErrorCode {
            $(
                #[doc = concat!("Code ", $code, ": ", $message, ".")]
                pub const $name: Self = Self($code);
            )*

            /// Every code of the table, ascending.
            pub const ALL: &[Self] = &[$( Self::$name, )*];

            /// Name, meaning, and whether it is retriable.
            const fn facts(self) -> (&'static str, &'static str, bool) {
                match self.0 {
                    $( $code => {
                        let retriable = error_codes!(@retriable $($retriable)?);
                        (stringify!($name), $message, retriable)
                    }, )*
                    _ => ("UNKNOWN_ERROR_CODE", "error code is not known", false),
                }
            }
        }
    };
    (@retriable retriable) => { true };
    (@retriable) => { false };
}

error_codes! {
    -1 UNKNOWN_SERVER_ERROR "unexpected error on the server";
    0 NONE "no error";
    1 OFFSET_OUT_OF_RANGE "offset outside of the partition's range";
    2 CORRUPT_MESSAGE retriable "record batch is corrupt";
    3 UNKNOWN_TOPIC_OR_PARTITION retriable "topic or partition is not hosted here";
    4 INVALID_FETCH_SIZE "fetch size is invalid";
    5 LEADER_NOT_AVAILABLE retriable "partition has no leader at present";
    6 NOT_LEADER_OR_FOLLOWER retriable "this broker is not a leader or follower of the partition";
    7 REQUEST_TIMED_OUT retriable "request timed out";
    8 BROKER_NOT_AVAILABLE "broker is not available";
    9 REPLICA_NOT_AVAILABLE retriable "replica is not available for the partition";
    10 MESSAGE_TOO_LARGE "record batch is larger than max.message.bytes";
    11 STALE_CONTROLLER_EPOCH "controller has moved to another broker";
    12 OFFSET_METADATA_TOO_LARGE "metadata of the offset commit is too large";
    13 NETWORK_EXCEPTION retriable "connection was lost before the response";
    14 COORDINATOR_LOAD_IN_PROGRESS retriable "coordinator is loading";
    15 COORDINATOR_NOT_AVAILABLE retriable "coordinator is not available";
    16 NOT_COORDINATOR retriable "this broker is not the coordinator";
    17 INVALID_TOPIC_EXCEPTION "topic name is invalid or the operation is not allowed on the topic";
    18 RECORD_LIST_TOO_LARGE "record batches are larger than a segment";
    19 NOT_ENOUGH_REPLICAS retriable "fewer in-sync replicas than min.insync.replicas";
    20 NOT_ENOUGH_REPLICAS_AFTER_APPEND retriable "written, but to too few in-sync replicas";
    21 INVALID_REQUIRED_ACKS "acks must be -1, 0 or 1";
    22 ILLEGAL_GENERATION "generation of the group is not the current one";
    23 INCONSISTENT_GROUP_PROTOCOL "protocols of the member do not match those of the group";
    24 INVALID_GROUP_ID "group id is invalid";
    25 UNKNOWN_MEMBER_ID "member is not known to the coordinator";
    26 INVALID_SESSION_TIMEOUT "session timeout is outside of the allowed range";
    27 REBALANCE_IN_PROGRESS "group is rebalancing";
    28 INVALID_COMMIT_OFFSET_SIZE "offset commit is too large";
    29 TOPIC_AUTHORIZATION_FAILED "not authorized for the topic";
    30 GROUP_AUTHORIZATION_FAILED "not authorized for the group";
    31 CLUSTER_AUTHORIZATION_FAILED "not authorized for the cluster";
    32 INVALID_TIMESTAMP "record timestamp is outside of the allowed range";
    33 UNSUPPORTED_SASL_MECHANISM "SASL mechanism is not enabled";
    34 ILLEGAL_SASL_STATE "request is not valid in this state of SASL";
    35 UNSUPPORTED_VERSION "version of the API is not supported";
    36 TOPIC_ALREADY_EXISTS "topic exists already";
    37 INVALID_PARTITIONS "number of partitions is invalid";
    38 INVALID_REPLICATION_FACTOR "replication factor is below 1 or above the number of brokers";
    39 INVALID_REPLICA_ASSIGNMENT "replica assignment is invalid";
    40 INVALID_CONFIG "configuration is invalid";
    41 NOT_CONTROLLER retriable "this broker is not the controller";
    42 INVALID_REQUEST "request is malformed or not possible here";
    43 UNSUPPORTED_FOR_MESSAGE_FORMAT "message format does not support the request";
    44 POLICY_VIOLATION "request violates a policy";
    45 OUT_OF_ORDER_SEQUENCE_NUMBER "sequence number is out of order";
    46 DUPLICATE_SEQUENCE_NUMBER "sequence number was written before";
    47 INVALID_PRODUCER_EPOCH "producer epoch is old";
    48 INVALID_TXN_STATE "transaction is not in a state for this operation";
    49 INVALID_PRODUCER_ID_MAPPING "producer id does not belong to the transactional id";
    50 INVALID_TRANSACTION_TIMEOUT "transaction timeout is above the maximum";
    51 CONCURRENT_TRANSACTIONS retriable "another operation on the transaction is in progress";
    52 TRANSACTION_COORDINATOR_FENCED "transaction coordinator is no longer the current one";
    53 TRANSACTIONAL_ID_AUTHORIZATION_FAILED "not authorized for the transactional id";
    54 SECURITY_DISABLED "security is not enabled";
    55 OPERATION_NOT_ATTEMPTED "operation was not attempted";
    56 KAFKA_STORAGE_ERROR retriable "error of the disk";
    57 LOG_DIR_NOT_FOUND "log directory is not known";
    58 SASL_AUTHENTICATION_FAILED "authentication failed";
    59 UNKNOWN_PRODUCER_ID "producer id is not known to the partition";
    60 REASSIGNMENT_IN_PROGRESS "partition reassignment is in progress";
    61 DELEGATION_TOKEN_AUTH_DISABLED "delegation tokens are not enabled";
    62 DELEGATION_TOKEN_NOT_FOUND "delegation token is not known";
    63 DELEGATION_TOKEN_OWNER_MISMATCH "not an owner or renewer of the delegation token";
    64 DELEGATION_TOKEN_REQUEST_NOT_ALLOWED "delegation tokens are not allowed on this connection";
    65 DELEGATION_TOKEN_AUTHORIZATION_FAILED "not authorized for the delegation token";
    66 DELEGATION_TOKEN_EXPIRED "delegation token has expired";
    67 INVALID_PRINCIPAL_TYPE "type of principal is not supported";
    68 NON_EMPTY_GROUP "group is not empty";
    69 GROUP_ID_NOT_FOUND "group does not exist";
    70 FETCH_SESSION_ID_NOT_FOUND retriable "fetch session is not known";
    71 INVALID_FETCH_SESSION_EPOCH retriable "epoch of the fetch session is invalid";
    72 LISTENER_NOT_FOUND retriable "leader has no listener of this name";
    73 TOPIC_DELETION_DISABLED "deletion of topics is disabled";
    74 FENCED_LEADER_EPOCH retriable "leader epoch of the request is older than the broker's";
    75 UNKNOWN_LEADER_EPOCH retriable "leader epoch of the request is newer than the broker's";
    76 UNSUPPORTED_COMPRESSION_TYPE "compression type is not supported by this version";
    77 STALE_BROKER_EPOCH "broker epoch is old";
    78 OFFSET_NOT_AVAILABLE retriable "high watermark has not caught up with the election";
    79 MEMBER_ID_REQUIRED "member needs an id before it joins";
    80 PREFERRED_LEADER_NOT_AVAILABLE retriable "preferred leader is not available";
    81 GROUP_MAX_SIZE_REACHED "group is full";
    82 FENCED_INSTANCE_ID "group instance id is used by another member";
    83 ELIGIBLE_LEADERS_NOT_AVAILABLE retriable "no eligible leader is available";
    84 ELECTION_NOT_NEEDED retriable "election is not needed";
    85 NO_REASSIGNMENT_IN_PROGRESS "no reassignment is in progress";
    86 GROUP_SUBSCRIBED_TO_TOPIC "group is subscribed to the topic";
    87 INVALID_RECORD "record is invalid";
    88 UNSTABLE_OFFSET_COMMIT retriable "offsets of a transaction are pending";
    89 THROTTLING_QUOTA_EXCEEDED retriable "quota is exceeded";
    90 PRODUCER_FENCED "a newer producer has the transactional id";
    91 RESOURCE_NOT_FOUND "resource does not exist";
    92 DUPLICATE_RESOURCE "resource is named twice";
    93 UNACCEPTABLE_CREDENTIAL "credential is not acceptable";
    94 INCONSISTENT_VOTER_SET "voter is not one of the expected set";
    95 INVALID_UPDATE_VERSION "update version is invalid";
    96 FEATURE_UPDATE_FAILED "features could not be updated";
    97 PRINCIPAL_DESERIALIZATION_FAILURE "principal of a forwarded request cannot be read";
    98 SNAPSHOT_NOT_FOUND "snapshot does not exist";
    99 POSITION_OUT_OF_RANGE "position is outside of the snapshot";
    100 UNKNOWN_TOPIC_ID retriable "topic id is not hosted here";
    101 DUPLICATE_BROKER_REGISTRATION "broker id is in use";
    102 BROKER_ID_NOT_REGISTERED "broker id is not registered";
    103 INCONSISTENT_TOPIC_ID retriable "topic id does not match the log";
    104 INCONSISTENT_CLUSTER_ID "cluster id does not match";
    105 TRANSACTIONAL_ID_NOT_FOUND "transactional id does not exist";
    106 FETCH_SESSION_TOPIC_ID_ERROR retriable "fetch session mixes topic names and ids";
    107 INELIGIBLE_REPLICA "replica is not eligible for the in-sync set";
    108 NEW_LEADER_ELECTED "partition was updated, but has another leader now";
    109 OFFSET_MOVED_TO_TIERED_STORAGE "offset was moved to tiered storage";
    110 FENCED_MEMBER_EPOCH "member epoch is fenced";
    111 UNRELEASED_INSTANCE_ID "group instance id is not released yet";
    112 UNSUPPORTED_ASSIGNOR "assignor is not supported";
    113 STALE_MEMBER_EPOCH "member epoch is old";
    114 MISMATCHED_ENDPOINT_TYPE "endpoint is of another type";
    115 UNSUPPORTED_ENDPOINT_TYPE "endpoint type is not supported";
    116 UNKNOWN_CONTROLLER_ID "controller id is not known";
    117 UNKNOWN_SUBSCRIPTION_ID "telemetry subscription is not known";
    118 TELEMETRY_TOO_LARGE "telemetry is too large";
    119 INVALID_REGISTRATION "broker registration is invalid";
    120 TRANSACTION_ABORTABLE "transaction must be aborted";
    121 INVALID_RECORD_STATE "record is not in a state for acknowledgement";
    122 SHARE_SESSION_NOT_FOUND retriable "share session is not known";
    123 INVALID_SHARE_SESSION_EPOCH retriable "epoch of the share session is invalid";
    124 FENCED_STATE_EPOCH "epoch of the share group's state is fenced";
    125 INVALID_VOTER_KEY "key of the voter does not match";
    126 DUPLICATE_VOTER "voter is in the set already";
    127 VOTER_NOT_FOUND "voter is not in the set";
    128 INVALID_REGULAR_EXPRESSION "regular expression is invalid";
    129 REBOOTSTRAP_REQUIRED "client must bootstrap again";
    130 STREAMS_INVALID_TOPOLOGY "topology is invalid";
    131 STREAMS_INVALID_TOPOLOGY_EPOCH "topology epoch is invalid";
    132 STREAMS_TOPOLOGY_FENCED "topology epoch is old";
    133 SHARE_SESSION_LIMIT_REACHED retriable "too many share sessions";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_dense() {
        for (&code, number) in ErrorCode::ALL.iter().zip(-1..) {
            assert_eq!(code.code(), number, "{code}");
        }
        assert_eq!(ErrorCode::ALL.len(), 135);
    }

    #[test]
    fn codes_have_their_names_and_retriability() {
        let retriable = ErrorCode::NOT_LEADER_OR_FOLLOWER;
        assert_eq!(
            (retriable.code(), retriable.name()),
            (6, "NOT_LEADER_OR_FOLLOWER")
        );
        assert!(retriable.is_retriable());
        assert!(!ErrorCode::INVALID_RECORD.is_retriable());
        assert_eq!(ErrorCode::new(9999).name(), "UNKNOWN_ERROR_CODE");
    }
}
