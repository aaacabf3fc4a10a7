//! How records stand in text: escapes with `%`, as in `rpk`, in both directions.

use crate::errors::{Exit, Failure};

/// A record on its way to or from text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
}

/// A header.
pub(crate) type Header<'a> = (&'a [u8], Option<&'a [u8]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Field(char),
    /// For each header.
    Headers(Vec<Self>),
}

fn bad(format: &str, why: impl std::fmt::Display) -> Failure {
    Failure::new("FL3004", format!("-f {format}: {why}")).exit(Exit::Usage)
}

/// Splits a format into its parts; `fields` are the letters that it may have.
fn parse(format: &str, fields: &str) -> Result<Vec<Part>, Failure> {
    let mut parts: Vec<Part> = Vec::new();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        let text = match char {
            '%' => match chars.next() {
                Some('%') => b"%".to_vec(),
                Some('h') if fields.contains('h') => {
                    parts.push(Part::Headers(parse_braces(format, &mut chars)?));
                    continue;
                },
                Some(field) if fields.contains(field) => {
                    parts.push(Part::Field(field));
                    continue;
                },
                Some(other) => return Err(bad(format, format!("there is no escape %{other}"))),
                None => return Err(bad(format, "ends in a percent sign")),
            },
            '\\' => vec![unescape(format, chars.next())?],
            char => char.to_string().into_bytes(),
        };
        match parts.last_mut() {
            Some(Part::Text(before)) => before.extend(text),
            _ => parts.push(Part::Text(text)),
        }
    }
    Ok(parts)
}

fn parse_braces(format: &str, chars: &mut std::str::Chars<'_>) -> Result<Vec<Part>, Failure> {
    let inner = chars
        .as_str()
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'));
    let Some((inner, rest)) = inner else {
        return Err(bad(format, "%h wants braces behind it: %h{%k=%v }"));
    };
    *chars = rest.chars();
    parse(inner, "kv")
}

fn unescape(format: &str, char: Option<char>) -> Result<u8, Failure> {
    match char {
        Some('n') => Ok(b'\n'),
        Some('t') => Ok(b'\t'),
        Some('r') => Ok(b'\r'),
        Some('0') => Ok(0),
        Some('\\') => Ok(b'\\'),
        other => Err(bad(
            format,
            format!("there is no escape \\{}", other.unwrap_or(' ')),
        )),
    }
}

/// How records are printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// An object for each record.
    Json,
    /// By escapes.
    Text(OutputParts),
}

/// The parts of a printed record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputParts(Vec<Part>);

impl OutputFormat {
    pub(crate) fn parse(format: &str) -> Result<Self, Failure> {
        if format == "json" {
            return Ok(Self::Json);
        }
        Ok(Self::Text(OutputParts(parse(format, "tpodkvh")?)))
    }

    /// Adds a record to `into`.
    pub(crate) fn print(&self, shown: &Shown<'_>, headers: &[Header<'_>], into: &mut Vec<u8>) {
        match self {
            Self::Json => {
                into.extend(json(shown, headers).to_string().into_bytes());
                into.push(b'\n');
            },
            Self::Text(parts) => print_parts(&parts.0, shown, headers, into),
        }
    }
}

fn print_parts(parts: &[Part], shown: &Shown<'_>, headers: &[Header<'_>], into: &mut Vec<u8>) {
    for part in parts {
        match part {
            Part::Text(text) => into.extend_from_slice(text),
            Part::Field(field) => print_field(*field, shown, into),
            Part::Headers(inner) => {
                for (key, value) in headers {
                    let header = Shown {
                        key: Some(key),
                        value: *value,
                        ..*shown
                    };
                    print_parts(inner, &header, &[], into);
                }
            },
        }
    }
}

fn print_field(field: char, shown: &Shown<'_>, into: &mut Vec<u8>) {
    match field {
        'k' => into.extend_from_slice(shown.key.unwrap_or_default()),
        'v' => into.extend_from_slice(shown.value.unwrap_or_default()),
        't' => into.extend_from_slice(shown.topic.as_bytes()),
        'p' => into.extend(shown.partition.to_string().into_bytes()),
        'o' => into.extend(shown.offset.to_string().into_bytes()),
        _ => into.extend(shown.timestamp.to_string().into_bytes()),
    }
}

/// Bytes that are no UTF-8 are shown with replacement characters.
fn json(shown: &Shown<'_>, headers: &[Header<'_>]) -> serde_json::Value {
    let text =
        |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let headers: Vec<_> = headers
        .iter()
        .map(|(key, value)| serde_json::json!({ "key": text(Some(key)), "value": text(*value) }))
        .collect();
    serde_json::json!({
        "topic": shown.topic,
        "partition": shown.partition,
        "offset": shown.offset,
        "timestamp": shown.timestamp,
        "key": text(shown.key),
        "value": text(shown.value),
        "headers": headers,
    })
}

