//! The repository's text files, and what a rule says about them.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// Directories that are not part of the repository (`.gitignore`), wherever they lie.
const IGNORED: &[&str] = &[
    ".git",
    "target",
    "node_modules",
    "__pycache__",
    ".cache",
    "flumen-data",
];

/// A text file.
#[derive(Debug, Clone)]
pub struct File {
    /// Path from the root, with slashes.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The files of a repository.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Sorted by path. Files that are not UTF-8 have no text.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads a repository.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.read_directory(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn read_directory(&mut self, directory: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                if !IGNORED.contains(&name.as_str()) && !name.ends_with(".flumen-data") {
                    self.read_directory(&entry.path(), &format!("{path}/"))?;
                }
            } else {
                let text = String::from_utf8(fs::read(entry.path())?).unwrap_or_default();
                self.files.push(File { path, text });
            }
        }
        Ok(())
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|file| file.path == path)
            .map(|file| file.text.as_str())
    }

    /// The files below a directory.
    pub fn below<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = &'a File> {
        let inside = move |file: &&File| {
            file.path
                .strip_prefix(directory)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        self.files.iter().filter(inside)
    }

    /// The Rust sources.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is("rs"))
    }
}

impl File {
    /// Whether the name ends so.
    pub fn is(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|have| have == extension)
    }
}

/// A breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The file.
    pub path: String,
    /// The line, where there is one.
    pub line: Option<usize>,
    /// What is wrong and what to do instead.
    pub message: String,
}

impl Violation {
    /// A breach by a whole file.
    pub fn file(path: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            message: message.into(),
        }
    }

    /// A breach on a line, counted from zero.
    pub fn line(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: Some(line + 1),
            message: message.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}
