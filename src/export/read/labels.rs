//! What the queries and the keys of a file are: their tokens, their ids, and which of them are padding.
use super::archive::{Archive, integers};
use crate::error::{Error, Result};
use crate::python::Texts;

/// Names for what both axes are, for the keys alone, and for the queries alone.
const TOKENS: [&str; 1] = ["tokens"];
const KEY_TOKENS: [&str; 3] = ["key_tokens", "source_tokens", "encoder_tokens"];
const QUERY_TOKENS: [&str; 3] = ["query_tokens", "target_tokens", "decoder_tokens"];
const IDS: [&str; 2] = ["token_ids", "input_ids"];
const MASKS: [&str; 2] = ["encoder_attention_mask", "attention_mask"];
const QUERY_MASKS: [&str; 1] = ["decoder_attention_mask"];

/// Something said of an axis, and its name in the file.
pub(super) type Said<T> = Option<(&'static str, Vec<T>)>;

/// What is said of the axes, of one item of a batch.
#[derive(Default)]
pub(super) struct Labels {
    pub(super) tokens: Said<String>,
    pub(super) key_tokens: Said<String>,
    pub(super) query_tokens: Said<String>,
    pub(super) ids: Said<i64>,
    pub(super) mask: Said<bool>,
    pub(super) query_mask: Said<bool>,
    pub(super) prompt: Option<String>,
}

/// One item of a batch.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) at: usize,
    pub(super) of: usize,
}

impl Labels {
    pub(super) fn read(archive: &mut dyn Archive, item: Item) -> Result<Self> {
        Ok(Self {
            tokens: texts(archive, &TOKENS, item)?,
            key_tokens: texts(archive, &KEY_TOKENS, item)?,
            query_tokens: texts(archive, &QUERY_TOKENS, item)?,
            ids: numbers(archive, &IDS, item)?,
            mask: mask(archive, &MASKS, item)?,
            query_mask: mask(archive, &QUERY_MASKS, item)?,
            prompt: prompt(archive, item)?,
        })
    }
}

impl Item {
    /// What is said of this item: one of several lists, or the only one of an only item.
    fn row<T>(self, name: &str, mut rows: Vec<Vec<T>>) -> Result<Vec<T>> {
        if rows.len() == self.of {
            return Ok(rows.swap_remove(self.at));
        }
        let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let (lists, items) = (counted(rows.len(), "list"), counted(self.of, "item"));
        Err(Error::failed(format!("{name} has {lists}, but attention has {items}"))
            .hint(format!("save {name} [item, token], or leave it out")))
    }
}

/// The first list of texts of these names.
fn texts(archive: &mut dyn Archive, names: &[&'static str], item: Item) -> Result<Said<String>> {
    for name in names {
        if let Some(texts) = archive.texts(name)? {
            let rows = match texts {
                Texts::List(list) => vec![list],
                Texts::Lists(lists) => lists,
            };
            return Ok(Some((name, item.row(name, rows)?)));
        }
    }
    Ok(None)
}

/// The first list of integers of these names.
fn numbers(archive: &mut dyn Archive, names: &[&'static str], item: Item) -> Result<Said<i64>> {
    for name in names {
        if let Some((shape, numbers)) = integers(archive, name)? {
            let width = shape.last().copied().unwrap_or_default().max(1);
            let rows = numbers.chunks(width).map(<[i64]>::to_vec).collect();
            return Ok(Some((name, item.row(name, rows)?)));
        }
    }
    Ok(None)
}

/// The first mask of these names: whether each position is a token.
fn mask(archive: &mut dyn Archive, names: &[&'static str], item: Item) -> Result<Said<bool>> {
    let Some((name, numbers)) = numbers(archive, names, item)? else { return Ok(None) };
    match numbers.iter().find(|number| ![0, 1].contains(*number)) {
        None => Ok(Some((name, numbers.into_iter().map(|number| number == 1).collect()))),
        Some(number) => Err(Error::failed(format!("{name} holds {number}"))
            .hint("it should be 1 for a token and 0 for padding, or left out")),
    }
}

fn prompt(archive: &mut dyn Archive, item: Item) -> Result<Option<String>> {
    if item.of == 1 {
        return archive.text("prompt");
    }
    match archive.texts("prompt")? {
        Some(Texts::List(texts)) => {
            item.row("prompt", texts.into_iter().map(|text| vec![text]).collect()).map(|mut text| text.pop())
        }
        _ => Ok(None),
    }
}
