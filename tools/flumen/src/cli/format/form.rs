//! Forms of fields: what stands in braces behind their letter.

use crate::cli::time::date_of;

/// How bytes stand in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// As they are.
    Plain,
    /// Two digits for each.
    Hex,
    /// Base 64 with padding.
    Base64,
    /// Base 64 without padding.
    Base64Raw,
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Text {
    pub(super) fn parse(form: &str) -> Option<Self> {
        Some(match form {
            "" => Self::Plain,
            "hex" => Self::Hex,
            "base64" => Self::Base64,
            "base64raw" => Self::Base64Raw,
            _ => return None,
        })
    }

    /// What it is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "text",
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Base64Raw => "base64raw",
        }
    }

    pub(super) fn print(self, bytes: &[u8], into: &mut Vec<u8>) {
        match self {
            Self::Plain => into.extend_from_slice(bytes),
            Self::Hex => {
                for byte in bytes {
                    into.extend(format!("{byte:02x}").into_bytes());
                }
            },
            Self::Base64 | Self::Base64Raw => base64(bytes, self == Self::Base64, into),
        }
    }

    /// The bytes that stand there; none if nothing can stand so.
    pub(super) fn read(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Plain => Some(text.to_vec()),
            Self::Hex => {
                let text = std::str::from_utf8(text).ok()?;
                let pairs = (0..text.len()).step_by(2);
                pairs
                    .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
                    .collect()
            },
            Self::Base64 | Self::Base64Raw => from_base64(text),
        }
    }
}

fn base64(bytes: &[u8], is_padded: bool, into: &mut Vec<u8>) {
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                let digit = bits >> (18 - 6 * place) & 63;
                into.push(BASE64[digit as usize]);
            } else if is_padded {
                into.push(b'=');
            }
        }
    }
}

fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_suffix_padding();
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.chunks(4) {
        let mut bits = 0_u32;
        for char in chunk {
            let digit = BASE64.iter().position(|known| known == char)?;
            bits = bits << 6 | digit as u32;
        }
        let whole = match chunk.len() {
            1 => return None,
            len => len * 6 / 8,
        };
        bits <<= 6 * (4 - chunk.len());
        let all = bits.to_be_bytes();
        bytes.extend(&all[1..=whole]);
    }
    Some(bytes)
}

trait Padded {
    fn trim_suffix_padding(&self) -> &Self;
}

impl Padded for [u8] {
    /// Without the signs that fill the last four up.
    fn trim_suffix_padding(&self) -> &Self {
        let once = self.strip_suffix(b"=").unwrap_or(self);
        once.strip_suffix(b"=").unwrap_or(once)
    }
}

/// How a number stands in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// In decimal digits.
    Ascii,
    /// In so many hexadecimal digits.
    Hex(usize),
    /// In so many bytes, the most significant first.
    Big(usize),
    /// In so many bytes, the least significant first.
    Little(usize),
    /// true unless zero.
    Bool,
    /// Not there: it is always this one.
    Exact(i64),
}

/// What a number was read from, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberRead {
    /// The number and the bytes it took.
    Whole(i64, usize),
    /// More input is wanted.
    More,
    /// No number stands there.
    Wrong,
}

impl Number {
    pub(super) fn parse(form: &str) -> Option<Self> {
        let sized = |prefix: &str| {
            let bits: usize = form.strip_prefix(prefix)?.parse().ok()?;
            [8, 16, 32, 64].contains(&bits).then_some(bits / 8)
        };
        Some(match form {
            "" | "ascii" | "number" => Self::Ascii,
            "byte" => Self::Big(1),
            "bool" => Self::Bool,
            "hex4" => Self::Hex(1),
            _ => match (sized("hex"), sized("big"), sized("little"), form.parse()) {
                (Some(bytes), ..) => Self::Hex(2 * bytes),
                (_, Some(bytes), ..) => Self::Big(bytes),
                (_, _, Some(bytes), _) => Self::Little(bytes),
                (.., Ok(exact)) if exact >= 0 => Self::Exact(exact),
                _ => return None,
            },
        })
    }

    /// Prints the number, cut to what the form has room for.
    pub(super) fn print(self, number: i64, into: &mut Vec<u8>) {
        match self {
            Self::Ascii | Self::Exact(_) => into.extend(number.to_string().into_bytes()),
            Self::Hex(digits) => {
                let all = format!("{number:016x}");
                into.extend_from_slice(&all.as_bytes()[16 - digits..]);
            },
            Self::Big(bytes) => into.extend_from_slice(&number.to_be_bytes()[8 - bytes..]),
            Self::Little(bytes) => into.extend_from_slice(&number.to_le_bytes()[..bytes]),
            Self::Bool => into.extend_from_slice((number != 0).to_string().as_bytes()),
        }
    }

