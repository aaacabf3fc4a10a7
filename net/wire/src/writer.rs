//! Writing Kafka's primitive types, with room for record bytes that are never copied.

use crate::error::WireError;
use crate::reader::STRING_BYTES_MAX;
use crate::uuid::Uuid;

/// A place where bytes of the caller belong between the encoded ones.
///
/// A Fetch response carries records that lie in memory or in a file already. The writer encodes
/// their length and notes the place; whoever sends the message interleaves the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Position in [`Encoded::bytes`] before which the caller's bytes go.
    pub at: usize,
    /// How many bytes of the caller's go there; the length prefix already counts them.
    pub len: usize,
}

/// An encoded message: bytes, and the cuts in the order of the fields that asked for them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Encoded {
    /// Everything but the caller's bytes.
    pub bytes: Vec<u8>,
    /// Where the caller's bytes go, in ascending order; also those of length 0.
    pub cuts: Vec<Cut>,
    /// Where a response that has a throttle time has it.
    pub throttle_time_at: Option<usize>,
}

impl Encoded {
    /// Writes the throttle time of a response anew, if its version has one: it depends on what the
    /// answer took.
    pub fn set_throttle_time(&mut self, ms: i32) {
        let place = self
            .throttle_time_at
            .and_then(|at| self.bytes.get_mut(at..));
        if let Some(place) = place.and_then(<[u8]>::first_chunk_mut::<4>) {
            *place = ms.to_be_bytes();
        }
    }

    /// Length of the whole message, caller's bytes included.
    pub fn total_len(&self) -> usize {
        self.bytes.len() + self.cuts.iter().map(|cut| cut.len).sum::<usize>()
    }

    /// The encoded pieces around the cuts: one more than there are cuts.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = core::iter::once(0).chain(self.cuts.iter().map(|cut| cut.at));
        let ends = self
            .cuts
            .iter()
            .map(|cut| cut.at)
            .chain(core::iter::once(self.bytes.len()));
        starts
            .zip(ends)
            .map(|(start, end)| self.bytes.get(start..end).unwrap_or_default())
    }

    /// The message in one piece, for callers that have the bytes of the cuts at hand.
    pub fn join<'a>(&self, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.total_len());
        let mut chunks = chunks.into_iter();
        for piece in self.pieces() {
            whole.extend_from_slice(piece);
            whole.extend_from_slice(chunks.next().unwrap_or_default());
        }
        whole
    }
}

/// Encodes one message. Faults of values are kept and reported once, by [`Writer::finish`].
#[derive(Debug, Default)]
pub struct Writer {
    encoded: Encoded,
    flexible: bool,
    error: Option<WireError>,
}

impl Writer {
    /// A writer for a message whose version is flexible or not (KIP-482).
    pub fn new(flexible: bool) -> Self {
        Self {
            flexible,
            ..Self::default()
        }
    }

    /// A writer that appends to `bytes`, to reuse their memory or to follow a header.
    pub fn append_to(bytes: Vec<u8>, flexible: bool) -> Self {
        Self {
            encoded: Encoded {
                bytes,
                ..Encoded::default()
            },
            flexible,
            error: None,
        }
    }

    /// Whether lengths are compact and structures end with tagged fields.
    pub const fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// From here on the other encoding holds: a header and its body can differ.
    pub const fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Bytes encoded so far, without those of the cuts.
    pub const fn len(&self) -> usize {
        self.encoded.bytes.len()
    }

    /// Whether nothing was encoded yet.
    pub const fn is_empty(&self) -> bool {
        self.encoded.bytes.is_empty()
    }

    /// Notes a value that cannot be encoded; the first one counts.
    pub fn fail(&mut self, error: WireError) {
        self.error.get_or_insert(error);
    }

    /// What was encoded, or the first value that could not be.
    pub fn finish(self) -> Result<Encoded, WireError> {
        match self.error {
            None => Ok(self.encoded),
            Some(error) => Err(error),
        }
    }

    /// The throttle time of a response; its place is noted.
    pub(crate) fn throttle_time(&mut self, write: impl FnOnce(&mut Self)) {
        self.encoded.throttle_time_at = Some(self.len());
        write(self);
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.encoded.bytes.extend_from_slice(bytes);
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) {
        self.raw(&[u8::from(value)]);
    }

    /// A signed byte.
    pub fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    /// A signed integer of 16 bits.
    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// An unsigned integer of 16 bits.
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// A signed integer of 32 bits.
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// An unsigned integer of 32 bits.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    /// A signed integer of 64 bits.
    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// A floating-point number of 64 bits.
    pub fn f64(&mut self, value: f64) {
        self.raw(&value.to_be_bytes());
    }

    /// A UUID.
    pub fn uuid(&mut self, value: Uuid) {
        self.raw(value.as_bytes());
    }

    /// An unsigned varint: seven bits a byte, the lowest first.
    pub fn uvarint(&mut self, value: u32) {
        self.uvarlong(value.into());
    }

    /// A zigzag varint of 32 bits.
    pub fn varint(&mut self, value: i32) {
        self.uvarint(((value << 1) ^ (value >> 31)) as u32);
    }

    /// A zigzag varint of 64 bits.
    pub fn varlong(&mut self, value: i64) {
        self.uvarlong(((value << 1) ^ (value >> 63)) as u64);
    }

    fn uvarlong(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.encoded.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.encoded.bytes.push(value as u8);
    }

