//! The disk of a node: it survives the node's crashes, as far as it was asked to.
//!
//! Rules, each with its test in `tests/`: a durable write makes durable its own cells and nothing
//! else; a flush covers the writes of its file that had completed when it was submitted; sizes,
//! unwritten extents and names are volatile until the file or the directory is flushed. A power cut
//! leaves every cell that was not flushed old, new or torn.

mod block;
mod calls;
mod content;
mod damage;
mod file;
mod kinds;
mod names;
mod ops;
mod ranges;
mod view;

#[cfg(test)]
pub(in crate::sim) mod tests;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use block::BLOCK;
use content::Mercy;
use damage::Remembered;
use file::Usage;
pub(super) use file::{FileNode, OpenFile};
pub use kinds::DiskOp;
use kinds::error_of;
use names::{Names, ROOT};
use ops::InFlight;
pub(super) use ops::{ReadOp, SyncOp, Work, WriteOp};
pub use view::DiskView;

use super::context::Context;
use super::events::EventKey;
use super::faults::{Effect, Operation, Struck};
use super::kernel::{Decision, Kernel};
use super::node::{CrashKind, Node};
use super::options::DiskOptions;
use super::prng::Prng;

pub(super) struct Disk {
    state: RefCell<State>,
    starts: Cell<u64>,
    ends: Cell<u64>,
}

/// What is on a disk and on its way there.
pub(super) struct State {
    options: DiskOptions,
    names: Names,
    usage: Usage,
    file_system: u64,
    next_inode: u64,
    in_flight: BTreeMap<u64, InFlight>,
    next_operation: u64,
    /// Bytes that somebody else has taken.
    hoarded: u64,
    /// How many reasons there are that no operation ends.
    freezes: u32,
    /// Operations that would have ended meanwhile.
    frozen: Vec<u64>,
    /// Files at the start of this life and of the one before.
    remembered: Remembered,
    older: Remembered,
}

impl Disk {
    /// An empty disk.
    pub(super) fn new(options: DiskOptions, file_system: u64) -> Self {
        let names = Names::default();
        Self::with(options, names, Usage::default(), file_system, ROOT + 1)
    }

    fn with(
        options: DiskOptions,
        names: Names,
        usage: Usage,
        file_system: u64,
        next_inode: u64,
    ) -> Self {
        let state = State {
            options,
            names,
            usage,
            file_system,
            next_inode,
            in_flight: BTreeMap::new(),
            next_operation: 0,
            hoarded: 0,
            freezes: 0,
            frozen: Vec::new(),
            remembered: Remembered::new(),
            older: Remembered::new(),
        };
        Self {
            state: RefCell::new(state),
            starts: Cell::new(0),
            ends: Cell::new(0),
        }
    }

    /// A copy, as a copying tool makes it of what it reads, on another file system.
    pub(super) fn copy(&self, file_system: u64) -> Self {
        let state = self.state.borrow();
        let usage = Usage::default();
        let names = state
            .names
            .copy(|node| FileNode::new(node.content.borrow().copy(), &usage));
        let options = state.options.clone();
        Self::with(options, names, usage, file_system, state.next_inode)
    }

    /// Operations handed to the disk so far.
    pub(super) fn starts(&self) -> u64 {
        self.starts.get()
    }

    /// Operations ended so far.
    pub(super) fn ends(&self) -> u64 {
        self.ends.get()
    }

    /// Hands an operation to the disk, which ends it later. What a dead process asks for while its
    /// tasks are dropped never gets here.
    pub(super) fn submit(&self, context: &Rc<Context>, op: DiskOp, path: &Path, mut work: Work) {
        if context.life.is_over() {
            return;
        }
        let kernel = &context.kernel;
        let bytes = work.bytes();
        let mut struck = kernel.faults.borrow_mut().operation_starts(
            kernel,
            Operation {
                node: context.node.id,
                op,
                path,
                bytes: bytes.as_ref(),
            },
        );
        let mut state = self.state.borrow_mut();
        let number = state.next_operation;
        state.next_operation += 1;
        let mut nanos = state.latency(&mut kernel.prng.borrow_mut());
        if let Some(struck) = &mut struck {
            if let Some(more) = work.be_struck(&state, struck) {
                kernel.faults.borrow_mut().add_detail(struck.fault, &more);
            }
            nanos += struck.effect.longer();
        }
        kernel.fold(Decision::DiskStart, number ^ (nanos << 8));
        kernel.count(|stats| stats.disk_operations += 1);
        context.in_flight.set(context.in_flight.get() + 1);
        self.starts.set(self.starts.get() + 1);
        let operation = InFlight {
            context: Rc::clone(context),
            op,
            path: path.to_owned(),
            bytes,
            work,
            struck,
            event: end_after(context, nanos, number),
        };
        state.in_flight.insert(number, operation);
    }

