//! How records stand in text: escapes with `%`, as in `rpk`, in both directions.
//!
//! A format is parsed into [`Part`]s; `output.rs` prints by them, `input.rs` reads by them,
//! `form.rs` has the forms that stand in braces behind a field.

mod form;
mod input;
mod output;

use form::{Number, Text, Time};
pub(crate) use input::{InputFormat, InputRecord};
pub(crate) use output::{Header, OutputFormat, Shown};

use crate::errors::{Exit, Failure};

/// A piece of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// As it stands.
    Literal(Vec<u8>),
    /// A field of bytes, by its letter.
    Bytes(char, Text),
    /// A field that is a number, by its letter.
    Number(char, Number),
    /// The timestamp.
    Time(Time),
    /// An attribute of the batch.
    Attribute(Attribute, Option<Number>),
    /// For each header.
    Headers(Vec<Self>),
}

/// Attributes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    Compression,
    TimestampType,
    Transactional,
    Control,
}

impl Attribute {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "compression" => Self::Compression,
            "timestamp-type" => Self::TimestampType,
            "transactional-bit" => Self::Transactional,
            "control-bit" => Self::Control,
            _ => return None,
        })
    }
}

/// Letters that a format may have, by what they stand for.
#[derive(Clone, Copy)]
struct Letters {
    bytes: &'static str,
    numbers: &'static str,
    has_attributes: bool,
    has_headers: bool,
}

impl Letters {
    /// Those of a header, within the braces of `%h`.
    const fn of_header() -> Self {
        Self {
            bytes: "kv",
            numbers: "KV",
            has_attributes: false,
            has_headers: false,
        }
    }
}

fn bad(format: &str, why: impl std::fmt::Display) -> Failure {
    Failure::new("FL3004", format!("-f {format}: {why}")).exit(Exit::Usage)
}

/// Splits a format into its parts.
fn parse(format: &str, letters: Letters) -> Result<Vec<Part>, Failure> {
    let mut parser = Parser {
        format,
        chars: format.chars(),
        parts: Vec::new(),
    };
    while let Some(char) = parser.chars.next() {
        match char {
            '%' => parser.escape(letters)?,
            '\\' => {
                let byte = parser.unescape()?;
                parser.literal(&[byte]);
            },
            char => parser.literal(char.to_string().as_bytes()),
        }
    }
    Ok(parser.parts)
}

struct Parser<'a> {
    format: &'a str,
    chars: std::str::Chars<'a>,
    parts: Vec<Part>,
}

impl<'a> Parser<'a> {
    fn literal(&mut self, bytes: &[u8]) {
        match self.parts.last_mut() {
            Some(Part::Literal(before)) => before.extend(bytes),
            _ => self.parts.push(Part::Literal(bytes.to_vec())),
        }
    }

    /// What stands behind a percent sign.
    fn escape(&mut self, letters: Letters) -> Result<(), Failure> {
        let letter = match self.chars.next() {
            None => return Err(bad(self.format, "ends in a percent sign")),
            Some(sign @ ('%' | '{' | '}')) => {
                self.literal(sign.to_string().as_bytes());
                return Ok(());
            },
            Some(letter) => letter,
        };
        let format = self.format;
        let no_escape = || bad(format, format!("there is no escape %{letter}"));
        let wrong = |form: &str| bad(format, format!("%{letter} has no form {{{form}}}"));
        let form = self.braces();
        let part = match letter {
            'h' if letters.has_headers => {
                let inner =
                    form.ok_or_else(|| bad(format, "%h wants braces behind it: %h{%k=%v }"))?;
                Part::Headers(parse(inner, Letters::of_header())?)
            },
            'a' if letters.has_attributes => {
                let form = form.unwrap_or_default();
                let (name, number) = form.split_once(';').unzip();
                let attribute = Attribute::parse(name.unwrap_or(form));
                let attribute = attribute.ok_or_else(|| wrong(form))?;
                let number = number.map(|form| Number::parse(form).ok_or_else(|| wrong(form)));
                Part::Attribute(attribute, number.transpose()?)
            },
            'd' if letters.has_headers => {
                let form = form.unwrap_or_default();
                Part::Time(Time::parse(form).ok_or_else(|| wrong(form))?)
            },
            letter if letters.bytes.contains(letter) => {
                let form = form.unwrap_or_default();
                Part::Bytes(letter, Text::parse(form).ok_or_else(|| wrong(form))?)
            },
            letter if letters.numbers.contains(letter) => {
                let form = form.unwrap_or_default();
                Part::Number(letter, Number::parse(form).ok_or_else(|| wrong(form))?)
            },
            _ => return Err(no_escape()),
        };
        self.parts.push(part);
        Ok(())
    }

    /// What stands in braces here, if an open one does. Braces within it are in pairs.
    fn braces(&mut self) -> Option<&'a str> {
        let inner = self.chars.as_str().strip_prefix('{')?;
        let (mut depth, mut after_percent) = (1, false);
        for (at, char) in inner.char_indices() {
            match char {
                '{' if !after_percent => depth += 1,
                '}' if !after_percent => depth -= 1,
                _ => {},
            }
            if depth == 0 {
                self.chars = inner.get(at + 1..)?.chars();
                return inner.get(..at);
            }
            after_percent = char == '%' && !after_percent;
        }
        None
    }

    fn unescape(&mut self) -> Result<u8, Failure> {
        let wrong = |what: &str| bad(self.format, format!("there is no escape \\{what}"));
        match self.chars.next() {
            Some('n') => Ok(b'\n'),
            Some('t') => Ok(b'\t'),
            Some('r') => Ok(b'\r'),
            Some('0') => Ok(0),
            Some('\\') => Ok(b'\\'),
            Some('x') => {
                let rest = self.chars.as_str();
                let digits = rest.get(..2);
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let byte = byte.ok_or_else(|| wrong(&format!("x{rest}")))?;
                self.chars = rest.get(2..).unwrap_or_default().chars();
                Ok(byte)
            },
            other => Err(wrong(&other.unwrap_or(' ').to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_escape_is_refused() {
        for wrong in [
            "%q",
            "%",
            "\\q",
            "\\xg0",
            "%h",
            "%h{%t}",
            "%v{rot13}",
            "%p{big7}",
            "%a{colour}",
            "%d{strftime[%Q]}",
        ] {
            let refused = OutputFormat::parse(wrong).unwrap_err();
            assert_eq!(refused.code(), "FL3004", "{wrong}");
        }
        for wrong in ["%k%v\\n", "text", "%o\\n", "%h{%k=%v}%v", "%V{bool}%v"] {
            let refused = InputFormat::parse(wrong).unwrap_err();
            assert_eq!(refused.code(), "FL3004", "{wrong}");
        }
    }

    #[test]
    fn braces_stand_in_pairs() {
        let letters = Letters {
            bytes: "kv",
            numbers: "",
            has_attributes: false,
            has_headers: true,
        };
        let parts = parse("%{%h{%{%k{hex}%}}%}", letters).unwrap();
        let inner = vec![
            Part::Literal(b"{".to_vec()),
            Part::Bytes('k', Text::Hex),
            Part::Literal(b"}".to_vec()),
        ];
        let wanted = [
            Part::Literal(b"{".to_vec()),
            Part::Headers(inner),
            Part::Literal(b"}".to_vec()),
        ];
        assert_eq!(parts, wanted);
    }
}
