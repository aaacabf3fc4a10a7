//! Bytes of records: little-endian numbers, counted lists, lengths checked before anything is
//! allocated.

use thiserror::Error;

use crate::ids::TopicId;

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end before the field does.
    #[error("the record ends early")]
    Truncated,
    /// Bytes are left behind the last field.
    #[error("{0} bytes behind the record's last field")]
    TrailingBytes(usize),
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A kind of record this version does not know.
    #[error("record kind {0} is not known to this version")]
    UnknownKind(u8),
    /// A version of a record that is newer than this binary.
    #[error("record kind {kind} has version {version}, newer than this binary")]
    NewerVersion {
        /// Kind of the record.
        kind: u8,
        /// Version found.
        version: u8,
    },
    /// A field outside of what it can be.
    #[error("{0} is out of bounds")]
    Invalid(&'static str),
}

/// Reads fields from bytes.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self
            .bytes
            .split_at_checked(len)
            .ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self
            .bytes
            .split_first_chunk()
            .ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn topic_id(&mut self) -> Result<TopicId, DecodeError> {
        self.array().map(TopicId::from_bytes)
    }

    pub(crate) fn string(&mut self) -> Result<String, DecodeError> {
        let text = str::from_utf8(self.counted()?).map_err(|_| DecodeError::NotUtf8)?;
        Ok(text.to_owned())
    }

    pub(crate) fn blob(&mut self) -> Result<Vec<u8>, DecodeError> {
        self.counted().map(<[u8]>::to_vec)
    }

    fn counted(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u32()? as usize;
        self.bytes(len)
    }

    /// A counted list whose elements take this many bytes at least, so that a count above what the
    /// bytes can hold is refused before anything is reserved for it.
    pub(crate) fn list<T>(
        &mut self,
        element_bytes_min: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.u32()? as usize;
        if count > self.bytes.len() / element_bytes_min {
            return Err(DecodeError::Truncated);
        }
        (0..count).map(|_| element(self)).collect()
    }

    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(DecodeError::TrailingBytes(left)),
        }
    }
}

/// Writes fields behind each other.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn topic_id(&mut self, id: TopicId) {
        self.bytes.extend_from_slice(id.as_bytes());
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.blob(text.as_bytes());
    }

    pub(crate) fn blob(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("counts of a record fit 32 bits"));
    }
}
