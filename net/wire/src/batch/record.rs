//! Records of a batch: varints, relative to the header of the batch.

use super::{BatchError, BatchHeader};
use crate::error::WireError;
use crate::reader::Reader;
use crate::writer::Writer;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset less that of the batch.
    pub offset_delta: i32,
    /// Its timestamp less that of the batch.
    pub timestamp_delta: i64,
    /// The key, or null.
    pub key: Option<&'a [u8]>,
    /// The value; null is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order and with duplicate keys.
    pub headers: Headers<'a>,
}

/// One header of a record. Keys are text by convention; nothing checks it, as in Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value, or null.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record, known to be well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers in order.
    pub fn iter(&self) -> impl Iterator<Item = RecordHeader<'a>> + use<'a> {
        let mut reader = Reader::new(self.bytes, false);
        (0..self.count).map_while(move |_| read_header(&mut reader).ok())
    }

    /// Reads the headers at the end of a record and leaves what follows them.
    #[inline]
    fn read(r: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = r.varint()?;
        let count = u32::try_from(count).map_err(|_| WireError::NegativeLength(count))?;
        let start = r.rest();
        for _ in 0..count {
            read_header(r)?;
        }
        let len = start.len() - r.rest().len();
        Ok(Self {
            count,
            bytes: start.get(..len).unwrap_or_default(),
        })
    }
}

#[inline]
fn read_header<'a>(r: &mut Reader<'a>) -> Result<RecordHeader<'a>, WireError> {
    let key = read_bytes(r)?.ok_or(WireError::UnexpectedNull("header key"))?;
    Ok(RecordHeader {
        key,
        value: read_bytes(r)?,
    })
}

/// Bytes with a varint length, -1 for null.
#[inline]
fn read_bytes<'a>(r: &mut Reader<'a>) -> Result<Option<&'a [u8]>, WireError> {
    match r.varint()? {
        -1 => Ok(None),
        len @ 0.. => r.take(len as usize).map(Some),
        len => Err(WireError::NegativeLength(len)),
    }
}

impl<'a> Record<'a> {
    /// Reads a record behind its length.
    #[inline]
    fn read(r: &mut Reader<'a>) -> Result<Self, WireError> {
        // Attributes of records are unused.
        r.i8()?;
        let timestamp_delta = r.varlong()?;
        Ok(Self {
            timestamp_delta,
            offset_delta: r.varint()?,
            key: read_bytes(r)?,
            value: read_bytes(r)?,
            headers: Headers::read(r)?,
        })
    }
}

/// What a check of a batch looks at in each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Glance {
    pub(super) offset_delta: i32,
    pub(super) timestamp_delta: i64,
    pub(super) has_key: bool,
}

impl Glance {
    /// Looks at a record in front of `payload` that is as most are: well formed, without headers, all
    /// lengths and deltas in three bytes. `None` for any other, which is read in full. A large batch of
    /// small records is little else than this.
    #[inline]
    fn at(payload: &[u8]) -> Option<(Self, &[u8])> {
        let (len, rest) = short_varint(payload)?;
        let (body, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        let (_attributes, body) = body.split_first()?;
        let (timestamp_delta, body) = short_varint(body)?;
        let (offset_delta, body) = short_varint(body)?;
        let (key_len, body) = short_varint(body)?;
        let body = skip_bytes(key_len, body)?;
        let (value_len, body) = short_varint(body)?;
        let body = skip_bytes(value_len, body)?;
        let glance = Self {
            offset_delta,
            timestamp_delta: timestamp_delta.into(),
            has_key: key_len >= 0,
        };
        // No headers, and nothing behind.
        (body == [0]).then_some((glance, rest))
    }
}

impl From<Record<'_>> for Glance {
    fn from(record: Record<'_>) -> Self {
        Self {
            offset_delta: record.offset_delta,
            timestamp_delta: record.timestamp_delta,
            has_key: record.key.is_some(),
        }
    }
}

