//! Reading Kafka's primitive types from a slice, without trust.
//!
//! Nothing here panics on any input, and nothing is allocated by a count that a peer sent: arrays
//! first reserve no more memory than their bytes take on the wire.

use crate::error::WireError;
use crate::uuid::Uuid;

/// Longest string of the protocol, in both encodings.
pub(crate) const STRING_BYTES_MAX: usize = 32_767;

/// Most array elements in one message, nested ones counted too.
///
/// An empty string in an array takes one byte on the wire and sixteen in memory. The frame limit
/// alone would let one frame of 100 MiB take gigabytes; this bound is far above what a request for
/// every partition of a large cluster holds.
pub const ELEMENTS_MAX: u32 = 4 * 1024 * 1024;

type Result<T> = core::result::Result<T, WireError>;

/// A cursor over the bytes of one message.
///
/// `flexible` is a property of the version of the message (KIP-482): lengths are then unsigned
/// varints of length plus one, and every structure ends with tagged fields.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    flexible: bool,
    elements_left: u32,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub const fn new(bytes: &'a [u8], flexible: bool) -> Self {
        Self {
            rest: bytes,
            flexible,
            elements_left: ELEMENTS_MAX,
        }
    }

    /// What was not read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether lengths are compact and structures end with tagged fields.
    pub const fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// The next `len` bytes.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(WireError::Truncated {
                needed: len,
                available: self.rest.len(),
            });
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(WireError::Truncated {
                needed: N,
                available: self.rest.len(),
            });
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// A boolean: as in Kafka, any byte but 0 is true.
    pub fn bool(&mut self) -> Result<bool> {
        self.chunk::<1>().map(|[byte]| byte != 0)
    }

    /// A signed byte.
    pub fn i8(&mut self) -> Result<i8> {
        self.chunk().map(i8::from_be_bytes)
    }

    /// A signed integer of 16 bits.
    pub fn i16(&mut self) -> Result<i16> {
        self.chunk().map(i16::from_be_bytes)
    }

    /// An unsigned integer of 16 bits.
    pub fn u16(&mut self) -> Result<u16> {
        self.chunk().map(u16::from_be_bytes)
    }

    /// A signed integer of 32 bits.
    pub fn i32(&mut self) -> Result<i32> {
        self.chunk().map(i32::from_be_bytes)
    }

    /// An unsigned integer of 32 bits.
    pub fn u32(&mut self) -> Result<u32> {
        self.chunk().map(u32::from_be_bytes)
    }

    /// A signed integer of 64 bits.
    pub fn i64(&mut self) -> Result<i64> {
        self.chunk().map(i64::from_be_bytes)
    }

    /// A floating-point number of 64 bits.
    pub fn f64(&mut self) -> Result<f64> {
        self.chunk().map(f64::from_be_bytes)
    }

    /// A UUID.
    pub fn uuid(&mut self) -> Result<Uuid> {
        self.chunk().map(Uuid::from_bytes)
    }

    /// An unsigned varint of at most 32 bits: seven bits a byte, the lowest first.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32> {
        let value = self.uvarlong(5)?;
        u32::try_from(value).map_err(|_| WireError::VarintOverflow)
    }

    /// A zigzag varint of at most 32 bits.
    #[inline]
    pub fn varint(&mut self) -> Result<i32> {
        self.uvarint()
            .map(|raw| (raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    /// A zigzag varint of at most 64 bits.
    #[inline]
    pub fn varlong(&mut self) -> Result<i64> {
        self.uvarlong(10)
            .map(|raw| (raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// Most varints are lengths and deltas of one or two bytes.
    #[inline]
    fn uvarlong(&mut self, bytes_max: usize) -> Result<u64> {
        match self.rest {
            [byte @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*byte))
            },
            [low, high @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*low & 0x7f) | u64::from(*high) << 7)
            },
            _ => self.long_uvarlong(bytes_max),
        }
    }

    #[cold]
    fn long_uvarlong(&mut self, bytes_max: usize) -> Result<u64> {
        let mut value = 0_u64;
        for (position, &byte) in self.rest.iter().take(bytes_max).enumerate() {
            // The tenth byte has room for one bit only.
            if position == 9 && byte > 1 {
                return Err(WireError::VarintOverflow);
            }
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte < 0x80 {
                self.rest = self.rest.get(position + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        let available = self.rest.len();
        if available < bytes_max {
            return Err(WireError::Truncated {
                needed: available + 1,
                available,
            });
        }
        Err(WireError::VarintOverflow)
    }

    /// A string, or null.
    pub fn nullable_str(&mut self) -> Result<Option<&'a str>> {
        let len = if self.flexible {
            self.compact_len()?
        } else {
            null_or_len(self.i16()?.into())?
        };
        let Some(len) = len else { return Ok(None) };
        if len > STRING_BYTES_MAX {
            return Err(WireError::StringTooLong(len));
        }
        let text = core::str::from_utf8(self.take(len)?).map_err(|_| WireError::NotUtf8)?;
        Ok(Some(text))
    }

    /// Bytes, or null.
    pub fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>> {
        let Some(len) = self.len32()? else {
            return Ok(None);
        };
        self.take(len).map(Some)
    }

    /// An array whose elements `element` reads, or null.
    pub fn nullable_array<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(count) = self.array_count()? else {
            return Ok(None);
        };
        let paid_for = self.rest.len() / size_of::<T>().max(1);
        let mut elements = Vec::with_capacity(count.min(paid_for));
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    /// The count of an array; every element takes at least one byte.
    fn array_count(&mut self) -> Result<Option<usize>> {
        let Some(count) = self.len32()? else {
            return Ok(None);
        };
        let available = self.rest.len();
        if count > available {
            return Err(WireError::ArrayTooLong { count, available });
        }
        self.elements_left = u32::try_from(count)
            .ok()
            .and_then(|count| self.elements_left.checked_sub(count))
            .ok_or(WireError::TooManyElements(ELEMENTS_MAX))?;
        Ok(Some(count))
    }

    /// The length of bytes or an array: 32 bits, or compact.
    fn len32(&mut self) -> Result<Option<usize>> {
        if self.flexible {
            self.compact_len()
        } else {
            null_or_len(self.i32()?)
        }
    }

    fn compact_len(&mut self) -> Result<Option<usize>> {
        self.uvarint()
            .map(|raw| raw.checked_sub(1).map(|len| len as usize))
    }

    /// How many tagged fields end a structure (KIP-482); 0 when not flexible.
    pub fn tag_count(&mut self) -> Result<u32> {
        if !self.flexible {
            return Ok(0);
        }
        let count = self.uvarint()?;
        // A tag and a size are two bytes at least.
        if count as usize > self.rest.len() / 2 {
            let available = self.rest.len();
            return Err(WireError::ArrayTooLong {
                count: count as usize,
                available,
            });
        }
        Ok(count)
    }

    /// Opens the next tagged field: until [`Reader::leave_tag`] the reader sees only its bytes.
    pub fn enter_tag(&mut self) -> Result<(u32, TagTail<'a>)> {
        let tag = self.uvarint()?;
        let len = self.uvarint()? as usize;
        let field = self.take(len)?;
        let tail = TagTail(self.rest);
        self.rest = field;
        Ok((tag, tail))
    }

    /// Closes a tagged field, skipping whatever of it was not read.
    pub const fn leave_tag(&mut self, tail: &TagTail<'a>) {
        self.rest = tail.0;
    }

    /// Skips the tagged fields that end a structure.
    pub fn skip_tags(&mut self) -> Result<()> {
        for _ in 0..self.tag_count()? {
            let (_, tail) = self.enter_tag()?;
            self.leave_tag(&tail);
        }
        Ok(())
    }
}

/// The bytes behind an open tagged field.
#[derive(Debug)]
pub struct TagTail<'a>(&'a [u8]);

fn null_or_len(len: i32) -> Result<Option<usize>> {
    match len {
        -1 => Ok(None),
        0.. => Ok(Some(len as usize)),
        _ => Err(WireError::NegativeLength(len)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_counts_are_refused_before_memory_is_taken() {
        let old = [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        let got = Reader::new(&old, false).nullable_array(Reader::bool);
        assert_eq!(
            got,
            Err(WireError::ArrayTooLong {
                count: 0x7fff_ffff,
                available: 4
            })
        );

        let compact = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0];
        let got = Reader::new(&compact, true).nullable_array(Reader::bool);
        assert_eq!(
            got,
            Err(WireError::ArrayTooLong {
                count: 0xffff_fffe,
                available: 3
            })
        );
    }

    #[test]
    fn reserved_memory_never_exceeds_the_bytes_left() {
        let mut bytes = 1000_i32.to_be_bytes().to_vec();
        bytes.resize(4 + 1000, 0);
        let mut reader = Reader::new(&bytes, false);
        let mut asked = 0;
        let got = reader.nullable_array(|_| -> Result<[u64; 16]> {
            asked += 1;
            Ok([0; 16])
        });
        // Elements that take no bytes at all do not exist, but even they are bounded by the count.
        assert_eq!(got.unwrap().unwrap().len(), 1000);
        assert_eq!(asked, 1000);
    }

    #[test]
    fn elements_are_bounded_over_the_whole_message() {
        let mut bytes = (ELEMENTS_MAX as i32 + 1).to_be_bytes().to_vec();
        bytes.resize(4 + ELEMENTS_MAX as usize + 1, 0);
        let got = Reader::new(&bytes, false).nullable_array(Reader::i8);
        assert_eq!(got, Err(WireError::TooManyElements(ELEMENTS_MAX)));
    }

    #[test]
    fn negative_lengths_other_than_null_are_refused() {
        assert_eq!(Reader::new(&[0xff, 0xff], false).nullable_str(), Ok(None));
        let got = Reader::new(&[0xff, 0xfe], false).nullable_str();
        assert_eq!(got, Err(WireError::NegativeLength(-2)));
    }

    #[test]
    fn long_strings_are_refused_in_both_encodings() {
        let bytes = vec![0x81, 0x80, 0x02];
        let got = Reader::new(&bytes, true).nullable_str();
        assert_eq!(got, Err(WireError::StringTooLong(32_768)));
    }

    #[test]
    fn varints_that_overflow_are_refused() {
        let five = [0xff, 0xff, 0xff, 0xff, 0x1f];
        assert_eq!(
            Reader::new(&five, true).uvarint(),
            Err(WireError::VarintOverflow)
        );
        let six = [0x80; 6];
        assert_eq!(
            Reader::new(&six, true).uvarint(),
            Err(WireError::VarintOverflow)
        );
        let ten = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(
            Reader::new(&ten, true).varlong(),
            Err(WireError::VarintOverflow)
        );
    }

    #[test]
    fn tagged_fields_are_skipped_whole() {
        // Two tags: 0 with 3 bytes, 5 with none; then one byte of the next field.
        let bytes = [2, 0, 3, 9, 9, 9, 5, 0, 42];
        let mut reader = Reader::new(&bytes, true);
        reader.skip_tags().unwrap();
        assert_eq!(reader.rest(), &[42]);
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, flexible: bool) {
            let reader = Reader::new(&bytes, flexible);
            let _ = reader.clone().nullable_str();
            let _ = reader.clone().nullable_bytes();
            let _ = reader.clone().nullable_array(Reader::nullable_str);
            let _ = reader.clone().skip_tags();
            let _ = reader.clone().varlong();
            let _ = reader.clone().varint();
        }
    }
}
