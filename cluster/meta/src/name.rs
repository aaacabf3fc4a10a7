//! The rules of topic names (`org.apache.kafka.common.internals.Topic`).

const NAME_LEN_MAX: usize = 249;

/// Topics that the broker writes for itself.
const INTERNAL_TOPICS: &[&str] = &[
    "__consumer_offsets",
    "__share_group_state",
    "__transaction_state",
];

/// Kafka's metadata topic, which is not a topic here: nobody may create one of that name.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// Whether the name may be a topic's, or Kafka's words why not.
pub fn validate(name: &str) -> Result<(), String> {
    let rule = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.len() > NAME_LEN_MAX {
        format!("the length of '{name}' is longer than the max allowed length {NAME_LEN_MAX}")
    } else if !name.bytes().all(is_legal) {
        format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' \
             and '-'"
        )
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {rule}"))
}

fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Whether the topic is one of the broker's own (`is_internal` of Metadata).
pub fn is_internal(name: &str) -> bool {
    INTERNAL_TOPICS.contains(&name)
}

/// The name with `.` and `_` made one, if it has any: names of metrics cannot tell them apart, so
/// Kafka refuses a second topic of the same folded name.
pub(crate) fn folded(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_by_kafka() {
        for name in ["a", "A-b_c.9", "...", &"x".repeat(249)] {
            assert_eq!(validate(name), Ok(()), "{name}");
        }
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
