//! CrowS-Pairs, and pairs of one's own: rows of tables and of JSONL.

use super::suite::two_sentences;
use super::{Cut, Item, Kind, Options, Suite};
use crate::error::Result;
use crate::findings::probe::rows::{Bad, Row, Source, sources};
use std::path::Path;

/// What CrowS-Pairs calls the two sentences, and where it says whether the first shows a stereotype or the second violates one.
const NAMES: [&str; 2] = ["sent_more", "sent_less"];
const DIRECTION: &str = "stereo_antistereo";
const DIRECTIONS: [&str; 2] = ["stereo", "antistereo"];
/// Where the category stands.
const CATEGORIES: [&str; 3] = ["bias_type", "category", "UID"];

/// Reads a file, or all files of a folder.
pub(super) fn read(path: &Path, options: &Options) -> Result<Suite> {
    let (sources, input) = sources(path, &[])?;
    let has = |row: &Row, field: &str| row.fields.contains_key(field);
    let first = |source: &Source, field: &str| source.rows.iter().flatten().next().is_some_and(|row| has(row, field));
    let is_crows = options.more.is_none() && sources.iter().all(|source| first(source, DIRECTION));
    let mut suite = Suite { input, kind: if is_crows { Kind::Crows } else { Kind::Pairs }, ..Suite::default() };
    let by_file = sources.len() > 1;
    for source in sources {
        let category = options.category.as_deref().or_else(|| CATEGORIES.into_iter().find(|name| first(&source, name)));
        let file = suite.files.len();
        let Source { stem, name, rows, .. } = source;
        suite.all += rows.len();
        let stem = by_file.then_some(&stem[..]);
        for row in options.sample.taken(rows, &name) {
            let item = row.and_then(|row| {
                let bad = |why| Bad { file: name.clone(), line: row.line, why };
                let tags = tags(&row, category, stem, is_crows);
                tags.and_then(|tags| item(&row, options, Item { tags, file, ..Item::default() })).map_err(bad)
            });
            suite.add(item);
        }
        suite.files.push(name);
    }
    Ok(suite)
}

fn item(row: &Row, options: &Options, item: Item) -> Result<Item, String> {
    let [more, less] = options.names().unwrap_or(NAMES);
    let texts = [row.text(more)?, row.text(less)?].map(str::to_owned);
    two_sentences(&texts[0], &texts[1])?;
    Ok(Item { texts: texts.into(), line: row.line, ..item })
}

/// What a row is counted under: its category, or where there are several files without categories its file.
fn tags(row: &Row, category: Option<&str>, stem: Option<&str>, is_crows: bool) -> Result<Vec<(Cut, String)>, String> {
    let mut tags = Vec::new();
    if let Some(name) = category.map(|field| row.text(field)).transpose()?.or(stem) {
        tags.push((Cut::Category, name.trim().to_owned()));
    }
    if is_crows {
        let own = row.text(DIRECTION)?.trim();
        if !DIRECTIONS.contains(&own) {
            return Err(format!("{DIRECTION} is {own:?}, neither stereo nor antistereo"));
        }
        tags.push((Cut::Direction, own.to_owned()));
    }
    Ok(tags)
}
