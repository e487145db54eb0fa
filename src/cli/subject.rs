//! A model with a prompt to look at, and what every figure and file says about the two.

use super::progress::Progress;
use super::recipe::Recipe;
use attnviz::analysis::{Prediction, next_tokens};
use attnviz::error::Result;
use attnviz::export::{Data, Entry, Fields, Input, Meta, Other, slug};
use attnviz::prompt::Prompt;
use attnviz::session::Session;
use candle_core::Tensor;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::ops::Deref;
use std::path::Path;

/// Next tokens named under the headline.
pub const NEXT: usize = 3;

/// What a command of one prompt starts from.
pub struct Subject<'a> {
    /// The model and its tokenizer.
    pub session: &'a Session,
    /// What is known without them.
    pub about: About<'a>,
    /// How far the work is.
    pub progress: &'a Progress,
}

impl<'a> Deref for Subject<'a> {
    type Target = About<'a>;
    fn deref(&self) -> &About<'a> {
        &self.about
    }
}

impl<'a> Subject<'a> {
    /// A prompt and the model that reads it.
    pub fn new(
        session: &'a Session,
        prompt: Prompt,
        note: Option<&'a str>,
        recipe: &'a Recipe,
        progress: &'a Progress,
    ) -> Self {
        let (model, hash) = (session.name.clone(), session.hash.clone());
        let revision = session.revision.clone();
        Self {
            session,
            about: About { model, revision, hash, input: None, other: None, prompt, note, recipe, index: 0 },
            progress,
        }
    }

    /// How a figure shows a token id.
    pub fn label(&self, id: u32) -> String {
        label(self.session, id)
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

    /// The model's most probable next tokens, from the last `resid_post`.
    pub fn next(&self, resid: &Tensor) -> Result<Vec<Prediction>> {
        next_tokens(&self.session.next_logits(&[resid])?, NEXT)
    }

    /// The line that names them.
    pub fn next_line(&self, next: &[Prediction]) -> String {
        next_line(self.session, next)
    }
}

/// The most probable next tokens of each of several prompts: the embedding, the largest matrix, is read once for all.
pub fn next_of_all<'a>(session: &Session, resids: impl Iterator<Item = &'a Tensor>) -> Result<Vec<Vec<Prediction>>> {
    let logits = session.next_logits(&resids.collect::<Vec<_>>())?;
    (0..logits.dims()[0]).into_par_iter().map(|prompt| next_tokens(&logits.get(prompt)?, NEXT)).collect()
}

/// How a figure shows a token id.
fn label(session: &Session, id: u32) -> String {
    Prompt::from_ids(&session.tokenizer, vec![id], None).tokens.remove(0).label
}

/// A token's label among words of ours: a comma should not look like one of them.
pub fn in_a_line(label: &str) -> String {
    if label.contains(char::is_alphanumeric) { label.to_owned() } else { format!("“{label}”") }
}

/// Tokens with their probabilities, in a line.
pub fn next_line(session: &Session, next: &[Prediction]) -> String {
    let named = |next: &Prediction| format!("{} {}", in_a_line(&label(session, next.id)), percent(next.probability));
    format!("next: {}", next.iter().map(named).collect::<Vec<_>>().join(", "))
}

/// What every figure and file says of where it comes from.
pub struct About<'a> {
    /// The model's name; empty where nobody knows it.
    pub model: String,
    /// Its commit on the hub, where it comes from there.
    pub revision: Option<String>,
    /// The hash of its weights; empty where nobody knows it.
    pub hash: String,
    /// The file that was read instead of running the model.
    pub input: Option<Input>,
    /// What it is compared with.
    pub other: Option<Other>,
    /// The prompt.
    pub prompt: Prompt,
    /// What the figure must say of the model's origin, instead of its name.
    pub note: Option<&'a str>,
    /// What was typed.
    pub recipe: &'a Recipe,
    /// The prompt's position in its batch.
    pub index: usize,
}

