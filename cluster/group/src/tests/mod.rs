//! What a coordinator does, seen from outside.

mod history;
mod offsets;
mod rebalances;
mod rig;
mod statics;
