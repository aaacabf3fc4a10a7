//! Copies of the metadata log.

use std::path::Path;

use cluster_meta::log::{Frame, Verdict, scan};
use engine_rt::fs;

use crate::file::{DumpError, Source, at};
use crate::item::{Item, Sink};

/// The names of the two copies.
pub(crate) const COPIES: [&str; 2] = ["a.log", "b.log"];

/// Tells every record of a copy of the metadata log, or of both copies in a directory.
pub async fn dump(path: &Path, sink: Sink<'_>) -> Result<(), DumpError> {
    let Ok(names) = fs::read_dir(path).await else {
        return dump_copy(path, sink).await;
    };
    let is_copy = |name: &&String| COPIES.contains(&name.as_str());
    let copies: Vec<_> = names.iter().filter(is_copy).collect();
    if copies.is_empty() {
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "no metadata log in here");
        return Err(at(path)(missing));
    }
    for name in copies {
        dump_copy(&path.join(name), sink).await?;
    }
    Ok(())
}

async fn dump_copy(path: &Path, sink: Sink<'_>) -> Result<(), DumpError> {
    let source = Source::open(path).await?;
    let bytes = source.read_all().await?;
    let copy = scan(&bytes);
    let file = Item::new("metadata").with("file", path.display().to_string());
    sink(
        file.with("file_bytes", source.len)
            .with("generation", copy.tail.generation),
    );
    for frame in &copy.frames {
        tell_frame(frame, sink);
    }
    let end = Item::new("end")
        .with("at", copy.tail.offset)
        .with("sequence", copy.tail.sequence);
    sink(match copy.verdict {
        Verdict::Clean => end,
        Verdict::TornTail => end.with("note", "a frame that was never acknowledged is behind"),
        Verdict::Damaged(error) => end.faulty(error.to_string()),
    });
    Ok(())
}

fn tell_frame(frame: &Frame, sink: Sink<'_>) {
    let item = Item::new("frame")
        .with("at", frame.offset)
        .with("sequence", frame.sequence);
    sink(item.with("records", frame.records.len()));
    for record in &frame.records {
        sink(
            Item::new("record")
                .with("sequence", frame.sequence)
                .with("is", format!("{record:?}")),
        );
    }
}
