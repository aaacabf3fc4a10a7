//! The APIs that are served, their versions and their encodings: the one table.
//!
//! To serve another API, add its line here and its file in `messages`.

use crate::error::WireError;

/// What the table knows about one API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// The API.
    pub key: ApiKey,
    /// Its name as Kafka writes it.
    pub name: &'static str,
    /// Lowest version in the `ApiVersions` response; below `version_min` only for Produce.
    pub advertised_min: i16,
    /// Lowest version served.
    pub version_min: i16,
    /// Highest version served.
    pub version_max: i16,
    /// First version with compact lengths and tagged fields (KIP-482).
    pub first_flexible: i16,
}

macro_rules! apis {
    ($(
        $(#[$doc:meta])*
        $code:literal $name:ident,
        advertised $advertised:literal, served $min:literal to $max:literal,
        flexible $flexible:literal;
    )*) => {
        /// The key of a served API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey { $( $(#[$doc])* $name = $code, )* }

        impl ApiKey {
            /// Every served API, ascending by key.
            pub const ALL: &[Self] = &[$( Self::$name, )*];

            /// Its line of the table.
            pub const fn api(self) -> Api {
                match self {
                    $( Self::$name => Api {
                        key: self,
                        name: stringify!($name),
                        advertised_min: $advertised,
                        version_min: $min,
                        version_max: $max,
                        first_flexible: $flexible,
                    }, )*
                }
            }

            /// The API of a key on the wire.
            pub const fn from_code(code: i16) -> Option<Self> {
                match code {
                    $( $code => Some(Self::$name), )*
                    _ => None,
                }
            }
        }
    };
}

apis! {
    /// Appends record batches. librdkafka stops compressing unless version 0 is advertised
    /// (KAFKA-18659); 0 to 2 are refused all the same.
    0 Produce, advertised 0, served 3 to 11, flexible 9;
    /// Reads record batches.
    1 Fetch, advertised 4, served 4 to 17, flexible 12;
    /// Finds offsets by timestamp, or the ends of a partition.
    2 ListOffsets, advertised 1, served 1 to 9, flexible 6;
    /// Describes brokers, topics and partitions.
    3 Metadata, advertised 0, served 0 to 12, flexible 9;
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
    /// Describes configurations (KIP-133).
    32 DescribeConfigs, advertised 1, served 1 to 4, flexible 4;
    /// Replaces configurations (KIP-133).
    33 AlterConfigs, advertised 0, served 0 to 2, flexible 2;
    /// Describes the log directories and their sizes (KIP-113).
    35 DescribeLogDirs, advertised 1, served 1 to 4, flexible 2;
    /// Adds partitions to topics (KIP-195).
    37 CreatePartitions, advertised 0, served 0 to 3, flexible 2;
    /// Changes single configurations (KIP-339).
    44 IncrementalAlterConfigs, advertised 0, served 0 to 1, flexible 1;
    /// Describes the cluster (KIP-700).
    60 DescribeCluster, advertised 0, served 0 to 2, flexible 0;
}

impl ApiKey {
    /// The key on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Whether `version` is served.
    pub const fn serves(self, version: i16) -> bool {
        let api = self.api();
        api.version_min <= version && version <= api.version_max
    }

    /// The versions served, ascending.
    pub fn versions(self) -> core::ops::RangeInclusive<i16> {
        let api = self.api();
        api.version_min..=api.version_max
    }

    /// Fails unless `version` is served.
    pub const fn check_version(self, version: i16) -> Result<(), WireError> {
        if self.serves(version) {
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
        assert!(ApiKey::ALL.is_sorted());
        for &key in ApiKey::ALL {
            let api = key.api();
            assert_eq!(ApiKey::from_code(key.code()), Some(key));
            assert!(api.version_min <= api.version_max, "{api:?}");
            assert!(api.advertised_min <= api.version_min, "{api:?}");
            assert!(api.first_flexible <= api.version_max, "{api:?}");
            assert!(!key.serves(api.version_min - 1) && !key.serves(api.version_max + 1));
        }
        assert_eq!(ApiKey::from_code(-1), None);
        assert_eq!(ApiKey::from_code(4), None);
    }

    #[test]
    fn only_produce_advertises_versions_that_it_refuses() {
        for &key in ApiKey::ALL {
            let api = key.api();
            assert_eq!(
                api.advertised_min != api.version_min,
                key == ApiKey::Produce,
                "{api:?}"
            );
        }
        assert_eq!(ApiKey::Produce.api().advertised_min, 0);
        assert!(!ApiKey::Produce.serves(2));
    }

    #[test]
    fn the_answer_to_api_versions_never_has_a_flexible_header() {
        assert_eq!(ApiKey::ApiVersions.request_header_version(4), 2);
        assert_eq!(ApiKey::ApiVersions.response_header_version(4), 0);
        assert_eq!(ApiKey::Metadata.response_header_version(9), 1);
        assert_eq!(ApiKey::Metadata.response_header_version(8), 0);
    }
}
