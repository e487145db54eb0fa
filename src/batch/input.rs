//! Prompts from files and standard input, one at a time, whatever their number; what cannot be a prompt is an error of its own.

use super::line::{Line, Stream, line};
use super::manifest::Origin;
use super::table::{COLUMNS, Records, SEPARATORS};
use crate::encoding::{self, mark};
use crate::error::{Error, Result};
use crate::named::Named;
use serde_json::Value;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

/// How prompts lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One a line.
    Txt,
    /// A JSON string, or an object with one, a line.
    Jsonl,
    /// A column of a table with a header; commas, semicolons, tabs or bars between its fields, as the header shows.
    Csv,
    /// A column of a table with a header and tabs between its fields.
    Tsv,
}

impl Named for Kind {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Txt, "txt", "One prompt a line"),
        (Self::Jsonl, "jsonl", "A JSON string or object a line"),
        (Self::Csv, "csv", "A table with a header"),
        (Self::Tsv, "tsv", "A table with a header, tabs between its fields"),
    ];
}

/// A prompt, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its number over all inputs, from 0.
    pub index: u64,
    /// Where it stands.
    pub origin: Origin,
    /// The text, or what is wrong with it.
    pub text: Result<String, String>,
}

/// All prompts of several inputs, in order.
pub struct Inputs {
    waiting: VecDeque<(PathBuf, Kind)>,
    column: Option<String>,
    open: Option<Open>,
    next: u64,
}

/// An input that is being read.
struct Open {
    name: String,
    lines: Lines,
    /// How many lines or records have been given out.
    read: u64,
    /// Empty ones that have been read, but not given out: at the end of the input they are none.
    blank: u64,
    /// What came after those.
    after: Option<Result<String, String>>,
}

enum Lines {
    Txt(Stream),
    Jsonl(Stream),
    Table(Box<Records>),
}

impl Inputs {
    /// Reads these inputs; `-` is standard input. The kind of each file is its extension's, or `kind`.
    ///
    /// # Errors
    /// A file that is not there, whose extension names no kind, that is not UTF-8 but UTF-16; a table without the column.
    pub fn new(paths: &[PathBuf], kind: Option<Kind>, column: Option<String>) -> Result<Self> {
        let mut waiting = VecDeque::new();
        for path in paths {
            let name = path.display();
            let stdin = path.as_os_str() == "-";
            let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
            let of_name = match extension.as_deref() {
                Some("txt") => Some(Kind::Txt),
                Some("jsonl" | "ndjson") => Some(Kind::Jsonl),
                Some("csv") => Some(Kind::Csv),
                Some("tsv") => Some(Kind::Tsv),
                _ => stdin.then_some(Kind::Txt),
            };
            let found = kind.or(of_name).ok_or_else(|| {
                Error::usage(format!("input {name}: its extension names no kind of file"))
                    .hint("use .txt, .jsonl, .csv or .tsv, or say how prompts lie in it")
                    .option("input_format")
            })?;
            // How it begins is checked for all inputs before anything is done; but what was read of a pipe would be lost.
            if !stdin && open(path)?.metadata().is_ok_and(|meta| meta.is_file()) {
                Open::new(path, found, column.as_deref())?;
            }
            waiting.push_back((path.clone(), found));
        }
        Ok(Self { waiting, column, open: None, next: 0 })
    }

    /// The next prompt; none at the end.
    ///
    /// # Errors
    /// An input that cannot be read on, or a table without the column.
    pub fn read(&mut self) -> Result<Option<Item>> {
        loop {
            if self.open.is_none() {
                let Some((path, kind)) = self.waiting.pop_front() else { return Ok(None) };
                self.open = Some(Open::new(&path, kind, self.column.as_deref())?);
            }
            let Some(open) = &mut self.open else { continue };
            let Some(text) = open.read(self.column.as_deref())? else {
                self.open = None;
                continue;
            };
            self.next += 1;
            let origin = Origin { file: open.name.clone(), line: open.read };
            return Ok(Some(Item { index: self.next - 1, origin, text: text.and_then(not_empty) }));
        }
    }
}

fn not_empty(text: String) -> Result<String, String> {
    if text.is_empty() { Err("the prompt is empty".into()) } else { Ok(text) }
}

fn open(path: &Path) -> Result<File> {
    let failed = |reason: String| {
        Error::failed(format!("cannot read {}: {reason}", path.display())).hint("give files of prompts, or - for stdin")
    };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    match file.metadata() {
        Ok(meta) if meta.is_dir() => Err(failed("it is a folder".into())),
        _ => Ok(file),
    }
}

impl Open {
    fn new(path: &Path, kind: Kind, column: Option<&str>) -> Result<Self> {
        let stdin = path.as_os_str() == "-";
        let name = if stdin {
            "-".into()
        } else {
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
        };
        let from: Stream =
            if stdin { Box::new(BufReader::new(std::io::stdin())) } else { Box::new(BufReader::new(open(path)?)) };
        Self::of(name, from, kind, column)
    }

    fn of(name: String, from: Stream, kind: Kind, column: Option<&str>) -> Result<Self> {
        let shown = if name == "-" { "standard input" } else { &name };
        let from = begun(from, shown)?;
        let lines = match kind {
            Kind::Txt => Lines::Txt(from),
            Kind::Jsonl => Lines::Jsonl(from),
            Kind::Csv => Lines::Table(Box::new(Records::new(from, shown, SEPARATORS, column)?)),
            Kind::Tsv => Lines::Table(Box::new(Records::new(from, shown, b"\t", column)?)),
        };
        Ok(Self { name, lines, read: 0, blank: 0, after: None })
    }

