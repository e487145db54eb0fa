//! Which input tokens moved a prediction: seven methods over the token embeddings, batched, with the weights frozen.
//!
//! An [`Evaluator`] computes an [`Objective`](super::Objective) of a prompt and its gradient on any embeddings; [`attribute`]
//! turns them into scores by one [`Method`]. A method of one's own needs only the evaluator's `values` and `gradients`.

mod attention;
mod draws;
mod embeddings;
mod evaluator;
mod gradient;
mod kept;
mod occlusion;
mod path;
mod steps;

pub use draws::{Dice, Draws};
pub(super) use evaluator::cut;
pub use evaluator::{Baseline, Each, Evaluator, Watch};
pub(super) use kept::kept;

use crate::error::Result;
use crate::named::Named;
use serde::{Deserialize, Serialize};

/// An attribution method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// `‖∂y/∂e_i‖₂`: how much a small change of the token's embedding could move the prediction.
    Gradient,
    /// `e_i · ∂y/∂e_i`.
    InputXGradient,
    /// `(e_i − b) · ∫₀¹ ∂y(b + α(e − b)) dα`, Sundararajan et al. 2017.
    IntegratedGradients,
    /// `e_i · mean_s ∂y(e + n_s)`, Smilkov et al. 2017.
    Smoothgrad,
    /// `mean_s (e_i − b_s) · ∂y(b_s + α_s (e − b_s))`, baselines of random tokens, Lundberg & Lee 2017.
    GradientShap,
    /// `y(x) − y(x with e_i replaced by the baseline)`, Zeiler & Fergus 2014.
    Occlusion,
    /// Relevance through the attention patterns, Chefer et al. 2021: the row of the objective's position.
    AttentionXGradient,
}

impl Named for Method {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Gradient, "gradient", "How much a small change of the token's embedding could move the prediction"),
        (Self::InputXGradient, "input-x-gradient", "The embedding times the gradient"),
        (Self::IntegratedGradients, "integrated-gradients", "The gradient along the way from the baseline"),
        (Self::Smoothgrad, "smoothgrad", "The embedding times the mean gradient under noise"),
        (Self::GradientShap, "gradient-shap", "The gradient on the ways from random tokens"),
        (Self::Occlusion, "occlusion", "What is lost where the baseline replaces the token"),
        (Self::AttentionXGradient, "attention-x-gradient", "Relevance through the attention patterns"),
    ];
    const ALSO: &'static [(Self, &'static str)] = &[
        (Self::Gradient, "grad"),
        (Self::Gradient, "saliency"),
        (Self::InputXGradient, "ixg"),
        (Self::InputXGradient, "inputxgradient"),
        (Self::InputXGradient, "gradient-x-input"),
        (Self::IntegratedGradients, "ig"),
        (Self::IntegratedGradients, "integratedgradients"),
        (Self::Smoothgrad, "sg"),
        (Self::Smoothgrad, "smooth-grad"),
        (Self::GradientShap, "gs"),
        (Self::GradientShap, "gradientshap"),
        (Self::Occlusion, "occ"),
        (Self::AttentionXGradient, "axg"),
    ];
}

impl Method {
    /// Whether it measures against a baseline.
    pub fn has_baseline(self) -> bool {
        matches!(self, Self::IntegratedGradients | Self::Occlusion)
    }

    /// How many random samples it takes where none are asked for; `None` for methods without random draws.
    pub fn samples(self) -> Option<usize> {
        match self {
            Self::Smoothgrad => Some(25),
            Self::GradientShap => Some(50),
            _ => None,
        }
    }

    /// How many runs of the model over a prompt of so many tokens it takes, a gradient counted as [`GRADIENT`]; the least where the number
    /// of steps is not known before. Occlusion runs what comes after each token, which is half of all.
    pub fn runs(self, tokens: usize, steps: Steps, samples: Option<usize>) -> usize {
        let samples = samples.or(self.samples()).unwrap_or_default();
        match self {
            Self::Gradient | Self::InputXGradient | Self::AttentionXGradient => GRADIENT,
            Self::Smoothgrad => GRADIENT * samples,
            Self::IntegratedGradients => match steps {
                Steps::Fixed(steps) => GRADIENT * steps + 2,
                Steps::Auto => GRADIENT * 16 + 2,
            },
            Self::GradientShap => (GRADIENT + 1) * samples + 1,
            Self::Occlusion => 1 + tokens.div_ceil(2),
        }
    }
}

/// What a gradient costs: the run itself, and two on the way back.
pub const GRADIENT: usize = 3;

/// How a token's contributions, one number per dimension of the embedding, become its score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Score {
    /// Its sum.
    #[default]
    Signed,
    /// Its Euclidean norm; for smoothgrad, that of the gradient; for occlusion, which has one number for each token, its absolute value.
    Norm,
    /// Its norm as a share of all tokens' norms.
    Share,
}

impl Named for Score {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Signed, "signed", "Their sum"),
        (Self::Norm, "norm", "Their Euclidean norm"),
        (Self::Share, "share", "Their norm as a share of all tokens' norms"),
    ];
}

/// How many nodes of quadrature integrated gradients uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "steps::Text", into = "steps::Text")]
pub enum Steps {
    /// This many.
    Fixed(usize),
    /// Doubled, from 16 up to 1024, until the completeness gap is small.
    Auto,
}

