//! A model with a prompt to look at, and what every figure and file says about the two.

use super::Asked;
use crate::analysis::{Prediction, next_tokens};
use crate::error::Result;
use crate::export::{Data, Entry, Fields, slug};
use crate::model::Model;
use crate::prompt::Prompt;
use crate::record::{Identity, Input, Record};
use crate::session::Session;
use crate::trace::Replay;
use candle_core::Tensor;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;
use std::ops::{Deref, DerefMut};
use std::path::Path;

/// Next tokens named under the headline.
pub const NEXT: usize = 3;

/// Is told how many runs of the model are done, and how many more are planned.
pub type Watch<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What an analysis of one prompt starts from.
pub struct Subject<'a> {
    /// The model and its tokenizer.
    pub session: &'a Session,
    /// What is known without them.
    pub about: About,
    /// Is told how far the work is.
    pub watch: Watch<'a>,
    /// The model once it has read the prompt, where several analyses share that.
    pub replay: Option<&'a Replay<'a>>,
}

impl Deref for Subject<'_> {
    type Target = About;
    fn deref(&self) -> &About {
        &self.about
    }
}

impl DerefMut for Subject<'_> {
    fn deref_mut(&mut self) -> &mut About {
        &mut self.about
    }
}

impl<'a> Subject<'a> {
    /// A prompt, the model that reads it, and what is asked about it.
    ///
    /// # Errors
    /// None that is known of: options are plain data.
    pub fn new(session: &'a Session, prompt: Prompt, asked: &Asked) -> Result<Self> {
        let (command, options) = asked.parts()?;
        Ok(Self::recorded(session, prompt, Record { command, options, ..Record::default() }))
    }

    /// The same for an analysis of one's own, with the name and the options that records shall hold.
    ///
    /// # Errors
    /// Options that are no object of JSON.
    pub fn of(session: &'a Session, prompt: Prompt, command: &str, options: &impl Serialize) -> Result<Self> {
        Ok(Self::recorded(session, prompt, Record::of(command, options)?))
    }

    fn recorded(session: &'a Session, prompt: Prompt, record: Record) -> Self {
        let record = Record { model: session.identity(), ..record };
        Self { session, about: About::new(record, prompt), watch: &|_, _| (), replay: None }
    }

    /// The model, as far as it only reads the prompt: what it made of it already, where that is kept.
    pub fn model(&self) -> &'a dyn Model {
        match self.replay {
            Some(replay) => replay,
            None => self.session.model(),
        }
    }

    /// How a figure shows a token id.
    pub fn label(&self, id: u32) -> String {
        self.session.tokenizer.label(id)
    }

    /// How a sentence names a token id.
    pub fn name(&self, id: u32) -> String {
        in_a_line(&self.label(id))
    }

    /// How a sentence names a position that is not the last.
    pub fn after(&self, position: usize) -> String {
        let tokens = &self.prompt.tokens;
        if position + 1 == tokens.len() {
            return String::new();
        }
        format!(" after {} (position {position})", in_a_line(&tokens[position].label))
    }

    /// The model's most probable next tokens, after the text, from the last `resid_post`.
    ///
    /// # Errors
    /// Logits that are not finite.
    pub fn next(&self, resid: &Tensor) -> Result<Vec<Prediction>> {
        next_tokens(&self.session.next_logits(&[&own(&self.prompt, resid)?])?, NEXT)
    }

    /// The line that names them, where there are any.
    pub fn next_line(&self, next: &[Prediction]) -> Option<String> {
        next_line(self.session, next)
    }
}

/// The most probable next tokens of each of several prompts: the embedding, the largest matrix, is read once for all. None of a model
/// without a language-model head.
///
/// # Errors
/// Logits that are not finite.
pub fn next_of_all<'a>(
    session: &Session,
    resids: impl Iterator<Item = (&'a Prompt, &'a Tensor)>,
) -> Result<Vec<Vec<Prediction>>> {
    let resids = resids.map(|(prompt, resid)| own(prompt, resid)).collect::<Result<Vec<_>>>()?;
    if !session.model().has_logits() {
        return Ok(vec![Vec::new(); resids.len()]);
    }
    let logits = session.next_logits(&resids.iter().collect::<Vec<_>>())?;
    (0..logits.dims()[0]).into_par_iter().map(|prompt| next_tokens(&logits.get(prompt)?, NEXT)).collect()
}

/// The rows of a prompt's text: what the tokenizer put behind it is not what comes next.
fn own(prompt: &Prompt, resid: &Tensor) -> Result<Tensor> {
    Ok(resid.narrow(0, 0, prompt.last() + 1)?)
}

/// A token's label among words and numbers of ours: neither a comma nor a digit of its should look like one of them.
pub fn in_a_line(label: &str) -> String {
    format!("“{label}”")
}

