//! Minimal pairs out of files.

use super::Options;
use crate::error::{Error, Result};
use crate::findings::probe::rows::{Bad, Row, sources};
use crate::record::Input;
use serde_json::Value;
use std::path::Path;

/// What BLiMP calls the two sentences, and what others do.
const NAMES: [[&str; 2]; 2] = [["sentence_good", "sentence_bad"], ["good", "bad"]];

/// Two sentences that differ in what is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The good one and the bad one.
    pub texts: [String; 2],
    /// The number of its paradigm.
    pub paradigm: usize,
    /// Its file's name, by its number.
    pub file: usize,
    /// Its line there.
    pub line: usize,
}

/// Pairs of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paradigm {
    /// Its name: BLiMP's `UID`, else the file's.
    pub name: String,
    /// What it is part of: BLiMP's `linguistics_term`.
    pub phenomenon: Option<String>,
}

/// Pairs with where they come from.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The file or folder.
    pub input: Input,
    /// The files' names.
    pub files: Vec<String>,
    /// The kinds.
    pub paradigms: Vec<Paradigm>,
    /// The pairs.
    pub pairs: Vec<Pair>,
    /// Rows that are none.
    pub bad: Vec<Bad>,
    /// What was assumed.
    pub remarks: Vec<String>,
    /// Pairs before a sample was drawn.
    pub all: usize,
}

impl Suite {
    /// Reads a file, or all files of a folder.
    ///
    /// # Errors
    /// What cannot be read; no pair at all; with `strict`, a row that is none.
    pub fn read(path: &Path, options: &Options) -> Result<Self> {
        let named = options.names();
        let columns = named.unwrap_or(NAMES[1]);
        let (sources, input) = sources(path, &columns)?;
        let mut suite = Self {
            input,
            files: Vec::new(),
            paradigms: Vec::new(),
            pairs: Vec::new(),
            bad: Vec::new(),
            remarks: Vec::new(),
            all: 0,
        };
        for source in sources {
            let file = suite.files.len();
            suite.files.push(source.name.clone());
            suite.remarks.extend(source.remark);
            suite.all += source.rows.len();
            for row in options.sample.taken(source.rows, &source.name) {
                let read = row.and_then(|row| {
                    let bad = |why| Bad { file: source.name.clone(), line: row.line, why };
                    suite.pair(&row, named, file, &source.stem).map_err(bad)
                });
                match read {
                    Ok(pair) => suite.pairs.push(pair),
                    Err(bad) => suite.bad.push(bad),
                }
            }
        }
        options.sample.check(&suite.bad)?;
        if suite.pairs.is_empty() {
            let why = suite.bad.first().map_or("it is empty".into(), ToString::to_string);
            return Err(Error::failed(format!("{} has no pair: {why}", suite.input.name))
                .hint("rows need the fields sentence_good and sentence_bad, or name others")
                .option("good"));
        }
        Ok(suite)
    }

    fn pair(&mut self, row: &Row, named: Option<[&str; 2]>, file: usize, stem: &str) -> Result<Pair, String> {
        let known = |names: &&[&str; 2]| names.iter().all(|name| row.fields.contains_key(*name));
        let names = named.or_else(|| NAMES.iter().find(known).copied()).unwrap_or(NAMES[0]);
        let texts = [row.text(names[0])?.to_owned(), row.text(names[1])?.to_owned()];
        let field = |name: &str| row.fields.get(name).and_then(Value::as_str);
        let (name, phenomenon) = (field("UID").unwrap_or(stem), field("linguistics_term"));
        let paradigm = Paradigm { name: name.to_owned(), phenomenon: phenomenon.map(str::to_owned) };
        let place = self.paradigms.iter().rposition(|known| *known == paradigm).unwrap_or_else(|| {
            self.paradigms.push(paradigm);
            self.paradigms.len() - 1
        });
        Ok(Pair { texts, paradigm: place, file, line: row.line })
    }

    /// The phenomena, each once, in order.
    pub fn phenomena(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for name in self.paradigms.iter().filter_map(|paradigm| paradigm.phenomenon.as_deref()) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }
}
