//! A line of Rust as the rules see it.

/// The code of each line, without comments and without what stands in string literals.
///
/// It is no parser: raw strings and block comments over several lines are read as code, which can
/// only make a rule stricter.
pub(crate) fn code_lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.lines().map(code).enumerate()
}

fn code(line: &str) -> String {
    let mut code = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    let mut in_string = false;
    while let Some(char) = chars.next() {
        match char {
            '\\' if in_string => {
                chars.next();
            },
            // A quote as a character literal opens no string.
            '\'' if !in_string && chars.peek() == Some(&'"') => {
                chars.next();
            },
            '"' => in_string = !in_string,
            '/' if !in_string && chars.peek() == Some(&'/') => break,
            _ if in_string => {},
            _ => code.push(char),
        }
    }
    code
}

/// Whether the word stands in the code by itself, not as a part of a longer one.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    let is_part =
        |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
    code.match_indices(word).any(|(at, _)| {
        let (before, rest) = code.split_at(at);
        !is_part(before.chars().next_back()) && !is_part(rest.chars().nth(word.chars().count()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_not_code() {
        for (line, expected) in [
            ("let a = \"// b\"; // c", "let a = ; "),
            ("/// unsafe", ""),
            (r#"f("a\"b", '"', c)"#, "f(, ', c)"),
        ] {
            assert_eq!(code(line), expected);
        }
    }

    #[test]
    fn words_stand_alone() {
        assert!(has_word("unsafe { x }", "unsafe"));
        assert!(!has_word("forbid(unsafe_code)", "unsafe"));
        assert!(!has_word("is_unsafe()", "unsafe"));
    }
}
