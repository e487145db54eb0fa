//! Tables for spreadsheets and data frames: one row per visible pair of tokens, or one per word, head or token.
use super::table::{Cell, Table};
use super::{Array, check_text_size, unwritten};
use crate::axes::size;
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
    write_pairs(attention, [layers, heads, &tokens[past..], tokens], past, causal, out)
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
    write_pairs(attention, [layers, heads, queries, keys], 0, false, out)
}

/// Writes a row for each query and key; the first query has this number.
fn write_pairs(
    attention: &Array,
    labels: [&[String]; 4],
    first: usize,
    causal: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let (shape, counts) = (&attention.shape, labels.map(<[_]>::len));
    if size(shape) != Some(attention.values.len()) || shape[..] != counts {
        return Err(unfit(shape, &counts));
    }
    let [_, _, queries, keys] = counts;
    let seen = |query| if causal { query + 1 } else { keys };
    let pairs: usize = (first..first + queries).map(seen).sum();
    check_text_size(counts[0].saturating_mul(counts[1]).saturating_mul(pairs), "CSV")?;

    let quoted = |labels: &'_ [String]| labels.iter().map(|label| quote(label).into_owned()).collect::<Vec<_>>();
    let [layers, heads, query_tokens, key_tokens] = labels.map(quoted);
    let mut out = BufWriter::new(out);
    let mut rows = attention.values.chunks_exact(keys.max(1)); // [key] for each layer, head and query
    let mut write = || {
        writeln!(out, "layer,head,query,query_token,key,key_token,attention")?;
        for layer in &layers {
            for head in &heads {
                for ((query, from), row) in (first..).zip(&query_tokens).zip(&mut rows) {
                    for (key, weight) in row[..seen(query)].iter().enumerate() {
                        let to = &key_tokens[key];
                        writeln!(out, "{layer},{head},{query},{from},{key},{to},{weight:?}")?;
                    }
                }
            }
        }
        out.flush()
    };
    write().map_err(unwritten)
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
    table.check()?;
    let between = separator.to_string();
    let mut out = BufWriter::new(out);
    let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    writeln!(out, "{}", names.join(&between)).map_err(unwritten)?;
    for row in &table.rows {
        let cells = row.iter().map(|cell| written(cell, separator)).collect::<Result<Vec<_>>>()?;
        writeln!(out, "{}", cells.join(&between)).map_err(unwritten)?;
    }
    out.flush().map_err(unwritten)
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

/// RFC 4180, and quotes around spaces at either end, which some readers drop.
fn quote(text: &str) -> Cow<'_, str> {
    quoted(text, ',')
}

fn quoted(text: &str, separator: char) -> Cow<'_, str> {
    let plain = !text.contains([separator, '"', '\n', '\r']) && text.trim() == text && !text.is_empty();
    if plain { Cow::Borrowed(text) } else { Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))) }
}
