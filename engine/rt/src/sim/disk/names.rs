//! Directories: which names lead where now, and which of them survive a power cut.
//!
//! A change of names (create, rename, unlink, mkdir, rmdir) is volatile until a directory it
//! touches is synced. A power cut keeps any of the changes that are not durable, each as a whole
//! and no change without those before it on the same names.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};
use std::rc::Rc;

use super::file::FileNode;
use crate::sim::prng::Prng;

/// A directory by its inode number, and a name in it.
pub(super) type Name = (u64, String);

/// The root directory's inode number. It always exists.
pub(super) const ROOT: u64 = 2;

#[derive(Clone)]
pub(super) enum Entry {
    Dir(u64),
    File(Rc<FileNode>),
}

/// One atomic change: names and where they lead from then on.
struct Change {
    sets: Vec<(Name, Option<Entry>)>,
}

#[derive(Default)]
pub(super) struct Names {
    live: BTreeMap<Name, Entry>,
    durable: BTreeMap<Name, Entry>,
    changes: Vec<Change>,
}

impl Names {
    /// The entry that `path` leads to.
    pub(super) fn find(&self, path: &Path) -> io::Result<Entry> {
        let mut at = Entry::Dir(ROOT);
        for name in components(path)? {
            let Entry::Dir(dir) = at else {
                return Err(io::ErrorKind::NotADirectory.into());
            };
            let found = self.live.get(&(dir, name.to_owned()));
            at = found.cloned().ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    pub(super) fn find_dir(&self, path: &Path) -> io::Result<u64> {
        match self.find(path)? {
            Entry::Dir(inode) => Ok(inode),
            Entry::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn find_file(&self, path: &Path) -> io::Result<Rc<FileNode>> {
        match self.find(path)? {
            Entry::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
            Entry::File(node) => Ok(node),
        }
    }

    /// The directory that `path` is in, which exists, and its name there.
    pub(super) fn place_of(&self, path: &Path) -> io::Result<Name> {
        let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let name = components(path)?.pop().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.find_dir(parent)?, name.to_owned()))
    }

    pub(super) fn get(&self, name: &Name) -> Option<&Entry> {
        self.live.get(name)
    }

    /// The names in a directory, sorted.
    pub(super) fn list(&self, dir: u64) -> impl Iterator<Item = (&str, &Entry)> {
        let first = (dir, String::new());
        let entries = self
            .live
            .range(first..)
            .take_while(move |((inode, _), _)| *inode == dir);
        entries.map(|((_, name), entry)| (name.as_str(), entry))
    }

    /// Adds a name that is not there.
    pub(super) fn create(&mut self, name: Name, entry: Entry) {
        self.apply(Change {
            sets: vec![(name, Some(entry))],
        });
    }

    /// Removes the name of a file.
    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.find_file(path)?;
        let name = self.place_of(path)?;
        self.apply(Change {
            sets: vec![(name, None)],
        });
        Ok(())
    }

    /// Removes the name of an empty directory.
    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let dir = self.find_dir(path)?;
        if self.list(dir).next().is_some() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let name = self.place_of(path)?;
        self.apply(Change {
            sets: vec![(name, None)],
        });
        Ok(())
    }

