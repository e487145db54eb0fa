//! Labelled texts and words out of files.

use super::Options;
use super::conllu;
use crate::error::{Error, Result};
use crate::findings::probe::rows::{Bad, Row, bytes, input_of, sources};
use crate::record::Input;
use serde_json::Value;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

/// The fewest items: a train, a dev and a test part with something in each.
const LEAST: usize = 5;
/// The most labels.
const MOST_CLASSES: usize = 1000;
/// What texts and labels are called where nobody says.
const TEXTS: [&str; 4] = ["text", "sentence", "words", "tokens"];
const LABELS: [&str; 2] = ["label", "labels"];
/// The columns of a table with a word a row.
const WORD: [&str; 2] = ["item", "word"];

/// A text with what is labelled in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The text.
    pub text: String,
    /// Its file, by its number.
    pub file: usize,
    /// Its line there.
    pub line: usize,
    /// What is labelled: words, or the text.
    pub examples: Vec<Example>,
}

/// Something with a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// The number of its type: of the word as it is written, or of the text.
    pub kind: usize,
    /// The number of its label.
    pub label: usize,
}

/// A labelled task.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// The file.
    pub input: Input,
    /// The files' names.
    pub files: Vec<String>,
    /// The texts.
    pub items: Vec<Item>,
    /// The labels, by number, as they came up.
    pub classes: Vec<String>,
    /// Which label it is.
    pub label: String,
    /// Whether words are labelled, not whole texts.
    pub by_word: bool,
    /// Words without a label.
    pub unlabelled: usize,
    /// Rows that are no items.
    pub bad: Vec<Bad>,
    /// What was assumed.
    pub remarks: Vec<String>,
    /// Items before a sample was drawn.
    pub all: usize,
}

/// A text as a file has it: its words, or itself, each with its place and its label.
pub(super) struct Raw {
    pub line: usize,
    pub text: String,
    pub words: Vec<(Range<usize>, Option<String>)>,
    pub by_word: bool,
}

impl Raw {
    /// Words with a space between them.
    fn of_words(line: usize, words: Words) -> Self {
        let mut raw = Self { line, text: String::new(), words: Vec::new(), by_word: true };
        for (word, label) in words {
            if !raw.text.is_empty() {
                raw.text.push(' ');
            }
            let start = raw.text.len();
            raw.text.push_str(&word);
            raw.words.push((start..raw.text.len(), label));
        }
        raw
    }
}

impl Task {
    /// Reads a file.
    ///
    /// # Errors
    /// What cannot be read; too few items, fewer than two labels or too many; with `strict`, a row that is no item.
    pub fn read(path: &Path, options: &Options) -> Result<Self> {
        let mut task = Self::default();
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if extension == "conllu" {
            let bytes = bytes(path)?;
            let input = input_of(path, &bytes);
            task.label = options.label.clone().unwrap_or_else(|| "UPOS".into());
            let raws = conllu::read(&bytes, &input.name, &task.label)?;
            (task.files, task.input) = (vec![input.name.clone()], input);
            task.take(raws, options);
        } else {
            let columns = [options.text.as_deref().unwrap_or(TEXTS[0]), options.label.as_deref().unwrap_or(LABELS[0])];
            let (sources, input) = sources(path, &columns)?;
            task.input = input;
            task.label = columns[1].into();
            for source in sources {
                task.files.push(source.name.clone());
                task.remarks.extend(source.remark);
                task.take(raws(source.rows, &source.name, options), options);
            }
        }
        options.sample.check(&task.bad)?;
        task.number();
        task.check()?;
        Ok(task)
    }

    /// Takes a sample of what a file has.
    fn take(&mut self, raws: Vec<Result<Raw, Bad>>, options: &Options) {
        let file = self.files.len() - 1;
        self.all += raws.len();
        for raw in options.sample.taken(raws, &self.files[file]) {
            match raw {
                Ok(raw) => self.add(raw, file),
                Err(bad) => self.bad.push(bad),
            }
        }
    }

    fn add(&mut self, raw: Raw, file: usize) {
        let Raw { line, text, words, by_word } = raw;
        self.by_word |= by_word;
        let mut item = Item { text, file, line, examples: Vec::new() };
        for (span, label) in words {
            let Some(label) = label else {
                self.unlabelled += 1;
                continue;
            };
            let known = self.classes.iter().position(|class| *class == label);
            let label = known.unwrap_or_else(|| {
                self.classes.push(label);
                self.classes.len() - 1
            });
            item.examples.push(Example { span, kind: 0, label });
        }
        if !item.examples.is_empty() {
            self.items.push(item);
        }
    }

    /// Numbers the types, as they come up.
    fn number(&mut self) {
        let mut kinds: HashMap<String, usize> = HashMap::new();
        for item in &mut self.items {
            for example in &mut item.examples {
                let next = kinds.len();
                example.kind = *kinds.entry(item.text[example.span.clone()].to_owned()).or_insert(next);
            }
        }
    }

