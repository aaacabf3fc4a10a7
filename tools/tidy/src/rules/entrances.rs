//! The two commands a newcomer needs, and the one entrance for checks.

use crate::tree::{Tree, Violation};

/// The two commands that do all the set-up on a fresh machine.
const COMMANDS: &[&str] = &["cargo run --release -- demo", "ci/check"];

/// The README names the commands.
pub(super) fn readme_names_the_commands(tree: &Tree) -> Vec<Violation> {
    let readme = tree.text("README.md").unwrap_or_default();
    let missing = COMMANDS.iter().filter(|command| !readme.contains(*command));
    missing
        .map(|command| Violation::file("README.md", format!("does not name `{command}`")))
        .collect()
}

/// Machines run what people run: `.ci/run` calls `ci/check`, which is there.
pub(super) fn one_entrance_for_checks(tree: &Tree) -> Vec<Violation> {
    let calls = |path: &str, what: &str| {
        let lines = tree.text(path).unwrap_or_default().lines();
        let mut code = lines.filter(|line| !line.trim_start().starts_with('#'));
        code.any(|line| line.contains(what))
    };
    let mut violations = Vec::new();
    if !calls(".ci/run", "ci/check") {
        violations.push(Violation::file(".ci/run", "does not call ci/check"));
    }
    if !calls("ci/check", "tools-tidy") {
        violations.push(Violation::file(
            "ci/check",
            "does not run the rules of the house",
        ));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, tree};
    use super::*;

    #[test]
    fn a_missing_command_is_found() {
        let whole = tree(&[("README.md", "`cargo run --release -- demo` and `ci/check`")]);
        assert_eq!(readme_names_the_commands(&whole), []);
        let half = tree(&[("README.md", "`ci/check`")]);
        assert_eq!(found(&readme_names_the_commands(&half)), ["README.md"]);
        assert_eq!(
            found(&readme_names_the_commands(&tree(&[]))),
            ["README.md"; 2]
        );
    }

    #[test]
    fn another_entrance_is_found() {
        let good = [
            (".ci/run", "exec ci/check"),
            ("ci/check", "cargo test -p tools-tidy"),
        ];
        assert_eq!(one_entrance_for_checks(&tree(&good)), []);
        let bad = [
            (".ci/run", "# ci/check\ncargo test"),
            ("ci/check", "cargo fmt"),
        ];
        assert_eq!(
            found(&one_entrance_for_checks(&tree(&bad))),
            [".ci/run", "ci/check"]
        );
    }
}