    /// Renames a file or directory, replacing a file at `to`.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let entry = self.find(from)?;
        let (from, to) = (self.place_of(from)?, self.place_of(to)?);
        if from == to {
            return Ok(());
        }
        if let Some(Entry::Dir(_)) = self.get(&to) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.apply(Change {
            // The new name first: a file without any gives its space back.
            sets: vec![(to, Some(entry)), (from, None)],
        });
        Ok(())
    }

    fn apply(&mut self, change: Change) {
        for (name, entry) in &change.sets {
            set(&mut self.live, name, entry.as_ref());
        }
        self.changes.push(change);
    }

    /// Makes the names in a directory durable, and what they depend on.
    pub(super) fn sync(&mut self, dir: u64) {
        self.commit(|change| change.sets.iter().any(|((inode, _), _)| *inode == dir));
    }

    /// Makes every name durable.
    pub(super) fn sync_all(&mut self) {
        self.commit(|_| true);
    }

    /// Commits the changes that `chosen` picks, and those before them on the same names.
    fn commit(&mut self, mut chosen: impl FnMut(&Change) -> bool) {
        let mut needed = BTreeSet::new();
        let mut committed = Vec::new();
        let mut kept = Vec::new();
        for change in std::mem::take(&mut self.changes).into_iter().rev() {
            let is_needed = change.sets.iter().any(|(name, _)| needed.contains(name));
            if chosen(&change) || is_needed {
                needed.extend(change.sets.iter().map(|(name, _)| name.clone()));
                committed.push(change);
            } else {
                kept.push(change);
            }
        }
        kept.reverse();
        self.changes = kept;
        for (name, entry) in committed.into_iter().rev().flat_map(|change| change.sets) {
            match entry {
                Some(entry) => self.durable.insert(name, entry),
                None => self.durable.remove(&name),
            };
        }
    }

    /// The power fails: some of the changes that are not durable are, the others are forgotten.
    pub(super) fn cut(&mut self, prng: &mut Prng, keep: f64) {
        self.commit(|_| prng.chance(keep));
        self.changes.clear();
    }

    /// Begins again with the durable names: what leads nowhere is gone, the others lead to what
    /// `renew` makes of their files.
    pub(super) fn reboot(&mut self, mut renew: impl FnMut(&FileNode) -> Rc<FileNode>) {
        let mut durable = std::mem::take(&mut self.durable);
        let mut dirs = vec![ROOT];
        while let Some(dir) = dirs.pop() {
            let first = (dir, String::new());
            let names = durable.range(first..).map(|(name, _)| name);
            let names: Vec<_> = names.take_while(|name| name.0 == dir).cloned().collect();
            for name in names {
                let entry = match durable.remove(&name) {
                    Some(Entry::File(node)) => Entry::File(renew(&node)),
                    Some(Entry::Dir(inode)) => {
                        dirs.push(inode);
                        Entry::Dir(inode)
                    },
                    None => continue,
                };
                self.durable.insert(name, entry);
            }
        }
        self.live = BTreeMap::new();
        for (name, entry) in &self.durable {
            set(&mut self.live, name, Some(entry));
        }
    }

    /// Every file with its path.
    pub(super) fn files(&self) -> Vec<(String, Rc<FileNode>)> {
        let mut files = Vec::new();
        let mut dirs = vec![(ROOT, String::new())];
        while let Some((dir, path)) = dirs.pop() {
            for (name, entry) in self.list(dir) {
                let path = format!("{path}/{name}");
                match entry {
                    Entry::Dir(inode) => dirs.push((*inode, path)),
                    Entry::File(node) => files.push((path, Rc::clone(node))),
                }
            }
        }
        files.sort_by(|(one, _), (two, _)| one.cmp(two));
        files
    }

    /// A copy of all names, durable, that lead to what `copied` makes of their files.
    pub(super) fn copy(&self, mut copied: impl FnMut(&FileNode) -> Rc<FileNode>) -> Self {
        let mut copy = Self::default();
        for (name, entry) in &self.live {
            let entry = match entry {
                Entry::Dir(inode) => Entry::Dir(*inode),
                Entry::File(node) => Entry::File(copied(node)),
            };
            set(&mut copy.live, name, Some(&entry));
            copy.durable.insert(name.clone(), entry);
        }
        copy
    }
}

/// Changes a live name, telling files how many names they have.
fn set(live: &mut BTreeMap<Name, Entry>, name: &Name, entry: Option<&Entry>) {
    if let Some(Entry::File(node)) = entry {
        node.acquire();
    }
    let before = match entry {
        Some(entry) => live.insert(name.clone(), entry.clone()),
        None => live.remove(name),
    };
    if let Some(Entry::File(node)) = before {
        node.release();
    }
}

/// The names on the way to `path` from the root. A relative path begins there too.
fn components(path: &Path) -> io::Result<Vec<&str>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {},
            Component::Normal(name) => {
                names.push(name.to_str().ok_or(io::ErrorKind::InvalidInput)?);
            },
            Component::ParentDir | Component::Prefix(_) => {
                return Err(io::ErrorKind::InvalidInput.into());
            },
        }
    }
    Ok(names)
}
