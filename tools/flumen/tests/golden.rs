//! What the command line says, word for word: each file of `golden/` holds commands, what they
//! print, and how they end. `UPDATE_GOLDEN=1` writes what is printed now.
#![cfg(test)]

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a line that begins with `$ ` and gives what it printed, errors last, and its exit status.
fn run(line: &str) -> String {
    let mut words = line.trim_start_matches("$ ").split_whitespace().peekable();
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FLUMEN_") {
            command.env_remove(name);
        }
    }
    while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
        command.env(name, value);
        words.next();
    }
    assert_eq!(words.next(), Some("flumen"), "{line}");
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let output = command
        .args(words)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output();
    let output = output.expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("no signal ended it");
    format!(
        "{}{}[exit {code}]\n",
        text(&output.stdout),
        text(&output.stderr)
    )
}

fn check(path: &Path) -> Result<(), String> {
    let wanted = std::fs::read_to_string(path).expect("a golden file");
    let mut found = String::new();
    for line in wanted.lines().filter(|line| line.starts_with("$ ")) {
        if !found.is_empty() {
            found.push('\n');
        }
        write!(found, "{line}\n{}", run(line)).expect("a string takes everything");
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &found).expect("the golden file again");
        return Ok(());
    }
    let differs = wanted
        .lines()
        .zip(found.lines())
        .find(|(wanted, found)| wanted != found);
    match differs {
        None if wanted == found => Ok(()),
        None => Err(format!(
            "{}: more or less is printed:\n{found}",
            path.display()
        )),
        Some((wanted, found)) => Err(format!(
            "{}:\n  wanted {wanted}\n  found  {found}",
            path.display()
        )),
    }
}

#[test]
fn the_command_line_says_what_is_written_down() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut paths: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    assert!(paths.len() >= 4, "{paths:?}");
    let wrong: Vec<String> = paths.iter().filter_map(|path| check(path).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
