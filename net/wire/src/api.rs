//! The APIs whose messages are known, which of them are served, their versions and encodings: the
//! one table.
//!
//! To know another API, add its line here as `known` and its file in `messages`; to serve it, give
//! it a handler and write `served`. Nothing that is only known is told to clients, and a request for
//! it closes the connection as one with a key that nobody knows. What is `switched` is served where
//! the operator wants it, and as if it were only known elsewhere: the server decides.

use crate::error::WireError;

/// What the table knows about one API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// The API.
    pub key: ApiKey,
    /// Its name as Kafka writes it.
    pub name: &'static str,
    /// Whether requests are answered, rather than only understood.
    pub is_served: bool,
    /// Whether they are answered where the operator wants it.
    pub is_switched: bool,
    /// Lowest version in the `ApiVersions` response; below `version_min` only for Produce, above it
    /// only for `ListOffsets`.
    pub advertised_min: i16,
    /// Lowest version.
    pub version_min: i16,
    /// Highest version.
    pub version_max: i16,
    /// First version with compact lengths and tagged fields (KIP-482).
    pub first_flexible: i16,
}

macro_rules! apis {
    ($(
        $(#[$doc:meta])*
        $code:literal $name:ident,
        advertised $advertised:literal, $state:ident $min:literal to $max:literal,
        flexible $flexible:literal;
    )*) => {
        /// The key of an API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey { $( $(#[$doc])* $name = $code, )* }

        impl ApiKey {
            /// Every served API, ascending by key.
            pub const ALL: &[Self] = apis!(@served [] $( $name $state )*);

            /// Every API whose messages are known, ascending by key.
            pub const KNOWN: &[Self] = &[$( Self::$name, )*];

            /// Its line of the table.
            pub const fn api(self) -> Api {
                match self {
                    $( Self::$name => Api {
                        key: self,
                        name: stringify!($name),
                        is_served: apis!(@is_served $state),
                        is_switched: apis!(@is_switched $state),
                        advertised_min: $advertised,
                        version_min: $min,
                        version_max: $max,
                        first_flexible: $flexible,
                    }, )*
                }
            }

            /// The known API of a key on the wire.
            pub const fn from_code(code: i16) -> Option<Self> {
                match code {
                    $( $code => Some(Self::$name), )*
                    _ => None,
                }
            }
        }
    };

    (@is_served served) => { true };
    (@is_served $other:ident) => { false };
    (@is_switched switched) => { true };
    (@is_switched $other:ident) => { false };

    // The names of the served lines, one line after the other.
    (@served [$( $served:ident )*]) => { &[$( Self::$served, )*] };
    (@served [$( $served:ident )*] $name:ident served $( $rest:ident )*) => {
        apis!(@served [$( $served )* $name] $( $rest )*)
    };
    (@served [$( $served:ident )*] $name:ident $other:ident $( $rest:ident )*) => {
        apis!(@served [$( $served )*] $( $rest )*)
    };
}

apis! {
    /// Appends record batches. librdkafka stops compressing unless version 0 is advertised
    /// (KAFKA-18659); 0 to 2 are refused all the same.
    0 Produce, advertised 0, served 3 to 11, flexible 9;
    /// Reads record batches.
    1 Fetch, advertised 4, served 4 to 17, flexible 12;
    /// Finds offsets by timestamp, or the ends of a partition.
    2 ListOffsets, advertised 1, served 0 to 9, flexible 6;
    /// Describes brokers, topics and partitions.
    3 Metadata, advertised 0, served 0 to 12, flexible 9;
    /// Commits offsets of a group.
    8 OffsetCommit, advertised 2, served 2 to 9, flexible 8;
    /// Reads committed offsets of groups.
    9 OffsetFetch, advertised 1, served 1 to 9, flexible 6;
    /// Finds the coordinators of groups and transactional ids.
    10 FindCoordinator, advertised 0, served 0 to 6, flexible 3;
    /// Joins a classic group.
    11 JoinGroup, advertised 0, served 0 to 9, flexible 6;
    /// Keeps a member in a classic group.
    12 Heartbeat, advertised 0, served 0 to 4, flexible 4;
    /// Leaves a classic group.
    13 LeaveGroup, advertised 0, served 0 to 5, flexible 4;
    /// Hands in and gives out the assignments of a classic group.
    14 SyncGroup, advertised 0, served 0 to 5, flexible 4;
    /// Describes classic groups.
    15 DescribeGroups, advertised 0, served 0 to 6, flexible 5;
    /// Lists groups.
    16 ListGroups, advertised 0, served 0 to 5, flexible 3;
    /// Tells this table to clients (KIP-35).
    18 ApiVersions, advertised 0, served 0 to 4, flexible 3;
    /// Creates topics.
    19 CreateTopics, advertised 2, served 2 to 7, flexible 5;
    /// Deletes topics.
    20 DeleteTopics, advertised 1, served 1 to 6, flexible 4;
    /// Deletes records below an offset (KIP-107).
    21 DeleteRecords, advertised 0, served 0 to 2, flexible 2;
    /// Gives a producer its id and epoch (KIP-98).
    22 InitProducerId, advertised 0, served 0 to 5, flexible 2;
    /// Finds where a leader epoch ends (KIP-101, KIP-320).
    23 OffsetForLeaderEpoch, advertised 2, served 2 to 4, flexible 4;
    /// Lists access control entries (KIP-140).
    29 DescribeAcls, advertised 1, served 1 to 3, flexible 2;
    /// Creates access control entries (KIP-140).
    30 CreateAcls, advertised 1, served 1 to 3, flexible 2;
    /// Deletes access control entries (KIP-140).
    31 DeleteAcls, advertised 1, served 1 to 3, flexible 2;
    /// Describes configurations (KIP-133).
    32 DescribeConfigs, advertised 1, served 1 to 4, flexible 4;
    /// Replaces configurations (KIP-133).
    33 AlterConfigs, advertised 0, served 0 to 2, flexible 2;
    /// Describes the log directories and their sizes (KIP-113).
    35 DescribeLogDirs, advertised 1, served 1 to 4, flexible 2;
    /// Adds partitions to topics (KIP-195).
    37 CreatePartitions, advertised 0, served 0 to 3, flexible 2;
    /// Deletes groups (KIP-229).
    42 DeleteGroups, advertised 0, served 0 to 2, flexible 2;
    /// Elects leaders (KIP-183, KIP-460).
    43 ElectLeaders, advertised 0, served 0 to 2, flexible 2;
    /// Changes single configurations (KIP-339).
    44 IncrementalAlterConfigs, advertised 0, served 0 to 1, flexible 1;
    /// Moves partitions to other brokers (KIP-455).
    45 AlterPartitionReassignments, advertised 0, served 0 to 1, flexible 0;
    /// Lists partitions that are moving (KIP-455).
    46 ListPartitionReassignments, advertised 0, served 0 to 0, flexible 0;
    /// Deletes committed offsets (KIP-496); no version is flexible.
    47 OffsetDelete, advertised 0, served 0 to 0, flexible 1;
    /// Describes quotas (KIP-546).
    48 DescribeClientQuotas, advertised 0, served 0 to 1, flexible 1;
    /// Changes quotas (KIP-546).
    49 AlterClientQuotas, advertised 0, served 0 to 1, flexible 1;
    /// Describes SCRAM credentials (KIP-554).
    50 DescribeUserScramCredentials, advertised 0, served 0 to 0, flexible 0;
    /// Changes SCRAM credentials (KIP-554).
    51 AlterUserScramCredentials, advertised 0, served 0 to 0, flexible 0;
    /// Describes the quorum of the metadata (KIP-595).
    55 DescribeQuorum, advertised 0, served 0 to 2, flexible 0;
    /// Changes the levels of features (KIP-584).
    57 UpdateFeatures, advertised 0, served 0 to 2, flexible 0;
    /// Describes the cluster (KIP-700).
    60 DescribeCluster, advertised 0, served 0 to 2, flexible 0;
    /// Describes producers (KIP-664).
    61 DescribeProducers, advertised 0, served 0 to 0, flexible 0;
    /// Describes transactions (KIP-664).
    65 DescribeTransactions, advertised 0, served 0 to 0, flexible 0;
    /// Lists transactions (KIP-664).
    66 ListTransactions, advertised 0, served 0 to 2, flexible 0;
    /// Joins, keeps and leaves a consumer group (KIP-848).
    68 ConsumerGroupHeartbeat, advertised 0, served 0 to 1, flexible 0;
    /// Describes consumer groups (KIP-848).
    69 ConsumerGroupDescribe, advertised 0, served 0 to 1, flexible 0;
    /// Tells a client which metrics to push (KIP-714). Serving it makes every Java client push.
    71 GetTelemetrySubscriptions, advertised 0, switched 0 to 0, flexible 0;
    /// Takes metrics of a client (KIP-714).
    72 PushTelemetry, advertised 0, switched 0 to 0, flexible 0;
    /// Lists resources that have configurations (KIP-714, KIP-1142).
    74 ListConfigResources, advertised 0, served 0 to 1, flexible 0;
    /// Describes topics a page at a time (KIP-966).
    75 DescribeTopicPartitions, advertised 0, served 0 to 0, flexible 0;
}

impl ApiKey {
    /// The key on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Whether requests of `version` are answered, if only where the operator wants it.
    pub const fn serves(self, version: i16) -> bool {
        let api = self.api();
        (api.is_served || api.is_switched) && self.knows(version)
    }

    /// Whether messages of `version` are understood.
    pub const fn knows(self, version: i16) -> bool {
        let api = self.api();
        api.version_min <= version && version <= api.version_max
    }

    /// The versions known, ascending; all of them are served if the API is.
    pub fn versions(self) -> core::ops::RangeInclusive<i16> {
        let api = self.api();
        api.version_min..=api.version_max
    }

    /// Fails unless `version` is known.
    pub const fn check_version(self, version: i16) -> Result<(), WireError> {
        if self.knows(version) {
            Ok(())
        } else {
            Err(WireError::UnsupportedVersion {
                key: self.code(),
                version,
            })
        }
    }

    /// Whether `version` has compact lengths and tagged fields.
    pub const fn is_flexible(self, version: i16) -> bool {
        version >= self.api().first_flexible
    }

    /// Version of the request header: 2 has tagged fields. (0, without a client id, is gone with
    /// `ControlledShutdown` version 0.)
    pub const fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// Version of the response header: 1 has tagged fields.
    ///
    /// `ApiVersions` keeps 0 in all its versions (KIP-511): the client must be able to read the
    /// answer of a broker that does not know the version it asked for.
    pub const fn response_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) && !matches!(self, Self::ApiVersions) {
            1
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent() {
        assert!(ApiKey::KNOWN.is_sorted());
        for &key in ApiKey::KNOWN {
            let api = key.api();
            assert_eq!(ApiKey::from_code(key.code()), Some(key));
            assert!(api.version_min <= api.version_max, "{api:?}");
            // The last version of each is flexible, but for one API that has none.
            let is_flexible = key.is_flexible(api.version_max);
            assert_eq!(is_flexible, key != ApiKey::OffsetDelete, "{api:?}");
            assert!(!key.knows(api.version_min - 1) && !key.knows(api.version_max + 1));
            let answers = api.is_served || api.is_switched;
            assert_eq!(key.serves(api.version_max), answers);
        }
        assert_eq!(ApiKey::from_code(-1), None);
        assert_eq!(ApiKey::from_code(4), None);
    }

    #[test]
    fn all_are_those_of_the_known_that_are_served() {
        let served = ApiKey::KNOWN.iter().filter(|key| key.api().is_served);
        assert!(served.eq(ApiKey::ALL));
        // Telemetry would make every Java client push (KIP-714).
        assert!(!ApiKey::GetTelemetrySubscriptions.api().is_served);
    }

    #[test]
    fn two_apis_advertise_other_versions_than_they_serve() {
        let differs = |key: &&ApiKey| key.api().advertised_min != key.api().version_min;
        let differing: Vec<_> = ApiKey::KNOWN.iter().filter(differs).collect();
        assert_eq!(differing, [&ApiKey::Produce, &ApiKey::ListOffsets]);
        assert_eq!(ApiKey::Produce.api().advertised_min, 0);
        assert!(!ApiKey::Produce.serves(2));
        assert_eq!(ApiKey::ListOffsets.api().advertised_min, 1);
        assert!(ApiKey::ListOffsets.serves(0));
    }

    #[test]
    fn the_answer_to_api_versions_never_has_a_flexible_header() {
        assert_eq!(ApiKey::ApiVersions.request_header_version(4), 2);
        assert_eq!(ApiKey::ApiVersions.response_header_version(4), 0);
        assert_eq!(ApiKey::Metadata.response_header_version(9), 1);
        assert_eq!(ApiKey::Metadata.response_header_version(8), 0);
    }
}
