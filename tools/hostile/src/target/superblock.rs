//! A data directory's superblock: two copies, one machine, and whoever opens the directory.

use std::path::Path;

use cluster_control::{Home, HomeOptions};
use cluster_meta::NodeId;
use engine_rt::{BLOCK_BYTES, fs};
use net_wire::batch::crc32c;

use super::disk::{on_a_machine, write};
use crate::input::Input;

const DIR: &str = "/data";

/// Flags, then the fields of copy A as a part, then those of copy B.
pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.u8();
    let a = block(input.part(), flags & 1 == 0);
    let b = if flags & 2 == 0 {
        a.clone()
    } else {
        block(input.rest(), flags & 1 == 0)
    };
    on_a_machine(move || async move {
        let dir = Path::new(DIR);
        for (name, copy) in [("superblock.a", &a), ("superblock.b", &b)] {
            write(&dir.join(name), copy).await;
        }
        if flags & 4 == 0 {
            // With data there, a directory is never taken for a new one.
            fs::create_dir_all(&dir.join("topics"))
                .await
                .expect("the disk works");
        }
        let options = HomeOptions {
            node_id: (flags & 8 != 0).then_some(NodeId(7)),
            accept_copy: flags & 16 != 0,
        };
        let first = Home::open(dir, options).await;
        let Ok(home) = first else { return };
        let opened = home.opened();
        assert!(!opened.is_new || flags & 4 != 0, "data is not written over");
        let superblock = *home.superblock();
        drop(home);
        // What was accepted once is accepted again, and needs no repair.
        let again = Home::open(dir, HomeOptions::default())
            .await
            .expect("as before");
        if !opened.is_new {
            assert_eq!(again.superblock(), &superblock);
            assert!(!again.opened().superblock_repaired && !again.opened().copy_accepted);
        }
    });
}

fn block(fields: &[u8], mended: bool) -> Vec<u8> {
    let mut block = fields.to_vec();
    block.resize(BLOCK_BYTES, 0);
    if mended {
        let crc = crc32c(&block[..BLOCK_BYTES - 4]);
        block[BLOCK_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
    }
    block
}
