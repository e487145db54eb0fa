//! `attnviz rerun`: what a file says of how it was made, done again, and compared with the file or written.

mod pair;
mod suite;

use super::deliver::deliver;
use super::model::{ModelArgs, Opened};
use super::output::{self, Destination, OutputArgs};
use super::progress::Progress;
use attnviz::checkpoint::hub::Name;
use attnviz::checkpoint::identity;
use attnviz::compare::{Tolerance, differences};
use attnviz::error::{Error, Kind, Result};
use attnviz::export::{read_plain, record};
use attnviz::findings::recorded::{Options, RecordedAttention};
use attnviz::findings::{self, Asked, Findings, FontFile, Output, Ready, Style, Subject, TextsFile, survey};
use attnviz::format::Format;
use attnviz::prompt::Prompt;
use attnviz::record::{Identity, Record};
use attnviz::render::Fonts;
use attnviz::session::{self, Session};
use attnviz::text::shell_word;
use clap::Args;
use serde::de::DeserializeOwned;
use std::io::{ErrorKind, Write};
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
    /// A PNG, SVG, PDF, JSON, NPZ or safetensors file that attnviz wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file that `attnviz render`, `probe`, `bias`, `patch` or `heads` read; twice, in order, for those that `attnviz diff` read
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    input: Vec<PathBuf>,
    /// Fetch the model that the file names from the hub, where the cache lacks it; whoever made the file chose it
    #[arg(long, help_heading = "Model", conflicts_with = "offline")]
    download: bool,
    /// The model that `attnviz diff` compared with, where that is a folder
    #[arg(long, value_name = "MODEL", help_heading = "Model")]
    against: Option<String>,
    /// The font that it was drawn with, where somebody gave one
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    font: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// A picture or a text larger than this, in MiB, is none of ours: 20 million numbers as JSON are smaller.
const LARGEST: u64 = 512;
/// Arrays larger than this, in MiB, would not fit into most memories twice.
const LARGEST_ARRAYS: u64 = 16 << 10;

/// Makes the file again, and compares or writes it.
pub fn run(args: &RerunArgs) -> Result<()> {
    let destinations = args.output.destinations("rerun", None, "")?;
    let name = args.file.display().to_string();
    let old = bytes(&args.file)?;
    let (format, record) = record::read(&old).map_err(|error| error.of(&name))?;
    let again = Again { args, name: &name, old: &old, format, record: &record, destinations: &destinations };
    if record.others > 0 {
        let count = record.others.saturating_add(1);
        return Err(again
            .named(Error::failed(format!("it compares {count} models")))
            .hint("only results of one model can be made again: run the command again"));
    }
    args.model.start_threads()?;
    match &record.command[..] {
        "diff" => again.of_pair(),
        "render" => again.of_file(),
        "surprisal" if record.input.is_some() => again.of_long_text(),
        "heads" if record.input.is_some() => again.of_corpus(),
        command => match survey::recorded(command, &record.options).map_err(|e| again.named(e))? {
            Some(survey) => again.of_items(survey),
            None => again.of_prompt(),
        },
    }
}

/// The file, not larger than any that attnviz writes.
fn bytes(path: &Path) -> Result<Vec<u8>> {
    let format = path.extension().and_then(|extension| Format::of_extension(&extension.to_string_lossy()));
    let is_arrays = format.is_some_and(|format| format.has_arrays() && format.is_binary());
    let most = if is_arrays { LARGEST_ARRAYS } else { LARGEST };
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::FileTooLarge => {
            Error::failed(format!("{} is larger than {most} MiB", path.display())).hint("attnviz writes no such file")
        }
        _ => Error::failed(format!("cannot read {}: {e}", path.display()))
            .hint("give a PNG, SVG, PDF, JSON, NPZ or safetensors file that attnviz wrote"),
    };
    read_plain(path, most << 20).map_err(failed)
}

/// What is to be made again.
struct Again<'a> {
    args: &'a RerunArgs,
    name: &'a str,
    old: &'a [u8],
    format: Format,
    record: &'a Record,
    destinations: &'a [Destination],
}

