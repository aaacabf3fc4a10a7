//! How each type of the protocol is read and written; `schema!` composes these.

use core::ops::Range;
use std::borrow::Cow;

use crate::api::ApiKey;
use crate::error::WireError;
use crate::error_code::ErrorCode;
use crate::reader::Reader;
use crate::uuid::Uuid;
use crate::writer::Writer;

type Result<T> = core::result::Result<T, WireError>;

/// A type that a field of a message can have.
pub trait Wire<'a>: Sized {
    /// Reads the value as `version` of the message has it.
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self>;

    /// Writes the value as `version` of the message has it.
    ///
    /// Fields that the version lacks are left out, as Kafka does with those it calls ignorable.
    fn write(&self, w: &mut Writer, version: i16);
}

/// A request or a response.
pub trait Message<'a>: Wire<'a> + Default {
    /// The API it belongs to.
    const API: ApiKey;

    /// Reads the body of a message. Bytes behind it are ignored, as in Kafka.
    fn decode(body: &'a [u8], version: i16) -> Result<Self> {
        let mut reader = Reader::new(body, Self::API.is_flexible(version));
        Self::read(&mut reader, version)
    }

    /// Appends the body of a message.
    fn encode(&self, w: &mut Writer, version: i16) {
        w.set_flexible(Self::API.is_flexible(version));
        self.write(w, version);
    }
}

/// Record batches in a message: bytes that are here, or only their length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Records<'a> {
    /// The bytes themselves. Decoding gives this form, borrowed from the frame.
    Bytes(&'a [u8]),
    /// So many bytes that the sender adds at the [`Cut`](crate::Cut) noted for this field.
    Cut(usize),
}

impl<'a> Records<'a> {
    /// No records, which is not null: librdkafka fails on a Fetch response with null records.
    pub const EMPTY: Self = Self::Bytes(&[]);

    /// The bytes, if they are here.
    pub const fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Cut(_) => &[],
        }
    }

    /// Where the bytes lie in the frame that they were decoded from; see [`range_in`].
    pub fn range_in(&self, frame: &[u8]) -> Option<Range<usize>> {
        match self {
            Self::Bytes(bytes) => range_in(bytes, frame),
            Self::Cut(_) => None,
        }
    }
}

/// A floating-point number in a message. Equal are those of the same bits, so that messages can be
/// compared.
#[derive(Debug, Clone, Copy)]
pub struct Float64(pub f64);

impl Default for Float64 {
    fn default() -> Self {
        Self(0.0)
    }
}

impl PartialEq for Float64 {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Float64 {}

/// Where `part` lies in `frame`, if it was borrowed from it.
///
/// A server keeps the frame by reference count: with the range it hands on the records of one
/// partition without copying them.
pub fn range_in(part: &[u8], frame: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(frame.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= frame.len()).then_some(start..end)
}

macro_rules! wire_scalars {
    ($($type:ty, $method:ident;)*) => { $(
        impl<'a> Wire<'a> for $type {
            fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self> {
                r.$method()
            }

            fn write(&self, w: &mut Writer, _version: i16) {
                w.$method(*self);
            }
        }
    )* };
}

wire_scalars! {
    bool, bool;
    i8, i8;
    i16, i16;
    u16, u16;
    i32, i32;
    i64, i64;
    Uuid, uuid;
}

impl<'a> Wire<'a> for ErrorCode {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self> {
        r.i16().map(Self::new)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i16(self.code());
    }
}

impl<'a> Wire<'a> for Float64 {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self> {
        r.f64().map(Self)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.f64(self.0);
    }
}

impl<'a> Wire<'a> for &'a [u8] {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self> {
        r.nullable_bytes()?
            .ok_or(WireError::UnexpectedNull("bytes"))
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.nullable_bytes(Some(self));
    }
}

impl<'a> Wire<'a> for Option<&'a str> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self> {
        r.nullable_str()
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.nullable_str(*self);
    }
}

impl<'a> Wire<'a> for Option<Cow<'a, str>> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self> {
        r.nullable_str().map(|text| text.map(Cow::Borrowed))
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.nullable_str(self.as_deref());
    }
}

impl<'a> Wire<'a> for Option<Records<'a>> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self> {
        r.nullable_bytes().map(|bytes| bytes.map(Records::Bytes))
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        match self {
            None => w.nullable_bytes(None),
            Some(Records::Bytes(bytes)) => w.nullable_bytes(Some(bytes)),
            Some(Records::Cut(len)) => w.cut(*len),
        }
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<Vec<T>> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self> {
        r.nullable_array(|r| T::read(r, version))
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.nullable_array(self.as_deref(), |w, item| item.write(w, version));
    }
}

/// A structure, or null: a byte tells which, in all versions. The box tells it from other nullable
/// types.
impl<'a, T: Wire<'a>> Wire<'a> for Option<Box<T>> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self> {
        if r.i8()? < 0 {
            return Ok(None);
        }
        T::read(r, version).map(|value| Some(Box::new(value)))
    }

    fn write(&self, w: &mut Writer, version: i16) {
        match self {
            None => w.i8(-1),
            Some(value) => {
                w.i8(1);
                value.write(w, version);
            },
        }
    }
}

impl<'a> Wire<'a> for &'a str {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self> {
        r.nullable_str()?.ok_or(WireError::UnexpectedNull("string"))
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.nullable_str(Some(self));
    }
}

impl<'a> Wire<'a> for Cow<'a, str> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self> {
        Wire::read(r, version).map(Cow::Borrowed)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.nullable_str(Some(self));
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Vec<T> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self> {
        r.nullable_array(|r| T::read(r, version))?
            .ok_or(WireError::UnexpectedNull("array"))
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.nullable_array(Some(self), |w, item| item.write(w, version));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_a_part_gives_it_back() {
        let frame = b"0123456789".to_vec();
        assert_eq!(range_in(&frame[3..7], &frame), Some(3..7));
        assert_eq!(range_in(&frame, &frame), Some(0..10));
        assert_eq!(range_in(&frame[10..], &frame), Some(10..10));
        // Not within: the frame is a part of the part, or they only overlap.
        assert_eq!(range_in(&frame, &frame[1..]), None);
        assert_eq!(range_in(&frame[3..7], &frame[..6]), None);
        let other = b"0123456789".to_vec();
        assert_eq!(range_in(&other, &frame), None);
    }
}
