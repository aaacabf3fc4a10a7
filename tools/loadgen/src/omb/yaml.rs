//! As much of YAML as files of OMB have: keys with a value each, or with a block of lines.

use std::str::FromStr;

use super::OmbError;

/// A key with what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Counted from one.
    pub(super) line: usize,
    pub(super) key: String,
    /// The value, or the lines of a block.
    pub(super) value: String,
}

impl Field {
    /// The value, read.
    pub(super) fn read<T: FromStr>(&self) -> Result<T, OmbError> {
        let read = self.value.parse();
        read.map_err(|_| self.wrong(&format!("`{}` is no value of it", self.value)))
    }

    /// What is wrong with it.
    pub(super) fn wrong(&self, why: &str) -> OmbError {
        OmbError::Key {
            line: self.line,
            key: self.key.clone(),
            why: why.to_owned(),
        }
    }

    /// The lines of a block, `KEY=VALUE` each.
    pub(super) fn properties(&self) -> Result<Vec<Self>, OmbError> {
        let lines = (self.line + 1..).zip(self.value.lines());
        let lines = lines.map(|(number, line)| (number, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let property = |(line, text): (usize, &str)| {
            let pair = text.split_once('=');
            let (key, value) = pair.ok_or_else(|| syntax(line, "KEY=VALUE is wanted"))?;
            Ok(Self {
                line,
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
            })
        };
        lines.map(property).collect()
    }
}

fn syntax(line: usize, why: &str) -> OmbError {
    OmbError::Syntax {
        line,
        why: why.to_owned(),
    }
}

/// The keys of a file, in their order.
pub(super) fn fields(text: &str) -> Result<Vec<Field>, OmbError> {
    let mut fields: Vec<Field> = Vec::new();
    let mut is_block = false;
    for (number, line) in (1..).zip(text.lines()) {
        if is_block && (line.is_empty() || line.starts_with([' ', '\t'])) {
            if let Some(last) = fields.last_mut() {
                last.value.push_str(line);
                last.value.push('\n');
            }
            continue;
        }
        is_block = false;
        let is_nothing = line.trim().is_empty() || line == "---";
        if is_nothing || line.trim_start().starts_with('#') {
            continue;
        }
        let pair = line
            .split_once(':')
            .filter(|_| !line.starts_with([' ', '\t', '-']));
        let (key, value) = pair.ok_or_else(|| syntax(number, "KEY: VALUE is wanted"))?;
        let value = scalar(value.trim());
        if value.is_empty() {
            return Err(syntax(number, "a value is wanted behind the key"));
        }
        is_block = value == "|" || value == "|-";
        fields.push(Field {
            line: number,
            key: key.trim().to_owned(),
            value: if is_block { String::new() } else { value },
        });
    }
    Ok(fields)
}

/// A value without its quotes, or without the comment behind it.
fn scalar(text: &str) -> String {
    for quote in ['"', '\''] {
        let quoted = text.strip_prefix(quote);
        if let Some((inner, _)) = quoted.and_then(|rest| rest.split_once(quote)) {
            return inner.to_owned();
        }
    }
    let end = text.find(" #").unwrap_or(text.len());
    text[..end].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_comments_and_blocks_are_read() {
        let text = "# a file\n---\nname: one: two # three\nquoted: \"a # b\" # c\n\nblock: |\n  \
                    a.b=1=2\n\n  # no\n  c = d\nlast: 5\n";
        let fields = fields(text).unwrap();
        let shown: Vec<(usize, &str, &str)> = fields
            .iter()
            .map(|field| (field.line, field.key.as_str(), field.value.as_str()))
            .collect();
        assert_eq!(
            shown[..2],
            [(3, "name", "one: two"), (4, "quoted", "a # b")]
        );
        assert_eq!(
            (shown[2].0, shown[2].1, shown[3]),
            (6, "block", (11, "last", "5"))
        );
        let properties = fields[2].properties().unwrap();
        let shown: Vec<(usize, &str, &str)> = properties
            .iter()
            .map(|field| (field.line, field.key.as_str(), field.value.as_str()))
            .collect();
        assert_eq!(shown, [(7, "a.b", "1=2"), (10, "c", "d")]);
    }

    #[test]
    fn what_is_more_than_that_is_refused_by_its_line() {
        for (text, line) in [
            ("a: 1\nnested:\n  b: 2\n", 2),
            ("- a\n", 1),
            ("a: 1\n  b: 2\n", 2),
            ("word\n", 1),
        ] {
            let error = fields(text).unwrap_err();
            assert!(
                error.to_string().starts_with(&format!("line {line}: ")),
                "{error}"
            );
        }
    }
}
