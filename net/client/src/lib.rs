//! A small Kafka client over the runtime seam, for the demo, the command line, the console, load
//! generators and the simulation.
//!
//! One [`Connection`] speaks to one broker, with any number of requests on their way at a time;
//! what it returns is owned, records as slices of the frame that they came in. A [`Cluster`] finds
//! leaders and coordinators, a [`Member`] reads as one of a consumer group. It is not a client
//! library: nothing happens in the background, and little is tried again.
//!
//! First file to read: `connection.rs`.

#![forbid(unsafe_code)]

mod address;
mod admin;
mod cluster;
mod configs;
mod connection;
mod error;
mod group_offsets;
mod groups;
mod lag;
mod log_dirs;
mod member;
mod producer;
mod reading;
mod records;

pub use admin::{Broker, Metadata, NewTopic, PartitionMetadata, TopicMetadata};
pub use cluster::Cluster;
pub use configs::{Config, ConfigChange, Configured};
pub use connection::Connection;
pub use error::ClientError;
pub use group_offsets::{Committer, Offsets};
pub use groups::{GroupDescription, GroupMember, ListedGroup, Partitions};
pub use lag::{Lag, Lags};
pub use log_dirs::{LogDir, PartitionSize};
pub use member::Member;
pub use producer::{IN_FLIGHT_MAX, Producer};
pub use reading::{ReadRecord, each_record};
pub use records::{EARLIEST, Fetch, FetchFrom, Fetched, LATEST, Produced, ToProduce};
