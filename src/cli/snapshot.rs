//! `attnviz snapshot`: what a suite of commands gives, recorded once and compared ever after.

use super::model::{HubArgs, ModelArgs, start_threads};
use super::output::{OutputArgs, list, print, printable, remark};
use super::run::{Groups, PromptCommand};
use super::survey::SurveyCommand;
use super::{Cli, Command, DEFAULT, Stop, line};
use attnviz::checkpoint::Source;
use attnviz::error::{Error, Result};
use attnviz::session;
use attnviz::snapshot::{self, Asks, Options, Suite};
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;

/// The flags of `snapshot`.
#[derive(Args)]
#[command(after_help = "\
A suite is TOML; this is a whole one:

  [[case]]
  prompt = \"Once upon a time\"

A case may have a name, a prompt (or prompts, or ids), a command (attention is
the default), its args, a model (builtin is the default; folders are relative
to the suite) and formats (png, svg and json are the default). The commands probe
and bias take files = [\"pairs.jsonl\"] instead of a prompt, relative to the suite
as well. Above the first case, command, args, model and formats apply to all
cases. [tolerance] may have absolute, relative (of numbers), levels, share (of
pixels) and distance (of shapes); [tolerance.attention] may have absolute and
relative of one quantity.
A weight that changed is a difference even where no output shows it.

Exit: 0 recorded, the same, or accepted; 1 failed; 2 usage; 3 it differs.

Examples:
  attnviz snapshot record --out snapshots          expected outputs and a lock
  attnviz snapshot check --out snapshots           has anything changed?
  attnviz snapshot check --out snapshots --report report      always a report
  attnviz snapshot check --out snapshots --update  accept what changed")]
pub struct SnapshotArgs {
    /// What to do
    #[arg(value_name = "ACTION", ignore_case = true)]
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
    let suite = Suite::read(&args.suite, &parse_case)?;
    start_threads(args.threads)?;
    let open = |source: &Source| match source {
        Source::Hub(name) => args.hub.checkpoint(name, args.quiet),
        local => session::open(local),
    };
    let say = |text: &str| {
        if !args.quiet {
            remark(text);
        }
    };
    if args.action == Action::Record {
        return list(&snapshot::record(&suite, &args.out, &open, &say)?);
    }
    let options = Options { out: args.out.clone(), update: args.update, report: args.report.clone() };
    let checked = snapshot::check(&suite, &options, &open, &say)?;
    if args.update {
        if checked.changes.is_empty() {
            say("nothing has changed");
        }
        return print(lines(&checked.changes).as_bytes());
    }
    print(lines(&checked.outcomes).as_bytes())?;
    checked.verdict(&args.out)
}

fn lines(all: &[impl Display]) -> String {
    all.iter().map(|one| printable(&one.to_string()) + "\n").collect()
}

/// The command of a case, and its line. Its flags are those that say what is shown; where the prompt, the items and the model come from and
/// where results go is said elsewhere.
fn parse_case(command: &str, args: &[String], files: &[PathBuf]) -> Result<(Asks, String)> {
    let (typed, line) = case_command(command, args, files).map_err(|stop| match stop {
        Stop::Failed(error) => error,
        Stop::Clap(error)
            if error.kind() == ErrorKind::MissingRequiredArgument && files.is_empty() && reads_items(command) =>
        {
            Error::usage(format!("{command} has no files of items"))
                .hint(format!("add files = [\"items.jsonl\"] to the case; attnviz {command} --help says what it takes"))
        }
        Stop::Clap(error) => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            Error::usage(format!("{command} does not take these args: {first}"))
                .hint(format!("attnviz {command} --help lists its flags; each word is a text of its own in args"))
        }
    })?;
    let asks = match &typed {
        CaseCommand::OfPrompt(typed) => {
            let Groups { prompt, model, output } = typed.groups();
            said_elsewhere(model, output, (prompt.is_given(), "the prompt", "say it as prompt, prompts or ids"))?;
            Asks::OfPrompt(typed.asked()?)
        }
        CaseCommand::OfItems(typed) => {
            let ((models, output), place) = (typed.groups(), typed.place());
            said_elsewhere(models, output, (place.is_some(), place.unwrap_or_default(), "leave it out"))?;
            Asks::OfItems(typed.survey()?)
        }
    };
    Ok((asks, line))
}

/// A command that a case may have.
enum CaseCommand {
    OfPrompt(Box<dyn PromptCommand>),
    OfItems(Box<dyn SurveyCommand>),
}

/// Whether a command of this name is asked of files.
fn reads_items(name: &str) -> bool {
    ["probe", "bias"].contains(&name.split_whitespace().next().unwrap_or_default())
}

/// The command of a case out of its name, its flags and its files, and its line.
fn case_command(name: &str, args: &[String], files: &[PathBuf]) -> Result<(CaseCommand, String), Stop> {
    let named = ["attnviz"].into_iter().chain(name.split_whitespace()).map(OsString::from);
    let words: Vec<OsString> = named.chain(args.iter().map(OsString::from)).collect();
    let behind = files.iter().filter(|_| reads_items(name)).map(|file| file.clone().into_os_string());
    let end = behind.clone().next().map(|_| "--".into());
    let typed = line::parse::<Cli>(words.into_iter().chain(end).chain(behind), DEFAULT)
        .map_err(|error| Stop::Clap(Box::new(error)))?;
    let command = match typed.cli.command {
        Some(Command::OfPrompt(command)) => CaseCommand::OfPrompt(command.boxed()),
        Some(Command::Circuit(args)) => CaseCommand::OfPrompt(args.boxed()),
        Some(Command::Probe(args)) => CaseCommand::OfItems(args.boxed()),
        Some(Command::Bias(args)) => CaseCommand::OfItems(Box::new(args)),
        _ => {
            return Err(Error::usage(format!("{name:?} is not a command that a case can have"))
                .hint("attnviz --help lists the commands of prompts, probe, bias and circuit check")
                .into());
        }
    };
    Ok((command, typed.line))
}

/// Fails where args say what a suite says at another place.
fn said_elsewhere(model: &ModelArgs, output: &OutputArgs, own: (bool, &str, &str)) -> Result<()> {
    let hub = model.threads.is_some() || model.hub.offline || model.hub.refresh;
    let places = [
        own,
        (!model.model.is_empty(), "the model", "say it as model"),
        (hub, "threads and the hub", "give flags of snapshot"),
        (!output.output.is_empty() || output.format.is_some(), "the output", "say it as formats"),
        (output.quiet || output.verbose, "how loud it is", "give a flag of snapshot"),
    ];
    match places.into_iter().find(|(given, ..)| *given) {
        Some((_, what, how)) => Err(Error::usage(format!("args say {what}")).hint(how)),
        None => Ok(()),
    }
}
