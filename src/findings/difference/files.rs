//! Two saved results.

use super::comparison::ComparedArray;
use super::side::{Key, Side};
use super::{Comparison, Options};
use crate::analysis::Attention;
use crate::analysis::difference::apart;
use crate::error::{Error, Result};
use crate::export::read::AttentionKind;
use crate::export::{Patterns, Saved, saved};
use crate::findings::Selection;
use crate::findings::attention::request;
use crate::findings::recorded::{Gathered, RecordedAttention, file_name, input};
use crate::prompt::{Prompt, Word};
use crate::record::Identity;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Settings and arrays that a remark names.
const MOST_NAMED: usize = 6;
/// Characters of a setting that a remark quotes.
const MOST_QUOTED: usize = 40;

/// Reads both, and compares what both hold: attention head by head, all else number by number. The options are ones that
/// [`Options::check`] lets through.
///
/// # Errors
/// As [`saved`]; files that hold nothing of one name, or numbers of other shapes; a selection of what holds no attention; as
/// [`RecordedAttention::find`].
pub fn of_files<'a>(options: &'a Options, paths: [&Path; 2]) -> Result<Comparison<'a>> {
    let mut files = [saved(paths[0])?, saved(paths[1])?];
    let names = paths.map(file_name);
    let (arrays, mut remarks) = arrays(&files, &names)?;
    remarks.extend(settings(&files));
    let found = match files.each_mut().map(|file| file.patterns.take()) {
        [Some(a), Some(b)] => {
            let (a, a_attention) = options.recorded(&files[0], a, paths[0], &mut remarks)?;
            let (b, b_attention) = options.recorded(&files[1], b, paths[1], &mut remarks)?;
            Comparison::of_attention(options, [a, b], [a_attention, b_attention])?
        }
        patterns => {
            if arrays.is_empty() {
                let held = [held(&files[0], &patterns[0]), held(&files[1], &patterns[1])];
                let (a, b) = (&names[0], &names[1]);
                return Err(Error::usage(format!("{a} holds {}, {b} holds {}: nothing of one name", held[0], held[1]))
                    .hint("compare results of the same command and method"));
            }
            if let Some(option) = given(&options.selection) {
                return Err(Error::usage(format!("{option} is for attention, of which these files hold none"))
                    .hint("leave it out: all numbers are compared")
                    .option(option));
            }
            Comparison::new(options, [other(&files[0], paths[0])?, other(&files[1], paths[1])?])?
        }
    };
    remarks.extend(found.remarks);
    Ok(Comparison { arrays, remarks, ..found })
}

impl Options {
    /// A file's attention; how it was understood and what was left out of it goes among the remarks.
    fn recorded(
        &self,
        file: &Saved,
        patterns: Patterns,
        path: &Path,
        remarks: &mut Vec<String>,
    ) -> Result<(Side, Attention)> {
        if patterns.kind == AttentionKind::Cross {
            return Err(Error::usage(format!(
                "{} is cross-attention, of which no difference is taken",
                file_name(path)
            ))
            .hint("compare attention of one text with itself"));
        }
        let left_out = patterns.left_out.clone();
        let mut recorded = RecordedAttention::new(patterns, input(path)?);
        let said = std::mem::take(&mut recorded.assumed).into_iter().chain(left_out);
        remarks.extend(said.map(|said| format!("{}: {said}", recorded.input.name)));
        let select = |selected, words: &[Word], _| request(&self.selection, selected, words);
        let Gathered { prompt, words, by_word, attention, .. } = recorded.gather(&self.selection, select)?;
        let axis = match self.selection.words {
            Some(_) => Key::words(&words),
            None if !recorded.has_tokens() => Vec::new(),
            None => Key::tokens(&prompt),
        };
        let (model, input) = (model(file), Some(recorded.input));
        Ok((Side { model, input, prompt, by_word, axis, next: None }, attention))
    }
}

