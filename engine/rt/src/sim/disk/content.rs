//! The bytes of one file: what a reader sees now, and what a power cut leaves of it.
//!
//! A file is a sparse map of 4 KiB cells. Each has live content and durable content; a cell that
//! was never written, or whose unwritten extent was never converted durably, is zeros. The size has
//! a durable value and a list of changes that are not durable yet, in their order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::rc::Rc;

use super::block::{BLOCK, Block, cut_block, same, torn};
use super::ranges::Ranges;
use crate::buf::{BLOCK_BYTES, BufMut};
use crate::sim::prng::Prng;

#[derive(Clone, Debug, Default)]
struct Cell {
    live: Block,
    durable: Block,
    /// What was live before the last write.
    before: Block,
    /// When `durable` was set, by the content's own count.
    durable_at: u64,
    /// The number of the size change that dropped what was here. As long as that is not durable,
    /// nothing written here since is: the size change decides which blocks the file has.
    cut_by: Option<u64>,
    /// A flush that should have covered it failed: later ones do not, until it is written again.
    lost: bool,
    /// The medium cannot read it, until it is written again.
    bad: bool,
}

#[derive(Clone, Copy, Debug)]
enum SizeChange {
    Grow(u64),
    Cut(u64),
}

/// What a flush covers: everything completed when it was submitted.
#[derive(Debug)]
pub(super) struct Snapshot {
    cells: Vec<(u64, Block)>,
    sizes: u64,
    at: u64,
}