    fn complete(&self, kernel: &Rc<Kernel>, number: u64) {
        let mut state = self.state.borrow_mut();
        if state.freezes > 0 {
            state.frozen.push(number);
            return;
        }
        let Some(operation) = state.in_flight.remove(&number) else {
            return;
        };
        kernel.fold(Decision::DiskEnd, number);
        let prng = &mut *kernel.prng.borrow_mut();
        let Some(operation) = state.do_part(operation, prng, number) else {
            return;
        };
        self.ends.set(self.ends.get() + 1);
        let context = operation.context;
        kernel.faults.borrow_mut().operation_ends(Operation {
            node: context.node.id,
            op: operation.op,
            path: &operation.path,
            bytes: operation.bytes.as_ref(),
        });
        state.end(operation.work, operation.struck, prng);
        drop(state);
        context.in_flight.set(context.in_flight.get() - 1);
        kernel.finish_if_idle(&context);
    }

    /// Lets no operation end, until [`Disk::thaw`].
    pub(super) fn freeze(&self) {
        self.state.borrow_mut().freezes += 1;
    }

    pub(super) fn thaw(&self, kernel: &Rc<Kernel>, node: &Rc<Node>) {
        let mut state = self.state.borrow_mut();
        state.freezes -= 1;
        if state.freezes > 0 {
            return;
        }
        for number in std::mem::take(&mut state.frozen) {
            let nanos = state.latency(&mut kernel.prng.borrow_mut());
            let node = Rc::clone(node);
            let event = kernel.after(nanos, move |kernel| node.disk.complete(kernel, number));
            if let Some(operation) = state.in_flight.get_mut(&number) {
                operation.event = event;
            }
        }
    }

    /// Bytes that are free for the node.
    pub(super) fn free_bytes(&self) -> u64 {
        let state = self.state.borrow();
        state.room().saturating_sub(state.usage.get() * BLOCK)
    }

    /// Somebody else takes bytes of the file system.
    pub(super) fn hoard(&self, bytes: u64) {
        self.state.borrow_mut().hoarded += bytes;
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.state.borrow_mut().hoarded -= bytes;
    }

    /// The process dies, or the whole machine.
    pub(super) fn crash(&self, kernel: &Kernel, life: u64, kind: CrashKind) {
        let prng = &mut *kernel.prng.borrow_mut();
        let mut state = self.state.borrow_mut();
        let lost = match kind {
            CrashKind::Kill => state.orphan_operations(life, prng),
            CrashKind::PowerCut => state.cut(prng, kernel),
        };
        drop(state);
        let mut events = kernel.events.borrow_mut();
        for event in lost {
            events.remove(event);
        }
    }

    /// Drops what is in flight, at the end of the world.
    pub(super) fn forget_operations(&self) {
        let operations = std::mem::take(&mut self.state.borrow_mut().in_flight);
        drop(operations);
    }

    /// Whether a range is in the page cache. A look may find that it was evicted just now.
    pub(super) fn is_resident(&self, file: &OpenFile, pos: u64, len: usize) -> bool {
        let evict = self.state.borrow().options.evict;
        let evicted = file.context.kernel.prng.borrow_mut().chance(evict);
        let mut content = file.node.content.borrow_mut();
        let cells = cells_of(pos, (pos + len as u64).min(content.len()));
        if evicted {
            content.resident.remove(&cells);
        }
        content.resident.contains(&cells)
    }
}

fn cells_of(pos: u64, end: u64) -> Range<u64> {
    let first = pos / BLOCK;
    first..end.div_ceil(BLOCK).max(first)
}

