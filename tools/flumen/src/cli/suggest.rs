//! "Did you mean": the nearest of the words there are.

/// The word nearest to `wrong`, if one is near enough to be meant.
pub(crate) fn nearest<'a>(
    wrong: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let tolerance = (wrong.len() / 3).max(2);
    let distances = words.into_iter().map(|word| (distance(wrong, word), word));
    let (distance, word) = distances.min()?;
    (distance <= tolerance).then_some(word)
}

/// As a sentence for an error.
pub(crate) fn did_you_mean<'a>(
    wrong: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(wrong, words).map(|word| format!("did you mean `{word}`?"))
}

/// Letters to insert, delete, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("a", "", 1),
            ("kafka", "kafak", 1),
            ("ab", "ba", 1),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
        assert_eq!(distance("retention", "retentoin.ms"), 4);
    }

    #[test]
    fn only_near_words_are_named() {
        let words = ["log.retention.ms", "log.roll.ms", "num.partitions"];
        assert_eq!(nearest("log.retention.sm", words), Some("log.retention.ms"));
        assert_eq!(nearest("num.partition", words), Some("num.partitions"));
        assert_eq!(nearest("something", words), None);
        assert_eq!(did_you_mean("x", []), None);
    }
}
