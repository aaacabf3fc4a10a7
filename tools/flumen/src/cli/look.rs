//! Commands that look: into files of a data directory, into the catalogue of errors.

use tools_dump::{DumpError, Item, journal, meta, segment};

use super::args::{DumpArgs, DumpCommand, ExplainArgs, VerifyArgs};
use super::client::on_ring;
use super::output::Output;
use super::size;
use super::suggest::did_you_mean;
use crate::errors::{Failure, Page, page, pages};

/// `flumen dump`.
pub(crate) fn dump(command: DumpCommand) -> Result<(), Failure> {
    on_ring(move || async move {
        let (DumpCommand::Segment(args) | DumpCommand::Journal(args) | DumpCommand::Meta(args)) =
            &command;
        let DumpArgs { path, json } = args;
        let mut printer = Printer::new(*json);
        let mut sink = |item: Item| printer.print(&item);
        let told = match &command {
            DumpCommand::Segment(_) => segment::dump(path, &mut sink).await,
            DumpCommand::Journal(_) => journal::dump(path, &mut sink).await,
            DumpCommand::Meta(_) => meta::dump(path, &mut sink).await,
        };
        printer.end()?;
        told.map_err(|error| cannot_look(&error))
    })
}

/// `flumen verify`.
pub(crate) fn verify(args: VerifyArgs) -> Result<(), Failure> {
    on_ring(move || async move {
        let mut printer = Printer::new(args.json);
        let verdict = tools_dump::verify(&args.dir, &mut |item| printer.print(&item)).await;
        let verdict = verdict.map_err(|error| cannot_look(&error));
        if let Ok(verdict) = &verdict {
            let summary = Item::new("summary")
                .with("segments", verdict.segments)
                .with("batches", verdict.batches)
                .with("bytes", verdict.bytes)
                .with("size", size::human(verdict.bytes))
                .with("findings", verdict.findings);
            printer.print(&summary);
        }
        printer.end()?;
        match verdict? {
            verdict if verdict.is_sound() => Ok(()),
            verdict => Err(Failure::new(
                "FL4001",
                format!("{}: {} findings", args.dir.display(), verdict.findings),
            )),
        }
    })
}

pub(crate) fn cannot_look(error: &DumpError) -> Failure {
    Failure::new("FL4002", error.path.display().to_string()).because(&error.source)
}

/// Prints items; what goes wrong with the output is told at the end.
pub(crate) struct Printer {
    json: bool,
    out: Output,
    written: Result<(), Failure>,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            out: Output::new(),
            written: Ok(()),
        }
    }

    pub(crate) fn print(&mut self, item: &Item) {
        if self.written.is_ok() {
            self.written = if self.json {
                self.out.line(item.json())
            } else {
                self.out.line(item)
            };
        }
    }

    pub(crate) fn end(mut self) -> Result<(), Failure> {
        self.written?;
        self.out.flush()
    }
}

/// `flumen explain`.
pub(crate) fn explain(args: &ExplainArgs) -> Result<(), Failure> {
    let mut out = Output::new();
    match &args.code {
        Some(code) => {
            let Page { code, title, body } = page(code).ok_or_else(|| no_page(code))?;
            out.line(format!("{code}: {title}\n\n{body}"))?;
        },
        None => {
            for page in pages() {
                out.line(format!("{}  {}", page.code, page.title))?;
            }
        },
    }
    out.flush()
}

fn no_page(code: &str) -> Failure {
    let failure = Failure::invalid(format!("there is no error {code}"));
    match did_you_mean(code, pages().map(|page| page.code)) {
        Some(hint) => failure.help(hint),
        None => failure.help("flumen explain lists all"),
    }
}