    fn check(&self) -> Result<()> {
        let name = &self.input.name;
        let refuse = |why: String, hint: &str| Err(Error::failed(format!("{name} {why}")).hint(hint).option("label"));
        match (&self.classes[..], self.items.len()) {
            (_, 0) => {
                let why = self.bad.first().map(|bad| format!(": {bad}")).unwrap_or_default();
                refuse(format!("has nothing with a {}{why}", self.label), "name the column or the field of the labels")
            }
            ([only], _) => refuse(
                format!("has one class only: every {} is {only:?}", self.label),
                "a probe tells two classes or more apart; name another column or field",
            ),
            (classes, _) if classes.len() > MOST_CLASSES => refuse(
                format!("has {} different values of {}, more than {MOST_CLASSES} classes", classes.len(), self.label),
                "name a column or field of classes, or take a smaller sample",
            ),
            (_, count) if count < LEAST => refuse(
                format!("has {count} labelled items: too few for a train, a dev and a test part"),
                "give at least 5, better hundreds",
            ),
            _ => Ok(()),
        }
    }

    /// Where an item stands.
    pub fn place(&self, item: &Item, why: String) -> Bad {
        Bad { file: self.files[item.file].clone(), line: item.line, why }
    }
}

/// Rows of a table or of JSON as texts.
fn raws(rows: Vec<Result<Row, Bad>>, file: &str, options: &Options) -> Vec<Result<Raw, Bad>> {
    let of_words = |row: &Row| WORD.iter().all(|name| row.fields.contains_key(*name));
    let by_row = options.text.is_none() && rows.iter().flatten().next().is_some_and(of_words);
    let label = |row: &Row| {
        let named = options.label.as_deref();
        let name = named.or_else(|| LABELS.into_iter().find(|name| row.fields.contains_key(*name)));
        name.unwrap_or(LABELS[0]).to_owned()
    };
    if by_row {
        return words_of_rows(rows, file, &label);
    }
    let raw = |row: Row| {
        let known = || TEXTS.into_iter().find(|name| row.fields.contains_key(*name));
        let text = options.text.as_deref().or_else(known).unwrap_or(TEXTS[0]);
        of_row(&row, text, &label(&row)).map_err(|why| Bad { file: file.to_owned(), line: row.line, why })
    };
    rows.into_iter().map(|row| row.and_then(raw)).collect()
}

fn of_row(row: &Row, text: &str, label: &str) -> Result<Raw, String> {
    let missing = || format!("it has no {label}");
    if let Some(Value::Array(words)) = row.fields.get(text) {
        let labels = row.fields.get(label).ok_or_else(missing)?.as_array();
        let labels = labels.filter(|labels| labels.len() == words.len());
        let labels = labels.ok_or_else(|| format!("{label} is no list as long as {text}"))?;
        let word = |(word, label): (&Value, &Value)| {
            let word = word.as_str().filter(|word| !word.trim().is_empty());
            Ok((word.ok_or_else(|| format!("{text} holds what is no word"))?.to_owned(), class(label)?))
        };
        let words = words.iter().zip(labels).map(word).collect::<Result<Vec<_>, String>>()?;
        return if words.is_empty() { Err(format!("{text} is empty")) } else { Ok(Raw::of_words(row.line, words)) };
    }
    let own = class(row.fields.get(label).ok_or_else(missing)?)?.ok_or_else(|| format!("{label} is empty"))?;
    let text = row.text(text)?.to_owned();
    Ok(Raw { line: row.line, words: vec![(0..text.len(), Some(own))], text, by_word: false })
}

/// A label as text; none where there is none.
fn class(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)),
        Value::Bool(_) | Value::Number(_) => Ok(Some(value.to_string())),
        Value::Array(_) | Value::Object(_) => Err("a label is a list or an object".into()),
    }
}

/// Words with their labels.
type Words = Vec<(String, Option<String>)>;

/// A word a row: neighbours of one item are a text.
fn words_of_rows(rows: Vec<Result<Row, Bad>>, file: &str, label: &dyn Fn(&Row) -> String) -> Vec<Result<Raw, Bad>> {
    let mut all: Vec<Result<Raw, Bad>> = Vec::new();
    let mut last: Option<(String, usize, Words)> = None;
    let word = |row: &Row| -> Result<(String, String, Option<String>), String> {
        let name = label(row);
        let own = class(row.fields.get(&name).ok_or_else(|| format!("it has no {name}"))?)?;
        Ok((row.text(WORD[0])?.to_owned(), row.text(WORD[1])?.to_owned(), own))
    };
    let close = |last: Option<(String, usize, Words)>| last.map(|(_, line, words)| Ok(Raw::of_words(line, words)));
    for row in rows {
        let line = row.as_ref().map_or(0, |row| row.line);
        match row.and_then(|row| word(&row).map_err(|why| Bad { file: file.to_owned(), line, why })) {
            Ok((item, word, own)) => match &mut last {
                Some((open, _, words)) if *open == item => words.push((word, own)),
                _ => {
                    all.extend(close(last.take()));
                    last = Some((item, line, vec![(word, own)]));
                }
            },
            Err(bad) => all.push(Err(bad)),
        }
    }
    all.extend(close(last));
    all
}
