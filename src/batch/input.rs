//! Prompts from files and standard input, one at a time, whatever their number; what cannot be a prompt is an error of its own.

use super::manifest::Origin;
use crate::error::{Error, Result};
use crate::named::Named;
use csv_core::ReadFieldResult;
use serde_json::Value;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// A line longer than this is no prompt: GPT-2's longest is a few kilobytes.
const LONGEST: usize = 1 << 20;
/// Columns and fields that hold the prompt where none is named.
const COLUMNS: [&str; 2] = ["prompt", "text"];

/// How prompts lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One a line.
    Txt,
    /// A JSON string, or an object with one, a line.
    Jsonl,
    /// A column of a table with a header.
    Csv,
}

impl Named for Kind {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Txt, "txt", "One prompt a line"),
        (Self::Jsonl, "jsonl", "A JSON string or object a line"),
        (Self::Csv, "csv", "A table with a header"),
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
    read: u64,
}

enum Lines {
    Txt(Box<dyn BufRead + Send>),
    Jsonl(Box<dyn BufRead + Send>),
    Csv(Box<Records>),
}

impl Inputs {
    /// Reads these inputs; `-` is standard input. The kind of each file is its extension's, or `kind`.
    ///
    /// # Errors
    /// A file that is not there, or whose extension names no kind.
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
                _ => stdin.then_some(Kind::Txt),
            };
            let found = kind.or(of_name).ok_or_else(|| {
                Error::usage(format!("input {name}: its extension names no kind of file"))
                    .hint("use .txt, .jsonl or .csv, or say how prompts lie in it")
                    .option("input_format")
            })?;
            if !stdin {
                open(path)?;
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
        let from: Box<dyn BufRead + Send> =
            if stdin { Box::new(BufReader::new(std::io::stdin())) } else { Box::new(BufReader::new(open(path)?)) };
        Self::of(name, from, kind, column)
    }

    fn of(name: String, from: Box<dyn BufRead + Send>, kind: Kind, column: Option<&str>) -> Result<Self> {
        let lines = match kind {
            Kind::Txt => Lines::Txt(from),
            Kind::Jsonl => Lines::Jsonl(from),
            Kind::Csv => Lines::Csv(Box::new(Records::new(from, &name, column)?)),
        };
        Ok(Self { name, lines, read: 0 })
    }

    /// The next prompt or what is wrong with it; none at the end of the input.
    fn read(&mut self, column: Option<&str>) -> Result<Option<Result<String, String>>> {
        let text = match &mut self.lines {
            Lines::Txt(from) => line(from),
            Lines::Jsonl(from) => {
                line(from).map(|line| line.map(|line| line.and_then(|line| prompt_of_json(&line, column))))
            }
            Lines::Csv(records) => records.next(),
        };
        self.read += 1;
        text.map_err(|error| {
            Error::failed(format!("cannot read on in {} after line {}: {error}", self.name, self.read - 1))
                .hint("what was done is kept; resume to go on")
                .option("resume")
        })
    }
}

/// A line without its end, as text; a line that is too long is passed over without being held.
fn line(from: &mut impl BufRead) -> std::io::Result<Option<Result<String, String>>> {
    let mut bytes = Vec::new();
    let mut length = 0;
    loop {
        let some = match from.fill_buf() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            some => some?,
        };
        if some.is_empty() {
            break;
        }
        let end = some.iter().position(|byte| *byte == b'\n');
        let part = &some[..end.unwrap_or(some.len())];
        length += part.len() + usize::from(end.is_some());
        bytes.extend_from_slice(&part[..part.len().min((LONGEST + 1).saturating_sub(bytes.len()))]);
        let used = end.map_or(some.len(), |end| end + 1);
        from.consume(used);
        if end.is_some() {
            break;
        }
    }
    if length == 0 {
        return Ok(None);
    }
    Ok(Some(text(bytes)))
}

fn text(mut bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() > LONGEST {
        return Err(format!("the line is longer than {LONGEST} bytes"));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("the line is not UTF-8 (byte {})", error.utf8_error().valid_up_to()))
}

/// A JSON string, or the named field of an object.
fn prompt_of_json(line: &str, column: Option<&str>) -> Result<String, String> {
    if line.trim().is_empty() {
        return Err("the line is empty".into());
    }
    match serde_json::from_str(line).map_err(|error| format!("the line is not JSON: {error}"))? {
        Value::String(text) => Ok(text),
        Value::Object(object) => {
            let names = column.map_or_else(|| COLUMNS.to_vec(), |column| vec![column]);
            match names.iter().find_map(|name| object.get(*name)) {
                Some(Value::String(text)) => Ok(text.clone()),
                Some(_) => Err(format!("the field {:?} is not a string", names[0])),
                None => Err(format!("the object has no field {:?}", names.join("\" or \""))),
            }
        }
        _ => Err("the line is neither a JSON string nor an object".into()),
    }
}

/// The records of a CSV file, a field at a time, so that no field is held that is too long.
struct Records {
    from: Box<dyn BufRead + Send>,
    reader: csv_core::Reader,
    column: usize,
    ended: bool,
}

impl Records {
    fn new(from: Box<dyn BufRead + Send>, name: &str, column: Option<&str>) -> Result<Self> {
        let mut records = Self { from, reader: csv_core::Reader::new(), column: 0, ended: false };
        let failed = |what: String| {
            Error::failed(format!("{name}: {what}")).hint("name a column of the header").option("column")
        };
        let mut header = Vec::new();
        while let Some((field, last)) = records.field().map_err(|error| failed(error.to_string()))? {
            header.push(field.unwrap_or_default());
            if last {
                break;
            }
        }
        let wanted: Vec<&str> = column.map_or_else(|| COLUMNS.to_vec(), |column| vec![column]);
        let place = |name: &&str| header.iter().position(|field| field.trim_start_matches('\u{feff}') == *name);
        records.column = match wanted.iter().find_map(place) {
            Some(place) => place,
            None if column.is_none() && header.len() == 1 => 0,
            None => return Err(failed(format!("no column {:?} among {:?}", wanted.join("\" or \""), header))),
        };
        Ok(records)
    }

    /// The column of the next record.
    fn next(&mut self) -> std::io::Result<Option<Result<String, String>>> {
        let mut found = None;
        for place in 0.. {
            let Some((field, last)) = self.field()? else {
                return Ok((place > 0).then(|| found.unwrap_or_else(|| Err("the record is too short".into()))));
            };
            if place == self.column {
                found = Some(field);
            }
            if last {
                break;
            }
        }
        Ok(Some(found.unwrap_or_else(|| Err("the record is too short".into()))))
    }

    /// A field, and whether it is its record's last.
    fn field(&mut self) -> std::io::Result<Option<(Result<String, String>, bool)>> {
        if self.ended {
            return Ok(None);
        }
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let some = match self.from.fill_buf() {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                some => some?,
            };
            let (result, read, written) = self.reader.read_field(some, &mut piece);
            self.from.consume(read);
            bytes.extend_from_slice(&piece[..written.min((LONGEST + 1).saturating_sub(bytes.len()))]);
            match result {
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::Field { record_end } => return Ok(Some((text(bytes), record_end))),
                ReadFieldResult::End => {
                    self.ended = true;
                    return Ok(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(bytes: &[u8], kind: Kind, column: Option<&str>) -> Result<Inputs> {
        let from = BufReader::new(std::io::Cursor::new(bytes.to_vec()));
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
