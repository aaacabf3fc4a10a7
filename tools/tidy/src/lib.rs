//! The rules of the house as tests: who may import whom, where `unsafe` may stand, what lies at the
//! top level, which words are not written, that docs and tests are there.
//!
//! It is not a linter of Rust: clippy and rustfmt judge code, this judges the house. A rule is a
//! function from the [`Tree`] of files to [`Violation`]s, each with a test that shows it a breach;
//! `cargo test -p tools-tidy` runs them all on the repository.
//!
//! First file to read: `rules/mod.rs`, the list of rules.

#![forbid(unsafe_code)]

mod manifest;
pub mod rules;
mod source;
mod tree;

pub use tree::{File, Tree, Violation};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tree = Tree::read(&root).expect("the repository can be read");
        assert!(tree.files.len() > 50, "the repository was found");
        let violations = rules::check(&tree);
        let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
        assert!(
            list.is_empty(),
            "{} violations:\n{}",
            list.len(),
            list.join("\n")
        );
    }
}