    /// Reads a number in front of `input`; at its `end`, no more will follow.
    pub(super) fn read(self, input: &[u8], end: bool) -> NumberRead {
        let missing = if end {
            NumberRead::Wrong
        } else {
            NumberRead::More
        };
        let fixed = |len: usize, of: &dyn Fn(&[u8]) -> Option<i64>| match input.get(..len) {
            None => missing,
            Some(bytes) => of(bytes).map_or(NumberRead::Wrong, |one| NumberRead::Whole(one, len)),
        };
        let join = |bytes: &mut dyn Iterator<Item = &u8>| {
            Some(bytes.fold(0_i64, |all, byte| all << 8 | i64::from(*byte)))
        };
        match self {
            Self::Exact(number) => NumberRead::Whole(number, 0),
            Self::Hex(digits) => fixed(digits, &|bytes| {
                i64::from_str_radix(std::str::from_utf8(bytes).ok()?, 16).ok()
            }),
            Self::Big(bytes) => fixed(bytes, &|bytes| join(&mut bytes.iter())),
            Self::Little(bytes) => fixed(bytes, &|bytes| join(&mut bytes.iter().rev())),
            Self::Bool => NumberRead::Wrong,
            Self::Ascii => {
                let digits = input.iter().position(|byte| !byte.is_ascii_digit());
                let len = match digits {
                    None if !end => return NumberRead::More,
                    found => found.unwrap_or(input.len()),
                };
                let text = std::str::from_utf8(&input[..len]).ok();
                let number = text.and_then(|text| text.parse().ok());
                number.map_or(NumberRead::Wrong, |number| NumberRead::Whole(number, len))
            },
        }
    }
}

/// How a timestamp stands in text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// Milliseconds since 1970.
    Millis(Number),
    /// By the letters of strftime, in UTC.
    Calendar(String),
}

impl Time {
    pub(super) fn parse(form: &str) -> Option<Self> {
        let Some(pattern) = form.strip_prefix("strftime[") else {
            return Some(Self::Millis(Number::parse(form)?));
        };
        let pattern = pattern.strip_suffix(']')?;
        calendar(0, pattern)?;
        Some(Self::Calendar(pattern.to_owned()))
    }

    pub(super) fn print(&self, ms: i64, into: &mut Vec<u8>) {
        match self {
            Self::Millis(number) => number.print(ms, into),
            Self::Calendar(pattern) => {
                into.extend(calendar(ms, pattern).unwrap_or_default().into_bytes());
            },
        }
    }
}

/// A time by the letters of strftime; none if one of them is not known.
fn calendar(ms: i64, pattern: &str) -> Option<String> {
    let (seconds, days) = (ms.div_euclid(1000), ms.div_euclid(86_400_000));
    let (year, month, day) = date_of(days);
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            text.push(char);
            continue;
        }
        let field = match chars.next()? {
            'Y' => format!("{year:04}"),
            'm' => format!("{month:02}"),
            'd' => format!("{day:02}"),
            'H' => format!("{hour:02}"),
            'M' => format!("{minute:02}"),
            'S' => format!("{second:02}"),
            'F' => format!("{year:04}-{month:02}-{day:02}"),
            'T' => format!("{hour:02}:{minute:02}:{second:02}"),
            's' => seconds.to_string(),
            '%' => "%".to_owned(),
            _ => return None,
        };
        text.push_str(&field);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(form: &str, bytes: &[u8]) -> String {
        let mut into = Vec::new();
        Text::parse(form).unwrap().print(bytes, &mut into);
        String::from_utf8(into).unwrap()
    }

    #[test]
    fn bytes_come_back_from_every_form() {
        assert_eq!(text("hex", b"\x00\xffa"), "00ff61");
        assert_eq!(text("base64", b"ab"), "YWI=");
        assert_eq!(text("base64raw", b"ab"), "YWI");
        for form in ["", "hex", "base64", "base64raw"] {
            for len in 0..10 {
                let bytes: Vec<u8> = (0..len).map(|number| number * 29 + 11).collect();
                let mut into = Vec::new();
                let form = Text::parse(form).unwrap();
                form.print(&bytes, &mut into);
                assert_eq!(form.read(&into), Some(bytes), "{form:?}");
            }
        }
        assert_eq!(Text::Hex.read(b"abc"), None);
        assert_eq!(Text::Hex.read(b"zz"), None);
        assert_eq!(Text::Base64.read(b"a"), None);
        assert_eq!(Text::Base64.read(b"a~~~"), None);
    }

    #[test]
    fn numbers_come_back_from_every_form() {
        for form in [
            "ascii", "hex64", "hex32", "hex16", "hex8", "hex4", "big64", "big8", "little64",
            "little16", "byte",
        ] {
            let number = Number::parse(form).unwrap();
            let mut into = Vec::new();
            number.print(9, &mut into);
            let len = into.len();
            assert_eq!(
                number.read(&into, true),
                NumberRead::Whole(9, len),
                "{form}"
            );
            assert_eq!(
                number.read(&into[..len - 1], false),
                NumberRead::More,
                "{form}"
            );
        }
        let mut into = Vec::new();
        Number::parse("little16").unwrap().print(258, &mut into);
        assert_eq!(into, [2, 1]);
        assert_eq!(Number::parse("7").unwrap(), Number::Exact(7));
        assert_eq!(Number::Exact(7).read(b"", true), NumberRead::Whole(7, 0));
        assert_eq!(Number::Ascii.read(b"x", true), NumberRead::Wrong);
    }

    #[test]
    fn times_are_of_the_calendar() {
        let text = |ms| calendar(ms, "%F %T %s").unwrap();
        assert_eq!(text(0), "1970-01-01 00:00:00 0");
        assert_eq!(text(951_782_400_000), "2000-02-29 00:00:00 951782400");
        assert_eq!(text(-1), "1969-12-31 23:59:59 -1");
        assert_eq!(text(4_102_444_799_999), "2099-12-31 23:59:59 4102444799");
        assert_eq!(calendar(0, "%Q"), None);
    }
}
