//! Metrics as clients push them: protocol buffers of OpenTelemetry (KIP-714).
//!
//! Of those, a name and the numbers of gauges and sums are read, which is all that Kafka's clients
//! send. That is little enough for a reader of our own; a library would first build everything that
//! is in a message, in memory by counts that the client chooses.

use std::collections::BTreeMap;

use thiserror::Error;

/// Names that one push may have, and that are kept of all pushes of a shard.
pub(crate) const NAMES_MAX: usize = 256;
/// Longest name.
const NAME_BYTES_MAX: usize = 128;

/// Fields of OpenTelemetry's messages, by their numbers.
const RESOURCES: u64 = 1;
const SCOPES: u64 = 2;
const METRICS: u64 = 2;
const NAME: u64 = 1;
const GAUGE: u64 = 5;
const SUM: u64 = 7;
const POINTS: u64 = 1;
const AS_DOUBLE: u64 = 4;
const AS_INT: u64 = 6;

/// The bytes are not such a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a message of OpenTelemetry's metrics")]
pub(crate) struct Malformed;

/// What clients told of a metric.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClientMetric {
    /// All numbers together.
    pub sum: f64,
    /// How many they were.
    pub count: u64,
}

/// What was pushed: metrics by name.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Pushed {
    pub(crate) metrics: BTreeMap<String, ClientMetric>,
    /// Numbers that are left out, since they are none, or nobody asked for them, or names are too
    /// many or too strange.
    pub(crate) dropped: u64,
}

/// Reads a push; only metrics whose names begin with one of `prefixes` are wanted.
pub(crate) fn read(bytes: &[u8], prefixes: &[String]) -> Result<Pushed, Malformed> {
    let mut pushed = Pushed::default();
    for resource in parts(bytes, RESOURCES) {
        for scope in parts(resource?, SCOPES) {
            for metric in parts(scope?, METRICS) {
                pushed.add(metric?, prefixes)?;
            }
        }
    }
    Ok(pushed)
}

impl Pushed {
    fn add(&mut self, metric: &[u8], prefixes: &[String]) -> Result<(), Malformed> {
        let mut name = None;
        for part in parts(metric, NAME) {
            name = Some(part?);
        }
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let name = name.filter(|name| is_name(name) && is_wanted(name, prefixes));
        let mut told = ClientMetric::default();
        let mut all = 0;
        for kind in [GAUGE, SUM] {
            for data in parts(metric, kind) {
                for point in parts(data?, POINTS) {
                    all += 1;
                    let number = number_of(point?)?.filter(|number| number.is_finite());
                    told.sum += number.unwrap_or_default();
                    told.count += u64::from(number.is_some());
                }
            }
        }
        let taken = name.is_some_and(|name| told.count > 0 && self.merge(name, told));
        self.dropped += if taken { all - told.count } else { all };
        Ok(())
    }

    fn merge(&mut self, name: &str, told: ClientMetric) -> bool {
        merge(&mut self.metrics, name, told)
    }
}

/// Adds what was told of a metric; `false` if there is no place for another name.
pub(crate) fn merge(
    metrics: &mut BTreeMap<String, ClientMetric>,
    name: &str,
    told: ClientMetric,
) -> bool {
    if let Some(known) = metrics.get_mut(name) {
        known.sum += told.sum;
        known.count += told.count;
        return true;
    }
    let has_place = metrics.len() < NAMES_MAX;
    if has_place {
        metrics.insert(name.to_owned(), told);
    }
    has_place
}

fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_letter)
}

fn is_wanted(name: &str, prefixes: &[String]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(&**prefix))
}

fn number_of(point: &[u8]) -> Result<Option<f64>, Malformed> {
    let mut number = None;
    for field in Fields(point) {
        match field? {
            (AS_DOUBLE, Value::Fixed64(bits)) => number = Some(f64::from_bits(bits)),
            (AS_INT, Value::Fixed64(bits)) => number = Some(bits.cast_signed() as f64),
            _ => {},
        }
    }
    Ok(number)
}

/// The messages, or strings, in the fields of this number.
fn parts(bytes: &[u8], wanted: u64) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Fields(bytes).filter_map(move |field| match field {
        Ok((number, Value::Bytes(part))) if number == wanted => Some(Ok(part)),
        Ok(_) => None,
        Err(malformed) => Some(Err(malformed)),
    })
}

/// The fields of a message; after one that is malformed there is none.
struct Fields<'a>(&'a [u8]);

