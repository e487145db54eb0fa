//! A model with a prompt to look at, and what every figure and file says about the two.

use super::progress::Progress;
use super::recipe::Recipe;
use attnviz::analysis::{Prediction, next_tokens};
use attnviz::error::Result;
use attnviz::export::{Data, Entry, Fields, Meta, slug};
use attnviz::prompt::{Prompt, Token};
use attnviz::session::Session;
use candle_core::Tensor;
use serde_json::{Value, json};

/// Next tokens named under the headline.
pub const NEXT: usize = 3;

/// What a command of one prompt starts from.
pub struct Subject<'a> {
    /// The model and its tokenizer.
    pub session: &'a Session,
    /// The prompt.
    pub prompt: Prompt,
    /// What the figure must say of the model's origin, instead of its name.
    pub note: Option<&'a str>,
    /// What was typed.
    pub recipe: &'a Recipe,
    /// The prompt's position in its batch.
    pub index: usize,
    /// How far the work is.
    pub progress: &'a Progress,
}

impl Subject<'_> {
    /// The tokens without the beginning-of-text token that was asked for.
    fn text_tokens(&self) -> &[Token] {
        &self.prompt.tokens[usize::from(self.prompt.bos).min(self.prompt.tokens.len())..]
    }

    /// The prompt in one line; the renderer cuts what is too long.
    pub fn headline(&self) -> String {
        self.written().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The labels of the tokens.
    pub fn labels(&self) -> Vec<String> {
        self.prompt.tokens.iter().map(|token| token.label.clone()).collect()
    }

    /// How a figure shows a token id.
    pub fn label(&self, id: u32) -> String {
        Prompt::from_ids(&self.session.tokenizer, vec![id], None).tokens.remove(0).label
    }

    /// The first line under the headline: the model, what is drawn, the prompt's length.
    pub fn line(&self, what: &str) -> String {
        format!("{} · {what} · {} tokens", self.model(), self.prompt.ids.len())
    }

    /// What a figure calls the model.
    pub fn model(&self) -> &str {
        self.note.unwrap_or(&self.session.name)
    }

    /// The model's most probable next tokens, from the last `resid_post`.
    pub fn next(&self, resid: &Tensor) -> Result<Vec<Prediction>> {
        next_tokens(&self.session.next_logits(resid)?, NEXT)
    }

    /// The line that names them.
    pub fn next_line(&self, next: &[Prediction]) -> String {
        let named: Vec<String> =
            next.iter().map(|next| format!("{} {}", self.label(next.id), percent(next.probability))).collect();
        format!("next: {}", named.join(", "))
    }

    /// The text that the model read.
    pub fn text(&self) -> String {
        self.prompt.text.clone().unwrap_or_else(|| self.written())
    }

    /// What the tokens say together: a character split over several is whole.
    fn written(&self) -> String {
        let bytes = |token: &Token| match token.bytes.is_empty() {
            true => token.text.clone().into_bytes(), // an id that the tokenizer does not know
            false => token.bytes.clone(),
        };
        let bytes: Vec<u8> = self.text_tokens().iter().flat_map(bytes).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What was found, with where it comes from.
    pub fn data(&self, results: Vec<Entry>) -> Data {
        Data {
            meta: Meta {
                version: env!("CARGO_PKG_VERSION").into(),
                model: self.session.name.clone(),
                revision: self.session.revision.clone(),
                hash: self.session.hash.clone(),
                prompt: self.text(),
                command: self.recipe.command.clone(),
                args: self.recipe.args.clone(),
            },
            token_ids: self.prompt.ids.clone(),
            tokens: self.prompt.tokens.iter().map(|token| token.text.clone()).collect(),
            results,
        }
    }

    /// How to make a figure again.
    pub fn provenance(&self) -> Value {
        json!({
            "attnviz": env!("CARGO_PKG_VERSION"),
            "command": self.recipe.command,
            "args": self.recipe.args,
            "model": self.session.name,
            "revision": self.session.revision,
            "weights": self.session.hash,
            "prompt": self.text(),
            "token_ids": self.prompt.ids,
        })
    }

    /// What a file's name can depend on.
    pub fn fields(&self) -> Fields {
        let what = json!([self.session.hash, self.prompt.ids, self.recipe.command, self.recipe.args]).to_string();
        Fields {
            layer: "all".into(),
            head: "all".into(),
            index: self.index.to_string(),
            slug: self.prompt.text.as_deref().map_or_else(|| "ids".into(), slug),
            hash: format!("{:016x}", xxhash_rust::xxh3::xxh3_64(what.as_bytes())),
        }
    }
}

/// A probability as a short percentage.
pub fn percent(p: f64) -> String {
    let percent = 100.0 * p;
    if percent >= 9.95 || percent == 0.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}