/// Options of the methods.
#[derive(Clone, Debug)]
pub struct Request {
    /// How contributions become scores.
    pub score: Score,
    /// Nodes of integrated gradients.
    pub steps: Steps,
    /// Samples of smoothgrad and gradient-shap; `None` for each one's own number.
    pub samples: Option<usize>,
    /// Seed of the random draws.
    pub seed: u64,
    /// The ids that gradient-shap draws baselines from; none means all of the model's.
    pub draw_from: Vec<u32>,
    /// Keep the random draws, so that another implementation can be given the same.
    pub keep_draws: bool,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            score: Score::Signed,
            steps: Steps::Fixed(50),
            samples: None,
            seed: 0,
            draw_from: Vec::new(),
            keep_draws: false,
        }
    }
}

/// How far scores are from adding up to what they explain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// `Σ scores − change`.
    pub gap: f64,
    /// How much the baseline changes the prediction: `y(x) − y(b)`.
    pub change: f64,
}

impl Gap {
    /// The gap as a share of the change.
    pub fn share(&self) -> f64 {
        self.gap.abs() / self.change.abs()
    }

    /// Whether it is more than 1 % of the change, and more than 1e-3.
    pub fn is_large(&self) -> bool {
        self.gap.abs() > (0.01 * self.change.abs()).max(1e-3)
    }
}

/// What a method found.
#[derive(Clone, Debug)]
pub struct Attribution {
    /// The method.
    pub method: Method,
    /// One score for each token of the prompt, `[token]`; 0 after the objective's position, which cannot see them.
    pub scores: Vec<f32>,
    /// How far the scores are from adding up, where the method promises that they do.
    pub gap: Option<Gap>,
    /// How many nodes were used, where there are nodes.
    pub steps: Option<usize>,
    /// How many samples were used, where there are samples.
    pub samples: Option<usize>,
    /// The random draws, where [`Request::keep_draws`] asked for them.
    pub draws: Vec<Draws>,
}

/// A method's contributions, before scores are made of them.
pub(crate) enum Numbers {
    /// A vector each, `[len, d_model]`.
    Vectors(Vec<f64>),
    /// A number each, `[len]`.
    Scores(Vec<f64>),
}

/// Scores every token of the evaluator's prompt by one method.
///
/// ```
/// use attnviz::analysis::attribution::{Baseline, Evaluator, Method, Request, attribute};
/// use attnviz::analysis::objective::{Objective, Of};
/// # use attnviz::{checkpoint::{Checkpoint, Source}, session::Session};
/// let session = Session::new(Checkpoint::open(&Source::parse("builtin")?)?)?;
/// let ids = session.tokenizer.encode("Once upon a")?;
/// let target = session.tokenizer.encode(" time")?[0];
/// let objective = Objective { position: ids.len() - 1, target, foil: None, of: Of::LogProb };
/// let evaluator = Evaluator::new(session.model(), &ids, objective, Baseline::Zero, &|_, _| ())?;
/// let found = attribute(&evaluator, Method::InputXGradient, &Request::default())?;
/// assert_eq!(found.scores.len(), ids.len());
/// # Ok::<(), attnviz::Error>(())
/// ```
///
/// # Errors
/// A model whose numbers are not finite.
pub fn attribute(evaluator: &Evaluator, method: Method, request: &Request) -> Result<Attribution> {
    let samples = method.samples().map(|own| request.samples.unwrap_or(own).max(1));
    let mut found = Attribution { method, scores: Vec::new(), gap: None, steps: None, samples, draws: Vec::new() };
    let count = samples.unwrap_or_default();
    let numbers = match method {
        Method::Gradient => gradient::norms(evaluator)?,
        Method::InputXGradient => gradient::input_x_gradient(evaluator)?,
        Method::Smoothgrad => gradient::smoothgrad(evaluator, count, request, &mut found.draws)?,
        Method::IntegratedGradients => {
            let (vectors, change, steps) = path::integrated_gradients(evaluator, request.steps)?;
            found.steps = Some(steps);
            found.gap = Some(gap(&vectors, change));
            Numbers::Vectors(vectors)
        }
        Method::GradientShap => {
            let (vectors, change) = path::gradient_shap(evaluator, count, request, &mut found.draws)?;
            found.gap = Some(gap(&vectors, change));
            Numbers::Vectors(vectors)
        }
        Method::Occlusion => occlusion::drops(evaluator)?,
        Method::AttentionXGradient => attention::relevance(evaluator)?,
    };
    found.scores = scores(numbers, evaluator, request.score);
    Ok(found)
}

fn gap(vectors: &[f64], change: f64) -> Gap {
    Gap { gap: vectors.iter().sum::<f64>() - change, change }
}

/// From contributions to one score for each token of the whole prompt.
fn scores(numbers: Numbers, evaluator: &Evaluator, score: Score) -> Vec<f32> {
    let mut scores: Vec<f64> = match (numbers, score) {
        (Numbers::Scores(scores), Score::Signed) => scores,
        (Numbers::Scores(scores), _) => scores.into_iter().map(f64::abs).collect(),
        (Numbers::Vectors(vectors), Score::Signed) => {
            vectors.chunks(evaluator.width()).map(|v| v.iter().sum()).collect()
        }
        (Numbers::Vectors(vectors), _) => vectors.chunks(evaluator.width()).map(norm).collect(),
    };
    if score == Score::Share {
        let total: f64 = scores.iter().sum();
        scores.iter_mut().for_each(|score| *score /= if total > 0.0 { total } else { 1.0 });
    }
    scores.resize(evaluator.ids().len(), 0.0);
    scores.into_iter().map(|score| score as f32).collect()
}

/// The Euclidean norm.
fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}
