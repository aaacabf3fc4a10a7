//! One node: its data directory, its metadata, a shard per core, its listeners.
//!
//! What is here puts the crates together and owns the order of a start and of a stop. It runs on
//! the control executor and needs nothing but the seam, so that the simulation starts nodes with
//! the same call as the binary. It speaks no protocol and writes no record.
//!
//! First file to read: `start.rs`; then `shard.rs` for what each core runs.

mod admin;
mod apply;
mod cleaner;
mod config;
mod error;
mod machine;
mod memory;
mod propose;
mod purge;
mod repair;
mod report;
mod running;
mod shard;
mod specs;
mod start;

pub use admin::AdminHandle;
pub use config::{
    BrokerConfig, KafkaListener, OWN_SETTINGS, OwnSetting, READ_PATH, SettingError, Settings,
};
pub use error::StartError;
pub use machine::machine_report;
pub use memory::MEMORY_BYTES_MIN;
pub use repair::repair;
pub use report::{Line, Mark, StartReport};
pub use running::{RunningBroker, StopError};
pub use start::start;
