//! The metadata log's two copies, and the state that they add up to.

use std::path::Path;

use cluster_meta::State;
use cluster_meta::log::{Copy, Scan, Verdict, reconcile, scan};
use engine_rt::fs;

use crate::file::{DumpError, Source};
use crate::item::{Item, Sink};
use crate::meta::COPIES;

/// Checks both copies; `None` if they do not add up to a state.
pub(crate) async fn check(dir: &Path, sink: Sink<'_>) -> Result<Option<State>, DumpError> {
    let dir = dir.join("meta");
    let mut copies = Vec::new();
    for name in COPIES {
        let path = dir.join(name);
        let bytes = match fs::exists(&path).await {
            Ok(true) => Source::open(&path).await?.read_all().await?,
            _ => Vec::new(),
        };
        tell_copy(&path, &bytes, sink);
        copies.push(bytes);
    }
    let log = Item::new("metadata").with("file", dir.display().to_string());
    let chosen = match reconcile(&copies[0], &copies[1]) {
        Ok(Some(chosen)) => chosen,
        Ok(None) => {
            sink(log.faulty("neither copy holds anything"));
            return Ok(None);
        },
        Err(error) => {
            sink(log.with("at", offset_of(&error)).faulty(error.to_string()));
            return Ok(None);
        },
    };
    for copy in &chosen.repair {
        let name = COPIES[usize::from(*copy == Copy::B)];
        sink(
            log.clone()
                .faulty(format!("{name} lacks frames that the other copy has")),
        );
    }
    let state = match State::replay(&chosen.records) {
        Ok(state) => state,
        Err(error) => {
            sink(log.faulty(error.to_string()));
            return Ok(None);
        },
    };
    let (topics, partitions) = (state.topics().len(), state.partition_count());
    sink(log.with("topics", topics).with("partitions", partitions));
    Ok(Some(state))
}

fn offset_of(error: &cluster_meta::log::LogError) -> u64 {
    use cluster_meta::log::LogError;
    match error {
        LogError::Corrupt { offset, .. }
        | LogError::Diverged { offset }
        | LogError::NewerFormat { offset, .. }
        | LogError::Undecodable { offset, .. } => *offset,
    }
}

fn tell_copy(path: &Path, bytes: &[u8], sink: Sink<'_>) {
    let Scan {
        frames,
        tail,
        verdict,
    } = scan(bytes);
    let item = Item::new("metadata").with("file", path.display().to_string());
    let item = item.with("at", tail.offset).with("frames", frames.len());
    sink(match verdict {
        _ if bytes.is_empty() => item.faulty("this copy is missing"),
        Verdict::Clean => item,
        Verdict::TornTail => item.with("note", "a frame that was never acknowledged is behind"),
        Verdict::Damaged(error) => item.faulty(error.to_string()),
    });
}
