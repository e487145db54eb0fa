//! Which input tokens moved a prediction: seven methods over the token embeddings, batched, with the weights frozen.
//!
//! A [`Probe`] is the question: a prompt, an [`Objective`](super::Objective) and a baseline. [`attribute`] answers it by one [`Method`]; a method
//! of one's own needs only the probe's `values` and `gradients`.

mod attention;
mod draws;
mod embeddings;
mod gradient;
mod occlusion;
mod path;
mod probe;

pub use draws::{Dice, Draws};
pub use path::gauss_legendre;
pub use probe::{Baseline, Each, Probe, Watch};

use crate::error::Result;

/// How scores are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

impl Method {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Gradient,
        Self::InputXGradient,
        Self::IntegratedGradients,
        Self::Smoothgrad,
        Self::GradientShap,
        Self::Occlusion,
        Self::AttentionXGradient,
    ];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gradient => "gradient",
            Self::InputXGradient => "input-x-gradient",
            Self::IntegratedGradients => "integrated-gradients",
            Self::Smoothgrad => "smoothgrad",
            Self::GradientShap => "gradient-shap",
            Self::Occlusion => "occlusion",
            Self::AttentionXGradient => "attention-x-gradient",
        }
    }

    /// Whether it measures against a baseline.
    pub fn has_baseline(self) -> bool {
        matches!(self, Self::IntegratedGradients | Self::Occlusion)
    }

    /// How many random samples it takes where none are asked for; none for methods without chance.
    pub fn samples(self) -> Option<usize> {
        match self {
            Self::Smoothgrad => Some(25),
            Self::GradientShap => Some(50),
            _ => None,
        }
    }
}

/// What becomes of a token's vector of contributions, one number per dimension of the embedding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Score {
    /// Its sum.
    #[default]
    Signed,
    /// Its Euclidean norm; for smoothgrad, that of the gradient.
    Norm,
    /// Its norm as a share of all tokens' norms.
    Share,
}

/// Nodes of integrated gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// So many.
    Fixed(usize),
    /// Doubled, from 16 up to 1024, until the completeness gap is small.
    Auto,
}

/// What methods can be told.
#[derive(Clone, Debug)]
pub struct Request {
    /// From vectors to scores.
    pub score: Score,
    /// Nodes of integrated gradients.
    pub steps: Steps,
    /// Samples of smoothgrad and gradient-shap; `None` for each one's own number.
    pub samples: Option<usize>,
    /// Where chance begins.
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
    /// What was drawn, where that was asked for.
    pub draws: Vec<Draws>,
}

/// What a method knows of its tokens before scores are made.
pub(crate) enum Numbers {
    /// A vector each, `[len, d_model]`.
    Vectors(Vec<f64>),
    /// A number each, `[len]`.
    Scores(Vec<f64>),
}

/// Answers a probe by one method.
///
/// ```
/// use attnviz::analysis::attribution::{Baseline, Method, Probe, Request, attribute};
/// use attnviz::analysis::objective::{Objective, Of};
/// # use attnviz::{checkpoint::{Checkpoint, Source}, session::Session};
/// let session = Session::new(Checkpoint::open(&Source::parse("builtin")?)?)?;
/// let ids = session.tokenizer.encode("Once upon a")?;
/// let target = session.tokenizer.encode(" time")?[0];
/// let objective = Objective { position: ids.len() - 1, target, foil: None, of: Of::LogProb };
/// let probe = Probe::new(&*session.model, &ids, objective, Baseline::Zero, &|_, _| ())?;
/// let found = attribute(&probe, Method::InputXGradient, &Request::default())?;
/// assert_eq!(found.scores.len(), ids.len());
/// # Ok::<(), attnviz::Error>(())
/// ```
///
/// # Errors
/// A model whose numbers are not finite.
pub fn attribute(probe: &Probe, method: Method, request: &Request) -> Result<Attribution> {
    let samples = method.samples().map(|own| request.samples.unwrap_or(own).max(1));
    let mut found = Attribution { method, scores: Vec::new(), gap: None, steps: None, samples, draws: Vec::new() };
    let count = samples.unwrap_or_default();
    let numbers = match method {
        Method::Gradient => gradient::norms(probe)?,
        Method::InputXGradient => gradient::input_x_gradient(probe)?,
        Method::Smoothgrad => gradient::smoothgrad(probe, count, request, &mut found.draws)?,
        Method::IntegratedGradients => {
            let (vectors, change, steps) = path::integrated_gradients(probe, request.steps)?;
            found.steps = Some(steps);
            found.gap = Some(gap(&vectors, change));
            Numbers::Vectors(vectors)
        }
        Method::GradientShap => {
            let (vectors, change) = path::gradient_shap(probe, count, request, &mut found.draws)?;
            found.gap = Some(gap(&vectors, change));
            Numbers::Vectors(vectors)
        }
        Method::Occlusion => occlusion::drops(probe)?,
        Method::AttentionXGradient => attention::relevance(probe)?,
    };
    found.scores = scores(numbers, probe, request.score);
    Ok(found)
}

fn gap(vectors: &[f64], change: f64) -> Gap {
    Gap { gap: vectors.iter().sum::<f64>() - change, change }
}

/// From contributions to one score for each token of the whole prompt.
fn scores(numbers: Numbers, probe: &Probe, score: Score) -> Vec<f32> {
    let mut scores: Vec<f64> = match (numbers, score) {
        (Numbers::Scores(scores), _) => scores,
        (Numbers::Vectors(vectors), Score::Signed) => vectors.chunks(probe.width()).map(|v| v.iter().sum()).collect(),
        (Numbers::Vectors(vectors), _) => vectors.chunks(probe.width()).map(norm).collect(),
    };
    if score == Score::Share {
        let total: f64 = scores.iter().map(|score| score.abs()).sum();
        scores.iter_mut().for_each(|score| *score /= if total > 0.0 { total } else { 1.0 });
    }
    scores.resize(probe.ids().len(), 0.0);
    scores.into_iter().map(|score| score as f32).collect()
}

/// The Euclidean norm.
fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}
