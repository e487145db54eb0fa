//! Tables for spreadsheets and data frames: one row per visible pair of tokens, or one per word.
use super::{Data, check_text_size, unwritten};
use crate::error::{Error, Result};
use std::borrow::Cow;
use std::io::{BufWriter, Write};

/// Writes `layer,head,query,query_token,key,key_token,attention`, one row for each key at or before its query.
///
/// `layers` and `heads` label the first two axes: a number, or `mean` or `max` where an axis was reduced.
///
/// # Errors
/// More than [`super::MOST_TEXT_NUMBERS`] rows, labels or shapes that do not fit, or a failed write.
pub fn write_attention(data: &Data, layers: &[String], heads: &[String], out: &mut dyn Write) -> Result<()> {
    data.check()?;
    let (array, [layer_count, head_count, queries, keys]) = data.attention()?;
    if layers.len() != layer_count || heads.len() != head_count {
        let (layers, heads) = (layers.len(), heads.len());
        return Err(Error::failed(format!(
            "attention has {layer_count} layers and {head_count} heads, but {layers} and {heads} labels"
        )));
    }
    let past = keys - queries; // keys before the first query
    let pairs: usize = (0..queries).map(|query| past + query + 1).sum();
    check_text_size(layer_count.saturating_mul(head_count).saturating_mul(pairs), "CSV")?;

    let tokens: Vec<_> = data.labels().iter().map(|token| quote(token)).collect();
    let layers: Vec<_> = layers.iter().map(|label| quote(label)).collect();
    let heads: Vec<_> = heads.iter().map(|label| quote(label)).collect();
    let mut out = BufWriter::new(out);
    let mut rows = array.values.chunks_exact(keys.max(1)); // [key] for each layer, head and query
    let mut write = || {
        writeln!(out, "layer,head,query,query_token,key,key_token,attention")?;
        for layer in &layers {
            for head in &heads {
                for (query, row) in (past..keys).zip(&mut rows) {
                    for (key, weight) in row[..=query].iter().enumerate() {
                        let (from, to) = (&tokens[query], &tokens[key]);
                        writeln!(out, "{layer},{head},{query},{from},{key},{to},{weight:?}")?;
                    }
                }
            }
        }
        out.flush()
    };
    write().map_err(unwritten)
}

/// Writes `rank,word,first_token,last_token,received`, the most attended word first.
///
/// # Errors
/// A failed write.
pub fn write_received(data: &Data, out: &mut dyn Write) -> Result<()> {
    let mut out = BufWriter::new(out);
    let mut write = || {
        writeln!(out, "rank,word,first_token,last_token,received")?;
        for (rank, row) in (1..).zip(&data.received) {
            let word = quote(&row.word);
            writeln!(out, "{rank},{word},{},{},{:?}", row.first_token, row.last_token, row.received)?;
        }
        out.flush()
    };
    write().map_err(unwritten)
}

/// RFC 4180, and quotes around spaces at either end, which some readers drop.
fn quote(text: &str) -> Cow<'_, str> {
    let plain = !text.contains([',', '"', '\n', '\r']) && text.trim() == text && !text.is_empty();
    if plain { Cow::Borrowed(text) } else { Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))) }
}
