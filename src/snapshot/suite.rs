//! A suite: which prompts go through which commands and models, and how far results may be from what is expected.

mod job;
mod tolerance;

pub use job::{Asks, Job, Question};

use super::Parse;
use crate::compare::Tolerance;
use crate::error::{Error, Result};
use crate::export::slug;
use crate::findings::Words;
use crate::format::Format;
use crate::named::Named;
use crate::plain;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// A suite larger than this, in bytes, cannot be meant.
const LARGEST: u64 = 16 << 20;
/// Letters of a case's name.
const LONGEST_NAME: usize = 100;

/// What is to be made.
pub struct Suite {
    /// The file.
    pub path: PathBuf,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
    /// What the cases share.
    pub jobs: Vec<Job>,
    /// How far results may be from what is expected.
    pub tolerance: Tolerance,
}

/// A prompt with a name.
pub struct Case {
    /// A safe file stem, unique whatever the letters' case.
    pub name: String,
    /// The number of its job.
    pub job: usize,
    /// The prompt as typed; none where the command needs none, or where there are ids.
    pub prompt: Option<String>,
    /// Its token ids, where they are given instead.
    pub ids: Option<Vec<u32>>,
    /// Where it begins in the suite.
    line: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    model: Option<String>,
    command: Option<String>,
    args: Option<Vec<String>>,
    formats: Option<Vec<String>>,
    #[serde(default)]
    case: Vec<Spanned<TypedCase>>,
    #[serde(default)]
    tolerance: tolerance::Typed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedCase {
    name: Option<String>,
    prompt: Option<String>,
    prompts: Option<Vec<String>>,
    ids: Option<Vec<u32>>,
    files: Option<Vec<PathBuf>>,
    model: Option<String>,
    command: Option<String>,
    args: Option<Vec<String>>,
    formats: Option<Vec<String>>,
}

impl Suite {
    /// Reads and checks a suite; no model is opened.
    ///
    /// # Errors
    /// A file that is missing, is no TOML, or asks for what there is not; the message names the file and the line.
    pub fn read(path: &Path, parse: Parse) -> Result<Self> {
        let text = text(path)?;
        let line = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
        let typed: Typed = toml::from_str(&text).map_err(|error| {
            let place = error.span().map_or(String::new(), |span| format!(":{}", line(span.start)));
            let what = error.message().replace('\n', " ");
            Error::usage(format!("{}{place}: {what}", path.display())).hint("the help of snapshot shows a suite")
        })?;
        let at = |line: usize| move |error: Error| located(path, line, error);
        let mut suite = Self {
            path: path.to_path_buf(),
            cases: Vec::new(),
            jobs: Vec::new(),
            tolerance: tolerance::tolerance(&typed.tolerance, line)
                .map_err(|(line, error)| located(path, line, error))?,
        };
        let mut keys = BTreeMap::new();
        for case in &typed.case {
            let (line, case) = (line(case.span().start), case.get_ref());
            let job = suite.job(&typed, case, &mut keys, parse).map_err(at(line))?;
            suite.add(case, job, line).map_err(at(line))?;
        }
        if suite.cases.is_empty() {
            return Err(Error::usage(format!("{} has no [[case]]", path.display()))
                .hint("add one: [[case]] and, under it, prompt = \"Once upon a time\""));
        }
        let mut names = HashSet::new();
        if let Some(case) = suite.cases.iter().find(|case| !names.insert(case.name.to_ascii_lowercase())) {
            let error = Error::usage(format!("two cases are named {:?}", case.name)).hint("give one another name");
            return Err(located(path, case.line, error));
        }
        Ok(suite)
    }

    /// Adds the prompts of a case.
    fn add(&mut self, typed: &TypedCase, job: usize, line: usize) -> Result<()> {
        let question = &self.jobs[job].question;
        let command = question.parts()?.0;
        let stem = typed.name.clone().unwrap_or_else(|| question.stem(command));
        let (one, many) = (typed.prompt.as_ref(), typed.prompts.as_ref());
        if [one.is_some(), many.is_some(), typed.ids.is_some()].into_iter().filter(|given| *given).count() > 1 {
            return Err(Error::usage("a case has one of prompt, prompts and ids").hint("leave the others out"));
        }
        if one.into_iter().chain(many.into_iter().flatten()).any(String::is_empty) {
            return Err(Error::usage("the prompt is empty").hint("give at least one character, or ids"));
        }
        let mut push = |name: String, prompt: Option<&String>, ids: Option<&Vec<u32>>| {
            check_name(&name)?;
            self.cases.push(Case { name, job, prompt: prompt.cloned(), ids: ids.cloned(), line });
            Ok(())
        };
        let needs_prompt = match question {
            Question::OfPrompt(asked) => asked.analysis().needs_prompt(),
            Question::OfItems(..) => false,
        };
        match (one, many, &typed.ids) {
            (Some(_), ..) | (_, Some(_), _) | (_, _, Some(_)) if matches!(question, Question::OfItems(..)) => {
                Err(Error::usage("its command reads no prompt").hint("give files = [\"…\"], or a template in args"))
            }
            (Some(prompt), ..) if typed.name.is_some() => push(stem, Some(prompt), None),
            (Some(prompt), ..) => push(format!("{stem}-{}", slug(prompt)), Some(prompt), None),
            (_, Some(prompts), _) => {
                prompts.iter().try_for_each(|prompt| push(format!("{stem}-{}", slug(prompt)), Some(prompt), None))
            }
            (_, _, Some(ids)) => push(if typed.name.is_some() { stem } else { format!("{stem}-ids") }, None, Some(ids)),
            _ if needs_prompt => {
                Err(Error::usage("there is no prompt").hint("add prompt = \"Once upon a time\" to the case"))
            }
            _ => push(stem, None, None),
        }
    }

