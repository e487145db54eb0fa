//! The rows of files of items: JSONL, CSV and TSV, each row with where it stands. What is wrong with a row is said of that row.

use crate::analysis::attribution::Dice;
use crate::encoding::{START, mark};
use crate::error::{Error, Result};
use crate::export::read_at_most;
use crate::hash::Hasher;
use crate::json;
use crate::record::Input;
use crate::text;
use csv_core::ReadRecordResult;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The largest file of items, in MiB.
const LARGEST: u64 = 256;
/// Bytes of a row of a table, and its fields.
const LONGEST_ROW: usize = 64 << 10;
const MOST_FIELDS: usize = 4096;
const TOO_LONG: &str = "it is longer than 64 KiB or 4096 fields: nothing from here on is read";
/// The extensions of files of items.
const EXTENSIONS: [&str; 3] = ["jsonl", "csv", "tsv"];

/// Fails where one field of two is named.
///
/// # Errors
/// The option of the other is lacking.
pub(in crate::findings) fn both_named(fields: [(&'static str, &Option<String>); 2], hint: &str) -> Result<()> {
    match fields {
        [(_, Some(_)), (lacking, None)] | [(lacking, None), (_, Some(_))] => {
            Err(Error::usage("only one of the two sentences' fields is named").hint(hint).option(lacking))
        }
        _ => Ok(()),
    }
}

/// The error for a model that can read none of the items.
pub(in crate::findings) fn none_read(model: &str, what: &str, input: &Input, bad: &[Bad]) -> Error {
    Error::failed(format!("model {model} can read no {what} of {}", input.name))
        .hint(bad.first().map_or_else(String::new, ToString::to_string))
}

/// Which rows are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sample {
    /// The most rows of each file, drawn at random; none takes all.
    pub limit: Option<usize>,
    /// Seed of that draw.
    pub seed: u64,
    /// Stop at a row that cannot be used, instead of counting it apart.
    pub strict: bool,
}

/// A row that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its file's name.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.why)
    }
}

/// A row with its fields by name.
pub(in crate::findings) struct Row {
    /// Its line, from 1.
    pub line: usize,
    pub fields: Map<String, Value>,
}

impl Row {
    /// A text.
    ///
    /// # Errors
    /// A field that is missing, empty, or no text.
    pub fn text(&self, name: &str) -> Result<&str, String> {
        match self.fields.get(name) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
            Some(Value::String(_)) => Err(format!("{name} is empty")),
            Some(_) => Err(format!("{name} is no text")),
            None => Err(format!("it has no {name}")),
        }
    }
}

/// A file of items.
pub(in crate::findings) struct Source {
    /// Its name without its folder and extension.
    pub stem: String,
    pub name: String,
    pub rows: Vec<Result<Row, Bad>>,
    /// What was assumed to read it.
    pub remark: Option<String>,
}

/// The files of a path: itself, or all files of items of a folder, by name.
///
/// # Errors
/// A path that cannot be read, a folder without such files, a file that is too large or not UTF-8.
pub(in crate::findings) fn sources(path: &Path, columns: &[&str]) -> Result<(Vec<Source>, Input)> {
    let failed =
        |e: std::io::Error| Error::failed(format!("cannot read {}: {e}", path.display())).hint("check the path");
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files = vec![path.to_path_buf()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(failed)?;
        files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)?;
        files.retain(|file| file.is_file() && extension(file).is_some());
        files.sort();
        if files.is_empty() {
            return Err(Error::failed(format!("{} has no file of items", path.display()))
                .hint(format!("it needs files with one of these endings: .{}", EXTENSIONS.join(", ."))));
        }
    }
    let mut hash = Hasher::new();
    let mut sources = Vec::new();
    for file in files {
        let bytes = bytes(&file)?;
        hash.update(name(&file).as_bytes());
        hash.update(&bytes);
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (rows, remark) = rows(&bytes, &name(&file), extension(&file), columns)?;
        sources.push(Source { stem, name: name(&file), rows, remark });
    }
    // A folder's name may be `.`, which says nothing.
    let whole = path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    Ok((sources, Input { name: name(&whole), hash: crate::hash::digits(hash.digest128()) }))
}

/// What a record says of a file or a folder of items.
///
/// # Errors
/// As reading its rows.
pub fn input(path: &Path) -> Result<Input> {
    sources(path, &[]).map(|(_, input)| input)
}

