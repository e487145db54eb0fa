//! A text longer than the context, by windows that slide along it.

use super::{Beside, Scored, Text, score};
use crate::error::Result;
use crate::model::Model;
use crate::prompt::Word;

/// Tokens that the windows of one forward have together, about.
const TOGETHER: usize = 1024;

/// Scores a text of any length, of which it holds one window at a time: `window` tokens, moved by `stride`. A token is scored once, in
/// the first window that has something before it; where windows do not overlap, the token after a window is that window's.
pub struct Windows<'a> {
    model: &'a dyn Model,
    window: usize,
    stride: usize,
    /// The probability of these is wanted as well.
    set: Option<&'a [u32]>,
    /// What is still needed of the text, and the position of its first token.
    held: Vec<u32>,
    begin: usize,
    /// The first position that is not scored yet.
    next: usize,
}

impl<'a> Windows<'a> {
    /// Of a window of 2 tokens or more, and a stride from 1 to the window.
    pub fn new(model: &'a dyn Model, window: usize, stride: usize, set: Option<&'a [u32]>) -> Self {
        Self { model, window, stride, set, held: Vec::new(), begin: 0, next: 1 }
    }

    /// Takes more of the text; what could be scored of it, in order, from position 1 on.
    ///
    /// # Errors
    /// Those of [`score`].
    pub fn push(&mut self, ids: &[u32]) -> Result<Scored> {
        self.held.extend_from_slice(ids);
        let mut scored = Scored::default();
        loop {
            let windows = self.whole();
            if windows.is_empty() {
                return Ok(scored);
            }
            self.take(&windows, &mut scored)?;
        }
    }

    /// Scores the rest. With a set of tokens, the last number is of what follows the text.
    ///
    /// # Errors
    /// Those of [`score`].
    pub fn finish(mut self) -> Result<Scored> {
        let mut scored = Scored::default();
        let end = self.begin + self.held.len();
        if end > 0 && (self.next < end || self.set.is_some()) {
            self.take(&[Span { begin: self.begin, end, from: self.next, last: true }], &mut scored)?;
        }
        Ok(scored)
    }

    /// The next windows that are whole, with a token after them, as many as go through the model together.
    fn whole(&self) -> Vec<Span> {
        let end = self.begin + self.held.len();
        let (mut windows, mut begin, mut from) = (Vec::new(), self.begin, self.next);
        while begin + self.window < end && windows.len() * self.window < TOGETHER {
            // Where the next window begins behind this one, this one scores its first token.
            let stop = begin + self.window + usize::from(self.stride == self.window);
            windows.push(Span { begin, end: stop, from, last: false });
            (begin, from) = (begin + self.stride, stop);
        }
        windows
    }

    fn take(&mut self, windows: &[Span], scored: &mut Scored) -> Result<()> {
        let texts: Vec<Text> = windows
            .iter()
            .map(|span| Text {
                ids: &self.held[span.begin - self.begin..span.end - self.begin],
                from: span.from - span.begin,
                beyond: span.last && self.set.is_some(),
            })
            .collect();
        for window in score(self.model, &texts, Beside { set: self.set, above: false }, &|_, _| ())? {
            scored.tokens.extend(window.tokens);
            scored.set.extend(window.set);
        }
        if let Some(last) = windows.last() {
            let begin = (last.begin + self.stride).min(self.begin + self.held.len());
            self.held.drain(..begin - self.begin);
            (self.begin, self.next) = (begin, last.end);
        }
        Ok(())
    }
}

/// A window: its tokens, and the first that is scored.
struct Span {
    begin: usize,
    end: usize,
    from: usize,
    /// Whether the text ends with it.
    last: bool,
}

/// What words have together of their tokens' numbers; NaN where one is NaN.
pub fn bits_of_words(bits: &[f64], words: &[Word]) -> Vec<f64> {
    words.iter().map(|word| bits[word.tokens.clone()].iter().sum()).collect()
}
