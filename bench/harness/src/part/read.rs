//! Direct reads of a file in order, several ahead: what the disk gives to one who reads it through.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;

use engine_rt::fs::{File, remove_file};
use engine_rt::{Task, spawn};

use super::charged;
use super::disk::{Before, prepare, write_all};
use crate::bench::GIB;

/// Bytes of the file.
const FILE_BYTES: u64 = 1 << 30;
/// Bytes of one read, and reads in flight.
pub(super) const READ_BYTES: usize = 1 << 20;
pub(super) const DEPTH: usize = 4;

pub(super) async fn figures(dir: &Path) -> io::Result<Vec<(String, f64)>> {
    let path = dir.join("physical-read");
    let file = prepare(&path, FILE_BYTES, Before::Allocated).await?;
    write_all(&file, FILE_BYTES, READ_BYTES).await?;
    let ((), cpu, elapsed) = charged(read_all(&file)).await?;
    remove_file(&path).await?;
    Ok(vec![
        ("read.cpu".to_owned(), cpu / (FILE_BYTES as f64 / GIB)),
        (
            "read.mbps".to_owned(),
            FILE_BYTES as f64 / 1e6 / elapsed.as_secs_f64(),
        ),
    ])
}

/// Reads the file in order.
async fn read_all(file: &File) -> io::Result<()> {
    let next = Rc::new(Cell::new(0));
    let read = |_| spawn(read_by_turns(file.clone(), Rc::clone(&next)));
    let readers: Vec<Task<io::Result<()>>> = (0..DEPTH).map(read).collect();
    for reader in readers {
        reader.await?;
    }
    Ok(())
}

async fn read_by_turns(file: File, next: Rc<Cell<u64>>) -> io::Result<()> {
    loop {
        let pos = next.get();
        if pos >= FILE_BYTES {
            return Ok(());
        }
        next.set(pos + READ_BYTES as u64);
        let bytes = file.read_at(pos, READ_BYTES).await?;
        if bytes.len() != READ_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
