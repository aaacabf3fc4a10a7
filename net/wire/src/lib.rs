//! The Kafka wire protocol: frames, headers, messages, record batches.
//!
//! Pure functions over bytes, in both directions: a server decodes requests and encodes responses,
//! clients and tests do the reverse. There is no I/O here, no clock and no state; nothing here
//! decides what a broker answers.
//!
//! Input is hostile by assumption: no bytes panic, and none make the crate allocate by a number
//! they contain. Decoded messages borrow from the frame, so records are never copied; encoded ones
//! leave [`Cut`]s where records go.
//!
//! ```
//! use net_wire::frame::{decode_response, encode_request, encode_response};
//! use net_wire::messages::metadata::{MetadataRequest, MetadataResponse};
//! use net_wire::{Message, RequestHeader};
//!
//! let all_topics = MetadataRequest { topics: None, ..Default::default() };
//! let sent = encode_request(12, 7, Some("example"), &all_topics)?.bytes;
//!
//! let (header, body) = RequestHeader::decode(&sent[4..])?;
//! assert_eq!((header.version, header.correlation_id), (12, 7));
//! assert_eq!(MetadataRequest::decode(body, header.version)?.topics, None);
//!
//! let answer = MetadataResponse { controller_id: 1, ..Default::default() };
//! let sent = encode_response(header.version, header.correlation_id, &answer)?.bytes;
//! assert_eq!(decode_response(&sent[4..], 12)?, (7, answer));
//! # Ok::<(), net_wire::WireError>(())
//! ```
//!
//! Read [`api`] first, the table of what is known and served; then `schema.rs` with a file of [`messages`].

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

pub mod api;
pub mod batch;
pub mod codec;
pub mod consumer_protocol;
pub mod error;
pub mod error_code;
pub mod frame;
pub mod header;
pub mod messages;
pub mod partitioner;
pub mod reader;
#[expect(
    elided_lifetimes_in_paths,
    reason = "a macro names types with and without a lifetime"
)]
mod recode;
mod schema;
pub mod topic_name;
pub mod uuid;
pub mod wire;
pub mod writer;

#[cfg(test)]
#[macro_use]
mod sample;
#[cfg(test)]
#[expect(
    elided_lifetimes_in_paths,
    reason = "a macro names types with and without a lifetime"
)]
mod differential;
#[cfg(test)]
#[expect(
    elided_lifetimes_in_paths,
    reason = "a macro names types with and without a lifetime"
)]
mod roundtrip;

pub use api::ApiKey;
pub use error::WireError;
pub use error_code::ErrorCode;
pub use header::{RequestHeader, ResponseHeader};
pub use reader::Reader;
pub use recode::{default_request, default_response, recode_request, recode_response};
pub use uuid::Uuid;
pub use wire::{Float64, Message, Records, Wire, range_in};
pub use writer::{Cut, Encoded, Writer};