/// What a record says of a file that is no table.
pub(in crate::findings) fn input_of(path: &Path, bytes: &[u8]) -> Input {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Input { name, hash: crate::hash::digits(crate::hash::xxh3_128(bytes)) }
}

fn extension(path: &Path) -> Option<&'static str> {
    let own = path.extension()?.to_string_lossy().to_lowercase();
    EXTENSIONS.into_iter().find(|known| *known == own)
}

/// The bytes of a file, without a byte-order mark.
///
/// # Errors
/// A file that cannot be read, is too large or is not UTF-8.
pub(in crate::findings) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let opened = std::fs::File::open(path).and_then(|file| read_at_most(file, LARGEST << 20));
    let mut bytes = opened.map_err(|e| match e.kind() {
        ErrorKind::FileTooLarge => {
            Error::failed(format!("{name} is larger than {LARGEST} MiB")).hint("give a part of it")
        }
        _ => Error::failed(format!("cannot read {name}: {e}")).hint("check the path"),
    })?;
    let start = mark(&name.to_string(), &bytes[..bytes.len().min(START)])?;
    bytes.drain(..start);
    Ok(bytes)
}

type Rows = (Vec<Result<Row, Bad>>, Option<String>);

fn rows(bytes: &[u8], name: &str, extension: Option<&str>, columns: &[&str]) -> Result<Rows> {
    match extension {
        Some("csv") => Ok(table(bytes, name, b',', columns)),
        Some("tsv") => Ok(table(bytes, name, b'\t', columns)),
        Some(_) => Ok((lines(bytes, name), None)),
        None => Err(Error::failed(format!("{name}: its ending names no kind of file"))
            .hint(format!("items are in files with one of these: .{}", EXTENSIONS.join(", .")))),
    }
}

/// One object of JSON a line.
fn lines(bytes: &[u8], name: &str) -> Vec<Result<Row, Bad>> {
    let row = |(at, bytes): (usize, &[u8])| {
        let bad = |why: String| Bad { file: name.to_owned(), line: at + 1, why };
        let fields = json::parse(bytes).map_err(|error| bad(format!("it is no object of JSON: {error}")))?;
        Ok(Row { line: at + 1, fields })
    };
    let numbered = bytes.split(|byte| *byte == b'\n').enumerate();
    numbered.filter(|(_, line)| !line.trim_ascii().is_empty()).map(row).collect()
}

/// A table with a header that has these columns, or without one and exactly as many.
fn table(bytes: &[u8], name: &str, separator: u8, columns: &[&str]) -> Rows {
    let mut reader = csv_core::ReaderBuilder::new().delimiter(separator).build();
    let (mut rest, mut records) = (bytes, Vec::new());
    let (mut text, mut ends) = (vec![0; LONGEST_ROW], vec![0; MOST_FIELDS]);
    loop {
        let line = reader.line() as usize;
        let (mut written, mut count) = (0, 0);
        // The reader learns that the input is over from an empty one.
        let ended = loop {
            let (result, read, wrote, found) = reader.read_record(rest, &mut text[written..], &mut ends[count..]);
            (rest, written, count) = (&rest[read..], written + wrote, count + found);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record => break Some(true),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => break Some(false),
                ReadRecordResult::End => break None,
            }
        };
        let Some(ended) = ended else { break };
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let field = |(start, end): (usize, &usize)| String::from_utf8(text.get(start..*end)?.to_vec()).ok();
        let fields: Option<Vec<String>> = starts.zip(&ends[..count]).map(field).collect();
        records.push((line, if ended { fields.ok_or("it is not UTF-8") } else { Err(TOO_LONG) }));
        if !ended {
            break; // where it ends is not known
        }
    }
    let header = records.first().and_then(|(_, fields)| fields.clone().ok()).unwrap_or_default();
    let has_header = columns.iter().all(|column| header.iter().any(|field| field.trim() == *column));
    let bare = !has_header && header.len() == columns.len();
    let names: Vec<String> = match bare {
        true => columns.iter().map(|name| (*name).to_owned()).collect(),
        false => header.iter().map(|field| field.trim().to_owned()).collect(),
    };
    let remark = bare.then(|| format!("{name} has no header: its columns are taken as {}", columns.join(" and ")));
    let row = |(line, fields): (usize, Result<Vec<String>, &str>)| {
        let bad = |why: &str| Bad { file: name.to_owned(), line, why: why.to_owned() };
        let fields = fields.map_err(bad)?;
        if fields.len() != names.len() {
            return Err(bad(&format!("it has {}, the table has {}", text::count(fields.len(), "field"), names.len())));
        }
        let fields = names.iter().cloned().zip(fields.into_iter().map(Value::from)).collect();
        Ok(Row { line, fields })
    };
    (records.into_iter().skip(usize::from(!bare)).map(row).collect(), remark)
}

