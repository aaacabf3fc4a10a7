//! Subscriptions by regular expression.
//!
//! Kafka's are RE2's, and match the whole name of a topic. The `regex` crate has nearly the same
//! syntax and the same promise: it takes time linear in the name, whatever a client sends. Of what
//! RE2 has and it has not, `\Q...\E` is translated, since Java programs quote names with it.

use regex::{Regex, RegexBuilder};

/// Bytes of a compiled expression, and of what matching remembers, at most. Expressions come from
/// clients, one from each member.
const COMPILED_BYTES_MAX: usize = 256 << 10;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles `text`, or says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = unquoted(text);
        // By itself, too: `a)|(b` is none, but would be one within the brackets.
        compile(&text)?;
        compile(&format!(r"\A(?:{text})\z")).map(Self)
    }

    /// Whether it matches the whole of `name`.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

fn compile(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| error.to_string())
}

/// The expression without `\Q...\E`: what stands between them is escaped one by one.
fn unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        if let Some(quoted) = escape.strip_prefix(r"\Q") {
            let (literal, behind) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            out.push_str(&regex::escape(literal));
            rest = behind;
        } else {
            // The escaped character goes along, so that `\\Q` is a backslash and a letter.
            let end = escape.chars().take(2).map(char::len_utf8).sum();
            let (escaped, behind) = escape.split_at(end);
            out.push_str(escaped);
            rest = behind;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(text: &str, name: &str) -> bool {
        Pattern::new(text).unwrap().matches(name)
    }

    #[test]
    fn the_whole_name_is_matched() {
        assert!(matches("foo.*", "foobar"));
        assert!(!matches("foo", "foobar") && !matches("bar", "foobar"));
        assert!(matches("foo|foobar", "foobar") && matches("a|b", "b"));
        assert!(!matches("(?m)^foo$", "foo\nbar"));
        assert!(matches("", "") && !matches("", "foo"));
    }

    #[test]
    fn quoted_names_are_taken_literally() {
        assert!(matches(r"\Qa.b\E", "a.b") && !matches(r"\Qa.b\E", "axb"));
        assert!(matches(r"\Qa.b\E.*|x", "a.b-1") && matches(r"\Qa.b", "a.b"));
        assert!(matches(r"\\Q", r"\Q"));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in [
            "(", "a)|(b", "[a", "a**b(", r"(a)\1", "(?=a)", r"a\", "(?x)a # ",
        ] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
        assert!(Pattern::new(&"(a{1000}){1000}".repeat(3)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String, name: String) {
            if let Ok(pattern) = Pattern::new(&text) {
                let _ = pattern.matches(&name);
            }
        }

        #[test]
        fn any_text_can_be_quoted(name in "[^\\\\]*") {
            let quoted = format!(r"\Q{name}\E");
            prop_assert!(matches(&quoted, &name));
        }
    }
}
