//! Quantities as people write them: `5ms`, `64KiB`, `10000/s`, `200MB/s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A number or a text, as TOML may have either.
#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Whole(u64),
    Fraction(f64),
    Text(String),
}

impl Raw {
    fn parsed<T: FromStr<Err = String>>(self) -> Result<T, String> {
        match self {
            Self::Whole(number) => number.to_string().parse(),
            Self::Fraction(number) => number.to_string().parse(),
            Self::Text(text) => text.parse(),
        }
    }
}

macro_rules! serde_as_text {
    ($name:ident) => {
        impl TryFrom<Raw> for $name {
            type Error = String;

            fn try_from(raw: Raw) -> Result<Self, String> {
                raw.parsed()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "Raw", into = "String")]
pub struct Bytes(pub u64);

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "Raw", into = "String")]
pub struct Span(pub Duration);

/// How much a second.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Raw", into = "String")]
pub enum Rate {
    /// Records a second.
    Records(f64),
    /// Bytes of values a second.
    Bytes(f64),
}

serde_as_text!(Bytes);
serde_as_text!(Span);
serde_as_text!(Rate);

/// Splits `12.5 MB` into its number and its unit.
fn split(text: &str) -> Result<(f64, &str), String> {
    let text = text.trim();
    let end = text
        .find(|char: char| !char.is_ascii_digit() && char != '.' && char != '_')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number
        .replace('_', "")
        .parse()
        .map_err(|_| format!("`{text}` does not begin with a number"))?;
    Ok((number, unit.trim()))
}

const BYTE_UNITS: [(&str, f64); 9] = [
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

fn bytes_of(number: f64, unit: &str) -> Option<f64> {
    let known = BYTE_UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit));
    known.map(|(_, bytes)| number * bytes)
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text)?;
        let unit = if unit.is_empty() { "B" } else { unit };
        let bytes = bytes_of(number, unit);
        let bytes = bytes.ok_or_else(|| format!("`{text}`: a size such as 64KiB is wanted"))?;
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let even = units
            .iter()
            .find(|(_, shift)| self.0 > 0 && self.0.trailing_zeros() >= *shift);
        match even {
            Some((name, shift)) => write!(f, "{}{name}", self.0 >> shift),
            None => write!(f, "{}B", self.0),
        }
    }
}

const TIME_UNITS: [(&str, f64); 7] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text)?;
        let unit = TIME_UNITS.iter().find(|(name, _)| *name == unit);
        let zero = (number == 0.0).then_some(&("s", 1.0));
        let unit = unit.or(zero);
        let (_, seconds) = unit.ok_or_else(|| format!("`{text}`: a time such as 5ms is wanted"))?;
        let duration = Duration::try_from_secs_f64(number * seconds);
        duration
            .map(Self)
            .map_err(|_| format!("`{text}` is too long"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
        let even = units.iter().find(|(_, unit)| nanos.is_multiple_of(*unit));
        match even {
            Some((name, unit)) => write!(f, "{}{name}", nanos / unit),
            None => write!(f, "{nanos}ns"),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text)?;
        let unit = unit.strip_suffix("/s").unwrap_or(unit).trim();
        let rate = match unit {
            "" => Some(Self::Records(number)),
            "k" => Some(Self::Records(number * 1e3)),
            "M" => Some(Self::Records(number * 1e6)),
            unit => bytes_of(number, unit).map(Self::Bytes),
        };
        let rate = rate.filter(|_| number.is_finite());
        rate.ok_or_else(|| format!("`{text}`: a rate such as 10000/s or 100MB/s is wanted"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(records) => write!(f, "{records}/s"),
            Self::Bytes(bytes) => write!(f, "{bytes}B/s"),
        }
    }
}

impl Rate {
    /// Records a second, where values have so many bytes in the mean.
    pub fn records(self, mean_bytes: f64) -> f64 {
        match self {
            Self::Records(records) => records,
            Self::Bytes(bytes) => bytes / mean_bytes,
        }
    }
}

/// A time in the unit that fits, with three digits.
pub fn nanos_shown(nanos: u64) -> String {
    let nanos = nanos as f64;
    let (value, unit) = match nanos {
        ..1e3 => (nanos, "ns"),
        ..1e6 => (nanos / 1e3, "us"),
        ..1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    let digits = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// A number without a fraction, its thousands apart.
pub fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_written() {
        for (text, bytes, shown) in [
            ("1024", 1024, "1KiB"),
            ("64 KiB", 65_536, "64KiB"),
            ("1.5MB", 1_500_000, "1500000B"),
            ("1_000", 1000, "1000B"),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)));
            assert_eq!(Bytes(bytes).to_string(), shown);
        }
        for (text, nanos, shown) in [
            ("5ms", 5_000_000, "5ms"),
            ("1.5s", 1_500_000_000, "1500ms"),
            ("2m", 120_000_000_000, "120s"),
            ("0", 0, "0s"),
        ] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_nanos(nanos))));
            assert_eq!(Span(Duration::from_nanos(nanos)).to_string(), shown);
        }
        assert_eq!("10000/s".parse(), Ok(Rate::Records(10_000.0)));
        assert_eq!("20k/s".parse(), Ok(Rate::Records(20_000.0)));
        assert_eq!("100MB/s".parse(), Ok(Rate::Bytes(1e8)));
        assert!((Rate::Bytes(1e6).records(100.0) - 10_000.0).abs() < 1e-9);
    }

    #[test]
    fn what_has_no_unit_is_refused() {
        for wrong in ["", "ms", "5", "5 parsecs", "-1s", "1e99d"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
        for wrong in ["", "10x", "K"] {
            assert!(wrong.parse::<Bytes>().is_err(), "{wrong}");
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn thousands_stand_apart() {
        let shown = [0.0, 999.4, 1000.0, 1_234_567.0].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn times_are_shown_with_three_digits() {
        for (nanos, shown) in [
            (999, "999 ns"),
            (1_234, "1.23 us"),
            (45_600_000, "45.6 ms"),
            (2_000_000_000, "2.00 s"),
        ] {
            assert_eq!(nanos_shown(nanos), shown);
        }
    }
}
