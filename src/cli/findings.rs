//! From a command of one prompt to its files: check what was typed, load, find, write, show.

use super::args::PromptArgs;
use super::model::{ModelArgs, Opened};
use super::output::{self, Format, OutputArgs, Target};
use super::preview::preview;
use super::progress::Progress;
use super::recipe::Recipe;
use super::subject::{About, Subject};
use attnviz::error::{Error, Kind, Result};
use attnviz::export::table::{text, whole};
use attnviz::export::{self, Data, Table, Template};
use attnviz::figure::Figure;
use attnviz::model::Spec;
use attnviz::prompt::Prompt;
use attnviz::render::{Fonts, png, svg, terminal};
use attnviz::session::{self, Session};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

/// A command that looks at one prompt.
pub trait Command: Sync {
    /// The flags that all such commands share.
    fn groups(&self) -> Groups<'_>;
    /// Whether there is nothing to look at without a prompt. Where there is, the subject's prompt is empty.
    fn needs_prompt(&self) -> bool {
        true
    }
    /// What cannot be meant, before anything is loaded.
    fn check(&self, targets: &[Target]) -> Result<()>;
    /// What this model does not have, before its weights are read.
    fn fits(&self, spec: &Spec) -> Result<()>;
    /// Does the work. `targets` say what it is for.
    fn find<'a>(&'a self, subject: Subject<'a>, targets: &[Target]) -> Result<Box<dyn Findings + 'a>>;
    /// The same for several prompts; no prompt's numbers depend on the others.
    fn find_all<'a>(&'a self, subjects: Vec<Subject<'a>>, targets: &[Target]) -> Vec<Result<Box<dyn Findings + 'a>>> {
        subjects.into_par_iter().map(|subject| self.find(subject, targets)).collect()
    }
}

/// The flags that all commands of one prompt share.
pub struct Groups<'a> {
    pub prompt: &'a PromptArgs,
    pub model: &'a ModelArgs,
    pub output: &'a OutputArgs,
}

/// What a command found, ready for any format: all of it, or one part where a file for each layer or head was asked for.
pub trait Findings: Send + Sync {
    /// What was looked at.
    fn about(&self) -> &About<'_>;
    /// As a picture.
    fn figure(&self, part: Option<usize>) -> Figure;
    /// As numbers.
    fn data(&self, part: Option<usize>) -> Result<Data>;
    /// As a table.
    fn table(&self, part: Option<usize>) -> Result<Table>;
    /// As CSV.
    fn csv(&self, part: Option<usize>, out: &mut Vec<u8>) -> Result<()> {
        export::csv::write_table(&self.table(part)?, out)
    }
    /// What a reader of the numbers should know, one line each.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
    /// The layer and head of each part.
    fn parts(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Runs a command.
pub fn run(command: &dyn Command, recipe: &Recipe) -> Result<()> {
    let started = Instant::now();
    let Groups { prompt, model, output } = command.groups();
    let lap = |what: &str| {
        if output.verbose {
            output::remark(&format!("{what}: {:.1} ms since the start", 1e3 * started.elapsed().as_secs_f64()));
        }
    };
    // What was typed is checked before anything slow.
    let targets = output.targets(&recipe.command)?;
    command.check(&targets)?;
    let words = if command.needs_prompt() || prompt.is_given() { Some(prompt.read()?) } else { None };
    model.start_threads()?;
    let Opened { checkpoint, note } = model.open(true, output.quiet)?;
    command.fits(session::family(&checkpoint)?.spec())?;
    let session = Session::new(checkpoint)?;
    lap("loaded");
    let prompt = match words {
        Some(words) => prompt.resolve(words, &session.tokenizer, session.model.spec())?,
        None => Prompt::default(),
    };
    let progress = Progress::new(output.quiet);
    let found = find(command, Subject::new(&session, prompt, note.as_deref(), recipe, &progress), &targets);
    progress.finish();
    let found = found?;
    lap("computed");
    deliver(&*found, &targets, output.quiet)?;
    lap("written");
    Ok(())
}

/// Does a command's work; where it fails for a broken weight, says which.
pub fn find<'a>(command: &'a dyn Command, subject: Subject<'a>, targets: &[Target]) -> Result<Box<dyn Findings + 'a>> {
    let session = subject.session;
    command.find(subject, targets).map_err(|error| match error.kind {
        Kind::Failed => session.explain(error),
        _ => error,
    })
}

/// Does a command's work for several prompts of one model, as far as they could be read; each has an answer of its own.
pub fn find_all<'a>(
    command: &'a dyn Command,
    session: &Session,
    subjects: Vec<Result<Subject<'a>>>,
    targets: &[Target],
) -> Vec<Result<Box<dyn Findings + 'a>>> {
    let mut ready = Vec::new();
    let unread: Vec<Option<Error>> =
        subjects.into_iter().map(|subject| subject.map(|subject| ready.push(subject)).err()).collect();
    let mut found = command.find_all(ready, targets).into_iter();
    let lost = || Err(Error::failed("the command gave no answer for this prompt"));
    let answer = |unread: Option<Error>| match unread {
        Some(error) => Err(error),
        None => found.next().unwrap_or_else(lost).map_err(|error| session.explain(error)),
    };
    unread.into_iter().map(answer).collect()
}