type EventKeys = Vec<EventKey>;

/// Has operation `number` end `nanos` from now.
fn end_after(context: &Context, nanos: u64, number: u64) -> EventKey {
    let node = Rc::clone(&context.node);
    context
        .kernel
        .after(nanos, move |kernel| node.disk.complete(kernel, number))
}

impl State {
    fn latency(&self, prng: &mut Prng) -> u64 {
        let nanos = prng.nanos(&self.options.latency);
        if prng.chance(self.options.stall_probability) {
            return nanos + prng.nanos(&self.options.stall);
        }
        nanos
    }

    /// What the files may take in all.
    fn room(&self) -> u64 {
        self.options.capacity.saturating_sub(self.hoarded)
    }

    /// Of a write that is done in two parts, does the first and has the rest end later. Anything
    /// else comes back.
    fn do_part(
        &mut self,
        mut operation: InFlight,
        prng: &mut Prng,
        number: u64,
    ) -> Option<InFlight> {
        let Some(Struck {
            effect: Effect::Short,
            prng: chance,
            ..
        }) = &mut operation.struck
        else {
            return Some(operation);
        };
        let Work::Write(write) = operation.work else {
            return Some(operation);
        };
        let (first, rest) = write.split(chance);
        operation.struck = None;
        operation.work = Work::Write(rest);
        let Some(first) = first else {
            return Some(operation);
        };
        first.end_with(self.room(), prng, None);
        let nanos = self.latency(prng);
        operation.event = end_after(&operation.context, nanos, number);
        self.in_flight.insert(number, operation);
        None
    }

    fn end(&mut self, work: Work, struck: Option<Struck>, prng: &mut Prng) {
        let effect = struck.as_ref().map(|struck| struck.effect);
        match work {
            Work::Write(write) => write.end_with(self.room(), prng, effect),
            Work::Read(read) => read.end_with(self, prng, struck),
            Work::Sync(sync) => sync.end_with(prng, effect),
            Work::Call(call) => call(self, prng, effect.and_then(error_of)),
        }
    }

    /// Decides about the operations that a killed process left: some are never carried out, some
    /// wholly, some writes in part. Gives back the events of the first kind.
    fn orphan_operations(&mut self, life: u64, prng: &mut Prng) -> EventKeys {
        let linger = self.options.linger;
        let is_lost = |_: &u64, operation: &mut InFlight| {
            if operation.context.life.number != life {
                return false;
            }
            let lost = !prng.chance(linger);
            if let Work::Write(write) = &mut operation.work
                && prng.coin()
            {
                write.skip_some(prng);
            }
            lost
        };
        let lost = self.in_flight.extract_if(.., is_lost);
        lost.map(|(_, operation)| operation.event).collect()
    }

    /// The power fails: operations in flight have happened wholly, in part or not at all, and what
    /// is not durable is left to chance. Gives back the events of the operations.
    fn cut(&mut self, prng: &mut Prng, kernel: &Kernel) -> EventKeys {
        let mut events = EventKeys::new();
        for operation in std::mem::take(&mut self.in_flight).into_values() {
            events.push(operation.event);
            match operation.work {
                Work::Write(write) => write.be_cut(self.room(), prng),
                Work::Call(call) if prng.coin() => call(self, prng, None),
                // What a flush covers is left to chance with the rest.
                Work::Call(_) | Work::Sync(_) | Work::Read(_) => {},
            }
        }
        self.usage = Usage::default();
        let keep = draw_mercy(prng);
        self.names.cut(prng, keep);
        let mercy = Mercy {
            keep: draw_mercy(prng),
            tear: 0.3,
        };
        let mut exposed = 0;
        self.names.reboot(|node| {
            let mut content = node.content.take();
            exposed += content.cut(prng, mercy);
            FileNode::new(content, &self.usage)
        });
        kernel.count(|stats| stats.cells_exposed += exposed as u64);
        events
    }
}

/// Some power cuts spare everything, some nothing, most something.
fn draw_mercy(prng: &mut Prng) -> f64 {
    [0.0, 0.1, 0.5, 0.9, 1.0][prng.index(5)]
}
