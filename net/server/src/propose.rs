//! How the server asks for changes of the metadata, without knowing who makes them.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use cluster_meta::config::StaticConfig;
use cluster_meta::{MetaError, Record, State};
use thiserror::Error;

/// A future of one executor.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A change, judged where changes are put in order, against the newest state: the records to make
/// durable, or Kafka's error.
pub type Change =
    Box<dyn FnOnce(&State, &StaticConfig) -> Result<Vec<Record>, MetaError> + Send + 'static>;

/// Asks for a change. Changes are judged in the order in which their futures are first polled, and
/// each resolves to its records when they are durable and every shard has applied them: what the
/// client asks next finds the change wherever it asks. A change without records changes nothing.
pub type Propose = Rc<dyn Fn(Change) -> LocalFuture<Result<Vec<Record>, ProposeError>>>;

/// Why a change did not come about.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProposeError {
    /// The state does not allow it.
    #[error(transparent)]
    Refused(#[from] MetaError),
    /// The metadata log cannot be written, or the node is stopping: the client tries again.
    #[error("metadata cannot be changed: {0}")]
    Unavailable(String),
}
