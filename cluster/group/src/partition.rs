//! Which partition of `__consumer_offsets` has a group.

/// The partition of a group: Java's hash of its id, as every Kafka broker and tool has it.
pub fn partition_of(group_id: &str, partitions: i32) -> i32 {
    let hash = group_id.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    // Java's Utils.abs: the one number without a positive counterpart counts as zero.
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        // "hello".hashCode() is 99162322, "polygenelubricants" the smallest integer.
        assert_eq!(partition_of("", 50), 0);
        assert_eq!(partition_of("hello", 50), 99_162_322 % 50);
        assert_eq!(partition_of("polygenelubricants", 50), 0);
        // "größe😀".hashCode() counts UTF-16 units.
        assert_eq!(partition_of("a😀", i32::MAX), {
            let unit = |hash: i32, unit: i32| hash.wrapping_mul(31).wrapping_add(unit);
            [0xd83d, 0xde00].into_iter().fold(97, unit)
        });
    }
}
