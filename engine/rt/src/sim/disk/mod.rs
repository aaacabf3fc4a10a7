//! The disk of a node: it survives the node's crashes, as far as it was asked to.
//!
//! Rules, each with its test in `tests.rs`: a durable write makes durable its own cells and nothing
//! else; a flush covers the writes of its file that had completed when it was submitted; sizes,
//! unwritten extents and names are volatile until the file or the directory is flushed. A power cut
//! leaves every cell that was not flushed old, new or torn.

mod calls;
mod content;
mod faults;
mod file;
mod names;
mod ops;
mod ranges;
mod view;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use content::{BLOCK, Mercy};
use faults::Faults;
pub use faults::{DiskOp, Fault, FaultKind};
use file::Usage;
pub(super) use file::{FileNode, OpenFile};
use names::{Names, ROOT};
use ops::InFlight;
pub(super) use ops::{SyncOp, Work, WriteOp};
pub use view::DiskView;

use super::context::Context;
use super::kernel::{Decision, Kernel};
use super::node::CrashKind;
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
    faults: Faults,
}

impl Disk {
    /// An empty disk.
    pub(super) fn new(options: DiskOptions, file_system: u64) -> Self {
        Self::with(State {
            options,
            names: Names::default(),
            usage: Usage::default(),
            file_system,
            next_inode: ROOT + 1,
            in_flight: BTreeMap::new(),
            next_operation: 0,
            faults: Faults::default(),
        })
    }

    fn with(state: State) -> Self {
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
        Self::with(State {
            options: state.options.clone(),
            names,
            usage,
            file_system,
            next_inode: state.next_inode,
            in_flight: BTreeMap::new(),
            next_operation: 0,
            faults: Faults::default(),
        })
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
    pub(super) fn submit(&self, context: &Rc<Context>, op: DiskOp, path: &Path, work: Work) {
        if context.life.is_over() {
            return;
        }
        let kernel = &context.kernel;
        let mut state = self.state.borrow_mut();
        let number = state.next_operation;
        state.next_operation += 1;
        let nanos = state.latency(&mut kernel.prng.borrow_mut());
        kernel.fold(Decision::DiskStart, number ^ (nanos << 8));
        kernel.count(|stats| stats.disk_operations += 1);
        let node = Rc::clone(&context.node);
        let event = kernel.after(nanos, move |kernel| node.disk.complete(kernel, number));
        let (context, path) = (Rc::clone(context), path.to_owned());
        context.in_flight.set(context.in_flight.get() + 1);
        self.starts.set(self.starts.get() + 1);
        state.in_flight.insert(
            number,
            InFlight {
                context,
                op,
                path,
                work,
                event,
            },
        );
    }

    fn complete(&self, kernel: &Rc<Kernel>, number: u64) {
        let mut state = self.state.borrow_mut();
        let Some(operation) = state.in_flight.remove(&number) else {
            return;
        };
        kernel.fold(Decision::DiskEnd, number);
        self.ends.set(self.ends.get() + 1);
        let context = operation.context;
        let prng = &mut *kernel.prng.borrow_mut();
        let State {
            faults, options, ..
        } = &mut *state;
        let fault = faults.draw(operation.op, &operation.path, options, prng);
        if let Some(error) = &fault {
            let (op, path) = (operation.op, operation.path.display());
            kernel.trace(|| format!("{}: {op:?} of {path}: {error}", context.name()));
            kernel.count(|stats| stats.disk_faults += 1);
        }
        match operation.work {
            Work::Write(write) => write.end_with(options.capacity, prng, fault),
            Work::Sync(sync) => sync.end_with(prng, fault),
            Work::Call(call) => call(&mut state, prng, fault),
        }
        drop(state);
        context.in_flight.set(context.in_flight.get() - 1);
        kernel.finish_if_idle(&context);
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

type EventKeys = Vec<super::events::EventKey>;

impl State {
    fn latency(&self, prng: &mut Prng) -> u64 {
        let nanos = prng.nanos(&self.options.latency);
        if prng.chance(self.options.stall_probability) {
            return nanos + prng.nanos(&self.options.stall);
        }
        nanos
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
                Work::Write(write) => write.be_cut(self.options.capacity, prng),
                Work::Call(call) if prng.coin() => call(self, prng, None),
                // What a flush covers is left to chance with the rest.
                Work::Call(_) | Work::Sync(_) => {},
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
