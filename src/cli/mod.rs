//! The command line: one file per command, shared groups of flags, one place that speaks of failures.

mod args;
mod attention;
mod batch;
mod bias;
mod circuit;
mod completions;
mod deliver;
mod diff;
mod download;
mod explain;
mod heads;
mod lens;
mod line;
mod man;
mod mix;
mod model;
mod models;
mod output;
mod patch;
mod preview;
mod probe;
mod progress;
mod qk;
mod render;
mod rerun;
mod run;
mod saliency;
mod snapshot;
mod surprisal;
mod survey;
mod target;
mod typo;

use args::ITSELF;
use attnviz::error::{Error, Kind};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};
use line::Typed;
use run::PromptCommand;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// What each attention head of GPT-2 looks at: heatmaps and numbers.
///
/// `attnviz TEXT` draws the attention of every layer and head on one sheet; it is short for `attnviz attention TEXT`. A first
/// word that names a command is that command.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  attnviz \"Once upon a time\"                    all heads on one sheet: a PNG
  attnviz \"Once upon a time\" --layer 4 --head 3 -o head.svg
  attnviz \"Once upon a time\" --reduce heads=mean --sink mask
  attnviz \"Once upon a time\" -o 'heads/{layer}-{head}.png'
  attnviz \"Once upon a time\" -m distilgpt2            another model of the hub
  attnviz \"Once upon a time\" -o - --format json | jq .results[0].attention[0][0]")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    attention: attention::AttentionArgs,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    OfPrompt(OfPrompt),
    /// Show what differs between two prompts, two models or two saved results
    Diff(diff::DiffArgs),
    /// Do the work of a command for each of many prompts, into one folder
    Batch(batch::BatchArgs),
    /// Record what a suite of commands gives, or compare with what was recorded
    Snapshot(snapshot::SnapshotArgs),
    /// Ask what the model knows, by crafted inputs out of files
    Probe(probe::ProbeArgs),
    /// Ask what the model is biased about, by suites of sentences or a template
    Bias(bias::BiasArgs),
    /// Ask whether the model has a circuit that is known
    Circuit(circuit::CircuitArgs),
    /// Draw or export attention from a .safetensors or .npz file, whatever program wrote it
    Render(render::RenderArgs),
    /// Compute a file of attnviz again, and compare or write it
    Rerun(rerun::RerunArgs),
    /// List the models that need no network, or download one
    Models(models::ModelsArgs),
    /// Print what a shell needs to complete attnviz's commands and flags
    Completions(completions::CompletionsArgs),
    /// Print the manual page of attnviz or of one command
    Man(man::ManArgs),
}

/// The commands that look at one prompt.
#[derive(Subcommand)]
#[allow(clippy::large_enum_variant)] // there is only ever one
enum OfPrompt {
    /// Draw or export what each head attends to (the default)
    Attention(attention::AttentionArgs),
    /// Explain a prediction by several methods at once, on one page
    Explain(explain::ExplainArgs),
    /// Show which tokens moved a prediction
    Saliency(saliency::SaliencyArgs),
    /// Show what each layer would have answered, or who wrote the answer
    Lens(lens::LensArgs),
    /// Show what each head does, by name
    Heads(heads::HeadsArgs),
    /// Show how much of each token reaches each position, by several methods
    Mix(mix::MixArgs),
    /// Show how surprised the model is by each token of a text
    Surprisal(surprisal::SurprisalArgs),
    /// Show why a head looks where it looks: its score by who wrote what
    Qk(qk::QkArgs),
    /// Show which parts make the difference between two prompts, or what becomes of an answer without some
    Patch(patch::PatchArgs),
}

