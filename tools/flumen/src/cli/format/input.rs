//! Records out of text.

use super::form::{Number, NumberRead, Text, Time};
use super::{Letters, Part, bad, parse};
use crate::errors::Failure;

const LETTERS: Letters = Letters {
    bytes: "kv",
    numbers: "KVHp",
    has_attributes: false,
    has_headers: true,
};

/// How records stand in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputFormat {
    parts: Vec<Part>,
    text: String,
}

/// One record of the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InputRecord {
    /// The key, if the format has one.
    pub(crate) key: Option<Vec<u8>>,
    /// The value.
    pub(crate) value: Vec<u8>,
    /// The partition, if the format has one.
    pub(crate) partition: Option<i32>,
    /// The timestamp, if the format has one.
    pub(crate) timestamp: Option<i64>,
    /// The headers, if the format has any.
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why no record could be taken.
enum Stop {
    /// The input does not hold a whole one yet.
    More,
    /// It does not follow the format.
    Wrong(String),
}

impl InputFormat {
    pub(crate) fn parse(format: &str) -> Result<Self, Failure> {
        let parts = parse(format, LETTERS)?;
        check(&parts).map_err(|why| bad(format, why))?;
        if !parts.iter().any(|part| matches!(part, Part::Bytes(..))) {
            return Err(bad(format, "neither %k nor %v is in it"));
        }
        Ok(Self {
            parts,
            text: format.to_owned(),
        })
    }

    /// Takes a record off the front of `input`: the record and the bytes it took. `None` if the
    /// input does not hold a whole one yet. At its `end`, the last delimiter may be missing.
    pub(crate) fn take(
        &self,
        input: &[u8],
        end: bool,
    ) -> Result<Option<(InputRecord, usize)>, Failure> {
        if input.is_empty() {
            return Ok(None);
        }
        let mut cursor = Cursor { input, at: 0, end };
        let mut record = InputRecord::default();
        match cursor.take_record(&self.parts, &mut record) {
            Ok(()) if cursor.at > 0 => Ok(Some((record, cursor.at))),
            Ok(()) | Err(Stop::More) => Ok(None),
            Err(Stop::Wrong(why)) => Err(bad(&self.text, why)),
        }
    }
}

/// Whether every field's end can be found: by its length, by the text behind it, or because it is
/// the last.
fn check(parts: &[Part]) -> Result<(), String> {
    let (mut sized, mut counted) = (String::new(), false);
    for (at, part) in parts.iter().enumerate() {
        let behind = parts.get(at + 1);
        let has_end = matches!(behind, None | Some(Part::Literal(_)));
        match part {
            Part::Number(_, Number::Bool) => return Err("no number is read as a bool".to_owned()),
            Part::Number('H', _) => counted = true,
            Part::Number(letter @ ('K' | 'V'), _) => sized.extend(letter.to_lowercase()),
            Part::Bytes(letter, _) if !sized.contains(*letter) && !has_end => {
                return Err("two fields need something between them".to_owned());
            },
            Part::Headers(_) if !counted => {
                return Err("%h wants %H before it: how many there are".to_owned());
            },
            Part::Headers(inner) => {
                check(inner)?;
                let last_is_open = matches!(inner.last(), Some(Part::Bytes(letter, _))
                    if !inner.iter().any(|part| is_length_of(part, *letter)));
                if last_is_open {
                    return Err("a header needs something at its end".to_owned());
                }
            },
            Part::Time(Time::Calendar(_)) => return Err("times are read in ms".to_owned()),
            _ => {},
        }
    }
    Ok(())
}

fn is_length_of(part: &Part, letter: char) -> bool {
    matches!(part, Part::Number(length, _) if length.eq_ignore_ascii_case(&letter))
}

struct Cursor<'a> {
    input: &'a [u8],
    at: usize,
    end: bool,
}

/// Lengths and counts that were read and not used yet.
#[derive(Default)]
struct Lengths {
    key: Option<usize>,
    value: Option<usize>,
    headers: usize,
}

impl Lengths {
    const fn of(&self, letter: char) -> Option<usize> {
        match letter {
            'k' => self.key,
            _ => self.value,
        }
    }
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    fn take_record(&mut self, parts: &[Part], record: &mut InputRecord) -> Result<(), Stop> {
        let mut lengths = Lengths::default();
        for (at, part) in parts.iter().enumerate() {
            match part {
                Part::Literal(text) => self.skip(text, at + 1 == parts.len())?,
                Part::Bytes(letter, form) => {
                    let bytes = self.bytes(*form, lengths.of(*letter), parts.get(at + 1))?;
                    match letter {
                        'k' => record.key = Some(bytes),
                        _ => record.value = bytes,
                    }
                },
                Part::Number(letter, form) => self.number(*letter, *form, &mut lengths, record)?,
                Part::Time(Time::Millis(form)) => record.timestamp = Some(self.integer(*form)?),
                Part::Headers(inner) => {
                    for _ in 0..lengths.headers {
                        let mut header = InputRecord::default();
                        self.take_record(inner, &mut header)?;
                        let key = header.key.unwrap_or_default();
                        record.headers.push((key, header.value));
                    }
                },
                Part::Time(Time::Calendar(_)) | Part::Attribute(..) => {},
            }
        }
        Ok(())
    }

