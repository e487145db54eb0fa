//! What a folder of results is of, decided when its first block is written: nothing else may be added to it or joined with it.

use super::options::Options;
use crate::checkpoint::identity;
use crate::error::{Error, Result};
use crate::findings::Asked;
use crate::json;
use crate::named::Named;
use crate::record::Identity;
use crate::session::Session;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Differences that are told.
const MOST: usize = 4;

/// What a folder of results is of: the same in all shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The version of attnviz.
    pub version: String,
    /// The command, such as `attention`.
    pub command: String,
    /// Its options, all of them.
    pub options: Map<String, Value>,
    /// What was typed of it, as the results' records say it.
    pub line: String,
    /// The model.
    pub model: Identity,
    /// The name of each file, without its extension.
    pub name: String,
    /// The formats of each prompt's results.
    pub formats: Vec<String>,
    /// How prompts lie in the inputs, where that was said.
    pub input_format: Option<String>,
    /// The column of a table that holds the prompt, where that was said.
    pub column: Option<String>,
}

impl Run {
    /// What is asked for, of this model.
    ///
    /// # Errors
    /// None that is known of: options are plain data.
    pub(super) fn new(options: &Options, asked: &Asked, line: &str, session: &Session) -> Result<Self> {
        let (command, recorded) = asked.parts()?;
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command,
            options: recorded,
            line: line.to_owned(),
            model: session.identity(),
            name: options.name.clone(),
            formats: options.formats.iter().map(|format| format.name().to_owned()).collect(),
            input_format: options.input_format.map(|kind| kind.name().to_owned()),
            column: options.column.clone(),
        })
    }

    /// Its hash, which every entry has.
    ///
    /// # Errors
    /// None that is known of: all of it is plain data.
    pub(super) fn settings(&self) -> Result<String> {
        let json = Value::Object(self.object()?).to_string();
        Ok(format!("{:016x}", crate::hash::xxh3_64(json.as_bytes())))
    }

    /// How another differs from it, in a few words: what, as it was and as it is.
    ///
    /// # Errors
    /// As [`Self::settings`].
    pub(super) fn changes(&self, now: &Self) -> Result<String> {
        let mut changes = identity::changes(&self.model.hash, &now.model.hash);
        let apart = json::apart(&self.object()?, &now.object()?);
        // Where options differ, so does what was typed of them.
        let told = |path: &str| path != "model.hash" && (path != "line" || apart.len() == 1);
        let said =
            |(path, was, is): &(String, String, String)| told(path).then(|| format!("{path} was {was}, is {is}"));
        changes.extend(apart.iter().filter_map(said));
        let more = changes.len().saturating_sub(MOST);
        changes.truncate(MOST);
        if more > 0 {
            changes.push(format!("and {more} more"));
        }
        Ok(changes.join("; "))
    }

    fn object(&self) -> Result<Map<String, Value>> {
        match serde_json::to_value(self) {
            Ok(Value::Object(object)) => Ok(object),
            _ => Err(Error::failed("what was asked for is no object of JSON")),
        }
    }
}
