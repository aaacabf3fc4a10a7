//! The stamp in front of each value: whose record it is, its number, when it was planned, and a
//! checksum over all of the value.

use net_wire::batch::crc32c;
use thiserror::Error;

//  0      4         8          16          24          32
// +------+---------+----------+-----------+-----------+----------
// | crc  | stream  | run      | sequence  | planned   | payload
// +------+---------+----------+-----------+-----------+----------
//
// Big endian. The CRC-32C covers everything behind it.

/// Bytes of a stamp.
pub const STAMP_BYTES: usize = 32;
const CRC_BYTES: usize = 4;

/// What a record says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The run.
    pub run: u64,
    /// The producer within the run. Sequences count per stream and partition.
    pub stream: u32,
    /// Its number in the partition, in the order of sending.
    pub sequence: u64,
    /// Nanoseconds from the start of the run.
    pub planned: u64,
}

/// A value that is not as it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StampError {
    /// Too short for a stamp.
    #[error("a value of {0} bytes has no stamp")]
    Short(usize),
    /// Bytes have changed, or it is another program's.
    #[error("the checksum of a value is wrong")]
    Checksum,
}

impl Stamp {
    /// Stamps `value`, which has room for it in front.
    ///
    /// # Panics
    /// If it has not.
    pub fn write(&self, value: &mut [u8]) {
        value[CRC_BYTES..8].copy_from_slice(&self.stream.to_be_bytes());
        value[8..16].copy_from_slice(&self.run.to_be_bytes());
        value[16..24].copy_from_slice(&self.sequence.to_be_bytes());
        value[24..STAMP_BYTES].copy_from_slice(&self.planned.to_be_bytes());
        let crc = crc32c(&value[CRC_BYTES..]);
        value[..CRC_BYTES].copy_from_slice(&crc.to_be_bytes());
    }

    /// Reads the stamp of a value and checks all of it.
    pub fn read(value: &[u8]) -> Result<Self, StampError> {
        if value.len() < STAMP_BYTES {
            return Err(StampError::Short(value.len()));
        }
        let (crc, checked) = value.split_at(CRC_BYTES);
        if u64::from(crc32c(checked)) != number(crc) {
            return Err(StampError::Checksum);
        }
        Ok(Self {
            run: number(&value[8..16]),
            stream: number(&value[CRC_BYTES..8]) as u32,
            sequence: number(&value[16..24]),
            planned: number(&value[24..STAMP_BYTES]),
        })
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, &byte| (number << 8) | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stamp_is_read_again_and_any_changed_bit_is_found(
            run: u64, stream: u32, sequence: u64, planned: u64,
            payload in prop::collection::vec(any::<u8>(), 0..100),
            flip: usize,
        ) {
            let stamp = Stamp { run, stream, sequence, planned };
            let mut value = vec![0; STAMP_BYTES];
            value.extend(payload);
            stamp.write(&mut value);
            prop_assert_eq!(Stamp::read(&value), Ok(stamp));
            let bit = flip % (value.len() * 8);
            value[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Stamp::read(&value), Err(StampError::Checksum));
        }
    }

    #[test]
    fn a_short_value_has_no_stamp() {
        assert_eq!(Stamp::read(&[0; 31]), Err(StampError::Short(31)));
    }
}
