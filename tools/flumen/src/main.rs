//! The one binary: a broker, and what people do with one from a terminal.

#![forbid(unsafe_code)]

mod cli;
mod errors;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Err(failure) = cli::run() else {
        return ExitCode::SUCCESS;
    };
    if failure.is_told() {
        // Where standard error is closed, nobody wants to know.
        let _closed = writeln!(std::io::stderr(), "{failure}");
    }
    failure.exit_code()
}