impl Sample {
    /// The rows that are taken of so many, in order.
    pub(in crate::findings) fn of(&self, count: usize, file: &str) -> Vec<usize> {
        let Some(limit) = self.limit.filter(|limit| *limit < count) else { return (0..count).collect() };
        let mut all = Dice::new(self.seed, crate::hash::xxh3_64(file.as_bytes())).order(count);
        all.truncate(limit);
        all.sort_unstable();
        all
    }

    /// Those of a file's rows.
    pub(in crate::findings) fn taken<T>(&self, rows: Vec<T>, file: &str) -> impl Iterator<Item = T> + use<T> {
        let mut chosen = self.of(rows.len(), file).into_iter().peekable();
        rows.into_iter().enumerate().filter(move |(at, _)| chosen.next_if_eq(at).is_some()).map(|(_, row)| row)
    }

    /// Fails where nothing would be left.
    ///
    /// # Errors
    /// A limit of 0.
    pub(in crate::findings) fn check_limit(&self) -> Result<()> {
        match self.limit {
            Some(0) => Err(Error::usage("a limit of 0 leaves nothing").hint("give 1 or more").option("limit")),
            _ => Ok(()),
        }
    }

    /// Fails at the first row that cannot be used, where that is wanted.
    ///
    /// # Errors
    /// That row.
    pub(in crate::findings) fn check(&self, bad: &[Bad]) -> Result<()> {
        match bad.first().filter(|_| self.strict) {
            Some(bad) => Err(Error::failed(bad.to_string())
                .hint("mend the row, or let such rows be counted apart")
                .option("strict")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line and the good sentence of a row, or what is wrong.
    type Read = Result<(usize, String), String>;

    fn read(text: &str, separator: u8) -> (Vec<Read>, bool) {
        let (rows, remark) = table(text.as_bytes(), "x", separator, &["good", "bad"]);
        let row = |row: Result<Row, Bad>| match row {
            Ok(row) => Ok((row.line, row.text("good").unwrap_or("?").to_owned())),
            Err(bad) => Err(bad.to_string()),
        };
        (rows.into_iter().map(row).collect(), remark.is_some())
    }

    #[test]
    fn tables_have_a_header_or_as_many_columns_as_are_needed() {
        let (rows, remarked) = read("id,bad,good\n1,a,b\n2,\"c,\n d\",e\n3,f,g", b',');
        assert_eq!(rows, [Ok((2, "b".into())), Ok((3, "e".into())), Ok((5, "g".into()))]);
        assert!(!remarked);
        let (rows, remarked) = read("The cat\tThe cats\nA\tB\n", b'\t');
        assert_eq!((rows, remarked), (vec![Ok((1, "The cat".into())), Ok((2, "A".into()))], true));
    }

    #[test]
    fn a_row_that_is_too_short_is_named_by_its_line() {
        let (rows, _) = read("good,bad\na,b\nc\n", b',');
        assert_eq!(rows[1], Err("x:3: it has 1 field, the table has 2".into()));
        let rows = lines(b"{\"a\": 1}\n\n[1]\n", "y");
        assert_eq!(rows[0].as_ref().map(|row| row.line), Ok(1));
        assert!(rows[1].as_ref().is_err_and(|bad| bad.line == 3));
    }

    #[test]
    fn a_sample_is_the_same_for_one_seed_and_keeps_the_order() {
        let sample = Sample { limit: Some(10), seed: 3, strict: false };
        let drawn = sample.of(1000, "a");
        assert!(drawn.len() == 10 && drawn.is_sorted() && drawn == sample.of(1000, "a"));
        assert!(drawn != sample.of(1000, "b") && drawn != Sample { seed: 4, ..sample }.of(1000, "a"));
        assert_eq!(sample.of(3, "a"), [0, 1, 2]);
        assert_eq!(sample.taken((0..1000).collect(), "a").collect::<Vec<_>>(), drawn);
    }
}
