//! Attention that a file holds, whatever program wrote it, as findings.

use super::attention::{self, View};
use super::{About, Output, Selected, Selection};
use crate::analysis::attention::Extent;
use crate::analysis::{Attention, Recorded, Reduction, Request, recorded};
use crate::error::{Error, Result};
use crate::export::{self, file::hash};
use crate::named::Named;
use crate::prompt::{Prompt, Word};
use crate::record::{Input, Record};
use std::path::Path;

/// Layers and heads are not numbered higher than this by any model.
const MOST_NUMBER: usize = 1 << 16;

/// Attention patterns that were read from a file.
pub struct RecordedAttention {
    /// The file.
    pub input: Input,
    patterns: export::Patterns,
    layers: Axis,
    heads: Axis,
}

/// What the layers or the heads of a file are.
struct Axis {
    /// The number of each.
    numbers: Vec<usize>,
    /// Those that were reduced to one, and how.
    reduced: Option<(Vec<usize>, Reduction)>,
}

/// What was selected of a file.
pub(super) struct Gathered {
    pub(super) prompt: Prompt,
    pub(super) words: Vec<Word>,
    /// Whether what counts as tokens are words already.
    pub(super) by_word: bool,
    pub(super) attention: Attention,
}

impl RecordedAttention {
    /// Reads a `.safetensors` or `.npz` file.
    ///
    /// # Errors
    /// As [`export::read()`].
    pub fn read(path: &Path) -> Result<Self> {
        let patterns = export::read(path)?;
        Ok(Self::new(patterns, input(path)?))
    }

    /// Patterns, and the file that they were read from.
    pub fn new(patterns: export::Patterns, input: Input) -> Self {
        let [layers, heads, ..] = patterns.shape;
        let reduction = |name: &Option<String>| name.as_deref().and_then(Reduction::named);
        let layers = Axis::new(&patterns.layers, reduction(&patterns.reduce_layers), layers);
        let heads = Axis::new(&patterns.heads, reduction(&patterns.reduce_heads), heads);
        Self { input, patterns, layers, heads }
    }

    /// The file as the findings of `render`; `line` is what was typed, for people. The view is one that [`View::check`] lets through.
    ///
    /// # Errors
    /// A layer or head that the file does not hold, words of a file that holds words or does not say what its tokens are, a negative
    /// weight.
    pub fn find<'a>(&self, view: &'a View, line: &str, outputs: &[Output]) -> Result<attention::Patterns<'a>> {
        let request = |selected, words: &[Word], tokens| view.request(selected, words, tokens, outputs);
        let Gathered { prompt, words, by_word, attention } = self.gather(&view.selection, request)?;
        let model = self.patterns.record.as_ref().map(|record| record.model.clone()).unwrap_or_default();
        let (line, input) = (line.to_owned(), Some(self.input.clone()));
        let record = Record { line, model, input, ..Record::of("render", view)? };
        let mut found = attention::Patterns::new(view, About::new(record, prompt), words, attention);
        found.by_word = by_word;
        Ok(found)
    }

    /// Whether the file says what its tokens are.
    pub(super) fn has_tokens(&self) -> bool {
        self.patterns.tokens.is_some()
    }

    /// What is selected of the file, gathered as `request` wants it of so many words and tokens.
    pub(super) fn gather(
        &self,
        selection: &Selection,
        request: impl FnOnce(Selected, &[Word], usize) -> Request,
    ) -> Result<Gathered> {
        let Self { input, patterns, layers, heads } = self;
        let by_word = patterns.by_word;
        if selection.words.is_some() && (by_word || patterns.tokens.is_none()) {
            let (why, hint) = match by_word {
                true => ("holds words already", "leave words out"),
                false => ("does not say what its tokens are", "save `tokens` beside `attention`, or leave words out"),
            };
            return Err(Error::usage(format!("words: {} {why}", input.name)).hint(hint).option("words"));
        }
        let selected = selection.among("the file", &layers.numbers, &heads.numbers)?;
        let prompt = prompt(patterns);
        let words = match &patterns.tokens {
            Some(_) if !by_word => prompt.words(selection.word_rule()),
            _ => prompt
                .tokens
                .iter()
                .enumerate()
                .map(|(at, token)| Word { tokens: at..at + 1, label: token.label.clone() })
                .collect(),
        };
        let [.., queries, keys] = patterns.shape;
        let whole = Recorded {
            values: &patterns.attention,
            layers: &layers.numbers,
            heads: &heads.numbers,
            extent: Extent { queries, keys, causal: is_causal(patterns) },
        };
        let found = recorded(&whole, &request(selected, &words, keys)).map_err(|error| error.of(&input.name))?;
        Ok(Gathered { prompt, words, by_word, attention: named(found, layers, heads) })
    }
}

impl Axis {
    /// As the file says it, else counted from 0.
    fn new(said: &[usize], reduced: Option<Reduction>, count: usize) -> Self {
        let said = if said.iter().all(|number| *number < MOST_NUMBER) { said } else { &[] };
        if let Some(how) = reduced.filter(|_| count == 1 && !said.is_empty()) {
            return Self { numbers: vec![0], reduced: Some((said.to_vec(), how)) };
        }
        let mut once = said.to_vec();
        once.sort_unstable();
        once.dedup();
        let fits = said.len() == count && once.len() == count;
        Self { numbers: if fits { said.to_vec() } else { (0..count).collect() }, reduced: None }
    }
}

