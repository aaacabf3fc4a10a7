//! The shape of the house: its top level, the length of files, docs, tests and lints of crates.

use crate::manifest::{Crate, crates};
use crate::tree::{File, Tree, Violation};

/// What may lie at the top level, beside dot files.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "rust-toolchain.toml",
    "engine",
    "net",
    "cluster",
    "tools",
    "bench",
    "ci",
];

const LINES_MAX: usize = 1000;

/// Files that people read; a data file may be as long as it is.
const SOURCES: &[&str] = &["rs", "py", "java", "go", "js", "sh", "md", "toml"];

/// Shortest crate docs that say what it is, what it is not and where to begin.
const DOC_LINES_MIN: usize = 4;

/// The top level holds the rooms and nothing else.
pub(super) fn top_level(tree: &Tree) -> Vec<Violation> {
    let mut names: Vec<&str> = tree
        .files
        .iter()
        .filter_map(|file| file.path.split('/').next())
        .collect();
    names.dedup();
    let strangers = names
        .into_iter()
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(name));
    strangers
        .map(|name| Violation::file(name, "does not belong at the top level"))
        .collect()
}

/// A file is read in one sitting.
pub(super) fn length_of_files(tree: &Tree) -> Vec<Violation> {
    let is_source = |file: &&File| SOURCES.iter().any(|extension| file.is(extension));
    let sources = tree.files.iter().filter(is_source);
    let lengths = sources.map(|file| (file, file.text.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > LINES_MAX);
    long.map(|(file, lines)| {
        let message = format!("{lines} lines; split it, no file is over {LINES_MAX}");
        Violation::file(&file.path, message)
    })
    .collect()
}

/// A crate opens with what it is, what it is not, and the first file to read.
pub(super) fn docs_of_crates(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for one in crates(tree) {
        let Some(file) = root_file(tree, &one) else {
            violations.push(Violation::file(
                &one.manifest(),
                "the crate has no lib.rs or main.rs",
            ));
            continue;
        };
        let docs = file.text.lines().take_while(|line| line.starts_with("//!"));
        if docs.count() < DOC_LINES_MIN {
            let message = "opens with docs: what it is, what it is not, first file to read";
            violations.push(Violation::file(&file.path, message));
        }
    }
    violations
}

fn root_file<'a>(tree: &'a Tree, one: &Crate) -> Option<&'a File> {
    let roots = ["src/lib.rs", "src/main.rs"].map(|name| format!("{}/{name}", one.directory));
    tree.files.iter().find(|file| roots.contains(&file.path))
}

/// A crate has tests somewhere.
pub(super) fn tests_of_crates(tree: &Tree) -> Vec<Violation> {
    let is_tested = |one: &Crate| {
        let mut sources = tree.below(&one.directory).filter(|file| file.is("rs"));
        sources.any(|file| file.text.contains("#[test]") || file.text.contains("criterion_group!"))
    };
    let crates = crates(tree).into_iter().filter(|one| !is_tested(one));
    crates
        .map(|one| Violation::file(&one.manifest(), "the crate has no test"))
        .collect()
}

/// The lints of the workspace hold in every crate.
pub(super) fn lints_of_crates(tree: &Tree) -> Vec<Violation> {
    let crates = crates(tree)
        .into_iter()
        .filter(|one| !one.has_workspace_lints);
    let message = "add [lints] workspace = true";
    crates
        .map(|one| Violation::file(&one.manifest(), message))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, tree};
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"x\"\n[lints]\nworkspace = true\n";

    #[test]
    fn a_stranger_at_the_top_level_is_found() {
        let files = [
            (".ci/run", ""),
            ("Cargo.toml", ""),
            ("docs/a.md", ""),
            ("engine/rt/a.rs", ""),
            ("notes.md", ""),
        ];
        assert_eq!(found(&top_level(&tree(&files))), ["docs", "notes.md"]);
    }

    #[test]
    fn a_long_file_is_found() {
        let (fits, long) = ("a\n".repeat(1000), "a\n".repeat(1001));
        let files = [("a.rs", &*fits), ("b.rs", &*long), ("c.csv", &*long)];
        assert_eq!(found(&length_of_files(&tree(&files))), ["b.rs"]);
    }

    #[test]
    fn missing_docs_are_found() {
        let files = [
            ("engine/a/Cargo.toml", MANIFEST),
            (
                "engine/a/src/lib.rs",
                "//! A.\n//!\n//! Not B.\n//! See c.rs.\n",
            ),
            ("engine/b/Cargo.toml", MANIFEST),
            ("engine/b/src/lib.rs", "//! .\n"),
            ("engine/c/Cargo.toml", MANIFEST),
        ];
        assert_eq!(
            found(&docs_of_crates(&tree(&files))),
            ["engine/b/src/lib.rs", "engine/c/Cargo.toml"]
        );
    }

    #[test]
    fn missing_tests_are_found() {
        let files = [
            ("engine/a/Cargo.toml", MANIFEST),
            ("engine/a/tests/t.rs", "#[test]\nfn t() {}\n"),
            ("engine/ab/Cargo.toml", MANIFEST),
            ("engine/ab/src/lib.rs", "//! #[tests]\n"),
        ];
        assert_eq!(
            found(&tests_of_crates(&tree(&files))),
            ["engine/ab/Cargo.toml"]
        );
    }

    #[test]
    fn missing_lints_are_found() {
        let files = [
            ("engine/a/Cargo.toml", MANIFEST),
            ("engine/b/Cargo.toml", "[package]\nname = \"b\"\n"),
        ];
        assert_eq!(
            found(&lints_of_crates(&tree(&files))),
            ["engine/b/Cargo.toml"]
        );
    }
}
