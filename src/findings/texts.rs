//! A file of texts, one a line, that an analysis reads beside its prompt.

use super::recorded::file_name;
use super::{Reading, Words};
use crate::encoding::{START, mark, not_utf8};
use crate::error::{Error, Result};
use crate::model::Spec;
use crate::plain;
use crate::prompt::Tokenizer;
use crate::record::Input;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// The largest file, in MiB.
const LARGEST: u64 = 64;

/// A file of texts. A record knows its name and hash, and never where it is or what it says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextsFile {
    /// The file's name without its folder.
    pub name: String,
    /// Its hash.
    pub hash: String,
    /// Texts with their lines, from 1.
    #[serde(skip)]
    texts: Option<Arc<Vec<(usize, String)>>>,
}

impl PartialEq for TextsFile {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.hash) == (&other.name, &other.hash)
    }
}

impl TextsFile {
    /// Reads the lines that are not empty; `option` names the file in errors.
    ///
    /// # Errors
    /// A file that cannot be read, is no text, is larger than 64 MiB, or has no such line.
    pub fn read(path: &Path, option: &'static str) -> Result<Self> {
        let name = path.display().to_string();
        let failed = |e: std::io::Error| match e.kind() {
            ErrorKind::FileTooLarge => {
                Error::failed(format!("{name} is larger than {LARGEST} MiB")).hint("give a part of it").option(option)
            }
            _ => Error::failed(format!("cannot read {name}: {e}")).hint("check the path").option(option),
        };
        let mut bytes = plain::read(path, LARGEST << 20).map_err(failed)?;
        let hash = crate::hash::digits(crate::hash::xxh3_128(&bytes));
        let start = mark(&name, &bytes[..bytes.len().min(START)])?;
        bytes.drain(..start);
        let text = String::from_utf8(bytes).map_err(|e| not_utf8(&name, e.utf8_error().valid_up_to() as u64))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let texts: Vec<(usize, String)> = lines.map(|(at, line)| (at + 1, line.to_owned())).collect();
        if texts.is_empty() {
            return Err(Error::failed(format!("{name} has no text")).hint("give one text a line").option(option));
        }
        Ok(Self { name: file_name(path), hash, texts: Some(Arc::new(texts)) })
    }

    /// What the model reads of each text.
    ///
    /// # Errors
    /// A file that is known by its name only; a text that cannot be read, named by its line.
    pub(super) fn ids(&self, reading: &Reading, tokenizer: &Tokenizer, spec: &Spec) -> Result<Vec<Vec<u32>>> {
        let texts = self.texts.as_ref().ok_or_else(|| {
            Error::failed(format!("it was made with a file {:?}", self.name)).hint("say where it is").option("input")
        })?;
        let one = |(line, text): &(usize, String)| {
            let prompt = reading.read(Words::Text(text.clone()), tokenizer, spec);
            prompt.map(|prompt| prompt.ids).map_err(|error| error.of(format!("{}:{line}", self.name)))
        };
        texts.iter().map(one).collect()
    }

    /// Takes the texts of another reading of it, and says what is changed, if anything is; its name stays.
    pub fn lend(&mut self, now: Self) -> Option<String> {
        let change = (now.hash != self.hash)
            .then(|| format!("the file {} had the hash {}, {} has {}", self.name, self.hash, now.name, now.hash));
        (self.hash, self.texts) = (now.hash, now.texts);
        change
    }

    /// What a record says of it.
    pub fn input(&self) -> Input {
        Input { name: self.name.clone(), hash: self.hash.clone() }
    }
}
