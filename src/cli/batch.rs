//! `attnviz batch`: the work of another command for each of many prompts, into one folder.

mod block;
mod divide;
mod run;

pub use divide::divide;
pub use run::run;

use super::model::ModelArgs;
use super::output::Format;
use attnviz::batch::{Kind, Shard};
use attnviz::error::{Error, Result};
use clap::{Args, ValueEnum};
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
