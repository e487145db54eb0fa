//! Cloze items out of files.

use super::Options;
use crate::error::{Error, Result};
use crate::findings::probe::rows::{Bad, Row, sources};
use crate::record::Input;
use serde_json::Value;
use std::path::Path;

/// A prompt with what may follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What stands before.
    pub prompt: String,
    /// What may follow: the right ones first.
    pub candidates: Vec<String>,
    /// How many are right.
    pub answers: usize,
    /// Its file's name.
    pub file: String,
    /// Its line there.
    pub line: usize,
}

impl Item {
    fn read(row: &Row, file: &str) -> Result<Self, String> {
        let prompt = row.text("prompt")?.to_owned();
        let list = |name: &str| -> Result<Vec<String>, String> {
            let wrong = || format!("{name} is no list of texts");
            let Some(value) = row.fields.get(name) else { return Ok(Vec::new()) };
            let all: Vec<String> = match value {
                Value::String(one) => vec![one.clone()],
                Value::Array(all) => {
                    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
                    all.iter().map(text).collect::<Result<_, _>>()?
                }
                _ => return Err(wrong()),
            };
            match all.iter().any(|text| text.trim().is_empty()) {
                true => Err(format!("{name} holds an empty text, which is no token")),
                false => Ok(all),
            }
        };
        let (answers, distractors) = (list("answers")?, list("distractors")?);
        if answers.is_empty() {
            return Err("it has no answers".into());
        }
        if let Some(both) = answers.iter().find(|answer| distractors.contains(answer)) {
            return Err(format!("{both:?} is an answer and a distractor"));
        }
        let count = answers.len();
        Ok(Self {
            prompt,
            candidates: [answers, distractors].concat(),
            answers: count,
            file: file.to_owned(),
            line: row.line,
        })
    }

    /// Whether the answers are ranked among candidates; else in the whole vocabulary.
    pub fn has_distractors(&self) -> bool {
        self.candidates.len() > self.answers
    }
}

/// Items with where they come from.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The file or folder.
    pub input: Input,
    /// The items.
    pub items: Vec<Item>,
    /// Rows that are none.
    pub bad: Vec<Bad>,
    /// Items before a sample was drawn.
    pub all: usize,
}

impl Suite {
    /// Reads a file, or all files of a folder.
    ///
    /// # Errors
    /// What cannot be read; no item at all; with `strict`, a row that is none.
    pub fn read(path: &Path, options: &Options) -> Result<Self> {
        let (sources, input) = sources(path, &["prompt", "answers"])?;
        let mut suite = Self { input, items: Vec::new(), bad: Vec::new(), all: 0 };
        for source in sources {
            suite.all += source.rows.len();
            for row in options.sample.taken(source.rows, &source.name) {
                let read = row.and_then(|row| {
                    Item::read(&row, &source.name).map_err(|why| Bad { file: source.name.clone(), line: row.line, why })
                });
                match read {
                    Ok(item) => suite.items.push(item),
                    Err(bad) => suite.bad.push(bad),
                }
            }
        }
        options.sample.check(&suite.bad)?;
        if suite.items.is_empty() {
            let why = suite.bad.first().map_or("it is empty".into(), ToString::to_string);
            return Err(Error::failed(format!("{} has no item: {why}", suite.input.name))
                .hint("a row is {\"prompt\": \"…\", \"answers\": [\"…\"], \"distractors\": [\"…\"]}"));
        }
        Ok(suite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_no_items_say_why() {
        let read = |text: &str| {
            let row = Row { line: 1, fields: serde_json::from_str(text).unwrap() };
            Item::read(&row, "x").map(|item| (item.candidates.len(), item.answers))
        };
        assert_eq!(read(r#"{"prompt": "a", "answers": ["b", "c"], "distractors": ["d"]}"#), Ok((3, 2)));
        assert_eq!(read(r#"{"prompt": "a", "answers": "b"}"#), Ok((1, 1)));
        for (text, why) in [
            (r#"{"answers": ["b"]}"#, "prompt"),
            (r#"{"prompt": "a", "answers": []}"#, "no answers"),
            (r#"{"prompt": "a", "answers": [""]}"#, "no token"),
            (r#"{"prompt": "a", "answers": [1]}"#, "no list"),
            (r#"{"prompt": "a", "answers": ["b"], "distractors": ["b"]}"#, "an answer and a distractor"),
        ] {
            assert!(read(text).unwrap_err().contains(why), "{text}");
        }
    }
}
