//! Long lists a page at a time.

/// The rows behind a name, so many at most, of those in the order of their names; and the name to
/// go on behind, if there are more.
pub(super) fn page<'a, T>(
    rows: &'a [T],
    name: impl Fn(&T) -> &str,
    after: &str,
    limit: usize,
) -> (&'a [T], Option<&'a str>) {
    let begin = rows.partition_point(|row| !after.is_empty() && name(row) <= after);
    let end = rows.len().min(begin + limit);
    let page = &rows[begin..end];
    let next = (end < rows.len()).then(|| page.last().map(&name));
    (page, next.flatten())
}

/// Whether a name has this part, whatever the case of its letters.
pub(super) fn matches(name: &str, filter: &str) -> bool {
    let (name, filter) = (name.to_ascii_lowercase(), filter.to_ascii_lowercase());
    name.contains(&filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let rows = ["a", "b", "c", "d", "e"];
        let of = |after, limit| page(&rows, |row| row, after, limit);
        assert_eq!(of("", 2), (&rows[..2], Some("b")));
        assert_eq!(of("b", 2), (&rows[2..4], Some("d")));
        assert_eq!(of("d", 2), (&rows[4..], None));
        assert_eq!(of("", 5), (&rows[..], None));
        // One that is gone meanwhile.
        assert_eq!(of("bb", 1), (&rows[2..3], Some("c")));
        assert_eq!(of("z", 1), (&rows[5..], None));
    }

    #[test]
    fn a_filter_does_not_mind_cases() {
        assert!(matches("Orders.v1", "RS.V") && matches("x", ""));
        assert!(!matches("orders", "order-"));
    }
}
