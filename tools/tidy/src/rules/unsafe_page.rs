//! The page of unsafe code: each block stands there with its reason and a test, and nothing else does.

use std::collections::BTreeMap;

use crate::manifest::{Crate, crates};
use crate::source::{code_lines, has_word};
use crate::tree::{File, Tree, Violation};

const HOME: &str = "engine/rt";
const PAGE: &str = "engine/rt/UNSAFE.md";
const SECTION: &str = "## src/";

/// A place in the code, and how many words `unsafe` it has.
type Counts = BTreeMap<(String, String), usize>;

/// The page says what the code has: by file and function, as many rows as blocks.
pub(super) fn page_of_blocks(tree: &Tree) -> Vec<Violation> {
    let mut blocks = Counts::new();
    for file in tree.below(HOME).filter(|file| file.is("rs")) {
        for place in places(file) {
            *blocks.entry((file.path.clone(), place)).or_default() += 1;
        }
    }
    let mut rows = Counts::new();
    for row in rows_of(tree.text(PAGE).unwrap_or_default()) {
        *rows.entry((row.file, row.place)).or_default() += 1;
    }
    let mut violations = Vec::new();
    for ((file, place), count) in &blocks {
        let told = rows.remove(&(file.clone(), place.clone())).unwrap_or(0);
        if told != *count {
            let message = format!("`{place}` has {count} unsafe, {PAGE} tells of {told}");
            violations.push(Violation::file(file, message));
        }
    }
    let gone = rows.into_keys().map(|(file, place)| {
        Violation::file(PAGE, format!("`{place}` in {file} has no unsafe code"))
    });
    violations.extend(gone);
    violations
}

/// Every row has a reason, and names a test that is there.
pub(super) fn page_of_tests(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for row in rows_of(tree.text(PAGE).unwrap_or_default()) {
        let signature = format!("fn {}(", row.test);
        let is_there = |file: &File| file.is("rs") && file.text.contains(&signature);
        if row.reason.is_empty() {
            violations.push(Violation::line(PAGE, row.line, "no reason"));
        }
        if row.test.is_empty() || !tree.below(HOME).any(is_there) {
            let message = format!("there is no test `{}`", row.test);
            violations.push(Violation::line(PAGE, row.line, message));
        }
    }
    violations
}

/// Everything else forbids unsafe code by lint, where no attribute can lift it again.
pub(super) fn unsafe_is_forbidden(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for one in crates(tree).iter().filter(|one| one.directory != HOME) {
        for root in roots(tree, one) {
            if !root.text.contains("#![forbid(unsafe_code)]") {
                let message = "add #![forbid(unsafe_code)]";
                violations.push(Violation::file(&root.path, message));
            }
        }
    }
    violations
}

/// The files that a crate's library and programs begin with.
fn roots<'a>(tree: &'a Tree, one: &'a Crate) -> impl Iterator<Item = &'a File> {
    let names = ["src/lib.rs", "src/main.rs"].map(|name| format!("{}/{name}", one.directory));
    let binaries = format!("{}/src/bin/", one.directory);
    let is_root =
        move |file: &&File| names.contains(&file.path) || file.path.starts_with(&binaries);
    tree.files.iter().filter(is_root)
}

/// The function, or the implementation, around each word `unsafe`.
fn places(file: &File) -> Vec<String> {
    let (mut places, mut function) = (Vec::new(), String::new());
    for (_, code) in code_lines(&file.text) {
        if let Some(name) = name_behind(&code, "fn") {
            name.clone_into(&mut function);
        }
        if !has_word(&code, "unsafe") {
            continue;
        }
        let implemented = code.trim().strip_prefix("unsafe impl ");
        let implemented = implemented.map(|code| code.trim_end_matches(" {}").to_owned());
        places.push(implemented.unwrap_or_else(|| function.clone()));
    }
    places
}

/// The name behind a keyword.
fn name_behind<'a>(code: &'a str, keyword: &str) -> Option<&'a str> {
    let mut words = code.split_whitespace();
    words.find(|word| *word == keyword)?;
    let name = words.next()?;
    let end = name.find(|char: char| !char.is_alphanumeric() && char != '_');
    name.get(..end.unwrap_or(name.len()))
}

/// A row of the page.
struct Row {
    line: usize,
    file: String,
    place: String,
    reason: String,
    test: String,
}

fn rows_of(page: &str) -> Vec<Row> {
    let (mut rows, mut file) = (Vec::new(), String::new());
    for (line, text) in page.lines().enumerate() {
        if let Some(name) = text.strip_prefix(SECTION) {
            file = format!("{HOME}/src/{name}");
        }
        let cells: Vec<&str> = text.split('|').map(str::trim).collect();
        if let [_, place, _, reason, test, _] = cells[..]
            && place.starts_with('`')
        {
            rows.push(Row {
                line,
                file: file.clone(),
                place: place.trim_matches('`').to_owned(),
                reason: reason.to_owned(),
                test: test.trim_matches('`').to_owned(),
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, tree};
    use super::*;

    const CODE: &str = concat!(
        "fn one(a: u8) {\n    unsafe { f() };\n    unsafe { g() }\n}\n",
        "unsafe impl Send for T {}\n#[test]\nfn shown() {}\n",
    );
    const ROWS: &str = "## src/a.rs\n| in | what | why | test |\n|---|---|---|---|\n\
                        | `one` | `f` | because | `shown` |\n| `one` | `g` | because | `shown` |\n\
                        | `Send for T` | impl | because | `shown` |\n";

    fn both(page: &str) -> Tree {
        tree(&[("engine/rt/src/a.rs", CODE), (PAGE, page)])
    }

    #[test]
    fn a_block_that_is_missing_or_gone_is_found() {
        assert_eq!(page_of_blocks(&both(ROWS)), []);
        let less = ROWS.replacen("| `one` | `g` | because | `shown` |\n", "", 1);
        assert_eq!(found(&page_of_blocks(&both(&less))), ["engine/rt/src/a.rs"]);
        let more = format!("{ROWS}| `two` | `h` | because | `shown` |\n");
        assert_eq!(found(&page_of_blocks(&both(&more))), [PAGE]);
        assert_eq!(page_of_blocks(&both("")).len(), 2);
    }

    #[test]
    fn a_row_without_reason_or_test_is_found() {
        assert_eq!(page_of_tests(&both(ROWS)), []);
        let bare = ROWS.replacen("because", "", 1);
        assert_eq!(found(&page_of_tests(&both(&bare))), [format!("{PAGE}:4")]);
        let orphan = ROWS.replacen("`shown`", "`never`", 1);
        assert_eq!(found(&page_of_tests(&both(&orphan))), [format!("{PAGE}:4")]);
    }

    #[test]
    fn a_crate_that_does_not_forbid_is_found() {
        const MANIFEST: &str = "[package]\nname = \"x\"\n";
        let files = [
            ("engine/rt/Cargo.toml", MANIFEST),
            ("engine/rt/src/lib.rs", ""),
            ("net/a/Cargo.toml", MANIFEST),
            ("net/a/src/lib.rs", "#![forbid(unsafe_code)]\n"),
            ("net/b/Cargo.toml", MANIFEST),
            ("net/b/src/lib.rs", "#![forbid(unsafe_code)]\n"),
            ("net/b/src/main.rs", "fn main() {}\n"),
            ("net/b/src/bin/c.rs", "fn main() {}\n"),
        ];
        assert_eq!(
            found(&unsafe_is_forbidden(&tree(&files))),
            ["net/b/src/main.rs", "net/b/src/bin/c.rs"]
        );
    }
}