impl OfPrompt {
    /// As one kind of thing.
    fn boxed(self) -> Box<dyn PromptCommand> {
        match self {
            OfPrompt::Attention(args) => Box::new(args),
            OfPrompt::Explain(args) => Box::new(args),
            OfPrompt::Saliency(args) => Box::new(args),
            OfPrompt::Lens(args) => Box::new(args),
            OfPrompt::Heads(args) => Box::new(args),
            OfPrompt::Mix(args) => Box::new(args),
            OfPrompt::Surprisal(args) => Box::new(args),
            OfPrompt::Qk(args) => Box::new(args),
            OfPrompt::Patch(args) => Box::new(args),
        }
    }
}

/// Why the program ends early.
pub enum Stop {
    /// Something failed.
    Failed(Error),
    /// clap has something to say: help, the version, or what is wrong with the arguments.
    Clap(Box<clap::Error>),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

/// What was typed: the command and its line; of `batch`, those of the command that it runs as well.
pub struct Words {
    typed: Typed<Cli>,
    of_batch: Option<Typed<Cli>>,
    /// The first word, where it is a prompt but nearly a command, and that command.
    meant: Option<(String, String)>,
}

/// What was typed.
pub fn parse() -> Result<Words, Stop> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let read = |words| line::parse::<Cli>(words, DEFAULT).map_err(|error| Stop::Clap(Box::new(error)));
    let (program, rest) = match &words[..] {
        [program, command, rest @ ..] if command == "batch" => (program, rest),
        _ => {
            let meant = typo::meant(&words);
            let typed = read(literal(words)).map_err(|stop| typed_wrong(stop, meant.as_ref()))?;
            return Ok(Words { typed, of_batch: None, meant });
        }
    };
    let (name, own, theirs) = batch::divide(rest, &Cli::command());
    let typed = read([vec![program.clone(), "batch".into()], own].concat())?;
    if Cli::command().find_subcommand(&name).is_none() {
        return Err(no_prompt_command(&name).into());
    }
    let inner = read([vec![program.clone(), name.clone().into()], theirs].concat())?;
    if !matches!(inner.cli.command, Some(Command::OfPrompt(_))) {
        return Err(no_prompt_command(&name).into());
    }
    Ok(Words { typed, of_batch: Some(inner), meant: None })
}

/// The same words, with a mark at a dash that is a prompt because it stands behind `--`.
fn literal(mut words: Vec<OsString>) -> Vec<OsString> {
    let Some(end) = words.iter().position(|word| word == "--") else { return words };
    let command = words.get(1).and_then(|name| Cli::command().find_subcommand(name).cloned());
    let reads_text =
        |command: &clap::Command| command.get_arguments().any(|arg| ["text", "a"].contains(&arg.get_id().as_str()));
    if command.is_none_or(|command| reads_text(&command)) {
        words[end..].iter_mut().filter(|word| *word == "-").for_each(|word| *word = format!("{ITSELF}-").into());
    }
    words
}

/// The same, unless a command was meant whose name was typed wrong.
fn typed_wrong(stop: Stop, meant: Option<&(String, String)>) -> Stop {
    match (stop, meant) {
        (Stop::Clap(error), Some((word, command)))
            if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            Error::usage(format!("{word:?} is no command of attnviz"))
                .hint(format!("did you mean attnviz {command}? As a prompt it goes into attnviz attention {word}"))
                .into()
        }
        (stop, _) => stop,
    }
}

/// The command where none is named.
const DEFAULT: &str = "attention";

fn no_prompt_command(name: &str) -> Error {
    Error::usage(format!("{name:?} is not a command that looks at prompts"))
        .hint("attnviz --help lists the commands; attention is the default")
}