    fn number(
        &mut self,
        letter: char,
        form: Number,
        lengths: &mut Lengths,
        record: &mut InputRecord,
    ) -> Result<(), Stop> {
        let number = self.integer(form)?;
        let length =
            || usize::try_from(number).map_err(|_| Stop::Wrong(format!("{number} is no length")));
        match letter {
            'K' => lengths.key = Some(length()?),
            'V' => lengths.value = Some(length()?),
            'H' => lengths.headers = length()?,
            _ => {
                let partition = i32::try_from(number);
                let wrong = |_| Stop::Wrong(format!("{number} is no partition"));
                record.partition = Some(partition.map_err(wrong)?);
            },
        }
        Ok(())
    }

    /// Passes what stands between fields. Behind the last one it may be missing at the end.
    fn skip(&mut self, text: &[u8], is_last: bool) -> Result<(), Stop> {
        let rest = self.rest();
        if rest.starts_with(text) {
            self.at += text.len();
            return Ok(());
        }
        if text.starts_with(rest) {
            if !self.end {
                return Err(Stop::More);
            }
            if is_last {
                self.at = self.input.len();
                return Ok(());
            }
        }
        let wanted = String::from_utf8_lossy(text).escape_debug().to_string();
        Err(Stop::Wrong(format!("`{wanted}` is missing in the input")))
    }

    fn integer(&mut self, form: Number) -> Result<i64, Stop> {
        match form.read(self.rest(), self.end) {
            NumberRead::Whole(number, len) => {
                self.at += len;
                Ok(number)
            },
            NumberRead::More => Err(Stop::More),
            NumberRead::Wrong => Err(Stop::Wrong("the input has no number there".to_owned())),
        }
    }

    fn bytes(
        &mut self,
        form: Text,
        length: Option<usize>,
        behind: Option<&Part>,
    ) -> Result<Vec<u8>, Stop> {
        let rest = self.rest();
        let len = match (length, behind) {
            (Some(len), _) if len <= rest.len() => len,
            (Some(_), _) if self.end => {
                return Err(Stop::Wrong("the input ends within a field".to_owned()));
            },
            (None, Some(Part::Literal(delimiter))) => match find(rest, delimiter) {
                Some(len) => len,
                None if self.end => rest.len(),
                None => return Err(Stop::More),
            },
            (None, _) if self.end => rest.len(),
            _ => return Err(Stop::More),
        };
        self.at += len;
        let text = rest.get(..len).unwrap_or_default();
        let wrong = || Stop::Wrong(format!("the input has bytes that are no {}", form.name()));
        form.read(text).ok_or_else(wrong)
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

    fn taken(format: &str, input: &str) -> (Vec<(Option<String>, String)>, String) {
        let format = InputFormat::parse(format).unwrap();
        let (mut rest, mut records) = (input.as_bytes(), Vec::new());
        while let Some((record, len)) = format.take(rest, false).unwrap() {
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
        let (record, len) = format.take(b"key=value", true).unwrap().unwrap();
        assert_eq!(
            (record.key.as_deref(), &*record.value, len),
            (Some(&b"key"[..]), &b"value"[..], 9)
        );
        assert_eq!(format.take(b"", true).unwrap(), None);
        let whole = InputFormat::parse("%v").unwrap();
        assert_eq!(whole.take(b"all of it", false).unwrap(), None);
        assert_eq!(whole.take(b"all of it", true).unwrap().unwrap().1, 9);
    }

    #[test]
    fn lengths_and_forms_need_no_delimiter() {
        let (records, rest) = taken("%K{big8}%k%V{little16}%v", "\u{1}k\u{2}\u{0}vw\u{1}k\u{5}");
        assert_eq!(records, [(Some("k".to_owned()), "vw".to_owned())]);
        assert_eq!(rest, "\u{1}k\u{5}");
        let (records, _) = taken("%V{2}%v", "abcd");
        assert_eq!(records.len(), 2);
        let (records, _) = taken("%k{hex} %v{base64}\\n", "6b YWI=\n");
        assert_eq!(records, [(Some("k".to_owned()), "ab".to_owned())]);
    }

    #[test]
    fn a_record_may_say_where_it_goes_and_when_it_was() {
        let format = InputFormat::parse("%p %d %H %h{%k=%v;}%v\\n").unwrap();
        let input = b"3 1700000000000 2 a=1;b=;text\n";
        let (record, len) = format.take(input, false).unwrap().unwrap();
        let wanted = InputRecord {
            key: None,
            value: b"text".to_vec(),
            partition: Some(3),
            timestamp: Some(1_700_000_000_000),
            headers: vec![(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), Vec::new())],
        };
        assert_eq!((record, len), (wanted, input.len()));
        // However much of it has come so far, nothing else is made of it.
        for cut in 1..input.len() {
            assert_eq!(format.take(&input[..cut], false).unwrap(), None, "{cut}");
        }
    }

    #[test]
    fn input_that_does_not_follow_the_format_is_refused() {
        for (format, input) in [
            ("<%v>\\n", "text>\n"),
            ("%v{hex}\\n", "xyz\n"),
            ("%p:%v\\n", "a:b\n"),
            ("%V{big8}%v", "\u{9}short"),
        ] {
            let parsed = InputFormat::parse(format).unwrap();
            let refused = parsed.take(input.as_bytes(), true).unwrap_err();
            assert_eq!(refused.code(), "FL3004", "{format}");
        }
    }
}