/// The findings of prompts that went through the model together. What is broken for one is broken for all: then each goes alone, and
/// says so itself.
pub fn together<'a, T: Send>(
    subjects: Vec<Subject<'a>>,
    found: Result<Vec<T>>,
    alone: impl Fn(Subject<'a>) -> Result<Box<dyn Findings + 'a>>,
    each: impl Fn(Subject<'a>, T) -> Result<Box<dyn Findings + 'a>> + Sync,
) -> Vec<Result<Box<dyn Findings + 'a>>> {
    match found {
        Ok(found) => subjects.into_par_iter().zip(found).map(|(subject, found)| each(subject, found)).collect(),
        Err(error) if subjects.len() == 1 => vec![Err(error)],
        Err(_) => subjects.into_iter().map(alone).collect(),
    }
}

/// Writes what was found, lists the files on standard output, and shows it to whoever looks.
pub fn deliver(found: &dyn Findings, targets: &[Target], quiet: bool) -> Result<()> {
    let (fonts, files) = (Fonts::with_system(), plan(found, targets)?);
    for target in targets {
        if let Target::Stdout(format) = target {
            output::print(&bytes(found, *format, None, &fonts)?)?;
        }
    }
    let write =
        |file: &File| output::write(file.template, &file.fields, &bytes(found, file.format, file.part, &fonts)?);
    let mut paths = Vec::new();
    // One target after the other, so that of two failures the first one is told.
    for target in files.chunk_by(|a, b| std::ptr::eq(a.template, b.template)) {
        paths.extend(target.par_iter().map(write).collect::<Result<Vec<_>>>()?);
    }
    // Data on standard output stand alone.
    let alone = targets.iter().any(|target| matches!(target, Target::Stdout(_)));
    if !quiet {
        found.remarks().iter().for_each(|remark| output::remark(remark));
        mention_fonts(found.about(), &fonts);
        if !alone {
            preview(&found.figure(None), &fonts);
        }
    }
    if alone {
        return Ok(());
    }
    let name = |path: &PathBuf| format!("{}\n", output::printable(&path.display().to_string()));
    output::print(paths.iter().map(name).collect::<String>().as_bytes())
}

/// A file to be written.
struct File<'a> {
    template: &'a Template,
    fields: export::Fields,
    format: Format,
    part: Option<usize>,
}

