//! `attnviz rerun`: what a file says of how it was made, done again, and compared with the file or written.

mod pair;

use super::args::Words;
use super::findings::{self, Findings};
use super::model::{ModelArgs, Opened};
use super::output::{self, Format, OutputArgs, Target};
use super::progress::Progress;
use super::recipe::Recipe;
use super::subject::Subject;
use super::{Cli, Command, render};
use attnviz::checkpoint::hub::Name;
use attnviz::compare::{Tolerance, differences};
use attnviz::error::{Error, Result};
use attnviz::export::made::{self, Kind, Made};
use attnviz::export::{Fields, Input, Template, read_at_most};
use attnviz::prompt::Prompt;
use attnviz::render::Fonts;
use attnviz::session::{self, Session};
use clap::Args;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The flags of `rerun`.
#[derive(Args)]
#[command(after_help = "\
Exit: 0 the same bytes, or written with -o; 1 it cannot be done again; 3 it differs.

Examples:
  attnviz rerun figure.png                     does this version make the same?
  attnviz rerun figure.png --model ./my-gpt2   a model in a folder is to be named
  attnviz rerun figure.png -o figure.svg       the same figure in another format")]
pub struct RerunArgs {
    /// A PNG, SVG or JSON file that attnviz wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file that `attnviz render` read; twice, in order, for those that `attnviz diff` read
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    input: Vec<PathBuf>,
    /// The model that `attnviz diff` compared with, where that is a folder
    #[arg(long, value_name = "MODEL", help_heading = "Model")]
    against: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// A file larger than this is none of ours: 20 million numbers as JSON are smaller.
const LARGEST: u64 = 1 << 29;

/// Makes the file again, and compares or writes it.
pub fn run(args: &RerunArgs) -> Result<()> {
    let targets = args.output.targets("rerun")?;
    let name = args.file.display().to_string();
    let named = |error: Error| Error { message: format!("{name}: {}", error.message), ..error };
    let old = bytes(&args.file)?;
    let made = made::read(&old).map_err(named)?;
    let format = match made.kind {
        Kind::Png => Format::Png,
        Kind::Svg => Format::Svg,
        Kind::Json => Format::Json,
    };
    let recipe = Recipe { command: made.command.clone(), args: made.args.clone() };
    let again = Again { args, name: &name, old: &old, made: &made, format, targets: &targets, recipe: &recipe };
    args.model.start_threads()?;
    match (&made.input, &made.other) {
        (_, Some(other)) => again.of_pair(other),
        (Some(input), None) => again.of_file(input),
        (None, None) => again.of_prompt(),
    }
}

/// The file, not larger than any that attnviz writes.
fn bytes(path: &Path) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::FileTooLarge => Error::failed(format!("{} is larger than 512 MiB", path.display()))
            .hint("attnviz writes no such picture and no such JSON"),
        _ => Error::failed(format!("cannot read {}: {e}", path.display()))
            .hint("give a PNG, SVG or JSON file that attnviz wrote"),
    };
    File::open(path).and_then(|file| read_at_most(file, LARGEST)).map_err(failed)
}

/// A prompt as it was read. The ids are what the model read; the text only says it better, where it still means the same.
fn said(text: &str, ids: &[u32], resolve: impl Fn(Words) -> Result<Prompt>) -> Result<Prompt> {
    let prompt = resolve(Words::Text(text.to_owned()));
    match prompt.ok().filter(|prompt| prompt.ids == ids) {
        Some(prompt) => Ok(prompt),
        None => resolve(Words::Ids(ids.to_vec())),
    }
}

/// What is to be made again.
struct Again<'a> {
    args: &'a RerunArgs,
    name: &'a str,
    old: &'a [u8],
    made: &'a Made,
    format: Format,
    targets: &'a [Target],
    recipe: &'a Recipe,
}

