//! `attnviz snapshot`: what a suite of commands gives, recorded once and compared ever after.

mod check;
mod lock;
mod make;
mod model;
mod record;
mod report;
mod suite;

use super::model::{HubArgs, ModelArgs};
use attnviz::error::{Error, Result};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use suite::Suite;

/// The flags of `snapshot`.
#[derive(Args)]
#[command(after_help = "\
A suite is TOML; this is a whole one:

  [[case]]
  prompt = \"Once upon a time\"

A case may have a name, a prompt (or prompts, or ids), a command (attention is
the default), its args, a model (builtin is the default; folders are relative
to the suite) and formats (png, svg and json are the default). Above the first
case, command, args, model and formats apply to all cases. [tolerance] may have
absolute, relative (of numbers), levels, share (of pixels) and distance (of
shapes); [tolerance.attention] may have absolute and relative of one quantity.
A weight that changed is a difference even where no output shows it.

Exit: 0 recorded, the same, or accepted; 1 failed; 2 usage; 3 it differs.

Examples:
  attnviz snapshot record --out snapshots          expected outputs and a lock
  attnviz snapshot check --out snapshots           has anything changed?
  attnviz snapshot check --out snapshots --report report      always a report
  attnviz snapshot check --out snapshots --update  accept what changed")]
pub struct SnapshotArgs {
    /// What to do
    #[arg(value_name = "ACTION")]
    action: Action,
    /// The suite: prompts, commands, models and formats
    #[arg(value_name = "SUITE", default_value = "snapshot.toml")]
    suite: PathBuf,
    /// The folder of the expected outputs and their lock file
    #[arg(long, value_name = "DIR", required = true)]
    out: PathBuf,
    /// Accept what is made now as expected; list what changed
    #[arg(long, help_heading = "Check")]
    update: bool,
    /// A folder for junit.xml, report.md and pictures of what differs
    /// [default: attnviz-report, and only where something differs]
    #[arg(long, value_name = "DIR", help_heading = "Check")]
    report: Option<PathBuf>,
    #[command(flatten)]
    hub: HubArgs,
    /// Threads to compute with [default: all cores]; the numbers do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Model")]
    threads: Option<u16>,
    /// Print no remarks and no progress
    #[arg(short, long)]
    quiet: bool,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Write the expected outputs and a lock file into an empty or new folder
    Record,
    /// Make all outputs again and compare
    Check,
}

/// Records or checks.
pub fn run(args: &SnapshotArgs) -> Result<()> {
    if args.action == Action::Record && (args.update || args.report.is_some()) {
        let flag = if args.update { "--update" } else { "--report" };
        return Err(Error::usage(format!("{flag} does not go with record"))
            .hint("a snapshot is recorded once; attnviz snapshot check compares with it"));
    }
    let suite = Suite::read(&args.suite)?;
    ModelArgs { model: None, hub: args.hub, threads: args.threads }.start_threads()?;
    match args.action {
        Action::Record => record::run(args, &suite),
        Action::Check => check::run(args, &suite),
    }
}
