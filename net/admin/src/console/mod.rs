//! The console: pages for a browser, and the JSON below `/api/v1/` that they and scripts read.
//!
//! The pages are static files of the program. What they show of the node itself comes from the
//! [`Snapshot`](crate::Snapshot); what they show of topics comes through [`AskFn`] from a Kafka
//! client, which whoever starts this thread hands in. Everything is read-only.
//!
//! Bounds: what a question may name and ask for is checked in `api.rs` before anybody is asked; so
//! many questions run at a time, each for so long; an answer says where to go on instead of being
//! complete. `guard.rs` refuses what other web sites make a browser ask.

mod api;
mod figures;
mod guard;
mod pages;
mod query;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub(crate) use api::routes;
pub(crate) use guard::Hosts;

/// Most rows of an answer.
pub const ROWS_MAX: usize = 500;
/// Most bytes that an answer shows of one key, value or header.
pub const SHOWN_BYTES_MAX: usize = 1 << 20;

/// What a page asks the cluster. Its parts are within the bounds of this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Who is in the cluster, and what the broker serves.
    Cluster,
    /// Topics in the order of their names.
    Topics {
        /// A part of their names.
        filter: String,
        /// The name that they follow.
        after: String,
        /// Most of them.
        limit: usize,
    },
    /// A topic and its partitions.
    Topic {
        /// Its name.
        name: String,
        /// The first partition.
        from: i32,
        /// Most of them.
        limit: usize,
    },
    /// The configuration of a topic.
    TopicConfigs {
        /// Its name.
        name: String,
    },
    /// The configuration of the broker.
    BrokerConfigs,
    /// Records of a partition.
    Messages(Messages),
    /// Consumer groups in the order of their ids.
    Groups {
        /// A part of their ids.
        filter: String,
        /// The id that they follow.
        after: String,
        /// Most of them.
        limit: usize,
    },
    /// A consumer group: its members, and how far behind it is.
    Group {
        /// Its id.
        id: String,
    },
}

/// Records wanted of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Where to begin.
    pub from: Begin,
    /// Most records.
    pub limit: usize,
    /// What the key must contain; empty for any.
    pub key: String,
    /// What the value must contain; empty for any.
    pub value: String,
    /// Most bytes shown of a key or value.
    pub shown_bytes: usize,
}

/// Where to begin to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the first record there is.
    Start,
    /// Behind the last one.
    End,
    /// With this one.
    Offset(i64),
    /// With so many before the end.
    BeforeEnd(i64),
    /// With the first that is not older.
    Timestamp(i64),
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What is asked for is not there.
    NotFound(String),
    /// It cannot be asked so.
    Invalid(String),
    /// Not now.
    Unavailable(String),
}

/// What a question comes to, as JSON.
pub type Answer = Result<serde_json::Value, Refusal>;
/// An answer on its way.
pub type AnswerFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;
/// Asks the cluster. It must not block.
pub type AskFn = Arc<dyn Fn(Question) -> AnswerFuture + Send + Sync>;

/// What the console needs.
#[derive(Clone)]
pub struct Console {
    /// Asks the cluster.
    pub ask: AskFn,
    /// Names and addresses by which browsers may ask for it, without port. On a loopback listener,
    /// loopback's own are among them.
    pub hosts: Vec<String>,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut console = f.debug_struct("Console");
        console.field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
