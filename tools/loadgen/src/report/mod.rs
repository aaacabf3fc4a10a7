//! What a run leaves behind: `result.json` with a versioned schema, an interval log of histograms,
//! a table for the terminal, and a page that opens without a network.

mod chart;
mod curves;
mod hlog;
mod html;
mod result;
mod table;

pub use hlog::write_hlog;
pub use html::page;
pub use result::{
    Environment, Percentiles, Promise, RunResult, SCHEMA, SecondLine, ToldBy, slo_outcome,
};
pub use table::table;

#[cfg(test)]
pub(crate) use result::tests::result as example;
