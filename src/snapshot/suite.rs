//! A suite: which prompts go through which commands and models, and how far results may be from what is expected.

mod tolerance;

use crate::cli::args::Words;
use crate::cli::findings::Groups;
use crate::cli::output::{Format, Target};
use crate::cli::recipe::{self, Recipe};
use crate::cli::{Cli, Command, OfPrompt};
use attnviz::compare::Tolerance;
use attnviz::error::{Error, Result};
use attnviz::export::{Template, read_at_most, slug};
use clap::ValueEnum;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
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
    pub ids: Option<Vec<u32>>,
    line: usize,
}

/// A command, a model and the formats, for any number of cases.
pub struct Job {
    /// The model as the suite names it.
    pub model: String,
    pub command: OfPrompt,
    pub recipe: Recipe,
    pub formats: Vec<Format>,
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
    pub fn read(path: &Path) -> Result<Self> {
        let text = text(path)?;
        let line = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
        let typed: Typed = toml::from_str(&text).map_err(|error| {
            let place = error.span().map_or(String::new(), |span| format!(":{}", line(span.start)));
            let what = error.message().replace('\n', " ");
            Error::usage(format!("{}{place}: {what}", path.display())).hint("attnviz snapshot --help shows a suite")
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
            let line = line(case.span().start);
            suite.add(&typed, case.get_ref(), line, &mut keys).map_err(at(line))?;
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

    fn add(&mut self, all: &Typed, typed: &TypedCase, line: usize, keys: &mut BTreeMap<String, usize>) -> Result<()> {
        let job = self.job(all, typed, keys)?;
        let command = self.jobs[job].command.command();
        let stem = typed.name.clone().unwrap_or_else(|| self.jobs[job].recipe.command.clone());
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
        match (one, many, &typed.ids) {
            (Some(prompt), ..) if typed.name.is_some() => push(stem, Some(prompt), None),
            (Some(prompt), ..) => push(format!("{stem}-{}", slug(prompt)), Some(prompt), None),
            (_, Some(prompts), _) => {
                prompts.iter().try_for_each(|prompt| push(format!("{stem}-{}", slug(prompt)), Some(prompt), None))
            }
            (_, _, Some(ids)) => push(if typed.name.is_some() { stem } else { format!("{stem}-ids") }, None, Some(ids)),
            _ if command.needs_prompt() => {
                Err(Error::usage("there is no prompt").hint("add prompt = \"Once upon a time\" to the case"))
            }
            _ => push(stem, None, None),
        }
    }

    /// The job of a case; cases that share everything but their prompts share one.
    fn job(&mut self, all: &Typed, case: &TypedCase, keys: &mut BTreeMap<String, usize>) -> Result<usize> {
        let model = case.model.as_ref().or(all.model.as_ref()).map_or("builtin", String::as_str);
        let command = case.command.as_ref().or(all.command.as_ref()).map_or("attention", String::as_str);
        let args = case.args.as_ref().or(all.args.as_ref()).map_or(&[][..], Vec::as_slice);
        let formats = case.formats.as_ref().or(all.formats.as_ref());
        let key = serde_json::json!([model, command, args, formats]).to_string();
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
        let (command, recipe) = parse(command, args)?;
        let job = Job { model: model.to_owned(), command, recipe, formats };
        job.command.command().check(&job.targets()?)?;
        self.jobs.push(job);
        keys.insert(key, self.jobs.len() - 1);
        Ok(self.jobs.len() - 1)
    }

    /// Names the suite and the case in an error.
    pub fn named(&self, case: &Case, error: Error) -> Error {
        let message = format!("case {:?}: {}", case.name, error.message);
        located(&self.path, case.line, Error { message, ..error })
    }
}

impl Job {
    /// What the command computes for.
    pub fn targets(&self) -> Result<Vec<Target>> {
        let target =
            |format: &Format| Ok(Target::File(Template::parse(&format!("case.{}", format.extension()))?, *format));
        self.formats.iter().map(target).collect()
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
pub fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let reserved = slug(name).len() > name.len(); // Windows' devices get a longer slug
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(plain) && !name.starts_with('-') && !reserved
    {
        return Ok(());
    }
    Err(Error::usage(format!("{name:?} cannot be the name of a case"))
        .hint("use up to 100 letters, digits, - and _, as it becomes the name of a file"))
}

/// A format by its extension.
pub fn format(name: &str) -> Result<Format> {
    let comparable = |format: &Format| format.compared().is_some();
    Format::from_str(name, false).ok().filter(comparable).ok_or_else(|| {
        let all = Format::value_variants().iter().copied().filter(comparable).map(Format::extension);
        Error::usage(format!("there is no format {name:?} that can be compared"))
            .hint(format!("there are {}", all.collect::<Vec<_>>().join(", ")))
    })
}

fn located(path: &Path, line: usize, error: Error) -> Error {
    Error { message: format!("{}:{line}: {}", path.display(), error.message), ..error }
}

fn text(path: &Path) -> Result<String> {
    let name = path.display();
    let unread = |error: std::io::Error| match error.kind() {
        ErrorKind::FileTooLarge => {
            Error::usage(format!("{name} is larger than 16 MiB")).hint("divide it into several suites")
        }
        _ => Error::failed(format!("cannot read the suite {name}: {error}"))
            .hint("name a suite: attnviz snapshot check --out DIR SUITE.toml; --help shows one"),
    };
    let bytes = File::open(path).and_then(|file| read_at_most(file, LARGEST)).map_err(unread)?;
    String::from_utf8(bytes).map_err(|_| Error::usage(format!("{name} is not UTF-8")).hint("a suite is a text in TOML"))
}

/// The command of a case. Its flags are those that say what is shown; where the prompt and the model come from and where results go
/// is said elsewhere.
fn parse(command: &str, args: &[String]) -> Result<(OfPrompt, Recipe)> {
    let words = ["attnviz", command].into_iter().chain(args.iter().map(String::as_str)).map(Into::into);
    let (cli, recipe) = recipe::parse::<Cli>(words, "attention").map_err(|error| {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Error::usage(format!("{command} does not take these args: {first}"))
            .hint(format!("attnviz {command} --help lists its flags; each word is a text of its own in args"))
    })?;
    let Some(Command::OfPrompt(of_prompt)) = cli.command else {
        return Err(Error::usage(format!("{command:?} is not a command that looks at prompts"))
            .hint("attnviz --help lists the commands; attention is the default"));
    };
    let Groups { prompt, model, output } = of_prompt.command().groups();
    let places = [
        (prompt.is_given(), "the prompt", "as prompt, prompts or ids"),
        (model.model.is_some(), "the model", "as model"),
        (
            model.threads.is_some() || model.hub.offline || model.hub.refresh,
            "threads and the hub",
            "as flags of snapshot",
        ),
        (!output.output.is_empty() || output.format.is_some(), "the output", "as formats"),
        (output.quiet || output.verbose, "how loud it is", "as a flag of snapshot"),
    ];
    if let Some((_, what, how)) = places.into_iter().find(|(given, ..)| *given) {
        return Err(Error::usage(format!("args say {what}")).hint(format!("say it {how}")));
    }
    Ok((of_prompt, recipe))
}
