//! Segment files.

mod batches;
mod chunks;
mod scan;

use std::path::Path;

use crate::file::DumpError;
use crate::item::Sink;

pub(crate) use batches::described;
pub(crate) use scan::{Known, scan};

/// Tells everything in a segment file: header, batches, index blocks, footer. The file of an active
/// segment ends in the middle of a batch whose rest is in the journal: that is no fault.
pub async fn dump(path: &Path, sink: Sink<'_>) -> Result<(), DumpError> {
    scan(path, &Known::default(), sink).await.map(drop)
}
