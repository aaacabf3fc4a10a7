//! What records consist of: keys, sizes, payloads, and the stamp by which they are found again.

mod key;
mod payload;
mod size;
mod stamp;

pub(crate) use key::key_bytes;
pub use key::{Key, Keys};
pub use payload::Payload;
pub use size::{Size, Sizes};
pub use stamp::{STAMP_BYTES, Stamp, StampError};
