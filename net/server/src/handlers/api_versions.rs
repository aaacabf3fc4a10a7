//! `ApiVersions` (key 18, KIP-35): which APIs and versions are served.
//!
//! Behaviour:
//! - answers the table of `net_wire::api`; the APIs of telemetry only if the operator wants it, since
//!   they make every Java client push;
//! - a client name or version against Kafka's pattern is `INVALID_REQUEST` (KIP-511);
//! - the features of `features.rs`.
//!
//! Version notes:
//! - a version too new gets a body of version 0 with `UNSUPPORTED_VERSION` and the line of
//!   `ApiVersions` alone, so that the client can ask again (KIP-511);
//! - 0 to 3 must leave out features whose lowest level is 0 (KAFKA-17492), 4 may have them: there
//!   are none.

use net_wire::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use net_wire::{ApiKey, ErrorCode};

use crate::connection::Context;
use crate::features::{FEATURES, FINALIZED_EPOCH};
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    if !request.api.serves(request.version) {
        return request.respond_in(0, &unsupported(), Vec::new());
    }
    let body: ApiVersionsRequest<'_> = request.body()?;
    let with_telemetry = context.broker.config.client_telemetry;
    let answer = answer(&body, request.version, with_telemetry);
    if with_telemetry && answer.error_code.is_none() {
        context.set_software([body.client_software_name, body.client_software_version]);
    }
    request.respond(&answer)
}

fn unsupported() -> ApiVersionsResponse<'static> {
    ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: vec![line(ApiKey::ApiVersions)],
        ..ApiVersionsResponse::default()
    }
}

fn answer(
    body: &ApiVersionsRequest<'_>,
    version: i16,
    with_telemetry: bool,
) -> ApiVersionsResponse<'static> {
    let names = [body.client_software_name, body.client_software_version];
    if version >= 3 && !names.into_iter().all(is_software_name) {
        return ApiVersionsResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            ..ApiVersionsResponse::default()
        };
    }
    let is_told = |key: &ApiKey| {
        let api = key.api();
        api.is_served || (api.is_switched && with_telemetry)
    };
    let told = ApiKey::KNOWN.iter().copied().filter(is_told);
    ApiVersionsResponse {
        api_keys: told.map(line).collect(),
        supported_features: FEATURES
            .map(|feature| SupportedFeatureKey {
                name: feature.name,
                min_version: feature.level,
                max_version: feature.level,
            })
            .to_vec(),
        finalized_features_epoch: FINALIZED_EPOCH,
        finalized_features: FEATURES
            .map(|feature| FinalizedFeatureKey {
                name: feature.name,
                max_version_level: feature.level,
                min_version_level: feature.level,
            })
            .to_vec(),
        ..ApiVersionsResponse::default()
    }
}

fn line(key: ApiKey) -> ApiVersion {
    let api = key.api();
    ApiVersion {
        api_key: key.code(),
        min_version: api.advertised_min,
        max_version: api.version_max,
    }
}

/// Letters and digits, with `-` and `.` between them.
fn is_software_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let ends = [name.bytes().next(), name.bytes().last()];
    name.bytes().all(inner)
        && ends
            .into_iter()
            .all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_told() {
        let body = ApiVersionsRequest {
            client_software_name: "a-1",
            client_software_version: "2.0",
        };
        let response = answer(&body, 4, false);
        assert_eq!(response.error_code, ErrorCode::NONE);
        let produce = response
            .api_keys
            .iter()
            .find(|line| line.api_key == 0)
            .unwrap();
        // librdkafka needs 0 here (KAFKA-18659), although 0 to 2 are refused.
        assert_eq!((produce.min_version, produce.max_version), (0, 11));
        assert_eq!(response.api_keys.len(), ApiKey::ALL.len());
        let finalized = response.finalized_features.iter();
        let finalized: Vec<_> = finalized
            .map(|one| (one.name, one.max_version_level))
            .collect();
        let expected = [
            ("group.version", 1),
            ("kraft.version", 1),
            ("metadata.version", 27),
        ];
        assert_eq!(finalized, expected);
        assert_eq!(response.supported_features.len(), expected.len());
        // Telemetry would make every Java client push (KIP-714).
        assert!(
            response
                .api_keys
                .iter()
                .all(|line| ![71, 72].contains(&line.api_key))
        );
        let with_telemetry = answer(&body, 4, true).api_keys;
        assert_eq!(with_telemetry.len(), ApiKey::ALL.len() + 2);
    }

    #[test]
    fn names_of_clients_are_checked() {
        for name in ["", "-a", "a.", "a b", "é"] {
            let body = ApiVersionsRequest {
                client_software_name: name,
                client_software_version: "1",
            };
            assert_eq!(
                answer(&body, 3, false).error_code,
                ErrorCode::INVALID_REQUEST,
                "{name}"
            );
            assert_eq!(answer(&body, 2, false).error_code, ErrorCode::NONE);
        }
    }

    #[test]
    fn a_version_too_new_gets_one_line() {
        let response = unsupported();
        assert_eq!(response.error_code.code(), 35);
        let lines: Vec<_> = response.api_keys.iter().map(|line| line.api_key).collect();
        assert_eq!(lines, [18]);
    }
}
