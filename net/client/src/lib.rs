//! A small Kafka client over the runtime seam, for the demo, the command line, load generators and
//! the simulation.
//!
//! One [`Connection`] speaks to one broker, with any number of requests on their way at a time;
//! what it returns is owned, records as slices of the frame that they came in. It is not a client
//! library: nothing is retried, no leader is looked for, no consumer group is joined.
//!
//! First file to read: `connection.rs`.

#![forbid(unsafe_code)]

mod admin;
mod connection;
mod error;
mod producer;
mod records;

pub use admin::{Broker, Metadata, NewTopic, PartitionMetadata, TopicMetadata};
pub use connection::Connection;
pub use error::ClientError;
pub use producer::{IN_FLIGHT_MAX, Producer};
pub use records::{Fetch, FetchFrom, Fetched, Produced, ToProduce};
