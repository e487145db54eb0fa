//! How much of each token reaches each position, by seven methods, and how far they agree.

use super::agreement::spearman;
use super::attention::Sink;
use super::attribution::{self, Evaluator, attribute};
use super::flow::Graph;
use super::norms::{Norms, norms};
use super::rollout::{MeanPatterns, mean_patterns, rollout, with_residual};
use super::zeroing::value_zeroing;
use crate::error::Result;
use crate::named::Named;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// A method that measures mixing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The mean pattern of all layers and heads.
    Raw,
    /// The product of the layers' mean patterns, half residual.
    Rollout,
    /// The largest flow through the same graph.
    Flow,
    /// Norms of the vectors that attention adds up (Kobayashi et al. 2020).
    Norm,
    /// The same with the residual connection.
    NormResidual,
    /// The cosine distance by which a representation turns without a token's value vectors.
    ValueZeroing,
    /// Patterns weighted by the gradient of the prediction.
    AttentionXGradient,
}

impl Named for Method {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Raw, "raw", "The mean pattern of all layers and heads"),
        (Self::Rollout, "rollout", "The product of the layers' mean patterns, half residual"),
        (Self::Flow, "flow", "The largest flow through the same graph"),
        (Self::Norm, "norm", "The lengths of the vectors that attention moves"),
        (Self::NormResidual, "norm-residual", "The same with the residual connection"),
        (Self::ValueZeroing, "value-zeroing", "How far a representation turns without a token's values"),
        (Self::AttentionXGradient, "attention-x-gradient", "Patterns weighted by the gradient of the prediction"),
    ];
    const ALSO: &'static [(Self, &'static str)] = &[
        (Self::Rollout, "attention-rollout"),
        (Self::Flow, "attention-flow"),
        (Self::Norm, "norms"),
        (Self::ValueZeroing, "vz"),
        (Self::AttentionXGradient, "axg"),
    ];
}

impl Method {
    /// Whether it starts from the mean patterns, where the sink can be left out.
    pub fn has_sink(self) -> bool {
        matches!(self, Self::Raw | Self::Rollout | Self::Flow)
    }

    /// Whether it needs what each head adds by itself (see [`crate::model::Model::adds_by_head`]).
    pub fn is_by_head(self) -> bool {
        matches!(self, Self::Norm | Self::NormResidual | Self::ValueZeroing)
    }

    /// Whether it has a map of each layer.
    pub fn has_layers(self) -> bool {
        self.is_by_head()
    }

    /// Whether each row takes runs of its own, so that only the position's row is computed unless all are asked for.
    pub fn is_by_row(self) -> bool {
        matches!(self, Self::Flow | Self::ValueZeroing)
    }
}

/// What one method found.
#[derive(Clone, Debug)]
pub struct Mixing {
    /// The method.
    pub method: Method,
    /// One map of all layers, or one of each, `[query, key]`; NaN in rows that were not computed.
    pub maps: Vec<Vec<f32>>,
    /// One map. Where a method has a map of each layer, their rows are normalised to 1, then averaged; where it starts from the mean
    /// patterns, it is the map as it is: a policy that hides the sink without rescaling leaves rows of less than 1.
    pub shares: Vec<f32>,
    /// Where it starts from the mean patterns, what the sink policy did to them.
    pub sink: Option<Hidden>,
}

/// What a sink policy did to mean patterns: see [`MeanPatterns`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hidden {
    /// The share of all attention that lay on the first token.
    pub share: f64,
    /// In how many rows nothing was left.
    pub empty_rows: usize,
}

impl Mixing {
    fn new(method: Method, maps: Vec<Vec<f32>>, n: usize, means: &MeanPatterns) -> Self {
        if method.has_sink() {
            let sink = Hidden { share: means.sink_share, empty_rows: means.empty_rows };
            return Self { method, shares: maps.concat(), maps, sink: Some(sink) };
        }
        let mut shares = vec![0.0f64; n * n];
        for map in &maps {
            for (row, values) in shares.chunks_mut(n).zip(map.chunks(n)) {
                let total: f64 = values.iter().map(|x| f64::from(*x)).sum();
                // A row that was not computed stays NaN, one without mass 0.
                let total = maps.len() as f64 * if total == 0.0 { 1.0 } else { total };
                row.iter_mut().zip(values).for_each(|(share, x)| *share += f64::from(*x) / total);
            }
        }
        Self { method, maps, shares: shares.into_iter().map(|x| x as f32).collect(), sink: None }
    }

