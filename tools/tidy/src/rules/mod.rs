//! The list of rules.

mod entrances;
mod imports;
mod shape;
mod unsafe_page;
mod words;

use crate::tree::{Tree, Violation};

/// Every rule, by what it keeps.
const RULES: &[fn(&Tree) -> Vec<Violation>] = &[
    imports::direction_of_imports,
    imports::owners_of_crates,
    imports::names_of_the_system,
    imports::unsafe_code,
    unsafe_page::page_of_blocks,
    unsafe_page::page_of_tests,
    unsafe_page::unsafe_is_forbidden,
    shape::top_level,
    shape::length_of_files,
    shape::docs_of_crates,
    shape::tests_of_crates,
    shape::lints_of_crates,
    words::banned_words,
    words::paths_of_one_machine,
    words::ignored_tests,
    entrances::readme_names_the_commands,
    entrances::one_entrance_for_checks,
];

/// All violations of all rules.
pub fn check(tree: &Tree) -> Vec<Violation> {
    RULES.iter().flat_map(|rule| rule(tree)).collect()
}

#[cfg(test)]
mod testing {
    use crate::tree::{File, Tree, Violation};

    /// A repository of these files.
    pub(super) fn tree(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Tree {
            files: files.iter().map(file).collect(),
        }
    }

    /// Where the rule found something.
    pub(super) fn found(violations: &[Violation]) -> Vec<String> {
        let place = |violation: &Violation| match violation.line {
            Some(line) => format!("{}:{line}", violation.path),
            None => violation.path.clone(),
        };
        violations.iter().map(place).collect()
    }
}
