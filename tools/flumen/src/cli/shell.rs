//! What shells and manuals are told of the command line, made from its definition.

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::output::Output;
use crate::errors::Failure;

/// `flumen completions`.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "flumen", &mut script);
    let mut out = Output::new();
    out.bytes(&script)?;
    out.flush()
}

/// `flumen man`.
pub(crate) fn man(args: &ManArgs) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let Some(dir) = &args.dir else {
        let mut out = Output::new();
        out.bytes(&page(&command)?)?;
        return out.flush();
    };
    let refused = |error| Failure::new("FL1015", dir.display().to_string()).because(error);
    std::fs::create_dir_all(dir).map_err(refused)?;
    write_pages(&command, dir)
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let written = Man::new(command.clone()).render(&mut text);
    written.map_err(|error| Failure::new("FL1015", "the page").because(error))?;
    Ok(text)
}

/// A page for a command and for each below it: `flumen-topic-create.1`.
fn write_pages(command: &Command, dir: &Path) -> Result<(), Failure> {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let path = dir.join(format!("{name}.1"));
    std::fs::write(&path, page(command)?)
        .map_err(|error| Failure::new("FL1015", path.display().to_string()).because(error))?;
    let below = command.get_subcommands();
    for one in below.filter(|one| !one.is_hide_set() && one.get_name() != "help") {
        write_pages(one, dir)?;
    }
    Ok(())
}