/// Does it.
pub fn run(Words { typed: Typed { cli, name, line }, of_batch, meant }: Words) -> Result<(), Stop> {
    match cli.command {
        None => {
            run::run(&cli.attention, &name, &line)?;
            if let Some((word, command)) = meant.filter(|_| !cli.attention.groups().output.quiet) {
                output::remark(&format!("{word:?} was taken as the prompt; the command is called {command}"));
            }
        }
        Some(Command::OfPrompt(command)) => run::run(&*command.boxed(), &name, &line)?,
        Some(Command::Diff(args)) => diff::run(&args, &line)?,
        Some(Command::Batch(args)) => {
            if let Some(Typed { cli: Cli { command: Some(Command::OfPrompt(command)), .. }, line, .. }) = of_batch {
                batch::run(&args, &*command.boxed(), &line)?;
            }
        }
        Some(Command::Snapshot(args)) => snapshot::run(&args)?,
        Some(Command::Probe(args)) => probe::run(&args, &line)?,
        Some(Command::Bias(args)) => bias::run(&args, &line)?,
        Some(Command::Circuit(args)) => circuit::run(&args, &line)?,
        Some(Command::Render(args)) => render::run(&args, &line)?,
        Some(Command::Rerun(args)) => rerun::run(&args)?,
        Some(Command::Models(args)) => models::run(args)?,
        Some(Command::Completions(args)) => completions::run(&args)?,
        Some(Command::Man(args)) => man::run(&args)?,
    }
    Ok(())
}

/// Says why on stderr (help and version on stdout) and chooses the exit code. A closed pipe is not a failure.
pub fn report(stop: Stop) -> ExitCode {
    let (text, code) = match stop {
        Stop::Failed(error) if error.message == output::CLOSED => return ExitCode::SUCCESS,
        Stop::Failed(Error { message, hint, kind, option }) => {
            let mut hint = hint
                .unwrap_or_else(|| "this should not happen: please report it with the command that led to it".into());
            if let Some(flag) = option.map(flag).filter(|flag| !hint.contains(&**flag)) {
                hint += &format!(" ({flag})");
            }
            let (what, code) = match kind {
                Kind::Failed | Kind::Unreachable => ("error", 1),
                Kind::Usage => ("error", 2),
                Kind::Different => ("different", 3), // what was asked has an answer: nothing failed
            };
            (two_lines(what, &message, &hint), code)
        }
        Stop::Clap(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let _ = error.print(); // nobody is left to tell
            return ExitCode::SUCCESS;
        }
        Stop::Clap(error) => (usage(&error), 2),
    };
    let _ = std::io::stderr().write_all(text.as_bytes()); // nobody is left to tell
    ExitCode::from(code)
}

/// The flag of an option.
pub(crate) fn flag(option: &str) -> String {
    format!("--{}", option.replace('_', "-"))
}

/// What clap found wrong, in our two lines.
fn usage(error: &clap::Error) -> String {
    let surplus = match error.kind() {
        ErrorKind::ArgumentConflict => error.get(ContextKind::InvalidSubcommand), // a second word looks like a command to clap
        ErrorKind::UnknownArgument => error.get(ContextKind::InvalidArg),
        _ => None,
    };
    if let Some(ContextValue::String(word)) = surplus.filter(|word| !word.to_string().starts_with('-')) {
        return two_lines(
            "error",
            &format!("{word:?} is one word too many"),
            "put quotes around the prompt; a command comes first and its flags after it",
        );
    }
    let whole = error.render().to_string();
    let first = whole.split("\n\n").next().unwrap_or_default();
    let first: Vec<&str> = first.strip_prefix("error: ").unwrap_or(first).split_whitespace().collect();
    let tip = whole.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    // The usage that clap shows begins with the command that was meant.
    let usage = whole.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or("attnviz");
    let command: Vec<&str> = usage.split(' ').take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
    let all = format!("{} --help lists everything", command.join(" "));
    two_lines("error", &first.join(" "), tip.unwrap_or(&all))
}

/// Characters of an error that are shown: it may quote a whole file.
const LONGEST_LINE: usize = 500;

/// What happened and a hint, one line each whatever they quote.
fn two_lines(what: &str, message: &str, hint: &str) -> String {
    let line = |text: &str| {
        let mut line: String = text.chars().take(LONGEST_LINE).collect();
        if line.len() < text.len() {
            line.push('…');
        }
        output::printable(&line)
    };
    format!("{what}: {}\nhint: {}\n", line(message), line(hint))
}