    /// A string, or null.
    pub fn nullable_str(&mut self, value: Option<&str>) {
        let len = value.map_or(0, str::len);
        if len > STRING_BYTES_MAX {
            return self.fail(WireError::StringTooLong(len));
        }
        if self.flexible {
            self.compact_len(value.map(str::len));
        } else {
            self.i16(value.map_or(-1, |value| value.len() as i16));
        }
        self.raw(value.unwrap_or_default().as_bytes());
    }

    /// Bytes, or null.
    pub fn nullable_bytes(&mut self, value: Option<&[u8]>) {
        self.len32(value.map(<[u8]>::len));
        self.raw(value.unwrap_or_default());
    }

    /// The length of bytes that the caller adds when sending, and a cut where they go.
    pub fn cut(&mut self, len: usize) {
        self.len32(Some(len));
        self.encoded.cuts.push(Cut {
            at: self.encoded.bytes.len(),
            len,
        });
    }

    /// An array whose elements `element` writes, or null.
    pub fn nullable_array<T>(
        &mut self,
        value: Option<&[T]>,
        mut element: impl FnMut(&mut Self, &T),
    ) {
        self.len32(value.map(<[T]>::len));
        for item in value.unwrap_or_default() {
            element(self, item);
        }
    }

    /// The length of bytes or an array: 32 bits, or compact.
    fn len32(&mut self, len: Option<usize>) {
        if len.is_some_and(|len| len > i32::MAX as usize - 1) {
            return self.fail(WireError::LengthOverflow(len.unwrap_or_default()));
        }
        if self.flexible {
            self.compact_len(len);
        } else {
            self.i32(len.map_or(-1, |len| len as i32));
        }
    }

    fn compact_len(&mut self, len: Option<usize>) {
        self.uvarint(len.map_or(0, |len| len as u32 + 1));
    }

    /// One tagged field, after the count of them; tags must ascend (KIP-482).
    pub fn tagged(&mut self, tag: u32, write: impl FnOnce(&mut Self)) {
        let mut field = Self::new(true);
        write(&mut field);
        debug_assert!(
            field.encoded.cuts.is_empty(),
            "records are never a tagged field"
        );
        self.uvarint(tag);
        self.uvarint(field.encoded.bytes.len() as u32);
        self.raw(&field.encoded.bytes);
        if let Some(error) = field.error {
            self.fail(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Reader;
    use proptest::prelude::*;

    fn bytes_of(flexible: bool, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::new(flexible);
        write(&mut writer);
        writer.finish().unwrap().bytes
    }

    #[test]
    fn zigzag_is_as_protocol_buffers_have_it() {
        for (value, bytes) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
        ] {
            assert_eq!(bytes_of(true, |w| w.varint(value)), bytes, "{value}");
        }
    }

    #[test]
    fn cuts_split_the_message_and_count_in_the_length() {
        let mut writer = Writer::new(false);
        writer.i16(7);
        writer.cut(3);
        writer.i16(8);
        writer.cut(0);
        let encoded = writer.finish().unwrap();
        assert_eq!(encoded.total_len(), 2 + 4 + 3 + 2 + 4);
        let whole = encoded.join([&b"abc"[..], b""]);
        assert_eq!(
            whole,
            [0, 7, 0, 0, 0, 3, b'a', b'b', b'c', 0, 8, 0, 0, 0, 0]
        );
        assert_eq!(encoded.pieces().count(), 3);
    }

    #[test]
    fn a_string_too_long_fails_the_message() {
        let mut writer = Writer::new(true);
        writer.nullable_str(Some(&"x".repeat(32_768)));
        assert_eq!(writer.finish(), Err(WireError::StringTooLong(32_768)));
    }

    proptest! {
        #[test]
        fn integers_round_trip(a: i32, b: i64, c: u32, d: i16, e: i8) {
            let bytes = bytes_of(true, |w| {
                w.varint(a);
                w.varlong(b);
                w.uvarint(c);
                w.i16(d);
                w.i8(e);
                w.i32(a);
                w.i64(b);
                w.u32(c);
            });
            let mut r = Reader::new(&bytes, true);
            prop_assert_eq!((r.varint(), r.varlong(), r.uvarint()), (Ok(a), Ok(b), Ok(c)));
            prop_assert_eq!((r.i16(), r.i8(), r.i32()), (Ok(d), Ok(e), Ok(a)));
            prop_assert_eq!((r.i64(), r.u32()), (Ok(b), Ok(c)));
            prop_assert!(r.rest().is_empty());
        }

        #[test]
        fn strings_bytes_and_arrays_round_trip(
            text: Option<String>,
            blob: Option<Vec<u8>>,
            list: Option<Vec<i32>>,
            flexible: bool,
        ) {
            let bytes = bytes_of(flexible, |w| {
                w.nullable_str(text.as_deref());
                w.nullable_bytes(blob.as_deref());
                w.nullable_array(list.as_deref(), |w, item| w.i32(*item));
            });
            let mut r = Reader::new(&bytes, flexible);
            prop_assert_eq!(r.nullable_str(), Ok(text.as_deref()));
            prop_assert_eq!(r.nullable_bytes(), Ok(blob.as_deref()));
            prop_assert_eq!(r.nullable_array(Reader::i32), Ok(list));
            prop_assert!(r.rest().is_empty());
        }
    }
}
