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
  attnviz man render > attnviz-render.1")]
pub struct ManArgs {
    /// A command [default: the page of attnviz itself]
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Prints a page.
pub fn run(args: &ManArgs) -> Result<()> {
    let mut program = Cli::command();
    program.build();
    let page = match &args.command {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).ok_or_else(|| {
                let names: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
                Error::usage(format!("there is no command {name:?}")).hint(format!("there are {}", names.join(", ")))
            })?;
            found.clone()
        }
    };
    let mut text = Vec::new();
    let written = Man::new(page).render(&mut text);
    written.map_err(|e| Error::failed(format!("cannot write the page: {e}")).hint("run attnviz --help instead"))?;
    output::print(&text)
}
