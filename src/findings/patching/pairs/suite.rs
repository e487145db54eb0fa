//! Pairs of prompts out of files.

use super::Options;
use crate::analysis::patching::Metric;
use crate::error::{Error, Result};
use crate::findings::Token;
use crate::findings::probe::rows::{Bad, Row, sources};
use crate::record::Input;
use serde_json::Value;
use std::path::Path;

/// A row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The prompt with the answer.
    pub clean: String,
    /// The one without it.
    pub corrupt: String,
    /// The answer to the clean prompt; none where the metric needs none.
    pub answer: Option<Token>,
    /// What it is compared with, likewise.
    pub foil: Option<Token>,
    /// Its file's name, by its number.
    pub file: usize,
    /// Its line there.
    pub line: usize,
}

/// Pairs with where they come from.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The file or folder.
    pub input: Input,
    /// The files' names.
    pub files: Vec<String>,
    /// The pairs.
    pub items: Vec<Item>,
    /// Rows that are none.
    pub bad: Vec<Bad>,
    /// What was assumed.
    pub remarks: Vec<String>,
    /// Rows before a sample was drawn.
    pub all: usize,
}

impl Suite {
    /// Reads a file, or all files of a folder.
    ///
    /// # Errors
    /// What cannot be read; no pair at all; with `strict`, a row that is none.
    pub fn read(path: &Path, options: &Options) -> Result<Self> {
        let columns = columns(options.metric);
        let (sources, input) = sources(path, columns)?;
        let (files, items, bad, remarks) = Default::default();
        let mut suite = Self { input, files, items, bad, remarks, all: 0 };
        for source in sources {
            let file = suite.files.len();
            suite.files.push(source.name.clone());
            suite.remarks.extend(source.remark);
            suite.all += source.rows.len();
            for row in options.sample.taken(source.rows, &source.name) {
                let bad = |line, why| Bad { file: source.name.clone(), line, why };
                match row.and_then(|row| item(&row, columns, file).map_err(|why| bad(row.line, why))) {
                    Ok(item) => suite.items.push(item),
                    Err(bad) => suite.bad.push(bad),
                }
            }
        }
        options.sample.check(&suite.bad)?;
        if suite.items.is_empty() {
            let why = suite.bad.first().map_or("it is empty".into(), ToString::to_string);
            return Err(Error::failed(format!("{} has no pair: {why}", suite.input.name))
                .hint(format!("rows need the fields {}", columns.join(", ")))
                .option("pairs"));
        }
        Ok(suite)
    }
}

/// The fields that a metric needs.
fn columns(metric: Metric) -> &'static [&'static str] {
    match metric {
        Metric::LogitDifference => &["clean", "corrupt", "answer", "foil"],
        Metric::LogProb => &["clean", "corrupt", "answer"],
        Metric::Kl => &["clean", "corrupt"],
    }
}

fn item(row: &Row, columns: &[&str], file: usize) -> Result<Item, String> {
    let token = |name: &str| -> Result<Option<Token>, String> {
        match row.fields.get(name) {
            _ if !columns.contains(&name) => Ok(None),
            Some(Value::Number(id)) => {
                let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
                Ok(Some(Token::Id(id.ok_or_else(|| format!("{name} is no token id"))?)))
            }
            _ => Ok(Some(Token::Text(row.text(name)?.to_owned()))),
        }
    };
    Ok(Item {
        clean: row.text("clean")?.to_owned(),
        corrupt: row.text("corrupt")?.to_owned(),
        answer: token("answer")?,
        foil: token("foil")?,
        file,
        line: row.line,
    })
}
