//! `UpdateFeatures` (key 57, KIP-584): the levels of features, none of which can be another.
//!
//! Behaviour:
//! - a level that is in force already is taken, with `validate_only` or without; any other fails
//!   the whole request with `INVALID_UPDATE_VERSION`.
//!
//! Version notes:
//! - 0: whether a level may fall is one flag; 1: how, and dry runs (KIP-778); 2: no results of the
//!   single features (KIP-1022).

use net_wire::ErrorCode;
use net_wire::messages::update_features::{
    FeatureUpdateKey, UNSAFE_DOWNGRADE, UPGRADE, UpdatableFeatureResult, UpdateFeaturesRequest,
    UpdateFeaturesResponse,
};

use crate::connection::Context;
use crate::features::feature;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let body: UpdateFeaturesRequest<'_> = request.body()?;
    let node = context.broker.cluster().node_id.0;
    let response = answer(node, &body, request.version);
    context.broker.metrics.error(response.error_code);
    request.respond(&response)
}

fn answer<'a>(
    node: i32,
    body: &UpdateFeaturesRequest<'a>,
    version: i16,
) -> UpdateFeaturesResponse<'a> {
    let updates = body.feature_updates.iter();
    let refusal = updates.clone().find_map(|update| refusal(node, update));
    if let Some(reason) = refusal {
        let message = format!(
            "The update failed for all features since the following feature had an error: {reason}"
        );
        return UpdateFeaturesResponse {
            error_code: ErrorCode::INVALID_UPDATE_VERSION,
            error_message: Some(message.into()),
            ..UpdateFeaturesResponse::default()
        };
    }
    let results = updates.filter(|_| version < 2);
    UpdateFeaturesResponse {
        results: results
            .map(|update| UpdatableFeatureResult {
                feature: update.feature,
                ..UpdatableFeatureResult::default()
            })
            .collect(),
        ..UpdateFeaturesResponse::default()
    }
}

/// Why a feature cannot have this level, in Kafka's words.
fn refusal(node: i32, update: &FeatureUpdateKey<'_>) -> Option<String> {
    let (name, level) = (update.feature, update.max_version_level);
    let reason = if !(UPGRADE..=UNSAFE_DOWNGRADE).contains(&update.upgrade_type) {
        "The controller does not support the given upgrade type.".to_owned()
    } else if level < 0 {
        "A feature version cannot be less than 0.".to_owned()
    } else {
        match feature(name) {
            Some(feature) if feature.level == level => return None,
            Some(feature) => {
                let only = feature.level;
                format!("Local controller {node} only supports versions {only}-{only}")
            },
            None => format!("Local controller {node} does not support this feature."),
        }
    };
    Some(format!(
        "Invalid update version {level} for feature {name}. {reason}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updated(feature: &str, level: i16, upgrade_type: i8) -> Option<String> {
        let body = UpdateFeaturesRequest {
            feature_updates: vec![FeatureUpdateKey {
                feature,
                max_version_level: level,
                upgrade_type,
                ..FeatureUpdateKey::default()
            }],
            ..UpdateFeaturesRequest::default()
        };
        for version in [1, 2] {
            let response = answer(1, &body, version);
            let refused = response.error_code == ErrorCode::INVALID_UPDATE_VERSION;
            assert!(refused || response.error_code.is_none());
            let results = usize::from(version < 2 && !refused);
            assert_eq!(response.results.len(), results);
        }
        answer(1, &body, 2).error_message.map(String::from)
    }

    #[test]
    fn levels_stay_as_they_are() {
        assert_eq!(updated("metadata.version", 27, 1), None);
        assert_eq!(updated("group.version", 1, 3), None);
        let why = updated("metadata.version", 26, 2).unwrap();
        assert_eq!(
            why,
            "The update failed for all features since the following feature had an error: Invalid \
             update version 26 for feature metadata.version. Local controller 1 only supports \
             versions 27-27"
        );
        assert!(updated("transaction.version", 2, 1).is_some());
        assert!(updated("group.version", 1, 0).is_some());
        assert!(updated("group.version", -1, 1).is_some());
    }
}