/// What was reduced before it was saved is called what it is.
fn named(mut attention: Attention, layers: &Axis, heads: &Axis) -> Attention {
    if let Some((numbers, how)) = &layers.reduced {
        (attention.layers, attention.layers_to) = (numbers.clone(), Some(*how));
    }
    if let Some((numbers, how)) = &heads.reduced {
        (attention.heads, attention.heads_to) = (numbers.clone(), Some(*how));
    }
    attention
}

/// The tokens that the file names, else their positions.
fn prompt(patterns: &export::Patterns) -> Prompt {
    let keys = patterns.shape[3];
    let ids = patterns.token_ids.as_ref().and_then(|ids| ids.iter().map(|id| u32::try_from(*id).ok()).collect());
    let (tokens, text) = match &patterns.tokens {
        Some(tokens) => (tokens.clone(), patterns.prompt.clone()),
        // Positions are no text.
        None => ((0..keys).map(|at| at.to_string()).collect(), Some(patterns.prompt.clone().unwrap_or_default())),
    };
    Prompt::from_tokens(&tokens, ids.unwrap_or_default(), text)
}

/// Whether no query looks past its own position.
fn is_causal(patterns: &export::Patterns) -> bool {
    let [.., queries, keys] = patterns.shape;
    patterns
        .attention
        .chunks_exact(keys)
        .enumerate()
        .all(|(row, weights)| weights[keys - queries + row % queries + 1..].iter().all(|weight| *weight == 0.0))
}

/// A file that is read, as results name it.
pub(super) fn input(path: &Path) -> Result<Input> {
    Ok(Input { name: file_name(path), hash: hash(path)? })
}

/// A file's name without its folder.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{Findings, options};
    use crate::format::Format;
    use crate::prompt::WordRule;
    use serde_json::json;

    fn patterns(layers: &[usize], reduce_heads: Option<Reduction>) -> RecordedAttention {
        let patterns = export::Patterns {
            attention: vec![1.0, 0.0, 0.25, 0.75, 1.0, 0.0, 0.5, 0.5],
            shape: [2, 1, 2, 2],
            tokens: None,
            token_ids: None,
            prompt: None,
            record: None,
            layers: layers.to_vec(),
            heads: vec![0, 1, 2],
            reduce_layers: None,
            reduce_heads: reduce_heads.map(|how| how.name().into()),
            by_word: false,
        };
        RecordedAttention::new(patterns, Input { name: "x.npz".into(), hash: "0".into() })
    }

    #[test]
    fn layers_and_heads_are_called_what_the_file_says_where_it_can_be() {
        for (layers, heads, wanted) in [
            (&[3, 7][..], Some(Reduction::Max), ["3-max", "7-max"]),
            (&[3, 3], None, ["0-0", "1-0"]), // twice the same, and three heads of one
            (&[1, MOST_NUMBER], None, ["0-0", "1-0"]),
            (&[], Some(Reduction::Mean), ["0-mean", "1-mean"]),
        ] {
            let view = View::default();
            let found = patterns(layers, heads).find(&view, "", &[Output::whole(Format::Json)]).unwrap();
            let names: Vec<_> = found.parts().iter().map(|part| format!("{}-{}", part.layer, part.head)).collect();
            assert_eq!(names, wanted);
        }
    }

    #[test]
    fn the_record_says_what_it_takes_to_look_again() {
        let selection = Selection { layer: Some("7".parse().unwrap()), ..Selection::default() };
        let view = View { selection, received: true, ..View::default() };
        let found = patterns(&[3, 7], None).find(&view, "attnviz render --received", &[]).unwrap();
        let Record { command, options: said, line, input, .. } = &found.about().record;
        assert_eq!((command.as_str(), line.as_str()), ("render", "attnviz render --received"));
        assert_eq!(input.as_ref().unwrap().name, "x.npz");
        assert_eq!(options::<View>(said.clone().into()).unwrap(), view);
    }

    #[test]
    fn words_need_tokens() {
        let selection = Selection { words: Some(WordRule::Default), ..Selection::default() };
        let view = View { selection, ..View::default() };
        let error = patterns(&[], None).find(&view, "", &[]).err().unwrap();
        assert_eq!(
            (error.message.as_str(), error.option),
            ("words: x.npz does not say what its tokens are", Some("words"))
        );
    }

    #[test]
    fn options_that_a_view_does_not_have_are_named() {
        for (forged, name) in [
            (json!({"output": "evil.png"}), "output"),
            (json!({"selection": {"file": "secret"}}), "file"),
            (json!({"style": {"dpi": "high"}}), "high"),
            (json!({"selection": {"sink": "drain"}}), "drain"),
        ] {
            let error = options::<View>(forged).unwrap_err();
            assert!(error.message.contains(name), "{}", error.message);
        }
    }
}
