//! Completions and manual pages: made from the command line's definition, so that a verb cannot be
//! missing in them.

use std::process::{Command, Stdio};

use crate::harness::printed;

const VERBS: [&str; 7] = [
    "alter-config",
    "add-partitions",
    "trim",
    "usage",
    "health",
    "seek",
    "delete-offsets",
];

#[test]
fn every_shell_gets_a_script_with_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell], b"");
        for verb in VERBS {
            assert!(script.contains(verb), "{shell} does not know {verb}");
        }
    }
}

/// What bash offers behind `words`, by the script itself.
fn offered(words: &[&str]) -> String {
    let script = printed(&["completions", "bash"], b"");
    let list = words.join(" ");
    let last = words.len() - 1;
    let (word, before) = (words[last], words[last - 1]);
    let program = format!(
        "{script}\nCOMP_WORDS=({list}); COMP_CWORD={last}; _flumen flumen '{word}' '{before}'; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let output = Command::new("bash")
        .args(["--norc", "-c", &program])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bash_completes_verbs_options_and_values() {
    assert_eq!(offered(&["flumen", "topic", "al"]), "alter-config\n");
    assert_eq!(offered(&["flumen", "group", "se"]), "seek\n");
    assert_eq!(offered(&["flumen", "cluster", "he"]), "health\nhelp\n");
    let formats = offered(&["flumen", "topic", "list", "--output", "j"]);
    assert_eq!(formats, "json\n");
    assert_eq!(
        offered(&["flumen", "start", "--console-h"]),
        "--console-host\n"
    );
}

#[test]
fn there_is_a_page_for_every_command() {
    let page = printed(&["man"], b"");
    assert!(page.contains(".TH flumen 1"), "{page}");
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("man1");
    printed(&["man", "--dir", into.to_str().unwrap()], b"");
    for name in [
        "flumen",
        "flumen-start",
        "flumen-topic",
        "flumen-topic-alter-config",
        "flumen-cluster-health",
        "flumen-group-seek",
    ] {
        let page = std::fs::read_to_string(into.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
        let title = format!(".TH {name} 1");
        assert!(page.contains(&title), "{title} is not in {page}");
    }
}
