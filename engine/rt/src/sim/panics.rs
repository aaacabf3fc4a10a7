//! What a panic in a simulation says: the seed that brings it back, and the faults that struck.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Once;

use super::kernel::Kernel;

thread_local! {
    static ACTIVE: RefCell<Weak<Kernel>> = const { RefCell::new(Weak::new()) };
}

/// Has a panic anywhere in a simulation say where it comes from.
pub(super) fn name_seed_in_panics(kernel: &Rc<Kernel>) {
    static HOOK: Once = Once::new();
    ACTIVE.with(|active| *active.borrow_mut() = Rc::downgrade(kernel));
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let active = ACTIVE.try_with(|active| active.try_borrow().ok()?.upgrade());
            if let Ok(Some(kernel)) = active {
                let (seed, nanos) = (kernel.seed, kernel.now());
                eprintln!("simulation of seed {seed}, {nanos} ns after its start:");
                if let Ok(faults) = kernel.faults.try_borrow() {
                    faults
                        .strikes()
                        .iter()
                        .for_each(|strike| eprintln!("  {strike}"));
                }
            }
            before(info);
        }));
    });
}
