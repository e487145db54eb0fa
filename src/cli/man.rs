//! `attnviz man`: manual pages, in troff.

use super::{Cli, output};
use attnviz::error::{Error, Result};
use clap::{Args, CommandFactory};
use clap_mangen::Man;

/// The flags of `man`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  attnviz man | man -l -
  attnviz man render > attnviz-render.1
  attnviz man probe pairs > attnviz-probe-pairs.1")]
pub struct ManArgs {
    /// A command, and one of its own [default: the page of attnviz itself]
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// Prints a page.
pub fn run(args: &ManArgs) -> Result<()> {
    let mut program = Cli::command();
    program.build();
    let mut page = &program;
    for name in &args.command {
        page = page.find_subcommand(name).ok_or_else(|| {
            let names: Vec<_> = page.get_subcommands().map(clap::Command::get_name).collect();
            let hint = match &names[..] {
                [] => format!("{} has no commands of its own", page.get_name()),
                names => format!("there are {}", names.join(", ")),
            };
            Error::usage(format!("there is no command {name:?}")).hint(hint)
        })?;
    }
    let mut text = Vec::new();
    let written = Man::new(page.clone()).render(&mut text);
    written.map_err(|e| Error::failed(format!("cannot write the page: {e}")).hint("run attnviz --help instead"))?;
    output::print(&text)
}