/// The first option that selects something.
fn given(selection: &Selection) -> Option<&'static str> {
    let (all, Selection { layer, head, heads, reduce, sink, words }) = (Selection::default(), selection);
    [
        ("layer", layer.is_some()),
        ("head", head.is_some() || heads.is_some()),
        ("reduce", *reduce != all.reduce),
        ("sink", *sink != all.sink),
        ("words", words.is_some()),
    ]
    .into_iter()
    .find_map(|(option, given)| given.then_some(option))
}

/// A file whose other numbers are compared.
fn other(file: &Saved, path: &Path) -> Result<Side> {
    let (ids, text) = (file.token_ids.clone(), Some(file.prompt.clone()));
    let prompt = match file.record {
        Some(_) => Prompt::from_own_tokens(&file.tokens, ids, text),
        None => Prompt::from_tokens(&file.tokens, ids, text).0,
    };
    Ok(Side { model: model(file), input: Some(input(path)?), prompt, ..Side::default() })
}

fn model(file: &Saved) -> Identity {
    file.record.as_ref().map(|record| record.model.clone()).unwrap_or_default()
}

/// What a file holds, in words.
fn held(file: &Saved, patterns: &Option<Patterns>) -> String {
    let names = file.arrays.iter().map(|array| array.name.as_str());
    let all: Vec<&str> = patterns.iter().map(|_| "attention").chain(names).collect();
    list(&all)
}

fn list(names: &[&str]) -> String {
    let shown = names[..names.len().min(MOST_NAMED)].join(", ");
    if names.len() > MOST_NAMED { format!("{shown} and {} more", names.len() - MOST_NAMED) } else { shown }
}

/// The arrays of one name, compared; and what is only in one of the files.
fn arrays(files: &[Saved; 2], names: &[String; 2]) -> Result<(Vec<ComparedArray>, Vec<String>)> {
    let [a, b] = files;
    let with_attention = a.patterns.is_some() && b.patterns.is_some();
    let (mut found, mut remarks) = (Vec::new(), Vec::new());
    for first in &a.arrays {
        let Some(second) = b.arrays.iter().find(|array| array.name == first.name) else { continue };
        if first.shape != second.shape {
            let what = format!(
                "{} has shape {:?} in {}, {:?} in {}",
                first.name, first.shape, names[0], second.shape, names[1]
            );
            // Attention of prompts of unequal length can be compared, what else was saved of them cannot.
            if with_attention {
                remarks.push(format!("not compared: {what}"));
                continue;
            }
            return Err(Error::usage(what).hint("compare results of the same prompt, selection and settings"));
        }
        let apart = apart(&first.values, &second.values);
        found.push(ComparedArray { name: first.name.clone(), shape: first.shape.clone(), apart });
    }
    for (file, other, name) in [(a, b, &names[0]), (b, a, &names[1])] {
        let there: BTreeSet<&str> = other.arrays.iter().map(|array| array.name.as_str()).collect();
        let mut lone: Vec<&str> =
            file.arrays.iter().map(|array| array.name.as_str()).filter(|name| !there.contains(name)).collect();
        if file.patterns.is_some() && other.patterns.is_none() {
            lone.insert(0, "attention");
        }
        if !lone.is_empty() {
            remarks.push(format!("only in {name}: {}", list(&lone)));
        }
    }
    Ok((found, remarks))
}

/// The settings and texts of one name that differ.
fn settings([a, b]: &[Saved; 2]) -> Option<String> {
    let short = |value: &Value| match value.to_string() {
        text if text.chars().count() > MOST_QUOTED => "…".into(),
        text => text,
    };
    let differs = |(name, first): (&String, &Value)| {
        let second = b.said.get(name).filter(|second| *second != first)?;
        Some(format!("{name} {} → {}", short(first), short(second)))
    };
    let all: Vec<String> = a.said.iter().filter_map(differs).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    (!all.is_empty()).then(|| format!("settings differ: {}", list(&all)))
}
