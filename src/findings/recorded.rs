//! Attention that a file holds, whatever program wrote it, as findings.

use super::attention::{self, View};
use super::{About, Output, Selected, Selection};
use crate::analysis::attention::Extent;
use crate::analysis::{Attention, Recorded, Reduction, Request, recorded};
use crate::error::{Error, Result};
use crate::export::read::{AttentionKind, Wanted};
use crate::export::{self, file::hash};
use crate::named::Named;
use crate::prompt::{Prompt, Token, Word};
use crate::record::{Input, Record};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Layers and heads are not numbered higher than this by any model.
const MOST_NUMBER: usize = 1 << 16;

/// The options of `render`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Which attention of the file is meant.
    pub wanted: Wanted,
    /// How the patterns are looked at.
    pub view: View,
}

/// Attention patterns that were read from a file.
pub struct RecordedAttention {
    /// The file.
    pub input: Input,
    /// How it was understood where it does not say.
    pub assumed: Vec<String>,
    patterns: export::Patterns,
    prompt: Prompt,
    /// What the queries are, where they are not the last of the keys.
    queries: Option<Prompt>,
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
    /// What the rows are, where they are not the last of the columns.
    pub(super) rows: Option<Vec<Word>>,
}

impl RecordedAttention {
    /// Reads a `.safetensors`, `.npz` or `.npy` file.
    ///
    /// # Errors
    /// As [`export::read::read_as`].
    pub fn read(path: &Path, wanted: Wanted) -> Result<Self> {
        let patterns = export::read::read_as(path, wanted)?;
        Ok(Self::new(patterns, input(path)?))
    }

    /// Patterns, and the file that they were read from.
    pub fn new(mut patterns: export::Patterns, input: Input) -> Self {
        let [layers, heads, queries, _] = patterns.shape;
        let reduction = |name: &Option<String>| name.as_deref().and_then(Reduction::named);
        let layers = Axis::new(&patterns.layers, reduction(&patterns.reduce_layers), layers);
        let heads = Axis::new(&patterns.heads, reduction(&patterns.reduce_heads), heads);
        let mut assumed = std::mem::take(&mut patterns.assumed);
        let (prompt, guess) = prompt(&patterns);
        assumed.extend(guess);
        let queries = (patterns.kind == AttentionKind::Cross).then(|| match &patterns.query_tokens {
            Some(tokens) if patterns.record.is_some() => Prompt::from_own_tokens(tokens, Vec::new(), None),
            Some(tokens) => {
                let (prompt, guess) = Prompt::from_tokens(tokens, Vec::new(), None);
                assumed.extend(guess.map(|guess| format!("of the queries, {guess}")));
                prompt
            }
            None => positions(queries, None),
        });
        Self { input, assumed, patterns, prompt, queries, layers, heads }
    }

