//! Damage done to files behind everybody's back: at rest, or by a write that lands elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::rc::Rc;

use super::block::BLOCK;
use super::content::Content;
use super::file::FileNode;
use super::{Disk, State};
use crate::sim::faults::{Damage, Files};
use crate::sim::prng::Prng;

/// Files as they were remembered, by path.
pub(super) type Remembered = BTreeMap<String, Content>;

/// Damage to one file, drawn.
#[derive(Debug)]
pub(in crate::sim) struct Hit {
    path: String,
    wound: Wound,
}

#[derive(Debug)]
enum Wound {
    Bits(Vec<(u64, u32)>),
    Spoiled(u64),
    Cut(u64),
    Gone,
    Old,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.wound {
            Wound::Bits(bits) => {
                write!(f, "bits of {path} flip:")?;
                bits.iter()
                    .try_for_each(|(pos, bit)| write!(f, " {bit} of byte {pos}"))
            },
            Wound::Spoiled(pos) => write!(f, "the block at {pos} of {path} cannot be read"),
            Wound::Cut(len) => write!(f, "{path} is cut to {len} bytes"),
            Wound::Gone => write!(f, "{path} is gone"),
            Wound::Old => write!(f, "{path} is an older version of itself"),
        }
    }
}

impl Disk {
    /// Draws a file and what becomes of it; `None` if there is no such file that can be damaged so.
    pub(in crate::sim) fn draw_damage(
        &self,
        files: &Files,
        damage: Damage,
        prng: &mut Prng,
    ) -> Option<Hit> {
        let state = self.state.borrow();
        let mut candidates = state.names.files();
        candidates.retain(|(path, file)| {
            let can_be = match damage {
                Damage::Remove => true,
                Damage::Revert => state.older.contains_key(path),
                Damage::Truncate => file.content.borrow().len() > 0,
                Damage::FlipBits(_) | Damage::Spoil => file.content.borrow().has_bytes(),
            };
            can_be && files.have(Path::new(path))
        });
        if candidates.is_empty() {
            return None;
        }
        let (path, file) = candidates.swap_remove(prng.index(candidates.len()));
        let wound = draw_wound(&file.content.borrow(), damage, prng);
        Some(Hit { path, wound })
    }

    /// Does what was drawn.
    pub(in crate::sim) fn damage(&self, hit: &Hit) {
        let mut state = self.state.borrow_mut();
        let Ok(file) = state.names.find_file(Path::new(&hit.path)) else {
            return;
        };
        let mut content = file.content.borrow_mut();
        match &hit.wound {
            Wound::Bits(bits) => {
                for (pos, bit) in bits {
                    content.damage(*pos, |byte| *byte ^= 1 << bit);
                }
            },
            Wound::Spoiled(pos) => content.spoil(*pos),
            Wound::Cut(len) => {
                drop(content);
                file.truncate_behind(*len);
            },
            Wound::Gone => {
                drop(content);
                let _there = state.remove_behind(&hit.path);
            },
            Wound::Old => {
                drop(content);
                let _there = state.revert(&hit.path);
            },
        }
    }

    /// Remembers every file as it is now; what was remembered before is what files go back to.
    pub(in crate::sim) fn remember(&self) {
        let mut state = self.state.borrow_mut();
        let files = state.names.files().into_iter();
        let now = files.map(|(path, file)| (path, file.content.borrow().copy()));
        let now: Remembered = now.collect();
        state.older = std::mem::replace(&mut state.remembered, now);
    }
}

fn draw_wound(content: &Content, damage: Damage, prng: &mut Prng) -> Wound {
    match damage {
        Damage::FlipBits(count) => {
            let bits = (0..count).map(|_| (draw_byte(content, prng), prng.below(8) as u32));
            Wound::Bits(bits.collect())
        },
        Damage::Spoil => Wound::Spoiled(draw_byte(content, prng) / BLOCK * BLOCK),
        Damage::Truncate => Wound::Cut(prng.below(content.len())),
        Damage::Remove => Wound::Gone,
        Damage::Revert => Wound::Old,
    }
}

/// A byte of a block that is not all zeros.
fn draw_byte(content: &Content, prng: &mut Prng) -> u64 {
    let blocks = content.blocks_with_bytes();
    let block = blocks[prng.index(blocks.len())];
    (block * BLOCK + prng.below(BLOCK)).min(content.len() - 1)
}

impl FileNode {
    /// Cuts the file, durably and behind everybody's back.
    pub(super) fn truncate_behind(&self, len: u64) {
        self.set_len(len);
        let mut content = self.content.borrow_mut();
        let everything = content.snapshot();
        content.commit(everything);
    }
}

impl State {
    pub(super) fn remove_behind(&mut self, path: &str) -> io::Result<()> {
        self.names.remove_file(Path::new(path))?;
        self.names.sync_all();
        Ok(())
    }

    pub(super) fn revert(&self, path: &str) -> io::Result<()> {
        let file = self.names.find_file(Path::new(path))?;
        let older = self.older.get(path).ok_or(io::ErrorKind::NotFound)?;
        file.replace(older.copy());
        Ok(())
    }

    /// A place of some file: its path and a block of it.
    pub(super) fn draw_place(&self, prng: &mut Prng) -> Option<(String, Rc<FileNode>, u64)> {
        let mut files = self.names.files();
        files.retain(|(_, file)| file.content.borrow().len() >= BLOCK);
        if files.is_empty() {
            return None;
        }
        let (path, file) = files.swap_remove(prng.index(files.len()));
        let blocks = file.content.borrow().len() / BLOCK;
        Some((path, file, prng.below(blocks)))
    }
}
