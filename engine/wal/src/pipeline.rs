//! The journal's groups in order: open, sealed, in flight, durable. Decisions without I/O.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::time::Duration;

use engine_rt::mutant::{self, Mutant};
use engine_rt::{BLOCK_BYTES, Buf, BufMut};

use crate::files::JournalFile;
use crate::frame::{DiskId, EntryKind, FrameHeader, HEADER_BYTES, encode_entry, entry_bytes};
use crate::gather::Gather;
use crate::group::{Flush, OpenGroup, SealedFrame};
use crate::journal::JournalStats;
use crate::recovery::Position;

/// Frames in flight at most.
const DEPTH: usize = 4;
/// A group of this size does not wait for the one flush before it; for each more that is under way
/// it must be twice as large. Groups grow while the disk is busy, and each costs one flush.
const PIPELINE_BYTES: usize = 64 << 10;

/// The file that frames go to now.
pub(crate) struct CurrentFile {
    pub file: JournalFile,
    pub generation: u64,
    pub pos: u64,
}

/// What the journal knows of its groups.
pub(crate) struct State {
    pub current: Option<CurrentFile>,
    pub next_generation: u64,
    /// End of the log as written so far: what the next frame links to.
    pub end: Position,
    /// Frames are kept together in pooled buffers of this size, and are never larger.
    pub frame_bytes_max: usize,
    pub arena: BufMut,
    /// 1 while a group that was taken waits for a file: it has the next sequence already.
    pub taken: u64,
    pub open: Option<OpenGroup>,
    pub sealed: VecDeque<OpenGroup>,
    pub gather: Gather,
    pub in_flight: usize,
    /// Frames completed out of order.
    pub completed: BTreeSet<u64>,
    /// Every frame up to here is written and, if it asked for it, flushed.
    pub durable: u64,
    /// Every frame up to here is flushed.
    pub flushed: u64,
    /// Frames whose extents are still being flushed.
    pub extents: BTreeMap<u64, usize>,
    /// Highest mark that a frame on its way carries.
    pub mark_written: u64,
    /// The last frame that has more than marks in it.
    pub last_entries: u64,
    /// Whether volatile frames wait for a sync.
    pub unsynced: bool,
    pub failed: Option<io::ErrorKind>,
    pub stopping: bool,
    pub life_start: bool,
    pub stats: JournalStats,
}

