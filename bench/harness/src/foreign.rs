//! Clients that are not of this house: a program of `bench/foreign` on the client's core. It warms
//! up and says `ready`; a line begins its work; it says its figures, then `done`, and stays until
//! its input ends, so that its CPU time can be read.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};

use engine_rt::blocking;

use crate::Options;
use crate::child::{Child, figure};

/// A program that waits for its next line.
#[derive(Debug)]
pub(crate) struct Foreign {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// What a program said of its work.
#[derive(Debug, PartialEq)]
pub(crate) struct Figures(BTreeMap<String, f64>);

impl Foreign {
    /// Starts a program and waits until it is warm.
    pub(crate) async fn start(options: &Options, name: &str, args: &[String]) -> io::Result<Self> {
        let dir = options.foreign.as_deref();
        let dir = dir.ok_or_else(|| io::Error::other("no clients: bench/limits brings them"))?;
        let (child, stdin, mut stdout) = Child::talk(&dir.join(name), args, options.client_cpu)?;
        blocking(move || {
            lines_before("ready", &mut stdout)?;
            Ok(Self {
                child,
                stdin,
                stdout,
            })
        })
        .await
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Lets it work; the program is there until what is given back is dropped.
    pub(crate) async fn work(mut self) -> io::Result<(Self, Figures)> {
        blocking(move || {
            self.stdin.write_all(b"go\n")?;
            let lines = lines_before("done", &mut self.stdout)?;
            Ok((self, Figures::parse(&lines)?))
        })
        .await
    }
}

impl Figures {
    fn parse(lines: &[String]) -> io::Result<Self> {
        let figures: io::Result<_> = lines.iter().map(|line| figure(line)).collect();
        Ok(Self(figures?))
    }

    pub(crate) fn get(&self, name: &str) -> io::Result<f64> {
        let value = self.0.get(name).copied();
        value.ok_or_else(|| io::Error::other(format!("the client says no {name}")))
    }
}

/// The lines up to one that says `last`, which has to come.
fn lines_before(last: &str, input: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for line in input.lines() {
        let line = line?;
        if line == last {
            return Ok(found);
        }
        found.push(line);
    }
    let message = format!("the client ended before it was {last}");
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_what_stands_before_the_end() {
        let mut input = &b"seconds\t2.5\nrecords\t10\ndone\nmore\n"[..];
        let figures = Figures::parse(&lines_before("done", &mut input).unwrap()).unwrap();
        assert!((figures.get("seconds").unwrap() - 2.5).abs() < 1e-9);
        assert!((figures.get("records").unwrap() - 10.0).abs() < 1e-9);
        assert!(figures.get("p50").is_err());
        assert_eq!(input, b"more\n");
    }

    #[test]
    fn a_client_that_ends_early_has_failed() {
        let found = lines_before("done", &mut &b"seconds\t2.5\n"[..]);
        assert_eq!(found.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(Figures::parse(&["Traceback".to_owned()]).is_err());
    }
}
