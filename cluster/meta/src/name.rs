//! Kafka's words about topic names; the rules themselves are `net_wire`'s.

use net_wire::topic_name::{TOPIC_NAME_BYTES_MAX, TopicNameError, check_topic_name, collision_key};

/// Kafka's metadata topic, which is not a topic here: nobody may create one of that name.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// Whether the name may be a topic's, or what Kafka says why not.
pub fn validate(name: &str) -> Result<(), String> {
    let rule = match check_topic_name(name) {
        Ok(()) => return Ok(()),
        Err(TopicNameError::Empty) => "the empty string is not allowed".to_owned(),
        Err(TopicNameError::Dots) => format!("'{name}' is not allowed"),
        Err(TopicNameError::TooLong(_)) => format!(
            "the length of '{name}' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}"
        ),
        Err(TopicNameError::Character) => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' \
             and '-'"
        ),
    };
    Err(format!("Topic name is invalid: {rule}"))
}

/// The name with `.` and `_` made one, if it has any: names of metrics cannot tell them apart, so
/// Kafka refuses a second topic of the same folded name.
pub(crate) fn folded(name: &str) -> Option<String> {
    name.contains(['.', '_'])
        .then(|| collision_key(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_by_kafka() {
        assert_eq!(validate("A-b_c.9"), Ok(()));
        assert_eq!(
            validate(".").unwrap_err(),
            "Topic name is invalid: '.' is not allowed"
        );
        assert_eq!(
            validate("").unwrap_err(),
            "Topic name is invalid: the empty string is not allowed"
        );
        assert_eq!(
            validate("a b").unwrap_err(),
            "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        );
        for name in ["..", "é", "a/b", "a\0", &"x".repeat(250)] {
            assert!(validate(name).is_err(), "{name}");
        }
    }

    #[test]
    fn names_with_a_point_or_underscore_fold() {
        assert_eq!(folded("a.b_c").as_deref(), Some("a_b_c"));
        assert_eq!(folded("abc"), None);
    }
}
