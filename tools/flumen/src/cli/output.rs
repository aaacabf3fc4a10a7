//! Standard output, which may be closed at any time by whoever reads it.

use std::io::{self, BufWriter, StdoutLock, Write};

use crate::errors::Failure;

/// Standard output, buffered.
#[derive(Debug)]
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(crate) fn new() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write_all(bytes).map_err(|error| refused(&error))
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> Result<(), Failure> {
        writeln!(self.0, "{text}").map_err(|error| refused(&error))
    }

    /// Gives everything to the reader.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(|error| refused(&error))
    }
}

fn refused(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::output_gone(),
        _ => Failure::new("FL1015", "standard output cannot be written").because(error),
    }
}