/// A zigzag varint of at most three bytes.
#[inline]
fn short_varint(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let septet = |byte: u8| u32::from(byte & 0x7f);
    let (raw, rest) = match *bytes {
        [a @ 0..0x80, ref rest @ ..] => (septet(a), rest),
        [a, b @ 0..0x80, ref rest @ ..] => (septet(a) | septet(b) << 7, rest),
        [a, b, c @ 0..0x80, ref rest @ ..] => (septet(a) | septet(b) << 7 | septet(c) << 14, rest),
        _ => return None,
    };
    Some(((raw >> 1) as i32 ^ -((raw & 1) as i32), rest))
}

/// Bytes of that length, -1 for null.
#[inline]
fn skip_bytes(len: i32, bytes: &[u8]) -> Option<&[u8]> {
    if len == -1 {
        return Some(bytes);
    }
    bytes.get(usize::try_from(len).ok()?..)
}

/// The records of a payload that is not, or no longer, compressed.
///
/// Yields as many as the header announces, then [`BatchError::TrailingBytes`] if bytes are left.
/// Ends behind the first error.
#[derive(Debug, Clone)]
pub struct RecordIter<'a> {
    reader: Reader<'a>,
    index: i32,
    count: i32,
}

impl<'a> RecordIter<'a> {
    /// The records in `payload`, which belongs to the batch of `header`.
    pub const fn new(header: &BatchHeader, payload: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(payload, false),
            index: 0,
            count: header.record_count,
        }
    }

    #[inline]
    fn record(&mut self) -> Result<Record<'a>, BatchError> {
        let index = self.index;
        let malformed = |cause| BatchError::Record { index, cause };
        let announced = self.reader.varint().map_err(malformed)?;
        let len = usize::try_from(announced)
            .map_err(|_| malformed(WireError::NegativeLength(announced)))?;
        let body = self.reader.take(len).map_err(malformed)?;
        let mut fields = Reader::new(body, false);
        let record = Record::read(&mut fields).map_err(malformed)?;
        let left = fields.rest().len();
        if left != 0 {
            return Err(BatchError::RecordLength {
                index,
                announced,
                actual: len - left,
            });
        }
        Ok(record)
    }

    /// As `next`, where little of the record is wanted.
    #[inline]
    pub(super) fn glance(&mut self) -> Option<Result<Glance, BatchError>> {
        if self.index < self.count
            && let Some((glance, rest)) = Glance::at(self.reader.rest())
        {
            self.index += 1;
            self.reader = Reader::new(rest, false);
            return Some(Ok(glance));
        }
        self.next().map(|record| record.map(Glance::from))
    }

    fn end(&mut self) -> Option<Result<Record<'a>, BatchError>> {
        let left = self.reader.rest().len();
        if left == 0 {
            return None;
        }
        self.reader = Reader::new(&[], false);
        Some(Err(BatchError::TrailingBytes(left)))
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, BatchError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.count {
            return self.end();
        }
        let record = self.record();
        if record.is_ok() {
            self.index += 1;
        } else {
            self.index = self.count;
            self.reader = Reader::new(&[], false);
        }
        Some(record)
    }
}

/// Appends a record with its length.
pub(super) fn write_record(
    w: &mut Writer,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[RecordHeader<'_>],
) {
    let body = 1
        + varlong_len(timestamp_delta)
        + varlong_len(offset_delta.into())
        + bytes_len(key)
        + bytes_len(value)
        + varlong_len(headers.len() as i64)
        + headers
            .iter()
            .map(|h| bytes_len(Some(h.key)) + bytes_len(h.value))
            .sum::<usize>();
    w.varint(body as i32);
    w.i8(0);
    w.varlong(timestamp_delta);
    w.varint(offset_delta);
    write_bytes(w, key);
    write_bytes(w, value);
    w.varint(headers.len() as i32);
    for header in headers {
        write_bytes(w, Some(header.key));
        write_bytes(w, header.value);
    }
}

fn write_bytes(w: &mut Writer, bytes: Option<&[u8]>) {
    w.varint(bytes.map_or(-1, |bytes| bytes.len() as i32));
    w.raw(bytes.unwrap_or_default());
}

fn bytes_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varlong_len(bytes.len() as i64) + bytes.len())
}

/// Bytes of a zigzag varint; those of 32 bits have the same length.
fn varlong_len(value: i64) -> usize {
    let raw = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (raw | 1).leading_zeros()).div_ceil(7) as usize
}
