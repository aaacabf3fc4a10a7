//! How faults begin, strike and end, as the kernel sees it.

use std::rc::Rc;

use super::act::{Act, plan};
use super::armed::{Armed, Phase};
use super::{Fault, Trigger};
use crate::sim::kernel::Kernel;
use crate::sim::node::Node;
use crate::sim::prng::Prng;

impl Kernel {
    /// Takes a fault; its number.
    pub(in crate::sim) fn inject(self: &Rc<Self>, fault: Fault) -> u64 {
        let mut faults = self.faults.borrow_mut();
        let number = faults.armed.len() as u64 + 1;
        let seed = (self.seed ^ number.rotate_left(32)).wrapping_add(0x0fa0_17ed);
        let life = fault.life;
        faults.armed.push(Armed {
            fault,
            prng: Prng::new(seed),
            phase: Phase::Waiting(life),
            undo: None,
        });
        drop(faults);
        if life == 0 {
            self.begin_fault(number as usize - 1);
        }
        number
    }

    /// A process is about to start: faults that waited for it begin.
    pub(in crate::sim) fn begin_faults(self: &Rc<Self>, node: &Node) {
        let mut begun = Vec::new();
        for (index, armed) in self.faults.borrow_mut().armed.iter_mut().enumerate() {
            if let Phase::Waiting(starts) = &mut armed.phase
                && armed.fault.node == node.id
            {
                *starts -= 1;
                if *starts == 0 {
                    begun.push(index);
                }
            }
        }
        for index in begun {
            self.begin_fault(index);
        }
    }

    fn begin_fault(self: &Rc<Self>, index: usize) {
        let mut faults = self.faults.borrow_mut();
        let armed = &mut faults.armed[index];
        let count = match armed.fault.trigger {
            Trigger::Now => 0,
            Trigger::Polls(count) | Trigger::Starts(_, count) | Trigger::Ends(_, count) => {
                count.max(1)
            },
            Trigger::After(time) => {
                self.after(time.as_nanos() as u64, move |kernel| {
                    kernel.faults.borrow_mut().count_down(index);
                });
                1
            },
        };
        armed.phase = Phase::Counting(count);
        if count == 0 {
            faults.count_down(index);
            drop(faults);
            self.strike_due();
        }
    }

    /// Lets faults strike whose time has come. Called between steps, where nothing is borrowed.
    pub(in crate::sim) fn strike_due(self: &Rc<Self>) {
        loop {
            let mut faults = self.faults.borrow_mut();
            if faults.due.is_empty() {
                return;
            }
            let index = faults.due.remove(0);
            let armed = &mut faults.armed[index];
            let (fault, mut prng) = (armed.fault.clone(), Prng::new(armed.prng.next()));
            drop(faults);
            let node = Rc::clone(&self.nodes.borrow()[fault.node.0]);
            let planned = plan(&node, &fault.kind, &mut prng);
            let what = format!("{}: {}", node.name, planned.what);
            if self.faults.borrow_mut().write_down(self, index, what) {
                self.act(index, planned.act);
            }
        }
    }

    fn act(self: &Rc<Self>, index: usize, act: Act) {
        let Some((undo, lasts)) = act(self) else {
            return;
        };
        self.faults.borrow_mut().armed[index].undo = Some(undo);
        if let Some(lasts) = lasts {
            self.after(lasts.as_nanos() as u64, move |kernel| {
                kernel.undo_fault(index);
            });
        }
    }

    fn undo_fault(self: &Rc<Self>, index: usize) {
        let undo = self.faults.borrow_mut().armed[index].undo.take();
        if let Some(undo) = undo {
            undo(self);
        }
    }

    /// Ends every fault: what lasts is undone, what is to come does not come.
    pub(in crate::sim) fn end_faults(self: &Rc<Self>) {
        let count = {
            let mut faults = self.faults.borrow_mut();
            faults.due.clear();
            for armed in &mut faults.armed {
                armed.phase = Phase::Over;
            }
            faults.armed.len()
        };
        for index in 0..count {
            self.undo_fault(index);
        }
    }
}
