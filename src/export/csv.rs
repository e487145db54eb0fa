//! Tables for spreadsheets and data frames: one row per visible pair of tokens, or one per word, head or token.
use super::table::{Cell, Table};
use super::{Array, Source, check_text_size, unwritten};
use crate::error::{Error, Result};
use std::borrow::Cow;
use std::io::{BufWriter, Write};

/// Writes `layer,head,query,query_token,key,key_token,attention`, one row for each key at or before its query, or for each key
/// at all where attention is not causal.
///
/// `attention` is `[layer, head, query, key]`; the queries are the last keys. `layers` and `heads` label its first two axes: a number, or `mean` or `max` where an
/// axis was reduced; `tokens` its keys.
///
/// # Errors
/// More than [`super::MOST_TEXT_NUMBERS`] rows, labels or shapes that do not fit, or a failed write.
pub fn write_attention(
    attention: &Array,
    layers: &[String],
    heads: &[String],
    tokens: &[String],
    causal: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let past = match attention.shape[..] {
        [_, _, queries, keys] if queries <= keys && tokens.len() == keys => keys - queries, // keys before the first query
        _ => return Err(unfit(&attention.shape, &[layers.len(), heads.len(), tokens.len()])),
    };
    let pairs = Pairs { places: places(layers, heads), queries: &tokens[past..], keys: tokens, first: past, causal };
    write_pairs(attention, None, &pairs, ',', out)
}

/// The same of cross-attention: each query with each key, which have tokens of their own and are both counted from 0.
///
/// # Errors
/// As [`write_attention`].
pub fn write_cross_attention(
    attention: &Array,
    layers: &[String],
    heads: &[String],
    [queries, keys]: [&[String]; 2],
    out: &mut dyn Write,
) -> Result<()> {
    let pairs = Pairs { places: places(layers, heads), queries, keys, first: 0, causal: false };
    write_pairs(attention, None, &pairs, ',', out)
}

/// What the rows of maps are called.
pub struct Pairs<'a> {
    /// The layer and the head of each map, in order.
    pub places: Vec<(String, String)>,
    /// The queries.
    pub queries: &'a [String],
    /// The keys.
    pub keys: &'a [String],
    /// The number of the first query.
    pub first: usize,
    /// Whether no query looks past its own number.
    pub causal: bool,
}

/// Each layer with each head.
fn places(layers: &[String], heads: &[String]) -> Vec<(String, String)> {
    layers.iter().flat_map(|layer| heads.iter().map(|head| (layer.clone(), head.clone()))).collect()
}

/// The same of an array whose numbers need not be held, whose first two axes are the maps, and with any character between cells.
///
/// # Errors
/// As [`write_attention`], and those of the source.
pub fn write_pairs(
    attention: &Array,
    source: Option<&dyn Source>,
    named: &Pairs,
    separator: char,
    out: &mut dyn Write,
) -> Result<()> {
    let &Pairs { ref places, queries, keys, first, causal } = named;
    let (shape, counts) = (&attention.shape, [places.len(), queries.len(), keys.len()]);
    let fits = matches!(shape[..], [layers, heads, queries, keys] if [layers * heads, queries, keys] == counts);
    if attention.count(source).is_none() || !fits {
        return Err(unfit(shape, &counts));
    }
    let [maps, rows, cols] = counts;
    check_text_size(maps.saturating_mul(pairs(first, rows, cols, causal)), "CSV")?;

    let s = separator;
    let all_quoted = |labels: &[String]| labels.iter().map(|label| quoted(label, s).into_owned()).collect::<Vec<_>>();
    let [query_tokens, key_tokens] = [queries, keys].map(all_quoted);
    let mut out = BufWriter::new(out);
    let names = ["layer", "head", "query", "query_token", "key", "key_token", "attention"];
    writeln!(out, "{}", names.join(&s.to_string())).map_err(unwritten)?;
    let mut place = 0; // of a row among those of all maps
    attention.each(source, &mut |values| {
        for row in values.chunks_exact(cols.max(1)) {
            let (map, query) = (place / rows, place % rows);
            let (layer, head) = &places[map];
            let (from, number) = (&query_tokens[query], first + query);
            for (key, weight) in row[..seen(number, cols, causal)].iter().enumerate() {
                let to = &key_tokens[key];
                writeln!(out, "{layer}{s}{head}{s}{number}{s}{from}{s}{key}{s}{to}{s}{weight:?}").map_err(unwritten)?;
            }
            place += 1;
        }
        Ok(())
    })?;
    out.flush().map_err(unwritten)
}

