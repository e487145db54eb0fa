//! `attnviz batch`: the work of another command for each of many prompts, into one folder.

mod divide;

pub use divide::divide;

use super::args::one_of;
use super::model::{ModelArgs, Opened};
use super::output;
use super::run::{Groups, PromptCommand};
use attnviz::batch::{self, Kind, MANIFEST, Options, Shard, Summary, watch_for_interrupts};
use attnviz::error::{Error, Result};
use attnviz::format::Format;
use attnviz::session::{self, Session};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;

/// The flags of `batch` itself; all others are those of the command that it runs.
#[derive(Args)]
#[command(after_help = "\
All other flags are those of the command that is run.

Examples:
  attnviz batch prompts.txt --out results --layer 4 --sink mask
  attnviz batch prompts.csv --column text --out scores --run saliency
  attnviz batch prompts.txt --out results --resume
  attnviz batch prompts.txt --out share-2 --shard 2/8
  attnviz batch --merge share-* --out results")]
pub struct BatchArgs {
    /// Files of prompts: .txt (one a line), .jsonl, .csv or .tsv; `-` is standard input. With --merge, the folders of all shards
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,
    /// The folder to write to; made if it is not there
    #[arg(long, value_name = "DIR", required = true)]
    pub out: PathBuf,
    /// The command to run for each prompt; its own flags follow
    #[arg(long, value_name = "COMMAND", default_value = "attention")]
    pub run: String,
    /// The files to write for each prompt
    #[arg(long, value_name = "png,json,…", value_delimiter = ',', default_value = "png", value_parser = one_of::<Format>())]
    pub format: Vec<Format>,
    /// The name of each file without its extension, from {index}, {slug}, {hash}, {layer} and {head}
    #[arg(long, value_name = "TEMPLATE", default_value = "{index}-{slug}")]
    pub name: String,
    /// How prompts lie in the inputs [default: by extension; standard input is txt]
    #[arg(long, value_name = "KIND", value_parser = one_of::<Kind>())]
    pub input_format: Option<Kind>,
    /// The column of a table, or the field of a .jsonl, that holds the prompt [default: prompt, else text]
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Go on with what was begun in --out, after any interruption; begins where there is nothing yet
    #[arg(long)]
    pub resume: bool,
    /// Stop at the first prompt that fails
    #[arg(long)]
    pub strict: bool,
    /// Do one share of the work: K/N, or `auto` (Slurm's array) or `auto/N` (Kubernetes' indexed job)
    #[arg(long, value_name = "K/N")]
    pub shard: Option<String>,
    /// Join the folders of all shards into --out
    #[arg(long)]
    #[arg(conflicts_with_all = ["resume", "shard", "strict", "column", "input_format", "run", "format", "name", "model"])]
    pub merge: bool,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Print no remarks and no progress
    #[arg(short, long)]
    pub quiet: bool,
}

impl BatchArgs {
    /// What is meant.
    fn options(&self) -> Result<Options> {
        Ok(Options {
            inputs: self.inputs.clone(),
            out: self.out.clone(),
            formats: self.format.clone(),
            name: self.name.clone(),
            input_format: self.input_format,
            column: self.column.clone(),
            resume: self.resume,
            strict: self.strict,
            shard: self.share()?,
        })
    }

    /// The share of the work that is meant.
    fn share(&self) -> Result<Shard> {
        match self.shard.as_deref() {
            None => Ok(Shard::default()),
            Some("auto") => Shard::from_environment(|name| std::env::var(name).ok(), None),
            Some(text) => match text.strip_prefix("auto/") {
                Some(of) => {
                    let wrong = |_| Error::usage(format!("--shard {text:?} is not a share")).hint("write auto/N");
                    Shard::from_environment(|name| std::env::var(name).ok(), Some(of.parse().map_err(wrong)?))
                }
                None => text.parse(),
            },
        }
    }
}

/// Runs the command for every prompt, or joins shares; `line` is what was typed of the command.
pub fn run(args: &BatchArgs, command: &dyn PromptCommand, line: &str) -> Result<()> {
    refuse(args, command, line)?;
    args.model.start_threads()?;
    if args.merge {
        return finish(args, batch::merge(&args.inputs, &args.out)?);
    }
    let (options, asked) = (args.options()?, command.asked()?);
    batch::check(&options, &asked)?;
    let Opened { checkpoint, .. } = args.model.open(false, args.quiet)?;
    asked.analysis().fits(session::family(&checkpoint)?.spec())?;
    let session = Session::new(checkpoint)?;
    output::remark_on(&session, args.quiet);
    if let Some(why) = session.tokenizer.missing() {
        return Err(why.clone());
    }
    watch_for_interrupts();
    let bar = bar(args, &options)?;
    let summary = batch::run(&options, &asked, line, &session, &|| bar.inc(1), &|remark| {
        if !args.quiet {
            bar.suspend(|| output::say(remark));
        }
    })?;
    bar.finish_and_clear();
    summary.remarks.iter().filter(|_| !args.quiet).for_each(output::say);
    finish(args, summary)
}

/// Fails for flags of the command that a batch has no place for.
fn refuse(args: &BatchArgs, command: &dyn PromptCommand, line: &str) -> Result<()> {
    let Groups { prompt, output, .. } = command.groups();
    let prompts = "a batch reads its prompts from INPUT";
    let places = [
        (prompt.ids.is_some(), "--ids", prompts),
        (prompt.file.is_some(), "--file", prompts),
        (!output.output.is_empty(), "--output", "a batch writes to --out, under --name"),
        (output.verbose, "--verbose", "a batch does its prompts together"),
    ];
    if let Some((_, flag, why)) = places.into_iter().find(|(given, ..)| *given) {
        return Err(Error::usage(format!("{flag} does not go with batch")).hint(format!("{why}; leave {flag} out")));
    }
    match line.split_once(" --") {
        Some((_, flags)) if args.merge => Err(Error::usage(format!("--{flags} does not go with --merge"))
            .hint("shards are joined as they were made; leave it out")),
        _ => Ok(()),
    }
}

/// What is said at the end.
fn finish(args: &BatchArgs, Summary { prompts, failed, .. }: Summary) -> Result<()> {
    let manifest = args.out.join(MANIFEST);
    output::list(std::slice::from_ref(&manifest))?;
    if failed == 0 {
        return Ok(());
    }
    Err(Error::failed(format!("{failed} of {prompts} prompts failed"))
        .hint(format!("{} says which and why", manifest.display())))
}

/// How far it is, on a terminal.
fn bar(args: &BatchArgs, options: &Options) -> Result<ProgressBar> {
    if args.quiet || !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let counted = !args.inputs.iter().any(|path| path.as_os_str() == "-");
    let (bar, style) = if counted {
        let (mut prompts, mut total) = (options.prompts()?, 0);
        while prompts.read()?.is_some() {
            total += 1;
        }
        (ProgressBar::new(total), "{wide_bar} {pos} of {len} prompts, {per_sec}, {eta} left")
    } else {
        (ProgressBar::no_length(), "{spinner} {pos} prompts, {per_sec}")
    };
    Ok(ProgressStyle::with_template(style).map_or(bar.clone(), |style| bar.with_style(style)))
}
