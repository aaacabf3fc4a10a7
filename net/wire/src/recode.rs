//! Every message of the protocol by its number: bytes are read and written again. For tools that
//! look whether what is read means what it says.

use crate::api::ApiKey;
use crate::error::WireError;
use crate::messages::{
    alter_configs, api_versions, create_partitions, create_topics, delete_records, delete_topics,
    describe_cluster, describe_configs, describe_log_dirs, fetch, incremental_alter_configs,
    init_producer_id, list_offsets, metadata, offset_for_leader_epoch, produce,
};
use crate::wire::Message;
use crate::writer::Writer;

fn again<'a, M: Message<'a>>(body: &'a [u8], version: i16) -> Result<Vec<u8>, WireError> {
    M::API.check_version(version)?;
    let mut writer = Writer::new(false);
    M::decode(body, version)?.encode(&mut writer, version);
    Ok(writer.finish()?.bytes)
}

fn default<'a, M: Message<'a>>(version: i16) -> Result<Vec<u8>, WireError> {
    let mut writer = Writer::new(false);
    M::default().encode(&mut writer, version);
    Ok(writer.finish()?.bytes)
}

macro_rules! recoders {
    ($( $api:ident $module:ident $request:ident $response:ident, )*) => {
        /// Reads the body of a request and writes it again: the same bytes, if they were written by
        /// this crate. Nothing that is served is left out, or this does not compile.
        pub fn recode_request(api: ApiKey, version: i16, body: &[u8]) -> Result<Vec<u8>, WireError> {
            match api {
                $( ApiKey::$api => again::<$module::$request>(body, version), )*
            }
        }

        /// The same for the body of a response.
        pub fn recode_response(api: ApiKey, version: i16, body: &[u8]) -> Result<Vec<u8>, WireError> {
            match api {
                $( ApiKey::$api => again::<$module::$response>(body, version), )*
            }
        }

        /// The body of a request of defaults: something to begin with.
        pub fn default_request(api: ApiKey, version: i16) -> Result<Vec<u8>, WireError> {
            match api {
                $( ApiKey::$api => default::<$module::$request>(version), )*
            }
        }

        /// The same for a response.
        pub fn default_response(api: ApiKey, version: i16) -> Result<Vec<u8>, WireError> {
            match api {
                $( ApiKey::$api => default::<$module::$response>(version), )*
            }
        }
    };
}

recoders! {
    AlterConfigs alter_configs AlterConfigsRequest AlterConfigsResponse,
    ApiVersions api_versions ApiVersionsRequest ApiVersionsResponse,
    CreatePartitions create_partitions CreatePartitionsRequest CreatePartitionsResponse,
    CreateTopics create_topics CreateTopicsRequest CreateTopicsResponse,
    DeleteRecords delete_records DeleteRecordsRequest DeleteRecordsResponse,
    DeleteTopics delete_topics DeleteTopicsRequest DeleteTopicsResponse,
    DescribeCluster describe_cluster DescribeClusterRequest DescribeClusterResponse,
    DescribeConfigs describe_configs DescribeConfigsRequest DescribeConfigsResponse,
    DescribeLogDirs describe_log_dirs DescribeLogDirsRequest DescribeLogDirsResponse,
    Fetch fetch FetchRequest FetchResponse,
    IncrementalAlterConfigs incremental_alter_configs
        IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse,
    InitProducerId init_producer_id InitProducerIdRequest InitProducerIdResponse,
    ListOffsets list_offsets ListOffsetsRequest ListOffsetsResponse,
    Metadata metadata MetadataRequest MetadataResponse,
    OffsetForLeaderEpoch offset_for_leader_epoch
        OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse,
    Produce produce ProduceRequest ProduceResponse,
}

#[cfg(test)]
mod tests {
    use super::*;

    type Recode = fn(ApiKey, i16, &[u8]) -> Result<Vec<u8>, WireError>;

    /// Whether a default is read; if so, it is read again as it was written. It may have a null that
    /// a version does not have, and is then not even written.
    fn reads_itself(
        recode: Recode,
        api: ApiKey,
        version: i16,
        default: Result<Vec<u8>, WireError>,
    ) -> bool {
        let once = default.and_then(|body| recode(api, version, &body));
        if let Ok(once) = &once {
            let again = recode(api, version, once);
            assert_eq!(again.as_ref(), Ok(once), "{api:?} {version}");
        }
        once.is_ok()
    }

    #[test]
    fn what_is_read_and_written_is_read_again() {
        let mut read = 0;
        for &api in ApiKey::ALL {
            for version in api.versions() {
                let request = default_request(api, version);
                read += usize::from(reads_itself(recode_request, api, version, request));
                let response = default_response(api, version);
                read += usize::from(reads_itself(recode_response, api, version, response));
            }
            let newer = api.api().version_max + 1;
            assert!(recode_request(api, newer, &[0; 200]).is_err());
        }
        assert!(read > ApiKey::ALL.len(), "{read} messages were read");
    }
}