impl State {
    /// A new life behind `end`; files up to `generation_max` are taken.
    pub(crate) fn after(end: &Position, generation_max: u64, frame_bytes_max: usize) -> Self {
        let last = end.sequence.saturating_sub(1);
        Self {
            current: None,
            next_generation: generation_max + 1,
            end: *end,
            arena: BufMut::with_capacity(frame_bytes_max),
            frame_bytes_max,
            taken: 0,
            open: None,
            sealed: VecDeque::new(),
            gather: Gather::default(),
            in_flight: 0,
            completed: BTreeSet::new(),
            durable: last,
            flushed: last,
            extents: BTreeMap::new(),
            mark_written: last,
            last_entries: last,
            unsynced: false,
            failed: None,
            stopping: false,
            life_start: true,
            stats: JournalStats::default(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.failed.is_some() || (self.stopping && self.open.is_none() && self.sealed.is_empty())
    }

    /// Whether the driver has something to do now.
    pub(crate) fn may_submit(&self) -> bool {
        if self.is_over() {
            return true;
        }
        let Some(group) = self.sealed.front().or(self.open.as_ref()) else {
            return false;
        };
        let enough = PIPELINE_BYTES << self.in_flight.saturating_sub(1);
        let large = group.body_bytes >= enough || !self.sealed.is_empty();
        // What was only written is flushed with the file, which covers completed writes alone.
        let pipelined = large && self.in_flight < DEPTH && !self.unsynced;
        self.in_flight == 0 || pipelined
    }

    /// For how many entries the open group waits, and how long. One that asks for no flush does not.
    pub(crate) fn begin_gathering(&mut self) -> Option<(u32, Duration)> {
        if self.wants_no_company(u32::MAX) {
            return None;
        }
        let group = self.open.as_ref().filter(|group| group.durable)?;
        if group.marks_only {
            return None;
        }
        self.gather.begin(group.entries)
    }

    /// Whether the open group has `entries`, or goes for another reason.
    pub(crate) fn wants_no_company(&self, entries: u32) -> bool {
        let large =
            |group: &OpenGroup| group.entries >= entries || group.body_bytes >= PIPELINE_BYTES;
        self.is_over() || !self.sealed.is_empty() || self.open.as_ref().is_some_and(large)
    }

    pub(crate) fn end_gathering(&mut self) {
        let entries = self.open.as_ref().map_or(0, |group| group.entries);
        self.gather.end(entries);
    }

    /// The sequence that the open group will have.
    pub(crate) fn open_sequence(&self) -> u64 {
        self.end.sequence + self.taken + self.sealed.len() as u64
    }

    /// Closes the open group if `needed` bytes do not fit in it.
    pub(crate) fn make_room(&mut self, needed: usize) {
        let fits = |group: &OpenGroup| {
            HEADER_BYTES + group.body_bytes + needed <= self.frame_bytes_max
                && needed + BLOCK_BYTES <= self.arena.len()
        };
        if let Some(group) = self.open.take_if(|group| !fits(group)) {
            let group = self.close(group);
            self.sealed.push_back(group);
        }
        if self.open.is_none() {
            if self.arena.len() < HEADER_BYTES + needed + BLOCK_BYTES {
                self.arena = BufMut::with_capacity(self.frame_bytes_max);
            }
            let header = self.arena.split_to(HEADER_BYTES);
            self.open = Some(OpenGroup {
                header,
                body: Buf::new(),
                body_bytes: 0,
                entries: 0,
                durable: false,
                marks_only: true,
            });
        }
    }

    pub(crate) fn place(
        &mut self,
        kind: EntryKind,
        payload_bytes: usize,
        durable: bool,
        fill: impl FnOnce(&mut [u8]),
    ) -> Buf {
        let mut entry = self.arena.split_to(entry_bytes(payload_bytes));
        let range = encode_entry(&mut entry, kind, payload_bytes);
        fill(&mut entry[range.clone()]);
        let entry = entry.freeze();
        let payload = entry.slice(range);
        let group = self.open.as_mut().expect("room was made");
        group.extend(&entry);
        group.body_bytes = group.body.len();
        group.entries += 1;
        group.durable |= durable;
        group.marks_only &= kind == EntryKind::MARK;
        payload
    }

    /// Ends a group: the arena goes on at the next block.
    pub(crate) fn close(&mut self, mut group: OpenGroup) -> OpenGroup {
        let used = HEADER_BYTES + group.body_bytes;
        let padding = group.frame_bytes() as usize - used;
        if padding > 0 {
            let mut zeros = self.arena.split_to(padding);
            zeros.fill(0);
            group.extend(&zeros.freeze());
        }
        group
    }

    pub(crate) fn take_group(&mut self) -> OpenGroup {
        self.taken = 1;
        if let Some(group) = self.sealed.pop_front() {
            return group;
        }
        let group = self.open.take().expect("the driver saw a group");
        self.close(group)
    }

    pub(crate) fn has_room(&self, frame_bytes: u64) -> bool {
        self.current
            .as_ref()
            .is_some_and(|file| file.pos + frame_bytes <= file.file.len)
    }

    /// Links the group to the frame before and fixes its bytes.
    pub(crate) fn seal(
        &mut self,
        group: OpenGroup,
        disk_id: DiskId,
        journal_id: u32,
    ) -> SealedFrame {
        let flushed_mark = self.flushed_mark();
        let frame_bytes = group.frame_bytes();
        let current = self.current.as_mut().expect("rolled to a file with room");
        let sequence = self.end.sequence;
        let header = FrameHeader {
            disk_id,
            journal_id,
            entries: group.entries,
            generation: current.generation,
            sequence,
            flushed_mark,
            prev_generation: self.end.generation,
            prev_crc: self.end.prev_crc,
            body_bytes: group.body_bytes as u32,
            life_start: self.life_start,
            crc: 0,
        };
        let durable = group.durable;
        if !group.marks_only {
            self.last_entries = sequence;
        }
        let (bytes, crc) = group.encode(&header);
        let pos = current.pos;
        current.pos += frame_bytes;
        let (generation, file) = (current.generation, current.file.clone());
        self.end = Position {
            generation,
            pos: pos + frame_bytes,
            sequence: sequence + 1,
            prev_crc: crc,
        };
        self.life_start = false;
        self.taken = 0;
        self.mark_written = flushed_mark;
        self.in_flight += 1;
        self.stats.frames += 1;
        self.stats.bytes += frame_bytes;
        self.stats.entries += u64::from(header.entries);
        let flush = self.flush_of(durable);
        SealedFrame {
            file,
            pos,
            bytes,
            entries: header.entries,
            sequence,
            flush,
        }
    }

    pub(crate) fn flush_of(&mut self, durable: bool) -> Flush {
        match (durable, self.unsynced) {
            (false, _) => {
                self.unsynced = true;
                Flush::None
            },
            (true, true) if mutant::is_active(Mutant::StrongBehindWeak) => Flush::Own,
            (true, true) => Flush::All,
            (true, false) => Flush::Own,
        }
    }

    /// Every frame up to this one is flushed with its extents.
    pub(crate) fn flushed_mark(&self) -> u64 {
        if mutant::is_active(Mutant::MarkPassesExtent) {
            return self.flushed;
        }
        let held = self
            .extents
            .keys()
            .next()
            .map_or(u64::MAX, |frame| frame - 1);
        self.flushed.min(held)
    }

    /// Whether frames were flushed that no frame on disk certifies yet. Marks need no mark.
    pub(crate) fn wants_mark(&self) -> bool {
        let flushed = self.flushed_mark().min(self.last_entries);
        self.in_flight == 0 && flushed > self.mark_written && !mutant::is_active(Mutant::NoMark)
    }

    /// Takes note of a written frame; the new durable end if it moved.
    pub(crate) fn complete(&mut self, frame: &SealedFrame, nanos: u64) -> Option<u64> {
        let open = self.open.as_ref().map_or(0, |group| group.entries);
        self.gather.flushed(frame.entries, open, nanos);
        self.completed.insert(frame.sequence);
        if frame.flush == Flush::All {
            self.unsynced = false;
        }
        let before = self.durable;
        if mutant::is_active(Mutant::AckOutOfOrder) {
            self.durable = self.durable.max(frame.sequence);
        }
        while self.completed.remove(&(self.durable + 1)) {
            self.durable += 1;
        }
        if !self.unsynced {
            self.flushed = self.durable;
        }
        (self.durable > before).then_some(self.durable)
    }
}