impl Again<'_> {
    /// From a model and a prompt.
    fn of_prompt(&self) -> Result<()> {
        let Self { args, record, .. } = self;
        let mut asked = Asked::of(record).map_err(|e| self.named(e))?;
        let change = asked.texts().map(|file| self.lend(file)).transpose()?.flatten();
        let analysis = asked.analysis();
        let outputs = self.outputs(&|outputs| analysis.check(outputs))?;
        let opened = self.model()?.open(false, args.output.quiet);
        let Opened { checkpoint, .. } = opened.map_err(|e| self.unfetched(e))?;
        analysis.fits(session::family(&checkpoint)?.spec()).map_err(|e| self.named(e))?;
        let session = Session::new(checkpoint)?;
        output::remark_on(&session, args.output.quiet);
        let prompt = if record.token_ids.is_empty() && !analysis.needs_prompt() {
            Prompt::default()
        } else {
            let reading = analysis.reading();
            reading.read_again(&record.prompt, &record.token_ids, &session.tokenizer, session.spec())?
        };
        output::remark_on_prompt(&prompt, args.output.quiet);
        let progress = Progress::new(args.output.quiet);
        let watch = |done, planned| progress.watch(done, planned);
        let mut subject = Subject { watch: &watch, ..Subject::new(&session, prompt, &asked)? };
        (subject.record.line, subject.record.note) = (record.line.clone(), record.note.clone());
        let found = findings::find(analysis, subject, &outputs);
        progress.finish();
        self.finish(&*found?, &self.fonts(analysis.style())?, change.or_else(|| changed(&record.model, &session)))
    }

    /// Reads the file of texts again that it was made with, and says what is changed.
    fn lend(&self, file: &mut TextsFile) -> Result<Option<String>> {
        match &self.args.input[..] {
            [path] => Ok(file.lend(TextsFile::read(path, "input")?)),
            _ => Err(self.unnamed(&file.input())),
        }
    }

    /// From a file that `render` read.
    fn of_file(&self) -> Result<()> {
        let options: Options = self.options()?;
        let Some(input) = &self.record.input else { return Err(self.silent("from which file it was drawn")) };
        let [path] = &self.args.input[..] else {
            return Err(self.named(Error::failed(format!("it was drawn from a file {:?}", input.name))).hint(format!(
                "give that file: attnviz rerun {} --input {}",
                shell_word(self.name),
                shell_word(&input.name)
            )));
        };
        let outputs = self.outputs(&|outputs| options.view.check(outputs))?;
        let mut recorded = RecordedAttention::read(path, options.wanted)?;
        let change = format!(
            "the file that it was drawn from had the hash {}, {} has {}",
            input.hash, recorded.input.name, recorded.input.hash
        );
        let change = (recorded.input.hash != input.hash).then_some(change);
        recorded.input.name.clone_from(&input.name); // a file keeps what it holds under any name
        self.finish(
            &recorded.find(&options, &self.record.line, &outputs)?,
            &self.fonts(options.view.style.clone())?,
            change,
        )
    }

    /// The options of a command that is not of one prompt.
    fn options<T: DeserializeOwned>(&self) -> Result<T> {
        findings::options(self.record.options.clone().into()).map_err(|e| self.named(e))
    }

    /// The model that the file names, unless the user names one.
    fn model(&self) -> Result<ModelArgs> {
        self.model_of(self.args.model.one()?, &self.record.model, "--model")
    }

    fn model_of(
        &self,
        given: Option<&str>,
        Identity { name, revision, tokenizer, place, .. }: &Identity,
        flag: &str,
    ) -> Result<ModelArgs> {
        let model = match (given, revision) {
            (Some(given), _) => given.to_owned(),
            (None, _) if name == "builtin" => name.clone(),
            // Checked, so that what a file says is never taken for a path.
            (None, Some(revision)) => {
                Name::new(name, Some(revision)).map_err(|e| self.named(e))?;
                format!("{name}@{revision}")
            }
            (None, None) => {
                return Err(self
                    .named(Error::failed(format!("its model was a folder {name:?}")))
                    .hint(format!("say where it is: attnviz rerun {} {flag} DIR", shell_word(self.name))));
            }
        };
        let mut model = self.args.model.instead(&model);
        // Nobody is asked for what a stranger's file names.
        model.hub.offline |= given.is_none() && !self.args.download && !model.hub.refresh;
        if let Some(lent) = tokenizer.as_ref().filter(|_| model.tokenizer.is_none()) {
            if lent != "builtin" {
                return Err(self
                    .named(Error::failed(format!("its tokenizer was that of {lent:?}")))
                    .hint(format!("say where it is: attnviz rerun {} --tokenizer DIR", shell_word(self.name))));
            }
            model.tokenizer = Some(lent.clone());
        }
        if model.device.is_none() {
            (model.device, model.dtype) = (Some(place.device), Some(place.dtype));
        }
        Ok(model)
    }

    /// The fonts that it was drawn with.
    fn fonts(&self, style: Style) -> Result<Fonts> {
        let given = self.args.font.as_deref().map(FontFile::read).transpose()?;
        if let (Some(then), Some(now)) = (&style.font, &given)
            && then.hash != now.hash
        {
            return Err(
                self.named(Error::failed(format!("its font {:?} was another file", then.name)).hint("give that file"))
            );
        }
        let named = |error: Error| Error { option: Some("font"), ..error.of(self.name) };
        Style { font: style.font.as_ref().and_then(|font| given.or_else(|| Some(font.clone()))), ..style }
            .fonts()
            .map_err(named)
    }

    /// The same error; where the cache lacks a model that the file names, with the way to it.
    fn unfetched(&self, error: Error) -> Error {
        if error.kind != Kind::Unreachable || self.args.download || self.args.model.hub.offline {
            return error;
        }
        let fetch = format!("attnviz rerun {} --download", shell_word(self.name));
        self.named(error).hint(format!("the file names this model; to ask the hub for it: {fetch}"))
    }

    /// What is computed depends on what for. A picture may have been made beside a file of arrays that alone holds what was asked for.
    fn outputs(&self, check: &dyn Fn(&[Output]) -> Result<()>) -> Result<Vec<Output>> {
        let outputs = match (&self.record.part, self.args.output.output.is_empty()) {
            (Some(_), _) => vec![Output { format: self.format, by_part: true }],
            (None, true) => vec![Output::whole(self.format)],
            (None, false) => self.destinations.iter().map(Destination::output).collect(),
        };
        let beside = [&outputs[..], &[Output::whole(Format::Npz)]].concat();
        match check(&outputs) {
            Ok(()) => Ok(outputs),
            Err(_) if check(&beside).is_ok() => Ok(beside),
            // What stands in a file was typed by nobody.
            Err(error) if self.args.output.output.is_empty() => Err(Error { kind: Kind::Failed, ..self.named(error) }),
            Err(error) => Err(self.named(error)),
        }
    }

    /// Compares what was found with the file, or writes it.
    fn finish(&self, found: &dyn Findings, fonts: &Fonts, change: Option<String>) -> Result<()> {
        let Self { args, name, record, .. } = self;
        let (version, ready) = (env!("CARGO_PKG_VERSION"), Ready::new(found));
        let part = self.part(&ready)?;
        let age = format!("it was made by attnviz {}, this is {version}", record.version);
        let mut changes: Vec<String> = (record.version != version).then_some(age).into_iter().chain(change).collect();
        if !args.output.output.is_empty() {
            if !args.output.quiet {
                changes.iter().for_each(|change| output::remark(&format!("{name}: {change}")));
            }
            return self.write(&ready, part, fonts);
        }
        let new = ready.bytes(self.format, part, fonts)?;
        if self.old == new {
            return output::print(format!("{}: the same bytes\n", output::printable(name)).as_bytes());
        }
        let found = differences(self.format, self.old, &new, &Tolerance::EXACT);
        if found.is_empty() {
            changes.push("all else is the same, but not the bytes".into());
        }
        changes.extend(found);
        Err(Error::different(format!("{name} is not what is made now: {}", changes.join("; ")))
            .hint(format!("write what is made now, and look: attnviz rerun {} -o PATH", shell_word(name))))
    }

    /// Which part of what was found the file holds.
    fn part(&self, ready: &Ready) -> Result<Option<usize>> {
        let Some(part) = &self.record.part else { return Ok(None) };
        let place = ready.parts().iter().position(|known| known == part);
        let missing = || {
            Error::failed(format!("it holds layer {}, head {}, which its own options leave out", part.layer, part.head))
                .hint("the file is damaged; make it again by hand")
        };
        place.map(Some).ok_or_else(|| self.named(missing()))
    }

    fn write(&self, ready: &Ready, part: Option<usize>, fonts: &Fonts) -> Result<()> {
        let Some(place) = part else {
            return deliver(ready.found(), self.destinations, fonts, self.args.output.quiet);
        };
        let fields = ready.found().about().fields().of(&ready.parts()[place]);
        for destination in self.destinations {
            match destination {
                Destination::Stdout(format) => output::stream(|out| ready.write(*format, part, fonts, out))?,
                Destination::File(template, format) => {
                    let write = |out: &mut (dyn Write + Send)| ready.write(*format, part, fonts, out);
                    output::list(&[output::write(template, &fields, write)?])?;
                }
            }
        }
        Ok(())
    }

    /// A failure of what the file says, which no flag mends.
    fn named(&self, error: Error) -> Error {
        Error { option: None, ..error.of(self.name) }
    }

    fn silent(&self, what: &str) -> Error {
        self.named(Error::failed(format!("it does not say {what}"))).hint("the file is damaged; make it again by hand")
    }
}

/// What is said where a model is not the one that it was.
fn changed(then: &Identity, now: &Session) -> Option<String> {
    let changes = identity::changes(&then.hash, &now.hash);
    (!changes.is_empty()).then(|| format!("model {}: {}", now.name, changes.join("; ")))
}