impl About<'_> {
    /// Whether there is a prompt.
    pub fn has_prompt(&self) -> bool {
        !self.prompt.tokens.is_empty()
    }

    /// The prompt in one line; the renderer cuts what is too long. Without a text, the file that was read; without a prompt, the
    /// model.
    pub fn headline(&self) -> String {
        if !self.has_prompt() {
            return self.model.clone();
        }
        let text = self.prompt.written().split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() { self.input.as_ref().map_or(text, |input| input.name.clone()) } else { text }
    }

    /// The labels of the tokens.
    pub fn labels(&self) -> Vec<String> {
        self.prompt.tokens.iter().map(|token| token.label.clone()).collect()
    }

    /// The first line under the headline: the model or the file, what is drawn, the prompt's length.
    pub fn line(&self, what: &str) -> String {
        let model = self.note.unwrap_or(&self.model);
        let from = match &self.input {
            None => model.to_owned(),
            Some(input) if model.is_empty() => input.name.clone(),
            Some(input) => format!("{} from {model}", input.name),
        };
        match self.prompt.tokens.len() {
            0 => format!("{from} · {what}"),
            1 => format!("{from} · {what} · 1 token"),
            count => format!("{from} · {what} · {count} tokens"),
        }
    }

    /// What was found, with where it comes from.
    pub fn data(&self, results: Vec<Entry>) -> Data {
        Data {
            meta: Meta {
                version: env!("CARGO_PKG_VERSION").into(),
                model: self.model.clone(),
                revision: self.revision.clone(),
                hash: self.hash.clone(),
                prompt: self.prompt.written(),
                command: self.recipe.command.clone(),
                args: self.recipe.args.clone(),
                part: None,
                input: self.input.clone(),
                other: self.other.clone(),
            },
            token_ids: self.prompt.ids.clone(),
            tokens: self.prompt.tokens.iter().map(|token| token.text.clone()).collect(),
            results,
        }
    }

    /// How to make a figure again.
    pub fn provenance(&self) -> Value {
        let mut provenance = json!({
            "attnviz": env!("CARGO_PKG_VERSION"),
            "command": self.recipe.command,
            "args": self.recipe.args,
            "model": self.model,
            "revision": self.revision,
            "weights": self.hash,
            "prompt": self.prompt.written(),
            "token_ids": self.prompt.ids,
        });
        if let Some(note) = self.note {
            provenance["note"] = note.into();
        }
        if let Some(input) = &self.input {
            provenance["input"] = json!(input);
        }
        if let Some(other) = &self.other {
            provenance["other"] = json!(other);
        }
        provenance
    }

    /// What a file's name can depend on.
    pub fn fields(&self) -> Fields {
        let seen = self.input.as_ref().map_or(&self.hash, |input| &input.hash);
        let mut what = json!([seen, self.prompt.ids, self.recipe.command, self.recipe.args]);
        if let Some(other) = &self.other {
            what = json!([what, other]);
        }
        let stem =
            |input: &Input| slug(Path::new(&input.name).file_stem().unwrap_or_default().to_string_lossy().as_ref());
        let text = || match self.prompt.text.as_deref() {
            Some(text) => slug(text),
            None if self.has_prompt() => "ids".into(),
            None => slug(&self.model),
        };
        let own = self.input.as_ref().map_or_else(text, stem);
        let second = self.other.as_ref().map(|other| match &other.input {
            Some(input) => stem(input),
            None if other.prompt == self.prompt.written() => slug(&other.model),
            None => slug(&other.prompt),
        });
        Fields {
            layer: "all".into(),
            head: "all".into(),
            index: self.index.to_string(),
            slug: second.map_or(own.clone(), |second| format!("{own}-{second}")),
            hash: format!("{:016x}", xxhash_rust::xxh3::xxh3_64(what.to_string().as_bytes())),
        }
    }
}

/// A probability as a short percentage.
pub fn percent(p: f64) -> String {
    let percent = 100.0 * p;
    if percent >= 9.95 || percent == 0.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}