/// How records stand in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputFormat(Vec<Part>);

/// One record of the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InputRecord {
    /// The key, if the format has one.
    pub(crate) key: Option<Vec<u8>>,
    /// The value.
    pub(crate) value: Vec<u8>,
}

impl InputFormat {
    pub(crate) fn parse(format: &str) -> Result<Self, Failure> {
        let parts = parse(format, "kv")?;
        let adjacent = parts
            .windows(2)
            .any(|pair| matches!(pair, [Part::Field(_), Part::Field(_)]));
        if adjacent {
            return Err(bad(format, "two fields need something between them"));
        }
        if !parts.iter().any(|part| matches!(part, Part::Field(_))) {
            return Err(bad(format, "neither %k nor %v is in it"));
        }
        Ok(Self(parts))
    }

    /// Takes a record off the front of `input`: the record and the bytes it took. `None` if the
    /// input does not hold a whole one yet. At its `end`, the last delimiter may be missing.
    pub(crate) fn take(&self, input: &[u8], end: bool) -> Option<(InputRecord, usize)> {
        let (mut record, mut at) = (InputRecord::default(), 0);
        let mut parts = self.0.iter().peekable();
        while let Some(part) = parts.next() {
            let rest = &input[at..];
            let Part::Field(field) = part else {
                let Part::Text(text) = part else { continue };
                at += text.len().min(rest.len());
                continue;
            };
            let len = match parts.peek() {
                Some(Part::Text(delimiter)) => {
                    find(rest, delimiter).or_else(|| end.then_some(rest.len()))?
                },
                _ if end => rest.len(),
                _ => return None,
            };
            let bytes = rest[..len].to_vec();
            at += len;
            match field {
                'k' => record.key = Some(bytes),
                _ => record.value = bytes,
            }
        }
        (at > 0).then_some((record, at))
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: &str) -> String {
        let shown = Shown {
            topic: "t",
            partition: 3,
            offset: 42,
            timestamp: 1000,
            key: Some(b"k"),
            value: None,
        };
        let headers: [Header<'_>; 2] = [(b"a", Some(b"1")), (b"a", None)];
        let mut text = Vec::new();
        OutputFormat::parse(format)
            .unwrap()
            .print(&shown, &headers, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn records_are_printed_by_escapes() {
        assert_eq!(printed("%t/%p@%o %d\\t%k=%v%%\\n"), "t/3@42 1000\tk=%\n");
        assert_eq!(printed("%h{%k:%v }."), "a:1 a: .");
        let json = printed("json");
        assert!(
            json.contains(r#""value":null"#) && json.contains(r#""offset":42"#),
            "{json}"
        );
    }

    #[test]
    fn what_is_no_escape_is_refused() {
        for wrong in ["%x", "%", "\\q", "%h", "%h{%t}"] {
            assert_eq!(
                OutputFormat::parse(wrong).unwrap_err().code(),
                "FL3004",
                "{wrong}"
            );
        }
        for wrong in ["%k%v\\n", "text", "%o\\n"] {
            assert_eq!(
                InputFormat::parse(wrong).unwrap_err().code(),
                "FL3004",
                "{wrong}"
            );
        }
    }

    fn taken(format: &str, input: &str) -> (Vec<(Option<String>, String)>, String) {
        let format = InputFormat::parse(format).unwrap();
        let (mut rest, mut records) = (input.as_bytes(), Vec::new());
        while let Some((record, len)) = format.take(rest, false) {
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            records.push((record.key.map(text), text(record.value)));
            rest = &rest[len..];
        }
        (records, String::from_utf8_lossy(rest).into_owned())
    }

    #[test]
    fn records_are_taken_when_they_are_whole() {
        let value = |text: &str| (None, text.to_owned());
        let (records, rest) = taken("%v\\n", "one\n\ntwo\nthr");
        assert_eq!(records, [value("one"), value(""), value("two")]);
        assert_eq!(rest, "thr");
        let pair = |key: &str, text: &str| (Some(key.to_owned()), text.to_owned());
        let (records, rest) = taken("%k\\t%v\\n", "a\tb\nc\td\ne\t");
        assert_eq!(records, [pair("a", "b"), pair("c", "d")]);
        assert_eq!(rest, "e\t");
    }

    #[test]
    fn the_last_record_needs_no_delimiter() {
        let format = InputFormat::parse("%k=%v\\n").unwrap();
        let (record, len) = format.take(b"key=value", true).unwrap();
        assert_eq!(
            (record.key.as_deref(), &*record.value, len),
            (Some(&b"key"[..]), &b"value"[..], 9)
        );
        assert_eq!(format.take(b"", true), None);
        let whole = InputFormat::parse("%v").unwrap();
        assert_eq!(whole.take(b"all of it", false), None);
        assert_eq!(whole.take(b"all of it", true).unwrap().1, 9);
    }
}
