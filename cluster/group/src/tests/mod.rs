//! What a coordinator does, seen from outside.

mod consumers;
mod history;
mod migration;
mod offsets;
mod rebalances;
mod rig;
mod statics;
