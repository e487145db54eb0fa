//! Two saved results.

use super::DiffArgs;
use super::found::{Array, Found};
use super::look::Look;
use crate::cli::recipe::Recipe;
use crate::cli::render;
use crate::cli::subject::About;
use attnviz::analysis::difference::apart;
use attnviz::error::{Error, Result};
use attnviz::export::{Input, Saved, saved};
use attnviz::prompt::Prompt;
use std::collections::BTreeSet;
use std::path::Path;

/// Settings and arrays that a remark names.
const MOST_NAMED: usize = 6;

impl DiffArgs {
    /// Reads both, and compares what both hold: attention head by head, all else number by number.
    pub fn of_files<'a>(&'a self, paths: [&Path; 2], recipe: &'a Recipe) -> Result<Found<'a>> {
        let mut files = [saved(paths[0])?, saved(paths[1])?];
        let names = paths.map(name);
        let (arrays, mut remarks) = arrays(&files, &names)?;
        let traces = files.each_ref().map(|file| file.trace.is_some());
        let with_attention = traces == [true, true];
        if !with_attention && arrays.is_empty() {
            let held = files.each_ref().map(held);
            let (a, b) = (&names[0], &names[1]);
            return Err(Error::usage(format!("{a} holds {}, {b} holds {}: nothing of one name", held[0], held[1]))
                .hint("compare results of the same command and method"));
        }
        if !with_attention && self.selection.is_given() {
            return Err(Error::usage(
                "--layer, --head, --reduce, --sink and --words are for attention, of which these files hold none",
            )
            .hint("leave them out: all numbers are compared"));
        }
        remarks.extend(settings(&files));
        let mut looks = Vec::new();
        for (file, path) in files.iter_mut().zip(paths) {
            looks.push(self.look_at(file, path, with_attention)?);
        }
        let [a, b] = <[Look; 2]>::try_from(looks).map_err(|_| Error::failed("two files are compared"))?;
        let about = About {
            model: a.model.clone(),
            revision: a.revision.clone(),
            hash: a.hash.clone(),
            input: a.input.clone(),
            other: Some(b.other()),
            prompt: a.prompt.clone(),
            note: None,
            recipe,
            index: 0,
        };
        let found = if with_attention {
            Found::of_attention(self, about, [a, b])
        } else {
            Found::of_arrays(self, about, [a, b])
        };
        Ok(Found { arrays, remarks, ..found? })
    }

    fn look_at(&self, file: &mut Saved, path: &Path, with_attention: bool) -> Result<Look> {
        let [model, revision, hash] = file.model.clone();
        let revision = Some(revision).filter(|revision| !revision.is_empty());
        let Some(trace) = file.trace.take().filter(|_| with_attention) else {
            let prompt = Prompt::from_tokens(&file.tokens, file.token_ids.clone(), Some(file.prompt.clone()));
            let input = Some(Input { name: name(path), hash: render::hash(path)? });
            return Ok(Look {
                model,
                revision,
                hash,
                input,
                prompt,
                by_word: false,
                axis: Vec::new(),
                attention: None,
                next: None,
            });
        };
        let opened = render::Opened::of(trace, path)?;
        let gathered = opened.gather(&self.selection, |selection, words, _| self.request(selection, words))?;
        let (known, by_word) = (opened.has_tokens(), gathered.by_word);
        let axis = match self.selection.words {
            Some(_) => gathered.words.iter().map(|word| (word.label.clone(), word.label.clone())).collect(),
            None if !known => Vec::new(),
            None => gathered.prompt.tokens.iter().map(|token| (token.text.clone(), token.label.clone())).collect(),
        };
        let (input, attention) = (Some(opened.input), Some(gathered.attention));
        Ok(Look { model, revision, hash, input, prompt: gathered.prompt, by_word, axis, attention, next: None })
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a file holds, in words.
fn held(file: &Saved) -> String {
    let names = file.arrays.iter().map(|array| array.name.as_str());
    let all: Vec<&str> = file.trace.iter().map(|_| "attention").chain(names).collect();
    list(&all)
}

fn list(names: &[&str]) -> String {
    let shown = names[..names.len().min(MOST_NAMED)].join(", ");
    if names.len() > MOST_NAMED { format!("{shown} and {} more", names.len() - MOST_NAMED) } else { shown }
}

/// The arrays of one name, compared; and what is only in one of the files.
fn arrays(files: &[Saved; 2], names: &[String; 2]) -> Result<(Vec<Array>, Vec<String>)> {
    let [a, b] = files;
    let with_attention = a.trace.is_some() && b.trace.is_some();
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
        found.push(Array { name: first.name.clone(), shape: first.shape.clone(), apart });
    }
    for (file, other, name) in [(a, b, &names[0]), (b, a, &names[1])] {
        let there: BTreeSet<&str> = other.arrays.iter().map(|array| array.name.as_str()).collect();
        let mut lone: Vec<&str> =
            file.arrays.iter().map(|array| array.name.as_str()).filter(|name| !there.contains(name)).collect();
        if file.trace.is_some() && other.trace.is_none() {
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
    let short = |value: &serde_json::Value| match value.to_string() {
        text if text.chars().count() > 40 => "…".into(),
        text => text,
    };
    let differs = |(name, first): (&String, &serde_json::Value)| {
        let second = b.said.get(name).filter(|second| *second != first)?;
        Some(format!("{name} {} → {}", short(first), short(second)))
    };
    let all: Vec<String> = a.said.iter().filter_map(differs).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    (!all.is_empty()).then(|| format!("settings differ: {}", list(&all)))
}