impl Again<'_> {
    /// From a model and a prompt.
    fn of_prompt(&self) -> Result<()> {
        let Self { args, made, recipe, .. } = self;
        let Some(Command::OfPrompt(command)) = recipe.parse::<Cli>(&[]).map_err(|e| self.named(e))?.command else {
            return Err(self
                .named(Error::failed(format!("`attnviz {}` looks at no prompt", made.command)))
                .hint("give a file that a command of one prompt wrote"));
        };
        let (command, purpose) = (command.command(), self.purpose()?);
        command.check(&purpose)?;
        let Opened { checkpoint, .. } = self.model()?.open(false, args.output.quiet)?;
        command.fits(session::family(&checkpoint)?.spec())?;
        let session = Session::new(checkpoint)?;
        let (flags, tokenizer, spec) = (command.groups().prompt, &session.tokenizer, session.model.spec());
        let prompt = if made.token_ids.is_empty() && !command.needs_prompt() {
            Prompt::default()
        } else {
            said(&made.prompt, &made.token_ids, |words| flags.resolve(words, tokenizer, spec))?
        };
        let change = format!("its weights were {}, those of {} are {}", made.weights, session.name, session.hash);
        let change = (session.hash != made.weights).then_some(change);
        let progress = Progress::new(args.output.quiet);
        let subject = Subject::new(&session, prompt, made.note.as_deref(), recipe, &progress);
        let found = findings::find(command, subject, &purpose);
        progress.finish();
        self.finish(&*found?, change)
    }

    /// From a file that `render` read.
    fn of_file(&self, input: &Input) -> Result<()> {
        let [path] = &self.args.input[..] else {
            return Err(self
                .named(Error::failed(format!("it was drawn from a file {:?}", input.name)))
                .hint(format!("give that file: attnviz rerun {} --input {}", self.name, input.name)));
        };
        let command = self.recipe.parse::<Cli>(&[path.into()]).map_err(|e| self.named(e))?.command;
        let Some(Command::Render(args)) = command else {
            return Err(self
                .named(Error::failed(format!("`attnviz {}` reads no such file", self.made.command)))
                .hint("give a file that attnviz render wrote"));
        };
        let mut opened = render::Opened::read(path)?;
        let change = format!(
            "the file that it was drawn from had the hash {}, {} has {}",
            input.hash, opened.input.name, opened.input.hash
        );
        let change = (opened.input.hash != input.hash).then_some(change);
        opened.input.name.clone_from(&input.name); // a file keeps what it holds under any name
        let purpose = self.purpose()?;
        args.view.check(&purpose)?;
        self.finish(&opened.look(&args.view, self.recipe, &purpose)?, change)
    }

    /// The model that the file names, unless the user names one.
    fn model(&self) -> Result<ModelArgs> {
        let given = self.args.model.model.as_deref();
        self.model_of(given, &self.made.model, self.made.revision.as_deref(), "--model")
    }

    fn model_of(&self, given: Option<&str>, name: &str, revision: Option<&str>, flag: &str) -> Result<ModelArgs> {
        let model = match (given, revision) {
            (Some(given), _) => given.to_owned(),
            (None, _) if name == "builtin" => name.to_owned(),
            // Checked, so that what a file says is never taken for a path.
            (None, Some(revision)) => {
                Name::new(name, Some(revision)).map_err(|e| self.named(e))?;
                format!("{name}@{revision}")
            }
            (None, None) => {
                return Err(self
                    .named(Error::failed(format!("its model was a folder {name:?}")))
                    .hint(format!("say where it is: attnviz rerun {} {flag} DIR", self.name)));
            }
        };
        Ok(self.args.model.instead(&model))
    }

    /// What is computed depends on what for.
    fn purpose(&self) -> Result<Vec<Target>> {
        match (&self.made.part, self.args.output.output.is_empty()) {
            (Some(_), _) => Ok(vec![Target::File(Template::parse("{layer}-{head}.png")?, self.format)]),
            (None, true) => Ok(vec![Target::Stdout(self.format)]),
            (None, false) => self.args.output.targets("rerun"),
        }
    }

    /// Compares what was found with the file, or writes it.
    fn finish(&self, found: &dyn Findings, change: Option<String>) -> Result<()> {
        let Self { args, name, made, .. } = self;
        let (version, part) = (env!("CARGO_PKG_VERSION"), self.part(found)?);
        let age = format!("it was made by attnviz {}, this is {version}", made.version);
        let mut changes: Vec<String> = (made.version != version).then_some(age).into_iter().chain(change).collect();
        if !args.output.output.is_empty() {
            if !args.output.quiet {
                changes.iter().for_each(|change| output::remark(&format!("{name}: {change}")));
            }
            return self.write(found, part);
        }
        let new = findings::bytes(found, self.format, part, &Fonts::with_system())?;
        if self.old == new {
            return output::print(format!("{}: the same bytes\n", output::printable(name)).as_bytes());
        }
        let compared = self.format.compared();
        let found = compared.map_or(Vec::new(), |format| differences(format, self.old, &new, &Tolerance::EXACT));
        if found.is_empty() {
            changes.push("all else is the same, but not the bytes".into());
        }
        changes.extend(found);
        Err(Error::different(format!("{name} is not what is made now: {}", changes.join("; ")))
            .hint(format!("write what is made now, and look: attnviz rerun {name} -o PATH")))
    }

    /// Which part of what was found the file holds.
    fn part(&self, found: &dyn Findings) -> Result<Option<usize>> {
        let Some(part) = &self.made.part else { return Ok(None) };
        let place = found.parts().iter().position(|(layer, head)| (layer, head) == (&part.layer, &part.head));
        let missing = || {
            Error::failed(format!("it holds layer {}, head {}, which its own flags leave out", part.layer, part.head))
                .hint("the file is damaged; make it again by hand")
        };
        place.map(Some).ok_or_else(|| self.named(missing()))
    }

    fn write(&self, found: &dyn Findings, part: Option<usize>) -> Result<()> {
        let Some(place) = part else { return findings::deliver(found, self.targets, self.args.output.quiet) };
        let (layer, head) = found.parts().swap_remove(place);
        let (fields, fonts) = (Fields { layer, head, ..found.about().fields() }, Fonts::with_system());
        for target in self.targets {
            let bytes = findings::bytes(found, target.format(), part, &fonts)?;
            match target {
                Target::Stdout(_) => output::print(&bytes)?,
                Target::File(template, _) => {
                    let path = output::write(template, &fields, &bytes)?;
                    output::print(format!("{}\n", output::printable(&path.display().to_string())).as_bytes())?;
                }
            }
        }
        Ok(())
    }

    fn named(&self, error: Error) -> Error {
        Error { message: format!("{}: {}", self.name, error.message), ..error }
    }
}
