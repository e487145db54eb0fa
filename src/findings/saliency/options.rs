//! What can be asked of a saliency, as plain data, and what it means for a model.

use crate::analysis::Of;
use crate::analysis::attribution::{Baseline, Method, Request, Score, Steps};
use crate::analysis::generate::Choice;
use crate::error::{Error, Result};
use crate::findings::Advice;
use crate::findings::{Reading, Style, Target, each_once};
use crate::named::Named;
use crate::prompt::WordRule;
use crate::session::Session;
use serde::{Deserialize, Serialize};

/// What ends a text, and what stands for none.
const END_OF_TEXT: &str = "<|endoftext|>";

/// The options of `saliency`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How the prompt is read.
    pub reading: Reading,
    /// Which prediction is explained.
    pub target: Target,
    /// The methods, input-x-gradient unless others are named; one named twice runs once.
    pub method: Vec<Method>,
    /// The number that is explained: the log-probability, unless another is named.
    pub of: Of,
    /// What stands for a token that is not there: the zero vector, unless another is named.
    pub baseline: Absent,
    /// What becomes of a token's contributions, one for each dimension of its embedding: their sum, unless another is named.
    pub score: Score,
    /// Nodes of integrated gradients: 50, unless another number is given.
    pub steps: Steps,
    /// Samples of smoothgrad and gradient-shap; none means 25 and 50.
    pub samples: Option<u32>,
    /// Seed of the random draws: 0, unless another is given.
    pub seed: u64,
    /// Gathers tokens to words, whose scores are sums, by this rule; none keeps tokens.
    pub words: Option<WordRule>,
    /// Removes tokens in the order of their scores, and sees how far the methods can be trusted; off unless asked for.
    pub evaluate: bool,
    /// Lets the model write so many tokens, and explains each of them; none explains one prediction.
    pub generate: Option<u16>,
    /// Draws the tokens that the model writes at this temperature; none means 1 where `top_p` is given, and otherwise takes the
    /// most probable token each time.
    pub temperature: Option<f64>,
    /// Draws only from the most probable tokens that together have this probability; none means 1 where `temperature` is given.
    pub top_p: Option<f64>,
    /// What was drawn at random, as more arrays in data files: `noise` `[sample, token, d_model]`, `alpha` `[sample]` and `baseline_ids`
    /// `[sample, token]` of the methods; of an evaluation the random `orders` `[order, place]`, the token removed first in front. For
    /// written tokens they are the last one's, and each earlier one's are their first tokens. Off unless asked for.
    pub draws: bool,
    /// How the figure looks.
    pub style: Style,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reading: Reading::default(),
            target: Target::default(),
            method: vec![Method::InputXGradient],
            of: Of::LogProb,
            baseline: Absent::Zero,
            score: Score::Signed,
            steps: Steps::Fixed(50),
            samples: None,
            seed: 0,
            words: None,
            evaluate: false,
            generate: None,
            temperature: None,
            top_p: None,
            draws: false,
            style: Style::default(),
        }
    }
}

/// What stands for a token that is not there, before there is a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Absent {
    /// The zero vector.
    #[default]
    Zero,
    /// The mean of all embeddings.
    Mean,
    /// The embedding of `<|endoftext|>`, or of the token that begins a text where the model has none.
    Endoftext,
}

impl Named for Absent {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Zero, "zero", "The zero vector"),
        (Self::Mean, "mean", "The mean of all embeddings"),
        (Self::Endoftext, "endoftext", "The embedding of <|endoftext|>"),
    ];
}

/// Another tool whose explanations are to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Like {
    /// <https://captum.ai>
    Captum,
    /// <https://inseq.org>
    Inseq,
    /// <https://github.com/jalammar/ecco>
    Ecco,
}

impl Named for Like {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Captum, "captum", "Log-probability, zero baseline, signed"),
        (Self::Inseq, "inseq", "Probability, <|endoftext|> baseline, shares"),
        (Self::Ecco, "ecco", "Probability, zero baseline, shares"),
    ];
}

impl Like {
    /// The number that the tool explains, its baseline and its scores.
    pub fn settings(self) -> (Of, Absent, Score) {
        match self {
            Self::Captum => (Of::LogProb, Absent::Zero, Score::Signed),
            Self::Inseq => (Of::Probability, Absent::Endoftext, Score::Share),
            Self::Ecco => (Of::Probability, Absent::Zero, Score::Share),
        }
    }
}

impl Options {
    /// Options with another value than their default that none of the methods asks for.
    pub(super) fn idle(&self) -> impl Iterator<Item = Advice> + '_ {
        let (plain, any) = (Self::default(), |uses: fn(&Method) -> bool| self.method.iter().any(uses));
        let draws = any(|method| method.samples().is_some());
        let given = [
            ("seed", self.seed != plain.seed && !draws && !self.evaluate, "nothing is drawn at random"),
            ("samples", self.samples.is_some() && !draws, "no method draws samples"),
            (
                "steps",
                self.steps != plain.steps && !any(|method| *method == Method::IntegratedGradients),
                "no method integrates",
            ),
        ];
        given
            .into_iter()
            .filter(|(_, idle, _)| *idle)
            .map(|(option, _, why)| Advice::new(option, "", format!("changes nothing here: {why}")))
    }

    /// The methods, each once, in the order named.
    pub(in crate::findings) fn methods(&self) -> Vec<Method> {
        each_once(&self.method)
    }

    /// How the model chooses the tokens that it writes.
    pub(in crate::findings) fn choice(&self) -> Choice {
        if self.temperature.is_none() && self.top_p.is_none() {
            return Choice::Greedy;
        }
        Choice::Sampled {
            temperature: self.temperature.unwrap_or(1.0),
            top_p: self.top_p.unwrap_or(1.0),
            seed: self.seed,
        }
    }

    /// What stands for an absent token in a model.
    ///
    /// # Errors
    /// A model without such a token.
    pub(in crate::findings) fn baseline(&self, session: &Session) -> Result<Baseline> {
        Ok(match self.baseline {
            Absent::Zero => Baseline::Zero,
            Absent::Mean => Baseline::Mean,
            Absent::Endoftext => Baseline::Token(end_of_text(session).ok_or_else(|| {
                Error::usage(format!("baseline endoftext: the model has no {END_OF_TEXT}"))
                    .hint("use zero or mean")
                    .option("baseline")
            })?),
        })
    }

    /// What methods are told; with `keep_draws` they say what they drew.
    pub(in crate::findings) fn request(&self, session: &Session, keep_draws: bool) -> Request {
        let known = session.spec().vocab.min(session.tokenizer.size()) as u32;
        Request {
            score: self.score,
            steps: self.steps,
            samples: self.samples.map(|samples| samples as usize),
            seed: self.seed,
            draw_from: (0..known).filter(|id| !session.tokenizer.is_special(*id)).collect(),
            keep_draws,
        }
    }
}

/// The token that ends a text, and with which the model stops writing.
pub(in crate::findings) fn end_of_text(session: &Session) -> Option<u32> {
    session.tokenizer.token_id(END_OF_TEXT).or(session.spec().bos)
}
