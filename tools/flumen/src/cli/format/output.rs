//! Records on their way to text.

use net_wire::batch::{Attributes, TimestampType};

use super::form::Number;
use super::{Attribute, Letters, Part, parse};
use crate::errors::Failure;

const LETTERS: Letters = Letters {
    bytes: "tkv",
    numbers: "TKVHpoexyi[|]",
    has_attributes: true,
    has_headers: true,
};

/// A record and what belongs to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [Header<'a>],
    pub(crate) leader_epoch: i32,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) attributes: i16,
    /// How many were printed, with this one.
    pub(crate) count: u64,
    pub(crate) log_start_offset: i64,
    pub(crate) last_stable_offset: i64,
    pub(crate) high_watermark: i64,
}

/// A header.
pub(crate) type Header<'a> = (&'a [u8], Option<&'a [u8]>);

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
        Ok(Self::Text(OutputParts(parse(format, LETTERS)?)))
    }

    /// Adds a record to `into`.
    pub(crate) fn print(&self, shown: &Shown<'_>, into: &mut Vec<u8>) {
        match self {
            Self::Json => {
                into.extend(json(shown).to_string().into_bytes());
                into.push(b'\n');
            },
            Self::Text(parts) => print_parts(&parts.0, shown, into),
        }
    }
}

fn print_parts(parts: &[Part], shown: &Shown<'_>, into: &mut Vec<u8>) {
    for part in parts {
        match part {
            Part::Literal(text) => into.extend_from_slice(text),
            Part::Bytes(letter, form) => form.print(bytes(*letter, shown), into),
            Part::Number(letter, form) => form.print(number(*letter, shown), into),
            Part::Time(form) => form.print(shown.timestamp, into),
            Part::Attribute(attribute, form) => {
                print_attribute(*attribute, *form, Attributes(shown.attributes), into);
            },
            Part::Headers(inner) => {
                for (key, value) in shown.headers {
                    let header = Shown {
                        key: Some(key),
                        value: *value,
                        ..*shown
                    };
                    print_parts(inner, &header, into);
                }
            },
        }
    }
}

fn bytes<'a>(letter: char, shown: &Shown<'a>) -> &'a [u8] {
    match letter {
        'k' => shown.key.unwrap_or_default(),
        'v' => shown.value.unwrap_or_default(),
        _ => shown.topic.as_bytes(),
    }
}

fn number(letter: char, shown: &Shown<'_>) -> i64 {
    match letter {
        'T' => shown.topic.len() as i64,
        'K' => shown.key.map_or(0, <[u8]>::len) as i64,
        'V' => shown.value.map_or(0, <[u8]>::len) as i64,
        'H' => shown.headers.len() as i64,
        'p' => shown.partition.into(),
        'o' => shown.offset,
        'e' => shown.leader_epoch.into(),
        'x' => shown.producer_id,
        'y' => shown.producer_epoch.into(),
        'i' => shown.count as i64,
        '[' => shown.log_start_offset,
        '|' => shown.last_stable_offset,
        _ => shown.high_watermark,
    }
}

fn print_attribute(
    attribute: Attribute,
    form: Option<Number>,
    attributes: Attributes,
    into: &mut Vec<u8>,
) {
    let number = match attribute {
        Attribute::Compression => i64::from(attributes.codec_id()),
        Attribute::TimestampType => {
            i64::from(attributes.timestamp_type() == TimestampType::LogAppendTime)
        },
        Attribute::Transactional => attributes.is_transactional().into(),
        Attribute::Control => attributes.is_control().into(),
    };
    match (form, attribute, attributes.codec()) {
        (None, Attribute::Compression, Some(codec)) => into.extend(codec.name().bytes()),
        (form, ..) => form.unwrap_or(Number::Ascii).print(number, into),
    }
}

/// Bytes that are no UTF-8 are shown with replacement characters.
fn json(shown: &Shown<'_>) -> serde_json::Value {
    let text =
        |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let headers: Vec<_> = shown
        .headers
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

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: &str) -> String {
        let headers: [Header<'_>; 2] = [(b"a", Some(b"1")), (b"a", None)];
        let shown = Shown {
            topic: "t",
            partition: 3,
            offset: 42,
            timestamp: 1000,
            key: Some(b"k"),
            value: None,
            headers: &headers,
            leader_epoch: 7,
            producer_id: -1,
            producer_epoch: -1,
            attributes: 4,
            count: 2,
            log_start_offset: 10,
            last_stable_offset: 50,
            high_watermark: 60,
        };
        let mut text = Vec::new();
        let format = OutputFormat::parse(format).unwrap();
        format.print(&shown, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn records_are_printed_by_escapes() {
        assert_eq!(printed("%t/%p@%o %d\\t%k=%v%%\\n"), "t/3@42 1000\tk=%\n");
        assert_eq!(printed("%h{%k:%v }."), "a:1 a: .");
        assert_eq!(printed("%e %x %y %i %[ %| %]"), "7 -1 -1 2 10 50 60");
        assert_eq!(printed("%T %K %V %H"), "1 1 0 2");
        assert_eq!(
            printed("%k{hex} %o{hex16} %h{%k{base64}%V}"),
            "6b 002a YQ==1YQ==0"
        );
        assert_eq!(printed("%a{compression} %a{compression;number}"), "zstd 4");
        assert_eq!(
            printed("%a{transactional-bit;bool} %a{timestamp-type}"),
            "false 0"
        );
        assert_eq!(
            printed("%d{strftime[%F %T]} \\x41"),
            "1970-01-01 00:00:01 A"
        );
        assert_eq!(printed("%{%k%}"), "{k}");
        let json = printed("json");
        assert!(
            json.contains(r#""value":null"#) && json.contains(r#""offset":42"#),
            "{json}"
        );
    }
}
