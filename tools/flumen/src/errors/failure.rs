//! An error on its way to the operator.

use std::fmt;
use std::process::ExitCode;

use super::page;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something did not work.
    Failed = 1,
    /// The command line, the file or the environment is wrong.
    Usage = 2,
    /// No broker is ready to answer.
    NotReady = 3,
    /// A promise about figures was not kept.
    Promise = 99,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error with its number.
#[derive(Debug)]
pub(crate) struct Failure {
    code: &'static str,
    message: String,
    causes: Vec<String>,
    help: Option<String>,
    exit: Exit,
    quiet: bool,
}

impl Failure {
    /// Of this number, with what happened here.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code,
            message,
            causes: Vec::new(),
            help: None,
            exit: Exit::Failed,
            quiet: false,
        }
    }

    /// A value that cannot be, which `message` names with what could.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("FL1002", message).exit(Exit::Usage).help("")
    }

    /// Whoever read the output is gone: nothing to tell, and nothing wrong.
    pub(crate) fn output_gone() -> Self {
        Self {
            quiet: true,
            ..Self::new("FL1015", "the output was closed")
        }
    }

    /// Because of this.
    #[must_use]
    pub(crate) fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Because of this error and what caused it.
    #[must_use]
    pub(crate) fn because_of(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Errors that pass another one on say the same twice.
            if self.causes.last() != Some(&text) && self.message != text {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// With a remedy that fits better than the catalogue's; empty for none.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Ending the process in this way.
    #[must_use]
    pub(crate) const fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// How the process ends.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.quiet {
            ExitCode::SUCCESS
        } else {
            self.exit.into()
        }
    }

    /// Its number, for tests.
    #[cfg(test)]
    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// Whether there is something to tell.
    pub(crate) const fn is_told(&self) -> bool {
        !self.quiet
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error[{}]: {}", self.code, self.message)?;
        for cause in &self.causes {
            writeln!(f, "  cause: {cause}")?;
        }
        let remedy = || page(self.code).map(|page| page.remedy().replace('\n', " "));
        let help = self.help.clone().or_else(remedy);
        if let Some(help) = help.filter(|help| !help.is_empty()) {
            writeln!(f, "  help:  {help}")?;
        }
        write!(f, "  more:  flumen explain {}", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_stand_below_each_other_and_the_catalogue_helps() {
        let inner = std::io::Error::other("no such device");
        let failure = Failure::new("FL1003", "x.toml cannot be read").because_of(&inner);
        let text = failure.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..2],
            [
                "error[FL1003]: x.toml cannot be read",
                "  cause: no such device"
            ]
        );
        assert!(
            lines[2].starts_with("  help:  the message names the place in the file."),
            "{text}"
        );
        assert_eq!(lines[3], "  more:  flumen explain FL1003");
        let own = failure.help("read it aloud").to_string();
        assert!(own.contains("\n  help:  read it aloud\n"), "{own}");
    }

    #[test]
    fn a_closed_output_is_no_error() {
        let gone = Failure::output_gone();
        assert!(!gone.is_told());
        assert_eq!(gone.exit_code(), ExitCode::SUCCESS);
        let usage = Failure::new("FL1001", "x").exit(Exit::Usage);
        assert_eq!(usage.exit_code(), ExitCode::from(2));
    }
}
