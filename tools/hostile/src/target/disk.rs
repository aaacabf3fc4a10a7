//! Files on a simulated disk, made of a fuzzer's parts.

use std::future::Future;
use std::path::Path;

use engine_rt::fs::{self, Durability, File, OpenOptions};
use engine_rt::sim::{Options, World};
use engine_rt::{BLOCK_BYTES, Buf};

use crate::input::Input;

/// Files are no larger: what is found then takes bytes, not blocks of zeros.
pub(crate) const FILE_BYTES_MAX: usize = 256 << 10;

/// Runs `main` on a machine of its own, the same for the same bytes, in calm weather.
pub(crate) fn on_a_machine<T: 'static, F>(main: impl FnOnce() -> F + 'static) -> T
where
    F: Future<Output = T> + 'static,
{
    let mut options = Options {
        stall_probability: 0.0,
        ..Options::default()
    };
    options.disk.evict = 0.0;
    let world = World::new(1, options);
    let node = world.node("node");
    world.block_on(node, main)
}

/// Parts, each from the next block on: zeros between them cost a fuzzer nothing.
pub(crate) fn blocks(input: &mut Input<'_>) -> Vec<u8> {
    let mut file = Vec::new();
    while !input.is_empty() && file.len() < FILE_BYTES_MAX {
        file.extend_from_slice(input.part());
        file.resize(file.len().next_multiple_of(BLOCK_BYTES), 0);
    }
    file.truncate(FILE_BYTES_MAX);
    file
}

/// Writes a file, with the directories that lead to it.
pub(crate) async fn write(path: &Path, bytes: &[u8]) {
    let works = "the simulated disk works";
    let directory = path.parent().expect("a file is in a directory");
    fs::create_dir_all(directory).await.expect(works);
    let options = OpenOptions {
        create: true,
        ..OpenOptions::default()
    };
    let file = File::open(path, options).await.expect(works);
    if bytes.is_empty() {
        return;
    }
    let mut blocks = bytes.to_vec();
    blocks.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
    let written = file.write_at(0, Buf::copy_from_slice(&blocks), Durability::Volatile);
    written.await.expect(works);
    if blocks.len() > bytes.len() {
        file.set_len(bytes.len() as u64).await.expect(works);
    }
}