    /// The next prompt or what is wrong with it; none at the end of the input.
    fn read(&mut self, column: Option<&str>) -> Result<Option<Result<String, String>>> {
        while self.after.is_none() {
            match self.line(column)? {
                None => return Ok(None),
                Some(Line::Blank) => self.blank += 1,
                Some(Line::Prompt(prompt)) => self.after = Some(prompt),
            }
        }
        self.read += 1;
        if self.blank == 0 {
            return Ok(self.after.take());
        }
        self.blank -= 1;
        Ok(Some(Err("the line is empty".into())))
    }

    /// The next line or record; none at the end of the input.
    fn line(&mut self, column: Option<&str>) -> Result<Option<Line>> {
        let prompt = |line: Result<String, String>, is_blank: fn(&str) -> bool| match line {
            Ok(line) if is_blank(&line) => Line::Blank,
            line => Line::Prompt(line),
        };
        let found = match &mut self.lines {
            Lines::Txt(from) => line(from).map(|line| line.map(|line| prompt(line, str::is_empty))),
            Lines::Jsonl(from) => line(from).map(|line| {
                line.map(|line| match prompt(line, |line| line.trim().is_empty()) {
                    Line::Prompt(line) => Line::Prompt(line.and_then(|line| prompt_of_json(&line, column))),
                    Line::Blank => Line::Blank,
                })
            }),
            Lines::Table(records) => records.next(),
        };
        found.map_err(|error| {
            Error::failed(format!("cannot read on in {} after line {}: {error}", self.name, self.read + self.blank))
                .hint("what was done is kept; resume to go on")
                .option("resume")
        })
    }
}

/// An input without its byte-order mark.
fn begun(mut from: Stream, name: &str) -> Result<Stream> {
    let mut start = Vec::new();
    let read = from.by_ref().take(encoding::START as u64).read_to_end(&mut start);
    read.map_err(|error| Error::failed(format!("cannot read {name}: {error}")).hint("give a file of text"))?;
    start.drain(..mark(name, &start)?);
    Ok(Box::new(Cursor::new(start).chain(from)))
}

/// A JSON string, or the named field of an object.
fn prompt_of_json(line: &str, column: Option<&str>) -> Result<String, String> {
    match serde_json::from_str(line).map_err(|error| format!("the line is not JSON: {error}"))? {
        Value::String(text) => Ok(text),
        Value::Object(object) => {
            let names = column.map_or_else(|| COLUMNS.to_vec(), |column| vec![column]);
            match names.iter().find_map(|name| object.get(*name).map(|value| (name, value))) {
                Some((_, Value::String(text))) => Ok(text.clone()),
                Some((name, _)) => Err(format!("the field {name} is not a string")),
                None => Err(format!("the object has no field {}", names.join(" or "))),
            }
        }
        _ => Err("the line is neither a JSON string nor an object".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::LONGEST;
    use super::*;

    fn inputs(bytes: &[u8], kind: Kind, column: Option<&str>) -> Result<Inputs> {
        let from = BufReader::new(Cursor::new(bytes.to_vec()));
        let open = Some(Open::of("-".into(), Box::new(from), kind, column)?);
        Ok(Inputs { waiting: VecDeque::new(), column: column.map(String::from), open, next: 0 })
    }

    fn all(bytes: &[u8], kind: Kind, column: Option<&str>) -> Vec<Result<String, String>> {
        let mut inputs = inputs(bytes, kind, column).unwrap();
        std::iter::from_fn(|| inputs.read().unwrap()).map(|item| item.text).collect()
    }

    #[test]
    fn lines_are_prompts_and_bad_ones_are_errors_of_their_own() {
        let long = [&vec![b'x'; LONGEST + 1][..], b"\nafter\r\n\n\xff\nlast"].concat();
        let found = all(&long, Kind::Txt, None);
        assert_eq!(found.len(), 5);
        assert!(found[0].as_ref().unwrap_err().contains("longer"));
        assert_eq!(found[1].as_deref(), Ok("after"));
        assert!(found[2].as_ref().unwrap_err().contains("empty"));
        assert!(found[3].as_ref().unwrap_err().contains("UTF-8"));
        assert_eq!(found[4].as_deref(), Ok("last"));
        assert!(all(b"", Kind::Txt, None).is_empty());
        assert_eq!(all(b"one\n", Kind::Txt, None).len(), 1);
    }

    #[test]
    fn json_lines_hold_a_string_or_a_field() {
        let found = all(b"\"a\\nb\"\n{\"text\": \"c\"}\n{\"x\": 1}\n{\n[1]\n", Kind::Jsonl, None);
        assert_eq!(found[0].as_deref(), Ok("a\nb"));
        assert_eq!(found[1].as_deref(), Ok("c"));
        assert!(found[2..].iter().all(Result::is_err) && found.len() == 5);
        assert_eq!(all(b"{\"q\": \"c\"}", Kind::Jsonl, Some("q"))[0].as_deref(), Ok("c"));
    }

    #[test]
    fn a_column_of_a_table_is_read_with_its_quotes_and_newlines() {
        let table = b"id,text\n1,\"a, \"\"b\"\"\nc\"\n2\n3,last";
        let found = all(table, Kind::Csv, None);
        assert_eq!(found[0].as_deref(), Ok("a, \"b\"\nc"));
        assert!(found[1].as_ref().unwrap_err().contains("short"));
        assert_eq!(found[2].as_deref(), Ok("last"));
        assert_eq!(found.len(), 3);
        assert_eq!(all(b"only\nx\n", Kind::Csv, None)[0].as_deref(), Ok("x"));
        let wrong = inputs(table, Kind::Csv, Some("nope"));
        assert!(wrong.err().unwrap().message.contains("nope"));
    }
}
