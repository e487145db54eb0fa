//! What a run over many prompts is asked to do.

use super::input::{Inputs, Kind};
use super::shard::Shard;
use crate::error::{Error, Result};
use crate::export::{Field, Template};
use crate::findings::Output;
use crate::format::Format;
use crate::named::Named;
use std::collections::HashSet;
use std::path::PathBuf;

/// What a run over many prompts is asked to do; what is asked about each of them stands beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Files of prompts; `-` is standard input.
    pub inputs: Vec<PathBuf>,
    /// The folder to write to; made if it is not there, but not the one around it.
    pub out: PathBuf,
    /// The files to write for each prompt: a PNG unless others are named.
    pub formats: Vec<Format>,
    /// The name of each file without its extension, from `{index}`, `{slug}`, `{hash}`, `{layer}` and `{head}`: `{index}-{slug}` unless
    /// another is given.
    pub name: String,
    /// How prompts lie in the inputs; none means by their extensions, standard input being lines.
    pub input_format: Option<Kind>,
    /// The column or field that holds the prompt; none means `prompt`, else `text`.
    pub column: Option<String>,
    /// Go on with what was begun in the folder; off unless asked for.
    pub resume: bool,
    /// Stop at the first prompt that fails; off unless asked for.
    pub strict: bool,
    /// The share of the work to do: all of it, unless another is named.
    pub shard: Shard,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            inputs: Vec::new(),
            out: PathBuf::new(),
            formats: vec![Format::Png],
            name: "{index}-{slug}".into(),
            input_format: None,
            column: None,
            resume: false,
            strict: false,
            shard: Shard::default(),
        }
    }
}

/// A file for each prompt, or one for each of its layers or heads.
pub(super) struct Target {
    pub template: Template,
    pub format: Format,
}

impl Target {
    /// What a result is wanted for there.
    pub fn output(&self) -> Output {
        Output { format: self.format, by_part: self.template.by_part() }
    }
}

impl Options {
    /// The prompts.
    ///
    /// # Errors
    /// As [`Inputs::new`].
    pub fn prompts(&self) -> Result<Inputs> {
        Inputs::new(&self.inputs, self.input_format, self.column.clone())
    }

    /// One file name for each format, checked.
    pub(super) fn targets(&self) -> Result<Vec<Target>> {
        let wrong = |what: &str, hint: &str| {
            Err(Error::usage(format!("name {:?} {what}", self.name)).hint(hint).option("name"))
        };
        if self.name.contains(['/', '\\']) || self.name.starts_with('.') {
            return wrong(
                "is not the name of a file",
                "all results lie in one folder: leave slashes and a leading dot out",
            );
        }
        let mut seen = HashSet::new();
        if let Some(format) = self.formats.iter().find(|format| !seen.insert(**format)) {
            return Err(Error::usage(format!("format {} is named twice", format.name()))
                .hint("name each format once")
                .option("format"));
        }
        if seen.is_empty() {
            return Err(Error::usage("no format is named").hint("name at least one").option("format"));
        }
        let target = |format: &Format| {
            let template = Template::parse(&format!("{}.{}", self.name, format.extension()))?;
            Ok(Target { template, format: *format })
        };
        let targets = self.formats.iter().map(target).collect::<Result<Vec<_>>>()?;
        if targets.iter().any(|target| !target.template.fields().contains(&Field::Index)) {
            return wrong("would give two prompts the same file", "put {index} into the name");
        }
        Ok(targets)
    }
}