enum Value<'a> {
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// Of a kind that nothing wanted has.
    Other,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(Malformed))
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => {
                self.varint()?;
                Value::Other
            },
            1 => Value::Fixed64(u64::from_le_bytes(*self.take(8)?.first_chunk()?)),
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(len)?)
            },
            5 => {
                self.take(4)?;
                Value::Other
            },
            // Groups, which these messages do not have.
            _ => return None,
        };
        Some((key >> 3, value))
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A field of bytes.
    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2];
        let mut len = content.len();
        while len >= 0x80 {
            field.push(len as u8 | 0x80);
            len >>= 7;
        }
        field.push(len as u8);
        [field, content.to_vec()].concat()
    }

    fn fixed(number: u8, bits: u64) -> Vec<u8> {
        [&[number << 3 | 1][..], &bits.to_le_bytes()].concat()
    }

    fn metric(name: &str, kind: u8, points: &[Vec<u8>]) -> Vec<u8> {
        let points: Vec<u8> = points.iter().flat_map(|point| bytes(1, point)).collect();
        // The unit, which nobody reads, between the two.
        [
            bytes(kind, &points),
            bytes(3, b"ms"),
            bytes(1, name.as_bytes()),
        ]
        .concat()
    }

    fn push(metrics: &[Vec<u8>]) -> Vec<u8> {
        let metrics: Vec<u8> = metrics.iter().flat_map(|metric| bytes(2, metric)).collect();
        let scope = [bytes(1, b"scope"), metrics].concat();
        let resource = [bytes(1, &[]), bytes(2, &scope)].concat();
        bytes(1, &resource)
    }

    /// A push of one gauge.
    pub(crate) fn gauge(name: &str, value: f64) -> Vec<u8> {
        push(&[metric(name, 5, &[fixed(4, value.to_bits())])])
    }

    fn read_all(bytes: &[u8]) -> Result<Pushed, Malformed> {
        read(bytes, &[String::new()])
    }

    #[test]
    fn numbers_of_gauges_and_sums_are_read() {
        let double = |value: f64| fixed(4, value.to_bits());
        let timed = [fixed(2, 7), fixed(3, 8), double(1.5), vec![8 << 3, 1]].concat();
        let pushed = push(&[
            metric("a.gauge", 5, &[timed, double(2.0)]),
            metric("a.sum", 7, &[fixed(6, (-3_i64).cast_unsigned())]),
            metric("a.gauge", 5, &[double(f64::NAN), vec![]]),
            // A histogram.
            metric("a.histogram", 9, &[double(9.0)]),
        ]);
        let read = read_all(&pushed).unwrap();
        let told: Vec<_> = read.metrics.iter().collect();
        let metric = |sum, count| ClientMetric { sum, count };
        let (gauge, sum) = ("a.gauge".to_owned(), "a.sum".to_owned());
        assert_eq!(told, [(&gauge, &metric(3.5, 2)), (&sum, &metric(-3.0, 1))]);
        assert_eq!(read.dropped, 2);
    }

    #[test]
    fn only_what_was_asked_for_is_taken_and_not_more_than_fits() {
        let name = |number: usize| format!("x.{number}");
        let many: Vec<_> = (0..NAMES_MAX + 5)
            .map(|number| metric(&name(number), 5, &[fixed(4, 0)]))
            .collect();
        let read_of = |prefix: &str| read(&push(&many), &[prefix.to_owned()]).unwrap();
        assert_eq!(read_of("x.").dropped, 5);
        assert_eq!(read_of("y.").metrics.len(), 0);
        for strange in ["", "a b", "a\"", "ä", &"a".repeat(129)] {
            let read = read_all(&gauge(strange, 1.0)).unwrap();
            assert_eq!((read.metrics.len(), read.dropped), (0, 1), "{strange}");
        }
    }

    #[test]
    fn what_is_cut_off_is_malformed() {
        let whole = gauge("a", 1.0);
        assert_eq!(read_all(&[]), Ok(Pushed::default()));
        for end in 1..whole.len() {
            assert_eq!(read_all(&whole[..end]), Err(Malformed), "{end}");
        }
        assert_eq!(read_all(&[0xff; 40]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn damage_never_panics(damage in prop::collection::vec(any::<(usize, u8)>(), 0..6)) {
            let mut bytes = gauge("org.apache.kafka.consumer", 1.0);
            for (at, byte) in damage {
                let len = bytes.len();
                bytes[at % len] = byte;
            }
            let _ = read_all(&bytes);
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_all(&bytes);
        }
    }
}