    /// The shares of one query, `[key]`.
    pub fn row(&self, query: usize) -> &[f32] {
        let n = self.shares.len().isqrt();
        &self.shares[query * n..(query + 1) * n]
    }
}

/// Runs methods on the prompt of an evaluator, whose objective is what attention × gradient explains.
///
/// Methods that work row by row compute the row of the objective's position, or `all_rows`.
///
/// # Errors
/// More tokens than the model's context; attention or logits that are not finite.
pub fn mixing(
    evaluator: &Evaluator,
    methods: &[Method],
    sink: Sink,
    all_rows: bool,
    watch: attribution::Watch,
) -> Result<Vec<Mixing>> {
    let (model, ids, position) = (evaluator.model(), evaluator.ids(), evaluator.objective().position);
    let n = ids.len();
    let wants = |which: fn(Method) -> bool| methods.iter().any(|method| which(*method));
    let means = if wants(Method::has_sink) { mean_patterns(model, ids, sink)? } else { MeanPatterns::default() };
    let through: Vec<Vec<f64>> = means.layers.iter().map(|mean| with_residual(mean, n)).collect();
    let lengths =
        if wants(|m| matches!(m, Method::Norm | Method::NormResidual)) { norms(model, ids)? } else { Norms::default() };
    let queries = if all_rows { 0..=n - 1 } else { position..=position };
    let only = |row: usize, values: Vec<f32>| -> Vec<f32> {
        let mut map = vec![f32::NAN; n * n];
        map[row * n..(row + 1) * n].copy_from_slice(&values);
        map
    };
    let single = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
    let run = |method: &Method| -> Result<Mixing> {
        let maps = match method {
            Method::Raw => {
                let mut mean = vec![0.0f64; n * n];
                for layer in &means.layers {
                    mean.iter_mut().zip(layer).for_each(|(mean, a)| *mean += a / means.layers.len() as f64);
                }
                vec![single(mean)]
            }
            Method::Rollout => vec![single(rollout(&through, n))],
            Method::Flow => {
                let (graph, threads) = (Graph::new(&through, n), rayon::current_num_threads());
                let (rows, mut map): (Vec<usize>, _) = (queries.clone().collect(), vec![f32::NAN; n * n]);
                watch(0, rows.len());
                for rows in rows.chunks(threads) {
                    // Rows side by side, or the tokens of a single one.
                    let flows: Vec<Vec<f64>> =
                        rows.par_iter().map(|row| graph.shares(*row, threads / rows.len())).collect();
                    for (row, flows) in rows.iter().zip(flows) {
                        map[row * n..(row + 1) * n].copy_from_slice(&single(flows));
                    }
                    watch(rows.len(), 0);
                }
                vec![map]
            }
            Method::Norm => lengths.plain.clone(),
            Method::NormResidual => lengths.residual.clone(),
            Method::ValueZeroing => value_zeroing(model, ids, queries.clone(), watch)?,
            Method::AttentionXGradient => {
                let found =
                    attribute(evaluator, attribution::Method::AttentionXGradient, &attribution::Request::default())?;
                vec![only(position, found.scores)]
            }
        };
        Ok(Mixing::new(*method, maps, n, &means))
    };
    methods.iter().map(run).collect()
}

/// Spearman's ρ of each pair of methods over the tokens that a query can see, `[method, method]`; NaN where a row is constant.
pub fn agreement(found: &[Mixing], query: usize) -> Vec<f32> {
    let row = |mixing: &Mixing| mixing.row(query)[..=query].to_vec();
    let rows: Vec<Vec<f32>> = found.iter().map(row).collect();
    rows.iter().flat_map(|a| rows.iter().map(|b| spearman(a, b) as f32)).collect()
}
