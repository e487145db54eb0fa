//! `attnviz models`: what can be drawn without a network, and how to get more of it.

use super::model::HubArgs;
use super::output::{print, printable, remark};
use attnviz::checkpoint::hub::{Cached, Environment, Hub, Name, Options};
use attnviz::checkpoint::{self, Checkpoint, Source};
use attnviz::error::{Error, Kind, Result};
use attnviz::model::Family;
use attnviz::session;
use clap::{Args, Subcommand, ValueEnum};
use indicatif::DecimalBytes;
use serde_json::{Value, json};

/// The flags of `models`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(after_help = "\
Models are kept where Python's huggingface_hub keeps them, so neither downloads
what the other has: in HF_HUB_CACHE, else HF_HOME/hub, else
~/.cache/huggingface/hub. HF_ENDPOINT names a mirror, HF_TOKEN opens private
models. A download that breaks off goes on where it stopped.

Examples:
  attnviz models get distilgpt2
  attnviz models get openai-community/gpt2-medium@main
  attnviz models --format json | jq '.[].model'")]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Option<Command>,
    /// A table to read, or a list for programs
    #[arg(long, value_name = "FORMAT", default_value = "table", ignore_case = true)]
    format: Listing,
    /// Print nothing on stderr
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Download a model into the cache and print its folder
    Get(GetArgs),
}

/// The flags of `models get`.
#[derive(Args)]
struct GetArgs {
    /// A hub id such as `gpt2`; after `@` a branch, a tag or a commit, if not `main`
    #[arg(value_name = "ID[@REVISION]")]
    id: String,
    #[command(flatten)]
    hub: HubArgs,
}

/// `--format`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Listing {
    /// Columns
    Table,
    /// A list of objects
    Json,
}

/// Runs the command.
pub fn run(args: ModelsArgs) -> Result<()> {
    match args.command {
        Some(Command::Get(get_args)) => get(&get_args, args.quiet),
        None => list(args.format, args.quiet),
    }
}

fn get(args: &GetArgs, quiet: bool) -> Result<()> {
    if args.id == "builtin" {
        return Err(Error::usage("the built-in model is part of the program").hint("use it: --model builtin"));
    }
    let checkpoint = args.hub.checkpoint(&Name::parse(&args.id)?, quiet)?;
    let folder = checkpoint.folder().map_or(String::new(), |folder| folder.display().to_string());
    print(format!("{}\n", printable(&folder)).as_bytes())
}

fn list(format: Listing, quiet: bool) -> Result<()> {
    // Without a place for a cache there is none.
    let hub = match Environment::of_process() {
        Err(error) if error.kind == Kind::Unreachable => Err(error.message),
        environment => Ok(Hub::new(environment?, Options { model_types: Family::MODEL_TYPES, ..Options::default() })?),
    };
    let cached = hub.as_ref().map_or_else(|_| Vec::new(), Hub::cached);
    match format {
        Listing::Json => {
            let builtin = json!({
                "model": "builtin", "revision": null, "names": [], "bytes": checkpoint::builtin_bytes(), "complete": true,
                "folder": null,
            });
            let builtin = sized(builtin, &Source::Builtin);
            let models = cached.iter().map(|model| {
                let said = json!({
                    "model": model.id, "revision": model.commit, "names": model.revisions, "bytes": model.size_bytes,
                    "complete": model.complete, "folder": model.dir.display().to_string(),
                });
                sized(said, &Source::Directory(model.dir.clone()))
            });
            let models: Vec<_> = std::iter::once(builtin).chain(models).collect();
            print(format!("{:#}\n", json!(models)).as_bytes())
        }
        Listing::Table => {
            let builtin = ["builtin".into(), size(checkpoint::builtin_bytes()), "in the program".into()];
            let models = cached.iter().map(|model| [model.id.clone(), size(model.size_bytes), revision(model)]);
            let head = ["MODEL", "SIZE", "REVISION"].map(String::from);
            let rows: Vec<[String; 3]> = [head, builtin].into_iter().chain(models).collect();
            let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
            let (models, sizes) = (width(0), width(1));
            let lines =
                rows.iter().map(|[model, size, revision]| format!("{model:models$}  {size:>sizes$}  {revision}\n"));
            print(lines.collect::<String>().as_bytes())?;
            if !quiet {
                remark(&match hub {
                    Ok(hub) => format!("cache: {} (`attnviz models get ID` adds to it)", hub.cache().display()),
                    Err(none) => none,
                });
            }
            Ok(())
        }
    }
}

/// The same with a model's sizes; nulls of one that cannot be read.
fn sized(mut said: Value, source: &Source) -> Value {
    let family = Checkpoint::open(source).and_then(|checkpoint| session::family(&checkpoint)).ok();
    let spec = family.as_ref().map(Family::spec);
    said["layers"] = json!(spec.map(|spec| spec.layers));
    said["heads"] = json!(spec.map(|spec| spec.heads));
    said["kv_heads"] = json!(spec.map(|spec| spec.kv_heads));
    said
}

fn size(bytes: u64) -> String {
    DecimalBytes(bytes).to_string()
}

/// What may stand after the `@`: the names of a commit, with its beginning for the eye, or the whole commit where it has none.
fn revision(model: &Cached) -> String {
    let names = match model.revisions.as_slice() {
        [] => model.commit.clone(),
        names => format!("{} ({})", printable(&names.join(", ")), &model.commit[..12]),
    };
    if model.complete { names } else { names + ", incomplete" }
}
