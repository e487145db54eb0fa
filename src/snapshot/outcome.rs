//! What became of a case or a model of a check, as data.

use crate::error::Error;
use std::fmt;

/// What became of a case or a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// The command, or `model`.
    pub kind: String,
    /// The prompt, where there is one as text.
    pub prompt: Option<String>,
    /// How it went.
    pub verdict: Verdict,
}

/// How it went.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// All is as it was.
    Same,
    /// This is not.
    Differs(Vec<Difference>),
    /// It could not be made.
    Failed {
        /// Why.
        message: String,
        /// The way out.
        hint: String,
    },
}

/// What differs in one file, or in how a case is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The format; empty for settings.
    pub part: String,
    /// What differs, most telling first.
    pub sentences: Vec<String>,
    /// The file that shows it, in the report's folder.
    pub picture: Option<String>,
}

impl Verdict {
    /// In a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Same => "ok",
            Self::Differs(_) => "differs",
            Self::Failed { .. } => "failed",
        }
    }
}

impl Difference {
    fn sentence(&self, sentence: &str) -> String {
        if self.part.is_empty() { sentence.to_owned() } else { format!("{}: {sentence}", self.part) }
    }

    /// The first sentence, and how many more there are.
    fn short(&self) -> String {
        let first = self.sentence(self.sentences.first().map_or("", String::as_str));
        match self.sentences.len() {
            0 | 1 => first,
            count => format!("{first} (and {} more)", count - 1),
        }
    }
}

impl Outcome {
    /// Of something in whose settings this much changed.
    pub(super) fn new(name: String, kind: &str, prompt: Option<String>, changes: Vec<String>) -> Self {
        let mut outcome = Self { name, kind: kind.to_owned(), prompt, verdict: Verdict::Same };
        if !changes.is_empty() {
            outcome.differs("", changes);
        }
        outcome
    }

    /// Adds what differs in one part.
    pub(super) fn differs(&mut self, part: &str, sentences: Vec<String>) {
        let difference = Difference { part: part.to_owned(), sentences, picture: None };
        match &mut self.verdict {
            Verdict::Differs(all) => all.push(difference),
            verdict => *verdict = Verdict::Differs(vec![difference]),
        }
    }

    /// Says that it could not be made.
    pub(super) fn fails(&mut self, Error { message, hint, .. }: &Error) {
        self.verdict = Verdict::Failed { message: message.clone(), hint: hint.clone().unwrap_or_default() };
    }

    /// Says which file shows what differs in a part.
    pub(super) fn attach(&mut self, part: &str, picture: String) {
        if let Verdict::Differs(all) = &mut self.verdict
            && let Some(difference) = all.iter_mut().find(|difference| difference.part == part)
        {
            difference.picture = Some(picture);
        }
    }

    /// All that there is to say, a sentence each.
    pub fn sentences(&self) -> Vec<String> {
        match &self.verdict {
            Verdict::Same => Vec::new(),
            Verdict::Failed { message, hint } => vec![message.clone(), hint.clone()],
            Verdict::Differs(all) => {
                all.iter().flat_map(|one| one.sentences.iter().map(|sentence| one.sentence(sentence))).collect()
            }
        }
    }

    /// The first sentence of each part; nothing where all is the same.
    pub fn short(&self) -> String {
        match &self.verdict {
            Verdict::Same => String::new(),
            Verdict::Failed { message, .. } => message.clone(),
            Verdict::Differs(all) => all.iter().map(Difference::short).collect::<Vec<_>>().join("; "),
        }
    }

    /// Whether all is as it was.
    pub fn is_same(&self) -> bool {
        matches!(self.verdict, Verdict::Same)
    }

    /// The pictures of what differs, in the report's folder.
    pub fn pictures(&self) -> impl Iterator<Item = &String> {
        let all = if let Verdict::Differs(all) = &self.verdict { &all[..] } else { &[] };
        all.iter().filter_map(|one| one.picture.as_ref())
    }
}

impl fmt::Display for Outcome {
    /// In a line.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (word, short) = (self.verdict.word(), self.short());
        write!(f, "{word:8} {}{}{short}", self.name, if short.is_empty() { "" } else { ": " })
    }
}
