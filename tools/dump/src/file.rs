//! Reading a file that is not understood yet: any range, whatever its alignment.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use engine_rt::fs::{File, OpenOptions};
use engine_rt::{BLOCK_BYTES, Buf};

/// Bytes read at a time.
const STEP_BYTES: usize = 1 << 20;
const BLOCK: u64 = BLOCK_BYTES as u64;

/// The operating system refuses, or the path is not what it should be.
#[derive(Debug)]
pub struct DumpError {
    /// The file or directory.
    pub path: PathBuf,
    /// What is the matter.
    pub source: io::Error,
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.source)
    }
}

impl std::error::Error for DumpError {}

/// Names the path in an error.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> DumpError {
    let path = path.to_owned();
    move |source| DumpError { path, source }
}

/// A file open for reading.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    pub(crate) len: u64,
}

impl Source {
    pub(crate) async fn open(path: &Path) -> Result<Self, DumpError> {
        let options = OpenOptions {
            read_only: true,
            ..OpenOptions::default()
        };
        let file = File::open(path, options).await.map_err(at(path))?;
        let len = file.len().await.map_err(at(path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            len,
        })
    }

    /// Bytes `from` to `to`, fewer where the file ends before.
    pub(crate) async fn read(&self, from: u64, to: u64) -> Result<Vec<u8>, DumpError> {
        let to = to.min(self.len);
        let mut bytes = Vec::with_capacity(to.saturating_sub(from) as usize);
        let mut pos = from;
        while pos < to {
            let start = pos - pos % BLOCK;
            let want = ((to - start).min(STEP_BYTES as u64) as usize).next_multiple_of(BLOCK_BYTES);
            let piece = self
                .file
                .read_at(start, want)
                .await
                .map_err(at(&self.path))?;
            let skip = (pos - start) as usize;
            let take = piece.len().saturating_sub(skip).min((to - pos) as usize);
            if take == 0 {
                break;
            }
            bytes.extend_from_slice(&piece[skip..skip + take]);
            pos += take as u64;
        }
        Ok(bytes)
    }

    /// One whole block, if the file has it.
    pub(crate) async fn block(&self, pos: u64) -> Result<Option<Buf>, DumpError> {
        if pos + BLOCK > self.len {
            return Ok(None);
        }
        self.file
            .read_at(pos, BLOCK_BYTES)
            .await
            .map(Some)
            .map_err(at(&self.path))
    }

    /// The whole file.
    pub(crate) async fn read_all(&self) -> Result<Vec<u8>, DumpError> {
        self.read(0, self.len).await
    }
}

/// Whether nothing was ever written here.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
