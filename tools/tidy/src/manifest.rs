//! What a crate's `Cargo.toml` depends on. It reads the few forms of TOML that a manifest uses, so
//! that the tidy crate itself depends on nothing.

use crate::tree::Tree;

/// A crate of the workspace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Crate {
    /// Directory from the root.
    pub(crate) directory: String,
    /// Name of the package.
    pub(crate) name: String,
    /// Dependencies for building and running, with the line of each.
    pub(crate) dependencies: Vec<(usize, String)>,
    /// Whether the lints of the workspace hold.
    pub(crate) has_workspace_lints: bool,
}

impl Crate {
    /// Path of the manifest.
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.directory)
    }
}

/// The crates of the tree: every `Cargo.toml` with a package, except standalone workspaces.
pub(crate) fn crates(tree: &Tree) -> Vec<Crate> {
    let manifests = tree
        .files
        .iter()
        .filter_map(|file| Some((file.path.strip_suffix("/Cargo.toml")?, file.text.as_str())));
    manifests
        .filter(|(_, text)| text.contains("[package]") && !text.contains("[workspace]"))
        .map(|(directory, text)| parse(directory, text))
        .collect()
}

fn parse(directory: &str, text: &str) -> Crate {
    let mut section = "";
    let mut found = Crate {
        directory: directory.to_owned(),
        name: String::new(),
        dependencies: Vec::new(),
        has_workspace_lints: false,
    };
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = header;
            if let Some((table, name)) = header.rsplit_once('.')
                && is_dependencies(table)
            {
                found.dependencies.push((number, unquoted(name)));
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        match (section, key) {
            ("package", "name") => found.name = unquoted(value),
            ("lints", "workspace") => found.has_workspace_lints = value == "true",
            (table, _) if is_dependencies(table) && !line.starts_with('#') => {
                found.dependencies.push((number, dependency(key, value)));
            },
            _ => {},
        }
    }
    found
}

/// `dependencies`, `build-dependencies` and those of a target; not `dev-dependencies`, which tests
/// may choose freely.
fn is_dependencies(table: &str) -> bool {
    let last = table.rsplit('.').next().unwrap_or(table);
    last == "dependencies" || last == "build-dependencies"
}

/// The package behind `name = …`, `name.workspace = true` or `alias = { package = "name" }`.
fn dependency(key: &str, value: &str) -> String {
    let renamed = value
        .split_once("package")
        .and_then(|(_, rest)| rest.split('"').nth(1));
    let name = key.split_once('.').map_or(key, |(name, _)| name);
    renamed.map_or_else(|| unquoted(name), str::to_owned)
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_dependency_is_read() {
        let text = r#"
[package]
name = "engine-x"
[lints]
workspace = true
[dependencies]
a = "1"
# b = "1"
c.workspace = true
d = { version = "1", features = ["x"] }
alias = { package = "e", version = "1" }
[dependencies.f]
version = "1"
[target.'cfg(unix)'.dependencies]
g = "1"
[build-dependencies]
h = "1"
[dev-dependencies]
i = "1"
[features]
j = ["a/b"]
"#;
        let found = parse("engine/x", text);
        assert_eq!(
            (found.name.as_str(), found.has_workspace_lints),
            ("engine-x", true)
        );
        let names: Vec<&str> = found
            .dependencies
            .iter()
            .map(|(_, name)| name.as_str())
            .collect();
        assert_eq!(names, ["a", "c", "d", "e", "f", "g", "h"]);
    }
}
