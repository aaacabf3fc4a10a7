//! What a start says: who it is, what it found, what it does without.

use std::fmt::Write;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use flumen::broker::{Line, Mark};

use super::args::LogFormat;
use super::size;

/// The facts that stand above the list.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Shards, and the CPUs that they are pinned to.
    pub shards: usize,
    /// CPUs by shard.
    pub cpus: Vec<usize>,
    /// The memory budget.
    pub memory_bytes: u64,
    /// Where the admin pages are.
    pub admin: Option<SocketAddr>,
    /// Whether the console is among them.
    pub has_console: bool,
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// How long the start took.
    pub took: Duration,
}

/// How the start is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// To somebody who watches, with colours or without.
    Banner { colours: bool },
    /// As lines of the log.
    Log,
}

impl Manner {
    /// A banner is for terminals.
    pub(crate) fn of(log: LogFormat, no_banner: bool) -> Self {
        if no_banner || log == LogFormat::Json || !std::io::stderr().is_terminal() {
            return Self::Log;
        }
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self::Banner { colours }
    }
}

/// Tells a start to whoever watches.
pub(crate) fn tell(manner: Manner, lines: &[Line], facts: &Facts) {
    let all = lines.iter().cloned().chain(facts.lines());
    match manner {
        Manner::Banner { colours } => {
            let text = banner(&all.collect::<Vec<_>>(), facts, colours);
            // Where standard error is closed, nobody watches.
            let _closed = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
        },
        Manner::Log => {
            for line in all {
                match line.mark {
                    Mark::Warning => tracing::warn!("{}", line.text),
                    Mark::Without => tracing::info!("without {}", line.text),
                    Mark::Good => tracing::info!("{}", line.text),
                }
            }
            tracing::info!("ready in {}", seconds(facts.took));
        },
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

impl Facts {
    /// Lines of the list that the broker itself does not know.
    fn lines(&self) -> Vec<Line> {
        let cpus: Vec<String> = self.cpus.iter().map(usize::to_string).collect();
        let mut texts = vec![
            format!("shards: {}, pinned to CPUs {}", self.shards, cpus.join(" ")),
            format!("memory budget: {}", size::human(self.memory_bytes)),
        ];
        texts.push(match &self.file {
            Some(file) => format!("configuration: {}", file.display()),
            None => "configuration: no file".to_owned(),
        });
        texts.extend(self.admin.map(|addr| {
            let console = if self.has_console {
                format!("console: http://{addr}/")
            } else {
                "no console: it is on loopback, or by `--console-host NAME`".to_owned()
            };
            format!("admin: http://{addr}/metrics /livez /readyz; {console}")
        }));
        texts
            .into_iter()
            .map(|text| Line {
                mark: Mark::Good,
                text,
            })
            .collect()
    }
}

fn banner(lines: &[Line], facts: &Facts, colours: bool) -> String {
    let paint = |code: &str, text: &str| {
        if colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    };
    let mut text = String::new();
    let name = paint("1", "flumen");
    let written = writeln!(text, "\n  {name} {}", env!("CARGO_PKG_VERSION"));
    written.expect("a string takes everything");
    for line in lines {
        let mark = match line.mark {
            Mark::Good => paint("32", "ok     "),
            Mark::Without => paint("33", "without"),
            Mark::Warning => paint("1;31", "WARNING"),
        };
        let written = writeln!(text, "  {mark} {}", line.text);
        written.expect("a string takes everything");
    }
    let written = writeln!(text, "  ready in {}\n", paint("1", &seconds(facts.took)));
    written.expect("a string takes everything");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            shards: 2,
            cpus: vec![0, 3],
            memory_bytes: 1 << 30,
            admin: Some(([127, 0, 0, 1], 9644).into()),
            has_console: true,
            file: None,
            took: Duration::from_millis(384),
        }
    }

    #[test]
    fn the_banner_says_what_was_found() {
        let facts = facts();
        let mut lines = vec![Line {
            mark: Mark::Warning,
            text: "weak durability".to_owned(),
        }];
        lines.extend(facts.lines());
        let text = banner(&lines, &facts, false);
        for part in [
            "\n  flumen ",
            "\n  WARNING weak durability\n",
            "\n  ok      shards: 2, pinned to CPUs 0 3\n",
            "\n  ok      memory budget: 1.0 GiB\n",
            "\n  ok      configuration: no file\n",
            "\n  ok      admin: http://127.0.0.1:9644/metrics /livez /readyz; console: http://127.0.0.1:9644/\n",
            "\n  ready in 0.38 s\n",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains('\x1b'));
        assert!(banner(&lines, &facts, true).contains("\x1b[1;31mWARNING\x1b[0m"));
    }

    #[test]
    fn machines_get_lines_of_the_log() {
        assert_eq!(Manner::of(LogFormat::Json, false), Manner::Log);
        assert_eq!(Manner::of(LogFormat::Text, true), Manner::Log);
    }
}
