//! Surprisal as numbers: of tokens, of words, and of everything.

use super::{Base, Options};
use crate::analysis::scoring::{Scored, Windows, bits_of_words};
use crate::error::Result;
use crate::model::Model;
use crate::prompt::{Prompt, Token, Word};
use std::ops::Range;

/// What a model makes of the tokens so far.
pub(super) struct Scores {
    /// `−ln p`, `[token]`; NaN where nothing was scored.
    pub nats: Vec<f64>,
    /// `ln P(a word begins)` at each position from 1 on, where it was asked for.
    pub begins: Vec<f64>,
}

/// Tokens that are scored together, so that the parts in which a text is seen change nothing.
pub(super) const STEP: usize = 4096;

/// Scores a text of which it sees a part at a time.
pub(super) struct Scorer<'a> {
    windows: Windows<'a>,
    held: Vec<u32>,
    scores: Scores,
}

impl<'a> Scorer<'a> {
    pub fn new(model: &'a dyn Model, (window, stride): (usize, usize), set: Option<&'a [u32]>) -> Self {
        let scores = Scores { nats: vec![f64::NAN], begins: Vec::new() };
        Self { windows: Windows::new(model, window, stride, set), held: Vec::new(), scores }
    }

    pub fn push(&mut self, ids: &[u32]) -> Result<()> {
        self.held.extend_from_slice(ids);
        let whole = self.held.len() / STEP * STEP;
        for ids in self.held[..whole].chunks(STEP) {
            self.scores.add(self.windows.push(ids)?);
        }
        self.held.drain(..whole);
        Ok(())
    }

    /// What was scored; nothing of what the tokenizer put around the text, which is no part of it.
    pub fn finish(self, own: Range<usize>) -> Result<Scores> {
        let Self { mut windows, held, mut scores } = self;
        scores.add(windows.push(&held)?);
        scores.add(windows.finish()?);
        let outside = |(at, _): &(usize, &mut f64)| !own.contains(at);
        scores.nats.iter_mut().enumerate().filter(outside).for_each(|(_, nats)| *nats = f64::NAN);
        Ok(scores)
    }
}

impl Scores {
    fn add(&mut self, Scored { tokens, set, .. }: Scored) {
        self.nats.extend(tokens.iter().map(|ln| -ln));
        self.begins.extend(set);
    }

    /// In the unit of a base, of a run of tokens.
    pub fn of(&self, base: Base, tokens: Range<usize>) -> Vec<f64> {
        self.nats[tokens].iter().map(|nats| base.of_nats(*nats)).collect()
    }

    /// The words of a part of the text that begins at a position, by the options' rule.
    pub fn words(&self, options: &Options, part: &Prompt, position: usize) -> Option<Words> {
        let words = part.words(options.rule()?);
        let values = bits_of_words(&self.of(options.base, position..position + part.ids.len()), &words);
        let corrected = options.bow_correction.then(|| {
            let one =
                |(word, value): (&Word, &f64)| value + self.correction(options.base, &part.tokens, word, position);
            words.iter().zip(&values).map(one).collect()
        });
        Some(Words { words, values, corrected })
    }

    /// `log P(a word begins | before it) − log P(a word begins | after it)` of a word. A text's first word begins for certain.
    fn correction(&self, base: Base, tokens: &[Token], word: &Word, position: usize) -> f64 {
        let at = |token: usize| self.begins.get((position + token).wrapping_sub(1)).copied().unwrap_or(f64::NAN);
        let spaced = String::from_utf8_lossy(&tokens[word.tokens.start].bytes).starts_with(char::is_whitespace);
        let before = if spaced { at(word.tokens.start) } else { 0.0 };
        base.of_nats(before - at(word.tokens.end))
    }
}

/// The same by words.
pub(super) struct Words {
    pub words: Vec<Word>,
    pub values: Vec<f64>,
    /// With the correction.
    pub corrected: Option<Vec<f64>>,
}

/// Of everything that was scored.
#[derive(Default)]
pub(super) struct Totals {
    /// In nats.
    pub nats: f64,
    pub tokens: usize,
    pub bytes: usize,
}

impl Totals {
    /// Adds tokens with their numbers in nats.
    pub fn add(&mut self, tokens: &[Token], nats: &[f64]) {
        for (token, nats) in tokens.iter().zip(nats).filter(|(_, nats)| !nats.is_nan()) {
            self.nats += nats;
            self.tokens += 1;
            self.bytes += token.bytes.len();
        }
    }

    pub fn bits(&self) -> f64 {
        Base::Two.of_nats(self.nats)
    }

    pub fn perplexity(&self) -> f64 {
        (self.nats / self.tokens as f64).exp()
    }
}
