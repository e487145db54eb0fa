//! Which two things are compared: what A and B are, by how they are written.

use super::DiffArgs;
use crate::cli::args::words;
use attnviz::error::{Error, Result};
use attnviz::findings::Words;
use attnviz::format::Format;
use std::path::{Path, PathBuf};

/// Two things to compare.
pub enum Sides {
    /// Saved results.
    Files(PathBuf, PathBuf),
    /// Prompts of one model.
    Prompts(Words, Words),
    /// One prompt, and the model to compare with.
    Models(Words, String),
}

/// One of the two, as typed.
enum Typed {
    File(PathBuf),
    Words(Words),
}

impl DiffArgs {
    /// What is meant, checked before anything is loaded.
    pub fn sides(&self) -> Result<Sides> {
        if self.a == "-" && self.b.as_deref() == Some("-") {
            return Err(Error::usage("A and B are both on standard input").hint("give one of them as a text"));
        }
        let (a, b) = (Typed::of(&self.a)?, self.b.as_deref().map(Typed::of).transpose()?);
        match (a, b, &self.against) {
            (Typed::File(a), Some(Typed::File(b)), _) => self.files(a, b),
            (Typed::Words(a), Some(Typed::Words(b)), _) => Ok(Sides::Prompts(a, b)),
            (Typed::Words(a), None, Some(model)) => Ok(Sides::Models(a, model.clone())),
            (Typed::File(file), None, Some(_)) => {
                Err(Error::usage(format!("--against takes a prompt, but {} is a file", file.display()))
                    .hint(format!("two models read one prompt; for the text itself write \"text:{}\"", file.display())))
            }
            (Typed::File(file), Some(Typed::Words(_)), _) | (Typed::Words(_), Some(Typed::File(file)), _) => {
                let file = file.display();
                Err(Error::usage(format!("{file} is a file, the other is a prompt"))
                    .hint(format!("give two of a kind; for the text itself write \"text:{file}\"")))
            }
            (_, None, None) => Err(Error::usage("there is nothing to compare with")
                .hint("give two prompts, two files, or one prompt and --against MODEL")),
        }
    }

    /// Results that are there already ask no model.
    fn files(&self, a: PathBuf, b: PathBuf) -> Result<Sides> {
        let flags = [
            ("--model", !self.model.model.is_empty()),
            ("--tokenizer", self.model.tokenizer.is_some()),
            ("--bos", self.bos),
            ("--no-special", self.no_special),
            ("--chat", self.chat),
            ("--truncate", self.truncate.is_some()),
        ];
        match flags.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Error::usage(format!("{flag} is for prompts, but {} is a file", a.display()))
                .hint(format!("leave {flag} out: files are compared as they are"))),
            None => Ok(Sides::Files(a, b)),
        }
    }
}

impl Typed {
    /// By how it is written.
    fn of(typed: &str) -> Result<Self> {
        if let Some(text) = typed.strip_prefix("text:") {
            if text.is_empty() {
                return Err(Error::usage("a prompt is empty").hint("give at least one character after text:"));
            }
            return Ok(Self::Words(Words::Text(text.to_owned())));
        }
        if let Some(ids) = typed.strip_prefix("ids:") {
            let ids: Result<Vec<u32>, _> = ids.split(',').map(|id| id.trim().parse()).collect();
            let ids = ids.map_err(|_| {
                Error::usage(format!("{typed:?} is not a list of token ids"))
                    .hint(format!("write numbers with commas, or \"text:{typed}\" for the text itself"))
            })?;
            return Ok(Self::Words(Words::Ids(ids)));
        }
        let path = Path::new(typed);
        let extension = path.extension().map(|extension| extension.to_string_lossy());
        let format = extension.as_deref().and_then(Format::of_extension);
        if format.is_some_and(Format::has_arrays) {
            return match path.is_file() {
                true => Ok(Self::File(path.into())),
                false => Err(Error::failed(format!("there is no file {typed}"))
                    .hint(format!("check the path; for the text itself write \"text:{typed}\""))),
            };
        }
        // Nobody means the name of a picture that is there, or the path of a file, as a prompt.
        if (extension.is_some() || path.components().count() > 1) && path.is_file() {
            return Err(Error::usage(format!("{typed} is a file, but of no kind that can be compared"))
                .hint(format!("give .json, .npz or .safetensors; for the text itself write \"text:{typed}\"")));
        }
        words(typed).map(Self::Words)
    }
}