/// Tokens with their probabilities, in a line; none without tokens.
pub fn next_line(session: &Session, next: &[Prediction]) -> Option<String> {
    let named =
        |next: &Prediction| format!("{} {}", in_a_line(&session.tokenizer.label(next.id)), percent(next.probability));
    (!next.is_empty()).then(|| format!("next: {}", next.iter().map(named).collect::<Vec<_>>().join(", ")))
}

/// What every figure and file says of where it comes from.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// What the files say of themselves.
    pub record: Record,
    /// The prompt, or the tokens of the file that was read.
    pub prompt: Prompt,
    /// The prompt's position in its batch.
    pub index: usize,
}

impl About {
    /// A prompt, and a record that is completed by this version's number and by what was read.
    pub fn new(record: Record, prompt: Prompt) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let record = Record { version, prompt: prompt.written(), token_ids: prompt.ids.clone(), ..record };
        Self { record, prompt, index: 0 }
    }

    /// Whether there is a prompt.
    pub fn has_prompt(&self) -> bool {
        !self.prompt.tokens.is_empty()
    }

    /// The model.
    pub fn model(&self) -> &Identity {
        &self.record.model
    }

    /// What a figure calls the model: its name, or the note on its origin.
    pub fn model_name(&self) -> String {
        self.record.note.clone().unwrap_or_else(|| self.record.model.title())
    }

    /// The prompt in one line; the renderer cuts what is too long. Without a text, the file that was read; without a prompt, the
    /// model.
    pub fn headline(&self) -> String {
        if !self.has_prompt() {
            return self.model().name.clone();
        }
        let text = self.prompt.written().split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() { self.record.input.as_ref().map_or(text, |input| input.name.clone()) } else { text }
    }

    /// The labels of the tokens.
    pub fn labels(&self) -> Vec<String> {
        self.prompt.tokens.iter().map(|token| token.label.clone()).collect()
    }

    /// The texts of the tokens.
    pub fn texts(&self) -> Vec<String> {
        self.prompt.tokens.iter().map(|token| token.text.clone()).collect()
    }

    /// The first line under the headline: the model or the file, what is drawn, the prompt's length.
    pub fn line(&self, what: &str) -> String {
        let what = format!("{} · {what}", self.source());
        match self.prompt.tokens.len() {
            0 => what,
            1 => format!("{what} · 1 token"),
            count => format!("{what} · {count} tokens"),
        }
    }

    /// The model or the file that it is of.
    pub fn source(&self) -> String {
        let model = self.model_name();
        match &self.record.input {
            None => model,
            Some(input) if model.is_empty() => input.name.clone(),
            Some(input) if self.record.command == "render" => format!("{} from {model}", input.name),
            Some(input) => format!("{model} · {}", input.name),
        }
    }

    /// What was found, with where it comes from.
    pub fn data(&self, results: Vec<Entry>) -> Data {
        Data { record: self.record.clone(), tokens: self.texts(), results }
    }

    /// What a file's name can depend on.
    pub fn fields(&self) -> Fields {
        let Record { command, options, token_ids, input, other, .. } = &self.record;
        let seen = input.as_ref().map_or(&self.record.model.hash, |input| &input.hash);
        let mut what = json!([seen, token_ids, command, options]);
        if let Some(other) = other {
            what = json!([what, other]);
        }
        let stem =
            |input: &Input| slug(Path::new(&input.name).file_stem().unwrap_or_default().to_string_lossy().as_ref());
        let text = || match self.prompt.text.as_deref() {
            Some(text) => slug(text),
            None if self.has_prompt() => "ids".into(),
            None => slug(&self.model().name),
        };
        let own = input.as_ref().map_or_else(text, stem);
        let second = other.as_ref().map(|other| match &other.input {
            Some(input) => stem(input),
            None if other.prompt == self.record.prompt => slug(&other.model.name),
            None => slug(&other.prompt),
        });
        Fields {
            layer: "all".into(),
            head: "all".into(),
            index: self.index.to_string(),
            slug: second.map_or(own.clone(), |second| format!("{own}-{second}")),
            hash: format!("{:016x}", crate::hash::xxh3_64(what.to_string().as_bytes())),
        }
    }
}

/// That the sink policy left nothing in some rows of patterns; none where there are none.
pub fn empty_rows(count: usize) -> Option<String> {
    let rows = if count == 1 { "1 row is".into() } else { format!("{count} rows are") };
    (count > 0).then(|| format!("{rows} empty: the first token holds more than 99.9 % of them"))
}

/// A probability as a short percentage.
pub fn percent(p: f64) -> String {
    let percent = 100.0 * p;
    if percent >= 9.95 || percent == 0.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}
