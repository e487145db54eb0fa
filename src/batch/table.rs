//! A column of a table of text: its separator found from the header, its records read a field at a time, so that no field is held that is
//! too long.

use super::line::{LONGEST, Line, Stream, text};
use crate::error::{Error, Result};
use csv_core::ReadFieldResult;
use std::io::BufRead;

/// Columns and fields that hold the prompt where none is named.
pub(super) const COLUMNS: [&str; 2] = ["prompt", "text"];
/// What spreadsheets and databases write between fields, the most usual first.
pub(super) const SEPARATORS: &[u8] = b",;\t|";

/// The records of a table after its header.
pub(super) struct Records {
    from: Stream,
    reader: csv_core::Reader,
    /// Where the prompt stands.
    column: usize,
    /// How many columns there are.
    columns: usize,
    ended: bool,
}

impl Records {
    /// Reads the header of a table whose fields stand between one of these separators. `column` is the one wanted, or one of
    /// [`COLUMNS`]; a table of one column has no other.
    ///
    /// # Errors
    /// No such column; several separators with which there is one.
    pub fn new(mut from: Stream, name: &str, separators: &[u8], column: Option<&str>) -> Result<Self> {
        let wanted: Vec<&str> = column.map_or_else(|| COLUMNS.to_vec(), |column| vec![column]);
        let failed = |what: String| Error::failed(format!("{name}: {what}"));
        let mut line = || header(&mut from).map_err(|error| failed(error.to_string()).hint("give a table of text"));
        let first = line()?;
        // Some spreadsheets name the separator in a line of its own.
        let (separators, header) = match first.strip_prefix(b"sep=") {
            Some(named @ [_]) => (named, line()?),
            _ => (separators, first.clone()),
        };
        let readings: Vec<(u8, Vec<String>)> = separators.iter().map(|by| (*by, fields(&header, *by))).collect();
        let widest = readings.iter().rev().max_by_key(|(_, fields)| fields.len()).cloned().unwrap_or_default();
        let mut found = readings.iter().filter(|(_, fields)| fields.len() > 1 && place(fields, &wanted).is_some());
        let (separator, fields) = match (found.next(), found.next()) {
            (Some((first, _)), Some((second, _))) => {
                let name = |by: &u8| if *by == b'\t' { "a tab".into() } else { char::from(*by).to_string() };
                return Err(failed(format!("its columns may be separated by {} or {}", name(first), name(second)))
                    .hint("write it with tabs as a .tsv, or name the column that is meant")
                    .option("column"));
            }
            (Some(one), None) => one.clone(),
            _ => widest,
        };
        let alone = (column.is_none() && fields.len() == 1).then_some(0);
        let Some(place) = place(&fields, &wanted).or(alone) else {
            let there = if fields.is_empty() { "it is empty".into() } else { format!("it has {}", fields.join(", ")) };
            return Err(failed(format!("no column {}: {there}", wanted.join(" or ")))
                .hint("name a column of the header")
                .option("column"));
        };
        let reader = csv_core::ReaderBuilder::new().delimiter(separator).build();
        Ok(Self { from, reader, column: place, columns: fields.len(), ended: false })
    }

    /// The prompt of the next record; none at the end.
    pub fn next(&mut self) -> std::io::Result<Option<Line>> {
        let (mut found, mut blank, mut extra) = (None, true, false);
        for place in 0.. {
            let Some((field, last)) = self.field()? else {
                if place == 0 {
                    return Ok(None);
                }
                break;
            };
            let is_blank = field.as_ref().is_ok_and(|field| field.trim().is_empty());
            blank &= is_blank;
            extra |= !is_blank && place >= self.columns;
            if place == self.column {
                found = Some(field);
            }
            if last {
                break;
            }
        }
        Ok(Some(match found {
            _ if blank => Line::Blank,
            _ if extra => {
                Line::Prompt(Err("the record has more fields than the header: quote what holds a separator".into()))
            }
            found => Line::Prompt(found.unwrap_or_else(|| Err("the record is too short".into()))),
        }))
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

/// The first line that is not empty: it ends where no quote is open.
fn header(from: &mut Stream) -> std::io::Result<Vec<u8>> {
    let (mut line, mut quoted) = (Vec::new(), false);
    loop {
        let some = match from.fill_buf() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            some => some?,
        };
        let Some(&byte) = some.first() else { return Ok(line) };
        from.consume(1);
        if byte == b'"' {
            quoted = !quoted && line.last().is_none_or(|before| *before == b'"' || SEPARATORS.contains(before));
        }
        match byte {
            b'\n' | b'\r' if !quoted => {
                if !line.is_empty() {
                    return Ok(line);
                }
            }
            _ if line.len() == LONGEST => return Err(std::io::Error::other("its header is too long")),
            _ => line.push(byte),
        }
    }
}

/// The fields of one line.
fn fields(line: &[u8], separator: u8) -> Vec<String> {
    let (line, mut reader) = ([line, b"\n"].concat(), csv_core::ReaderBuilder::new().delimiter(separator).build());
    let (mut text, mut ends) = (vec![0; line.len()], vec![0; line.len()]);
    let count = reader.read_record(&line, &mut text, &mut ends).3;
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let field = |(start, end): (usize, &usize)| String::from_utf8_lossy(&text[start..*end]).trim().to_owned();
    starts.zip(&ends[..count]).map(field).collect()
}

/// Where the first of the wanted columns stands; letters' case counts only where two differ in nothing else.
fn place(fields: &[String], wanted: &[&str]) -> Option<usize> {
    let exactly = wanted.iter().find_map(|name| fields.iter().position(|field| field == name));
    let in_any_case =
        || wanted.iter().find_map(|name| fields.iter().position(|field| field.eq_ignore_ascii_case(name)));
    exactly.or_else(in_any_case)
}