/// How much a power cut spares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mercy {
    /// How likely something that was not flushed has reached the medium all the same.
    pub(super) keep: f64,
    /// How likely a cell is torn otherwise.
    pub(super) tear: f64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    len: u64,
    durable_len: u64,
    sizes: VecDeque<SizeChange>,
    /// How many size changes have become durable: the number of the first in `sizes`.
    sizes_durable: u64,
    cells: BTreeMap<u64, Cell>,
    /// Cells whose live content is not their durable content.
    dirty: BTreeSet<u64>,
    /// Cells that have space on the device.
    pub(super) allocated: Ranges,
    /// Cells in the page cache.
    pub(super) resident: Ranges,
    count: u64,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes of `range`, fewer at the end of the file; `None` where the medium has failed.
    pub(super) fn read(&self, range: Range<u64>) -> Option<BufMut> {
        let end = range.end.min(self.len).max(range.start);
        let mut buf = BufMut::zeroed((end - range.start) as usize);
        for (&index, cell) in self.cells.range(range.start / BLOCK..end.div_ceil(BLOCK)) {
            if cell.bad {
                return None;
            }
            let Some(block) = &cell.live else { continue };
            let start = (index * BLOCK).max(range.start);
            let stop = ((index + 1) * BLOCK).min(end);
            let from = (start - index * BLOCK) as usize;
            let to = (stop - index * BLOCK) as usize;
            buf[(start - range.start) as usize..(stop - range.start) as usize]
                .copy_from_slice(&block[from..to]);
        }
        Some(buf)
    }

    /// Writes one cell, volatile.
    pub(super) fn write(&mut self, index: u64, block: Block) {
        self.resident.remove(&(index..index + 1));
        if block.is_none() && !self.cells.contains_key(&index) {
            // Zeros where there are zeros: a file zeroed ahead costs nothing.
            return;
        }
        let cell = self.cells.entry(index).or_default();
        cell.before = std::mem::replace(&mut cell.live, block);
        cell.lost = false;
        cell.bad = false;
        self.settle(index);
    }

    /// Makes one cell durable as `block`, which was written to it.
    pub(super) fn harden(&mut self, index: u64, block: Block) {
        self.count += 1;
        let cell = self.cells.entry(index).or_default();
        // One copy in memory where live and durable are the same.
        cell.durable = if same(&cell.live, &block) {
            cell.live.clone()
        } else {
            block
        };
        cell.durable_at = self.count;
        self.settle(index);
    }

    /// Commits the metadata that reading up to `end` needs, as a durable write does.
    pub(super) fn harden_size(&mut self, end: u64) {
        let cut_below = |change: &SizeChange| matches!(change, SizeChange::Cut(len) if *len < end);
        if self.sizes.iter().any(cut_below) {
            let all = self.sizes_durable + self.sizes.len() as u64;
            self.commit_sizes(all);
        }
        self.durable_len = self.durable_len.max(end.min(self.len));
    }

    /// Lets the size cover `end`.
    pub(super) fn grow(&mut self, end: u64) {
        if end > self.len {
            self.len = end;
            self.sizes.push_back(SizeChange::Grow(end));
        }
    }

    /// Sets the size; bytes beyond are gone.
    pub(super) fn set_len(&mut self, len: u64) {
        if len >= self.len {
            return self.grow(len);
        }
        self.len = len;
        let number = self.sizes_durable + self.sizes.len() as u64;
        self.sizes.push_back(SizeChange::Cut(len));
        let beyond: Vec<_> = self
            .cells
            .range(len / BLOCK..)
            .map(|(&index, _)| index)
            .collect();
        for index in beyond {
            let cell = self.cells.entry(index).or_default();
            cell.live = cut_block(&cell.live, index, len);
            if index * BLOCK >= len {
                cell.cut_by = Some(number);
            }
            self.settle(index);
        }
        self.allocated.remove(&(len.div_ceil(BLOCK)..u64::MAX));
        self.resident.remove(&(len / BLOCK..u64::MAX));
    }

    /// Remembers what a flush that is submitted now will cover.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.count += 1;
        let cells = self.dirty.iter().filter_map(|&index| {
            let cell = &self.cells[&index];
            (!cell.lost).then(|| (index, cell.live.clone()))
        });
        Snapshot {
            cells: cells.collect(),
            sizes: self.sizes_durable + self.sizes.len() as u64,
            at: self.count,
        }
    }

    /// Makes durable what `snapshot` covers.
    pub(super) fn commit(&mut self, snapshot: Snapshot) {
        self.commit_sizes(snapshot.sizes);
        for (index, block) in snapshot.cells {
            self.commit_cell(index, block, snapshot.at);
        }
    }

    /// A flush failed: some of what it covers is durable, the rest is lost to later flushes.
    pub(super) fn fail(&mut self, snapshot: Snapshot, prng: &mut Prng) {
        for (index, block) in snapshot.cells {
            if prng.coin() && !self.is_cut_pending(index) {
                self.commit_cell(index, block, snapshot.at);
            } else if let Some(cell) = self.cells.get_mut(&index) {
                cell.lost |= same(&cell.live, &block);
            }
        }
    }

    fn commit_cell(&mut self, index: u64, block: Block, at: u64) {
        // A cell forgotten meanwhile, by a cut that is not durable, comes back.
        let cell = self.cells.entry(index).or_default();
        // A durable write after the flush was submitted has put something newer there.
        if cell.durable_at < at {
            cell.durable = block;
            cell.durable_at = at;
            self.settle(index);
        }
    }

    /// Makes size changes durable up to the one numbered `until`.
    fn commit_sizes(&mut self, until: u64) {
        while self.sizes_durable < until {
            self.sizes_durable += 1;
            match self.sizes.pop_front() {
                Some(SizeChange::Grow(len)) => self.durable_len = self.durable_len.max(len),
                Some(SizeChange::Cut(len)) => self.cut_durable(len),
                None => return,
            }
        }
    }

    fn cut_durable(&mut self, len: u64) {
        self.durable_len = self.durable_len.min(len);
        let beyond: Vec<_> = self
            .cells
            .range(len / BLOCK..)
            .map(|(&index, _)| index)
            .collect();
        for index in beyond {
            let cell = self.cells.entry(index).or_default();
            cell.durable = cut_block(&cell.durable, index, len);
            self.settle(index);
        }
    }

    /// Whether the cell was dropped by a size change that is not durable yet.
    fn is_cut_pending(&self, index: u64) -> bool {
        let cut_by = self.cells.get(&index).and_then(|cell| cell.cut_by);
        cut_by.is_some_and(|number| number >= self.sizes_durable)
    }

    /// Keeps `dirty` right after a change of a cell, and forgets cells of zeros.
    fn settle(&mut self, index: u64) {
        let Some(cell) = self.cells.get(&index) else {
            return;
        };
        let clean = match (&cell.live, &cell.durable) {
            (Some(live), Some(durable)) => Rc::ptr_eq(live, durable),
            (live, durable) => live.is_none() && durable.is_none(),
        };
        if !clean {
            self.dirty.insert(index);
            return;
        }
        self.dirty.remove(&index);
        // A flush in flight may still come with older content: the count says that it is older.
        let forgettable = cell.live.is_none() && cell.durable_at == 0 && !cell.bad;
        if forgettable {
            self.cells.remove(&index);
        }
    }

    /// What a power cut leaves: every cell that was not flushed kept, torn or as it was, the size
    /// changes up to some point.
    pub(super) fn cut(&mut self, prng: &mut Prng, mercy: Mercy) -> usize {
        let kept = self
            .sizes
            .iter()
            .take_while(|_| prng.chance(mercy.keep))
            .count() as u64;
        self.commit_sizes(self.sizes_durable + kept);
        let dirty = std::mem::take(&mut self.dirty);
        for &index in &dirty {
            if self.is_cut_pending(index) {
                continue;
            }
            let cell = self.cells.get_mut(&index).expect("dirty cells exist");
            cell.durable = after_cut(cell, prng, mercy);
        }
        self.sizes.clear();
        self.cut_durable(self.durable_len);
        self.len = self.durable_len;
        for cell in self.cells.values_mut() {
            cell.live = cell.durable.clone();
            cell.durable_at = 0;
            cell.cut_by = None;
            cell.lost = false;
        }
        self.cells.retain(|_, cell| cell.live.is_some() || cell.bad);
        self.dirty.clear();
        self.allocated.remove(&(self.len.div_ceil(BLOCK)..u64::MAX));
        self.resident = Ranges::default();
        dirty.len()
    }

    /// A copy whose live content is durable, as a copying tool makes it.
    pub(super) fn copy(&self) -> Self {
        let mut copy = self.clone();
        let everything = copy.snapshot();
        copy.commit(everything);
        copy.resident = Ranges::default();
        copy
    }

    /// Damages the medium: changes bytes that were durable and seen, behind everybody's back.
    pub(super) fn damage(&mut self, pos: u64, change: impl FnOnce(&mut u8)) {
        let index = pos / BLOCK;
        let was_clean = !self.dirty.contains(&index);
        let cell = self.cells.entry(index).or_default();
        let mut block = cell.live.as_deref().copied().unwrap_or([0; BLOCK_BYTES]);
        change(&mut block[(pos % BLOCK) as usize]);
        cell.live = Some(Rc::new(block));
        if was_clean {
            cell.durable.clone_from(&cell.live);
        }
    }

    /// Cells of a range with what they held before their last write.
    pub(super) fn older_blocks(&self, cells: &Range<u64>) -> Vec<(u64, Block)> {
        let written = self.cells.range(cells.clone());
        let older = written.filter(|(_, cell)| !same(&cell.live, &cell.before));
        older
            .map(|(&index, cell)| (index, cell.before.clone()))
            .collect()
    }

    /// Cells that are not all zeros.
    pub(super) fn blocks_with_bytes(&self) -> Vec<u64> {
        let written = self.cells.iter().filter(|(_, cell)| cell.live.is_some());
        written.map(|(&index, _)| index).collect()
    }

    pub(super) fn has_bytes(&self) -> bool {
        self.cells.values().any(|cell| cell.live.is_some())
    }

    /// Makes the cell at `pos` unreadable.
    pub(super) fn spoil(&mut self, pos: u64) {
        self.cells.entry(pos / BLOCK).or_default().bad = true;
    }
}

fn after_cut(cell: &Cell, prng: &mut Prng, mercy: Mercy) -> Block {
    if prng.chance(mercy.keep) {
        return cell.live.clone();
    }
    if !prng.chance(mercy.tear) {
        return cell.durable.clone();
    }
    torn(&cell.durable, &cell.live, prng)
}
