//! Segment files: layout, index, footer, and the files themselves.

pub mod footer;
pub mod index;
pub mod layout;
