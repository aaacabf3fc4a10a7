//! Words that are not written, each with what is written instead.

use crate::source::has_word;
use crate::tree::{File, Tree, Violation};

/// Words and their replacements. They stand in halves, so that this file is clean itself.
const BANNED: &[(&str, &str)] = &[
    (
        concat!("todo", "!("),
        "do it, or leave it out and say so in the docs",
    ),
    (
        concat!("unimplemented", "!("),
        "answer an error that names what is missing",
    ),
    (
        concat!("FIX", "ME"),
        "fix it, or describe the limit as a fact",
    ),
    (
        concat!("TO", "DO"),
        "do it, or describe the limit as a fact",
    ),
    (concat!("XX", "X"), "say in a sentence what is meant"),
    (concat!("dbg", "!("), "tracing, or nothing"),
];

/// Beginnings of paths that only one machine has.
const MACHINE_PATHS: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

const CODE: &[&str] = &[
    "rs", "py", "java", "go", "js", "sh", "toml", "md", "yml", "yaml",
];

fn is_text(file: &File) -> bool {
    let is_script = file.text.starts_with("#!");
    is_script || CODE.iter().any(|extension| file.is(extension))
}

/// No word that defers what should be done.
pub(super) fn banned_words(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files.iter().filter(|file| is_text(file)) {
        for (line, text) in file.text.lines().enumerate() {
            let found = BANNED.iter().find(|(word, _)| has_word_or_call(text, word));
            if let Some((word, instead)) = found {
                let message = format!("`{word}`: {instead}");
                violations.push(Violation::line(&file.path, line, message));
            }
        }
    }
    violations
}

fn has_word_or_call(text: &str, word: &str) -> bool {
    if word.ends_with('(') {
        text.contains(word)
    } else {
        has_word(text, word)
    }
}

/// No path of the machine it was written on.
pub(super) fn paths_of_one_machine(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files.iter().filter(|file| is_text(file)) {
        for (line, text) in file.text.lines().enumerate() {
            if let Some(path) = MACHINE_PATHS.iter().find(|path| begins_path(text, path)) {
                let message = format!("`{path}`: a path relative to the repository, or $HOME");
                violations.push(Violation::line(&file.path, line, message));
            }
        }
    }
    violations
}

/// Whether the text holds an absolute path of this beginning, not one that merely contains it.
fn begins_path(text: &str, beginning: &str) -> bool {
    text.match_indices(beginning).any(|(at, _)| {
        let before = text.split_at(at).0.chars().next_back();
        !before.is_some_and(|char| char.is_alphanumeric() || "_-./}*".contains(char))
    })
}

/// No test is left out: a slow one is behind a command of its own, a wrong one is mended.
///
/// What a test runs as a child process is not a test by itself; it names its parent.
pub(super) fn ignored_tests(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.rust() {
        for (line, text) in file.text.lines().enumerate() {
            let ignored = text.trim_start().starts_with("#[ignore");
            if ignored && !is_child_process(text, &file.text) {
                let message = "an ignored test; run it by a command of its own or mend it";
                violations.push(Violation::line(&file.path, line, message));
            }
        }
    }
    violations
}

fn is_child_process(attribute: &str, file: &str) -> bool {
    let parent = attribute.split_once("\"a child process of ");
    let parent = parent.and_then(|(_, rest)| rest.split_once('"'));
    parent.is_some_and(|(name, _)| file.contains(&format!("fn {name}(")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, tree};
    use super::*;

    #[test]
    fn banned_words_are_found() {
        for (word, _) in BANNED {
            let text = format!("a\nb {word} c\n");
            assert_eq!(
                found(&banned_words(&tree(&[("a.rs", &text)]))),
                ["a.rs:2"],
                "{word}"
            );
        }
        let text = format!("mktemp file.{0}{0}\n", concat!("XX", "X"));
        assert_eq!(found(&banned_words(&tree(&[("a.sh", &text)]))), [""; 0]);
    }

    #[test]
    fn scripts_without_a_suffix_are_read() {
        let text = format!("#!/bin/bash\n# {}\n", concat!("FIX", "ME"));
        let files = [("ci/check", &*text), ("data.bin", &*text.replace("#!", ""))];
        assert_eq!(found(&banned_words(&tree(&files))), ["ci/check:2"]);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for path in MACHINE_PATHS {
            let text = format!("let a = \"{path}b\";\nlet b = \"../x{path}b\";\n");
            assert_eq!(
                found(&paths_of_one_machine(&tree(&[("a.rs", &text)]))),
                ["a.rs:1"]
            );
        }
    }

    #[test]
    fn ignored_tests_are_found() {
        let ignore = concat!("ign", "ore");
        let plain = format!("#[test]\n#[{ignore}]\nfn a() {{}}\n");
        assert_eq!(
            found(&ignored_tests(&tree(&[("a.rs", &plain)]))),
            ["a.rs:2"]
        );
        let child = format!("fn a() {{}}\n#[{ignore} = \"a child process of a\"]\n");
        assert_eq!(found(&ignored_tests(&tree(&[("a.rs", &child)]))), [""; 0]);
        let orphan = child.replace("fn a()", "fn b()");
        assert_eq!(
            found(&ignored_tests(&tree(&[("a.rs", &orphan)]))),
            ["a.rs:2"]
        );
    }
}
