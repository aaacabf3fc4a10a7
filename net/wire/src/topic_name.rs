//! Names that topics may have.

use thiserror::Error;

/// Longest name: with the number of a partition it must fit the name of a directory.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// Topics that brokers keep for themselves; producers other than admin clients may not write them.
pub const INTERNAL_TOPICS: [&str; 3] = [
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
];

/// Why a name is not the name of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TopicNameError {
    /// Empty.
    #[error("the empty string is not allowed")]
    Empty,
    /// The names of directories that are not topics.
    #[error("'.' or '..' is not allowed")]
    Dots,
    /// Too long.
    #[error("the length of {0} is longer than the max allowed length 249")]
    TooLong(usize),
    /// A character that is not allowed.
    #[error("it contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")]
    Character,
}

/// Whether a topic may have this name.
pub fn check_topic_name(name: &str) -> Result<(), TopicNameError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    match name {
        "" => Err(TopicNameError::Empty),
        "." | ".." => Err(TopicNameError::Dots),
        _ if name.len() > TOPIC_NAME_BYTES_MAX => Err(TopicNameError::TooLong(name.len())),
        _ if !name.bytes().all(allowed) => Err(TopicNameError::Character),
        _ => Ok(()),
    }
}

/// Whether brokers keep the topic for themselves.
pub fn is_internal(name: &str) -> bool {
    INTERNAL_TOPICS.contains(&name)
}

/// Whether two names differ only in `.` and `_`: metrics of such topics would be one, so Kafka
/// refuses the second.
pub fn collide(one: &str, other: &str) -> bool {
    collision_key(one).eq(collision_key(other))
}

/// What names that collide have in common; to look a name up among many.
pub fn collision_key(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars().map(|c| if c == '.' { '_' } else { c })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_in_kafka() {
        for good in ["a", "A.b_c-9", "...", "_", &"x".repeat(249)] {
            assert_eq!(check_topic_name(good), Ok(()), "{good}");
        }
        assert_eq!(check_topic_name(""), Err(TopicNameError::Empty));
        assert_eq!(check_topic_name("."), Err(TopicNameError::Dots));
        assert_eq!(check_topic_name(".."), Err(TopicNameError::Dots));
        assert_eq!(
            check_topic_name(&"x".repeat(250)),
            Err(TopicNameError::TooLong(250))
        );
        for bad in ["a b", "a/b", "größe", "a\0", "a:b"] {
            assert_eq!(
                check_topic_name(bad),
                Err(TopicNameError::Character),
                "{bad}"
            );
        }
    }

    #[test]
    fn dots_collide_with_underscores_only() {
        assert!(collide("a.b_c", "a_b.c"));
        assert!(!collide("a.b", "a-b"));
        assert!(!collide("a.b", "a.b."));
    }

    #[test]
    fn internal_topics_are_known() {
        assert!(is_internal("__consumer_offsets"));
        assert!(!is_internal("__my_topic"));
    }
}
