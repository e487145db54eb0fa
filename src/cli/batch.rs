//! `attnviz batch`: the work of another command for each of many prompts, into one folder.

mod block;
mod divide;
mod job;

pub use divide::divide;

use super::findings::Command;
use super::model::{ModelArgs, Opened};
use super::output::{self, Format, Target};
use super::progress::Progress;
use super::recipe::Recipe;
use attnviz::batch::{Folder, Inputs, Kind, MANIFEST, Shard, merge, watch_for_interrupts};
use attnviz::error::{Error, Result};
use attnviz::export::{Field, Template};
use attnviz::render::Fonts;
use attnviz::session::{self, Session};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use job::Job;
use serde_json::json;
use std::collections::HashSet;
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
    /// Files of prompts: .txt (one a line), .jsonl or .csv; `-` is standard input. With --merge, the folders of all shards
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,
    /// The folder to write to; made if it is not there
    #[arg(long, value_name = "DIR", required = true)]
    pub out: PathBuf,
    /// The command to run for each prompt; its own flags follow
    #[arg(long, value_name = "COMMAND", default_value = "attention")]
    pub run: String,
    /// The files to write for each prompt
    #[arg(long, value_name = "png,json,…", value_delimiter = ',', default_value = "png")]
    pub format: Vec<Format>,
    /// The name of each file without its extension, from {index}, {slug}, {hash}, {layer} and {head}
    #[arg(long, value_name = "TEMPLATE", default_value = "{index}-{slug}")]
    pub name: String,
    /// How prompts lie in the inputs [default: by extension; standard input is txt]
    #[arg(long, value_name = "KIND")]
    pub input_format: Option<KindArg>,
    /// The column of a .csv, or the field of a .jsonl, that holds the prompt [default: prompt, else text]
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
    #[arg(long, conflicts_with_all = ["resume", "shard", "strict", "column", "input_format"])]
    pub merge: bool,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Print no remarks and no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// `--input-format`.
#[derive(Clone, Copy, ValueEnum)]
pub enum KindArg {
    /// One prompt a line
    Txt,
    /// A JSON string or object a line
    Jsonl,
    /// A table with a header
    Csv,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Txt => Kind::Txt,
            KindArg::Jsonl => Kind::Jsonl,
            KindArg::Csv => Kind::Csv,
        }
    }
}

impl BatchArgs {
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

/// Runs the command for every prompt, or joins shares.
pub fn run(args: &BatchArgs, command: &dyn Command, recipe: &Recipe) -> Result<()> {
    if args.merge {
        let (prompts, failed) = merge(&args.inputs, &args.out)?;
        return finish(args, prompts, failed);
    }
    let targets = targets(args)?;
    command.check(&targets)?;
    let shard = args.share()?;
    let open = || Inputs::new(&args.inputs, args.input_format.map(Into::into), args.column.clone());
    let inputs = open()?;
    args.model.start_threads()?;
    let Opened { checkpoint, .. } = args.model.open(false, args.quiet)?;
    command.fits(session::family(&checkpoint)?.spec())?;
    let mut folder = Folder::open(&args.out, args.resume)?;
    let session = Session::new(checkpoint)?;
    let settings =
        json!([env!("CARGO_PKG_VERSION"), session.hash, recipe.command, recipe.args, args.name, names(args)]);
    let settings = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(settings.to_string().as_bytes()));
    watch_for_interrupts();
    let bar = bar(args, open)?;
    let job = Job {
        args,
        command,
        recipe,
        session: &session,
        fonts: Fonts::bundled(),
        targets,
        settings,
        shard,
        bar,
        silent: Progress::new(true),
    };
    let (done, failed) = job.run(inputs, &mut folder)?;
    job.bar.finish_and_clear();
    folder.finish()?;
    finish(args, done, failed)
}

/// What is said at the end.
fn finish(args: &BatchArgs, prompts: u64, failed: u64) -> Result<()> {
    let manifest = args.out.join(MANIFEST);
    output::print(format!("{}\n", output::printable(&manifest.display().to_string())).as_bytes())?;
    if failed == 0 {
        return Ok(());
    }
    Err(Error::failed(format!("{failed} of {prompts} prompts failed"))
        .hint(format!("{} says which and why", manifest.display())))
}

fn names(args: &BatchArgs) -> Vec<&'static str> {
    args.format.iter().map(|format| format.extension()).collect()
}

/// One file name for each format, checked.
fn targets(args: &BatchArgs) -> Result<Vec<Target>> {
    let wrong = |what: &str, hint: &str| Err(Error::usage(format!("--name {:?} {what}", args.name)).hint(hint));
    if args.name.contains(['/', '\\']) || args.name.starts_with('.') {
        return wrong(
            "is not the name of a file",
            "all results lie in one folder: leave slashes and a leading dot out",
        );
    }
    let mut seen = HashSet::new();
    if let Some(format) = args.format.iter().find(|format| !seen.insert(**format)) {
        return Err(Error::usage(format!("--format names {} twice", format.extension())).hint("name each format once"));
    }
    let target = |format: &Format| {
        let template = Template::parse(&format!("{}.{}", args.name, format.extension()))?;
        Ok(Target::File(template, *format))
    };
    let targets = args.format.iter().map(target).collect::<Result<Vec<_>>>()?;
    let unique = |target: &Target| matches!(target, Target::File(name, _) if name.fields().contains(&Field::Index));
    if !targets.iter().all(unique) {
        return wrong("would give two prompts the same file", "put {index} into the name");
    }
    Ok(targets)
}

/// How far it is, on a terminal.
fn bar(args: &BatchArgs, open: impl Fn() -> Result<Inputs>) -> Result<ProgressBar> {
    if args.quiet || !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let counted = !args.inputs.iter().any(|path| path.as_os_str() == "-");
    let (bar, style) = if counted {
        let (mut inputs, mut total) = (open()?, 0);
        while inputs.read()?.is_some() {
            total += 1;
        }
        (ProgressBar::new(total), "{wide_bar} {pos} of {len} prompts, {per_sec}, {eta} left")
    } else {
        (ProgressBar::no_length(), "{spinner} {pos} prompts, {per_sec}")
    };
    Ok(ProgressStyle::with_template(style).map_or(bar.clone(), |style| bar.with_style(style)))
}