    /// The job of a case; cases that share everything but their prompts share one.
    fn job(
        &mut self,
        all: &Typed,
        case: &TypedCase,
        keys: &mut BTreeMap<String, usize>,
        parse: Parse,
    ) -> Result<usize> {
        let model = case.model.as_ref().or(all.model.as_ref()).map_or("builtin", String::as_str);
        let command = case.command.as_ref().or(all.command.as_ref()).map_or("attention", String::as_str);
        let args = case.args.as_ref().or(all.args.as_ref()).map_or(&[][..], Vec::as_slice);
        let formats = case.formats.as_ref().or(all.formats.as_ref());
        let files = case.files.as_deref().unwrap_or_default();
        let key = serde_json::json!([model, command, args, formats, files]).to_string();
        if let Some(job) = keys.get(&key) {
            return Ok(*job);
        }
        let formats = match formats {
            None => vec![Format::Png, Format::Svg, Format::Json],
            Some(names) => names.iter().map(|name| format(name)).collect::<Result<_>>()?,
        };
        let mut seen = HashSet::new();
        if formats.is_empty() || formats.iter().any(|format| !seen.insert(*format)) {
            return Err(Error::usage("formats names none, or one twice").hint("name each format once"));
        }
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let files: Vec<_> = files.iter().map(|file| folder.join(file)).collect();
        let (asks, line) = parse(command, args, &files)?;
        let question = Question::new(asks, &files, &job::outputs(&formats))?;
        self.jobs.push(Job { model: model.to_owned(), question, line, formats });
        keys.insert(key, self.jobs.len() - 1);
        Ok(self.jobs.len() - 1)
    }

    /// Names the suite and the case in an error.
    pub fn named(&self, case: &Case, error: Error) -> Error {
        located(&self.path, case.line, error.of(format!("case {:?}", case.name)))
    }
}

impl Case {
    /// What the model reads; nothing where the command needs nothing.
    pub fn words(&self) -> Option<Words> {
        match (&self.ids, &self.prompt) {
            (Some(ids), _) => Some(Words::Ids(ids.clone())),
            (None, Some(text)) => Some(Words::Text(text.clone())),
            (None, None) => None,
        }
    }

    /// The name of its file of a format.
    pub fn file(&self, format: Format) -> String {
        format!("{}.{}", self.name, format.extension())
    }
}

/// Fails unless a name is a file's stem on every system.
pub(super) fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let reserved = slug(name).len() > name.len(); // Windows' devices get a longer slug
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(plain) && !name.starts_with('-') && !reserved
    {
        return Ok(());
    }
    Err(Error::usage(format!("{name:?} cannot be the name of a case"))
        .hint("use up to 100 letters, digits, - and _, as it becomes the name of a file"))
}

/// A format by its name.
pub(super) fn format(name: &str) -> Result<Format> {
    let comparable = |format: &Format| format.is_comparable();
    Format::named(name).filter(comparable).ok_or_else(|| {
        let all: Vec<_> = Format::all().filter(comparable).map(Format::name).collect();
        Error::usage(format!("there is no format {name:?} that can be compared"))
            .hint(format!("there are {}", all.join(", ")))
    })
}

fn located(path: &Path, line: usize, error: Error) -> Error {
    error.of(format!("{}:{line}", path.display()))
}

fn text(path: &Path) -> Result<String> {
    let name = path.display();
    let unread = |error: std::io::Error| match error.kind() {
        ErrorKind::FileTooLarge => {
            Error::usage(format!("{name} is larger than 16 MiB")).hint("divide it into several suites")
        }
        _ => Error::failed(format!("cannot read the suite {name}: {error}"))
            .hint("name a suite; the help of snapshot shows one"),
    };
    let bytes = plain::read(path, LARGEST).map_err(unread)?;
    String::from_utf8(bytes).map_err(|_| Error::usage(format!("{name} is not UTF-8")).hint("a suite is a text in TOML"))
}