    /// The file as the findings of `render`; `line` is what was typed, for people. The view is one that [`View::check`] lets through.
    ///
    /// # Errors
    /// A layer or head that the file does not hold, words of a file that holds words or does not say what its tokens are, a negative
    /// weight.
    pub fn find<'a>(&self, options: &'a Options, line: &str, outputs: &[Output]) -> Result<attention::Patterns<'a>> {
        let view = &options.view;
        let request = |selected, words: &[Word], tokens| view.request(selected, words, tokens, outputs);
        let Gathered { prompt, words, by_word, attention, rows } = self.gather(&view.selection, request)?;
        let model = self.patterns.record.as_ref().map(|record| record.model.clone()).unwrap_or_default();
        let (line, input) = (line.to_owned(), Some(self.input.clone()));
        let record = Record { line, model, input, ..Record::of("render", options)? };
        let mut found = attention::Patterns::new(view, About::new(record, prompt), words, attention);
        (found.by_word, found.left_out) = (by_word, self.patterns.left_out.clone());
        found.rows = rows.map(|rows| rows.iter().map(|row| self.row(row)).collect());
        let known = self.queries.as_ref().filter(|_| self.patterns.query_tokens.is_some());
        found.asking = known.map(|queries| queries.written().split_whitespace().collect::<Vec<_>>().join(" "));
        found.checked()
    }

    /// The text and the label of a query or of a word of queries.
    fn row(&self, word: &Word) -> (String, String) {
        match (&self.queries, word.tokens.len()) {
            (Some(queries), 1) if queries.tokens[word.tokens.start].label == word.label => {
                (queries.tokens[word.tokens.start].text.clone(), word.label.clone())
            }
            _ => (word.label.clone(), word.label.clone()),
        }
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
        let Self { input, patterns, prompt, queries, layers, heads, .. } = self;
        let by_word = patterns.by_word;
        if selection.words.is_some() && (by_word || patterns.tokens.is_none()) {
            let (why, hint) = match by_word {
                true => ("holds words already", "leave words out"),
                false => ("does not say what its tokens are", "save `tokens` beside `attention`, or leave words out"),
            };
            return Err(Error::usage(format!("words: {} {why}", input.name)).hint(hint).option("words"));
        }
        let selected = match &patterns.picked[..] {
            [] => selection.among("the file", &layers.numbers, &heads.numbers)?,
            picked => selection.among_picked("the file", picked)?,
        };
        let words = match &patterns.tokens {
            Some(_) if !by_word => prompt.words(selection.word_rule()),
            _ => each(prompt),
        };
        let rows = queries.as_ref().map(|queries| match (&patterns.query_tokens, selection.words) {
            (Some(_), Some(rule)) => queries.words(rule),
            _ => each(queries),
        });
        let extent = Extent {
            queries: patterns.shape[2],
            keys: patterns.shape[3],
            causal: patterns.kind == AttentionKind::Causal,
        };
        let whole = Recorded {
            values: &patterns.attention,
            layers: &layers.numbers,
            heads: &heads.numbers,
            picked: &patterns.picked,
            extent,
        };
        let mut request = request(selected, &words, extent.queries.max(extent.keys));
        request.query_words = rows
            .as_ref()
            .filter(|_| selection.words.is_some())
            .map(|rows| rows.iter().map(|word| word.tokens.clone()).collect());
        let found = recorded(&whole, &request).map_err(|error| error.of(&input.name))?;
        Ok(Gathered { prompt: prompt.clone(), words, by_word, attention: named(found, layers, heads), rows })
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

/// The tokens that the file names, else their positions; and what is to be said where how they are written is a guess.
fn prompt(patterns: &export::Patterns) -> (Prompt, Option<String>) {
    let ids = patterns.token_ids.as_ref().and_then(|ids| ids.iter().map(|id| u32::try_from(*id).ok()).collect());
    let (ids, text): (Vec<u32>, _) = (ids.unwrap_or_default(), patterns.prompt.clone());
    match &patterns.tokens {
        // What attnviz wrote is not guessed.
        Some(tokens) if patterns.record.is_some() => (Prompt::from_own_tokens(tokens, ids, text), None),
        Some(tokens) => Prompt::from_tokens(tokens, ids, text),
        None => (Prompt { ids, ..positions(patterns.shape[3], text) }, None),
    }
}

/// Positions as tokens, which are no text.
fn positions(count: usize, text: Option<String>) -> Prompt {
    let tokens: Vec<String> = (0..count).map(|at| at.to_string()).collect();
    Prompt::from_own_tokens(&tokens, Vec::new(), Some(text.unwrap_or_default()))
}

/// Each token as a word.
fn each(prompt: &Prompt) -> Vec<Word> {
    let word = |(at, token): (usize, &Token)| Word { tokens: at..at + 1, label: token.label.clone() };
    prompt.tokens.iter().enumerate().map(word).collect()
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
            layers: layers.to_vec(),
            heads: vec![0, 1, 2],
            reduce_heads: reduce_heads.map(|how| how.name().into()),
            ..export::Patterns::default()
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
            let (options, recorded) = (Options::default(), patterns(layers, heads));
            let found = recorded.find(&options, "", &[Output::whole(Format::Json)]).unwrap();
            let names: Vec<_> = found.parts().iter().map(|part| format!("{}-{}", part.layer, part.head)).collect();
            assert_eq!(names, wanted);
        }
    }

    #[test]
    fn the_record_says_what_it_takes_to_look_again() {
        let selection = Selection { layer: Some("7".parse().unwrap()), ..Selection::default() };
        let view = View { selection, received: true, ..View::default() };
        let wanted = Wanted { kind: None, item: Some(-1) };
        let (asked, recorded) = (Options { wanted, view }, patterns(&[3, 7], None));
        let found = recorded.find(&asked, "attnviz render --received", &[]).unwrap();
        let Record { command, options: said, line, input, .. } = &found.about().record;
        assert_eq!((command.as_str(), line.as_str()), ("render", "attnviz render --received"));
        assert_eq!(input.as_ref().unwrap().name, "x.npz");
        assert_eq!(options::<Options>(said.clone().into()).unwrap(), asked);
    }

    #[test]
    fn words_need_tokens() {
        let selection = Selection { words: Some(WordRule::Default), ..Selection::default() };
        let asked = Options { view: View { selection, ..View::default() }, ..Options::default() };
        let recorded = patterns(&[], None);
        let error = recorded.find(&asked, "", &[]).err().unwrap();
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
