//! The part of an address behind its question mark.

use super::Refusal;

/// Longest query; a filter and a name fit many times.
const QUERY_BYTES_MAX: usize = 4096;

/// Names and values of a query.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query in which only these names may stand.
    pub(super) fn parse(text: &str, known: &[&str]) -> Result<Self, Refusal> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(Refusal::Invalid("the query is too long".to_owned()));
        }
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !known.contains(&name) {
                return Err(Refusal::Invalid(format!(
                    "`{name}` is not known; there are: {}",
                    known.join(", ")
                )));
            }
            let value = decoded(value)
                .ok_or_else(|| Refusal::Invalid(format!("`{name}` is not readable")))?;
            pairs.push((name.to_owned(), value));
        }
        Ok(Self(pairs))
    }

    /// The value of a name; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// A number in a range; `default` if it is not there.
    pub(super) fn number<T>(
        &self,
        name: &str,
        default: T,
        range: std::ops::RangeInclusive<T>,
    ) -> Result<T, Refusal>
    where
        T: std::str::FromStr + PartialOrd + std::fmt::Display,
    {
        let text = self.text(name);
        if text.is_empty() {
            return Ok(default);
        }
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (least, most) = range.into_inner();
        number
            .ok_or_else(|| Refusal::Invalid(format!("`{name}` is a number from {least} to {most}")))
    }
}

/// Text behind its escapes: `%20` and `+`.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                rest = behind;
                // A number could have a sign, an escape has none.
                let digits = std::str::from_utf8(digits).ok();
                let digits = digits.filter(|digits| !digits.starts_with('+'))?;
                u8::from_str_radix(digits, 16).ok()?
            },
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        let query = Query::parse(
            "key=a%20b%26c+d&value=&from=%C3%A9",
            &["key", "value", "from"],
        );
        let query = query.unwrap();
        assert_eq!(query.text("key"), "a b&c d");
        assert_eq!((query.text("value"), query.text("from")), ("", "\u{e9}"));
    }

    #[test]
    fn what_nobody_knows_or_can_read_is_refused() {
        for wrong in ["kye=1", "key=%zz", "key=%+f", "key=%f", "key=%ff"] {
            assert!(Query::parse(wrong, &["key"]).is_err(), "{wrong}");
        }
        let long = format!("key={}", "x".repeat(QUERY_BYTES_MAX));
        assert!(Query::parse(&long, &["key"]).is_err());
    }

    #[test]
    fn numbers_are_in_their_range() {
        let query = Query::parse("limit=7&from=x", &["limit", "from"]).unwrap();
        assert_eq!(query.number("limit", 50, 1..=500), Ok(7));
        assert_eq!(query.number("other", 50, 1..=500), Ok(50));
        assert!(query.number("limit", 50, 1..=5).is_err());
        assert!(query.number("from", 0, 0..=5).is_err());
    }
}