/// How many pairs of a query and a key that it sees one map has.
pub fn pairs(first: usize, queries: usize, keys: usize, causal: bool) -> usize {
    (first..first + queries).map(|query| seen(query, keys, causal)).sum()
}

fn seen(query: usize, keys: usize, causal: bool) -> usize {
    if causal { query + 1 } else { keys }
}

fn unfit(shape: &[usize], labels: &[usize]) -> Error {
    Error::failed(format!("attention has shape {shape:?}, but there are {labels:?} labels"))
}

/// Writes a table, a row a line; an empty cell stays empty.
///
/// # Errors
/// Cells that do not fit their columns, a list, or a failed write.
pub fn write_table(table: &Table, out: &mut dyn Write) -> Result<()> {
    write_separated(table, ',', out)
}

/// The same with another character between cells.
///
/// # Errors
/// As [`write_table`].
pub fn write_separated(table: &Table, separator: char, out: &mut dyn Write) -> Result<()> {
    let mut rows = Rows::new(separator, out);
    rows.add(table)?;
    rows.finish()
}

/// Tables of the same columns under one line of names.
pub struct Rows<'a> {
    separator: char,
    out: BufWriter<&'a mut dyn Write>,
    named: bool,
}

impl<'a> Rows<'a> {
    /// Nothing is written yet.
    pub fn new(separator: char, out: &'a mut dyn Write) -> Self {
        Self { separator, out: BufWriter::new(out), named: false }
    }

    /// Writes the rows of a table.
    ///
    /// # Errors
    /// As [`write_table`].
    pub fn add(&mut self, table: &Table) -> Result<()> {
        table.check()?;
        let between = self.separator.to_string();
        if !self.named {
            let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
            writeln!(self.out, "{}", names.join(&between)).map_err(unwritten)?;
            self.named = true;
        }
        for row in &table.rows {
            let cells = row.iter().map(|cell| written(cell, self.separator)).collect::<Result<Vec<_>>>()?;
            writeln!(self.out, "{}", cells.join(&between)).map_err(unwritten)?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// A failed write.
    pub fn finish(mut self) -> Result<()> {
        self.out.flush().map_err(unwritten)
    }
}

fn written(cell: &Cell, separator: char) -> Result<Cow<'_, str>> {
    Ok(match cell {
        Cell::Empty => Cow::Borrowed(""),
        Cell::Whole(number) => number.to_string().into(),
        Cell::Number(number) => format!("{number:?}").into(),
        Cell::Text(text) if text.is_empty() => Cow::Borrowed(""),
        Cell::Text(text) => quoted(text, separator),
        Cell::Numbers(_) | Cell::Texts(_) => return Err(Error::failed("a list does not fit into CSV")),
    })
}

/// What stands before a text that a spreadsheet would run: the spreadsheet takes it away again, as [`unquoted`] does.
const TEXT: char = '\'';

/// RFC 4180, and quotes around spaces at either end, which some readers drop. A text that a spreadsheet would take for a formula begins
/// with an apostrophe.
fn quoted(text: &str, separator: char) -> Cow<'_, str> {
    let plain = !text.contains([separator, '"', '\n', '\r']) && text.trim() == text && !text.is_empty();
    match (is_run(text), plain) {
        (false, true) => Cow::Borrowed(text),
        (is_run, _) => {
            let mark = if is_run { String::from(TEXT) } else { String::new() };
            let text = mark + text;
            if plain { Cow::Owned(text) } else { Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))) }
        }
    }
}

/// Whether a text begins with what makes a spreadsheet run it, or with that behind apostrophes: it has one more, so that it is told from
/// the text without them.
fn is_run(text: &str) -> bool {
    text.trim_start_matches(TEXT).starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The text of a cell that was written here.
pub fn unquoted(cell: &str) -> &str {
    cell.strip_prefix(TEXT).filter(|text| is_run(text)).unwrap_or(cell)
}