/// Every file of all targets, each with a name of its own.
fn plan<'a>(found: &dyn Findings, targets: &'a [Target]) -> Result<Vec<File<'a>>> {
    let (fields, mut files, mut names) = (found.about().fields(), Vec::new(), HashSet::new());
    for target in targets {
        let Target::File(template, format) = target else { continue };
        let file = |fields, part| File { template, fields, format: *format, part };
        match target.splits() {
            false => files.push(file(fields.clone(), None)),
            true => {
                files.extend(
                    found.parts().into_iter().enumerate().map(|(part, (layer, head))| {
                        file(export::Fields { layer, head, ..fields.clone() }, Some(part))
                    }),
                )
            }
        }
    }
    match files.iter().map(|file| file.template.fill(&file.fields)).find(|name| !names.insert(name.clone())) {
        Some(name) => Err(Error::usage(format!("two files would be named {}", name.display()))
            .hint("put both {layer} and {head} into the name, select one layer or head, or name each -o differently")),
        None => Ok(files),
    }
}

/// What was found, in one format: all, or one part, which says so.
pub fn bytes(found: &dyn Findings, format: Format, part: Option<usize>, fonts: &Fonts) -> Result<Vec<u8>> {
    let named = part.and_then(|part| {
        let (layer, head) = found.parts().into_iter().nth(part)?;
        Some(json!({ "layer": layer, "head": head }))
    });
    let figure = || {
        let mut figure = found.figure(part);
        if let (Some(named), Value::Object(provenance)) = (&named, &mut figure.provenance) {
            provenance.insert("part".into(), named.clone());
        }
        figure
    };
    let data = || -> Result<Data> {
        let mut data = found.data(part)?;
        data.meta.part = named.clone();
        Ok(data)
    };
    let mut bytes = Vec::new();
    match format {
        Format::Png => bytes = png(&figure(), fonts)?,
        Format::Svg => bytes = svg(&figure(), fonts)?.into_bytes(),
        Format::Txt => bytes = terminal(&figure(), &Default::default()).into_bytes(),
        Format::Json => export::json::write(&data()?, &mut bytes)?,
        Format::Npz => export::npz::write(&data()?, &mut bytes)?,
        Format::Safetensors => export::safetensors::write(&data()?, &mut bytes)?,
        Format::Csv => found.csv(part, &mut bytes)?,
        Format::Parquet => bytes = export::parquet::write(rows(found, part)?, origin(found.about()), bytes)?,
    }
    Ok(bytes)
}

/// The table of one prompt as a part of the table of many: its rows say whose they are.
pub fn rows(found: &dyn Findings, part: Option<usize>) -> Result<Table> {
    let (table, about) = (found.table(part)?, found.about());
    let whose = [about.index.into(), about.prompt.written().into()];
    Ok(Table {
        columns: [whole("index"), text("prompt")].into_iter().chain(table.columns).collect(),
        rows: table.rows.into_iter().map(|row| whose.iter().cloned().chain(row).collect()).collect(),
    })
}

/// What the tables of all prompts have in common, as JSON.
pub fn origin(about: &About) -> String {
    let mut origin = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "model": about.model,
        "revision": about.revision,
        "hash": about.hash,
        "command": about.recipe.command,
        "args": about.recipe.args,
        "input": about.input,
    });
    if let Some(other) = &about.other {
        origin["other"] = json!(other);
    }
    origin.to_string()
}

/// Says which characters the bundled font lacks and where they were found.
fn mention_fonts(subject: &About, fonts: &Fonts) {
    let lacking = fonts.missing(&(subject.labels().concat() + &subject.headline()));
    let (found, lost): (Vec<_>, Vec<_>) = lacking.into_iter().partition(|(_, font)| font.is_some());
    let list = |chars: &[(char, Option<String>)]| chars.iter().take(8).map(|(c, _)| *c).collect::<String>();
    if let Some((_, Some(font))) = found.first() {
        output::remark(&format!("the bundled font lacks {}; taken from the system's {font}", list(&found)));
    }
    if !lost.is_empty() {
        output::remark(&format!("no font here has {}; drawn as code points", list(&lost)));
    }
}
