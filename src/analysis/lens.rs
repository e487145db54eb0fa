//! The logit lens: what the model would predict if it ended after each of its layers.
//!
//! nostalgebraist 2020, with the final norm applied to every residual stream with that stream's own statistics.

use super::logits::Softmax;
use super::next::rank;
use crate::error::Result;
use crate::model::{Activation, Model};
use crate::trace::{Recorder, forward};
use candle_core::{D, Tensor};
use rayon::prelude::*;

/// Rows that are unembedded together: the unembedding is read once for all of them, and their logits stay in memory.
pub(crate) const ROWS: usize = 256;

/// One layer's prediction at one position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The most probable next tokens with their probabilities, the best first; ties go to the smaller id.
    pub top: Vec<(u32, f32)>,
    /// The probability of the token that is followed.
    pub probability: f32,
    /// Its rank: 1 is the most probable.
    pub rank: u32,
    /// The entropy of the prediction, in bits.
    pub entropy_bits: f32,
    /// KL(final ‖ this prediction), in bits.
    pub kl_bits: f32,
    /// The logit of the token that is followed minus that of the foil, where there is one.
    pub difference: Option<f32>,
}

/// Every layer's prediction at every position.
#[derive(Clone, Debug)]
pub struct Lens {
    /// `[layer + 1, position]`: before each layer, and after the last one, which is the model's own prediction.
    pub answers: Vec<Answer>,
    /// The token that is followed at each position: the one asked for, or the model's own prediction there.
    pub followed: Vec<u32>,
    /// The last `resid_post`, `[len, d_model]`.
    pub resid: Tensor,
}

/// Unembeds the residual stream before each layer and after the last one.
///
/// Follows `target` at every position, or where there is none the model's own final prediction; keeps the `k` best tokens.
///
/// # Errors
/// If the model's logits are not finite.
pub fn lens(model: &dyn Model, ids: &[u32], target: Option<u32>, foil: Option<u32>, k: usize) -> Result<Lens> {
    let (n, layers) = (ids.len(), model.spec().layers);
    let mut recorder = Recorder::new().keep(Activation::ResidPre);
    let resid = forward(model, &[ids], &mut recorder)?;
    let trace = recorder.trace();
    let mut stream =
        (0..layers).map(|layer| trace.get(Activation::ResidPre, layer, 0).cloned()).collect::<Result<Vec<_>>>()?;
    stream.push(resid.clone());
    let stream = Tensor::stack(&stream, 0)?; // [layer + 1, len, d]

    let mut answers = vec![Answer::default(); (layers + 1) * n];
    let mut followed = Vec::with_capacity(n);
    let together = (ROWS / (layers + 1)).max(1);
    for first in (0..n).step_by(together) {
        let count = together.min(n - first);
        let rows = stream.narrow(1, first, count)?.flatten(0, 1)?; // [(layer + 1) · count, d]
        let logits = model.unembed(&model.final_norm(&rows)?, None)?; // [(layer + 1) · count, vocab]
        let vocab = logits.dim(D::Minus1)?;
        let logits = logits.flatten_all()?.to_vec1::<f32>()?;
        let finals: Vec<Final> =
            logits[layers * count * vocab..].par_chunks(vocab).map(Final::new).collect::<Result<_>>()?;
        let wanted: Vec<u32> = finals.iter().map(|last| target.unwrap_or(last.best)).collect();
        let read = |(row, logits): (usize, &[f32])| {
            let (last, target) = (&finals[row % count], wanted[row % count]);
            answer(logits, last, target, foil, k).map(|answer| (row / count * n + first + row % count, answer))
        };
        for found in logits.par_chunks(vocab).enumerate().map(read).collect::<Vec<_>>() {
            let (place, answer) = found?;
            answers[place] = answer;
        }
        followed.extend(wanted);
    }
    Ok(Lens { answers, followed, resid })
}

/// The model's own prediction at one position.
struct Final {
    probabilities: Vec<f64>,
    entropy: f64, // in nats
    best: u32,
}

impl Final {
    fn new(logits: &[f32]) -> Result<Self> {
        let softmax = Softmax::new(logits)?;
        let log_total = softmax.log_sum_exp(); // as the divergence has it, so that a layer that agrees is at 0
        let probabilities = logits.iter().map(|x| (f64::from(*x) - log_total).exp()).collect();
        Ok(Self { probabilities, entropy: softmax.entropy, best: best(logits, 1)[0] })
    }
}

/// The `k` largest, the best first; ties go to the smaller id.
fn best(logits: &[f32], k: usize) -> Vec<u32> {
    let mut best: Vec<u32> = Vec::with_capacity(k + 1);
    for (id, x) in logits.iter().enumerate() {
        if best.len() == k && best.last().is_some_and(|last| logits[*last as usize] >= *x) {
            continue;
        }
        let place = best.partition_point(|other| logits[*other as usize] >= *x);
        best.insert(place, id as u32);
        best.truncate(k);
    }
    best
}

fn answer(logits: &[f32], last: &Final, target: u32, foil: Option<u32>, k: usize) -> Result<Answer> {
    const BITS: f64 = std::f64::consts::LOG2_E;
    let softmax = Softmax::new(logits)?;
    let probability = |id: u32| softmax.probability(f64::from(logits[id as usize])) as f32;
    let of_target = logits[target as usize];
    let expected: f64 = last.probabilities.iter().zip(logits).map(|(p, x)| p * f64::from(*x)).sum();
    Ok(Answer {
        top: best(logits, k).into_iter().map(|id| (id, probability(id))).collect(),
        probability: probability(target),
        rank: rank(logits, target) as u32,
        entropy_bits: (softmax.entropy * BITS) as f32,
        kl_bits: ((softmax.log_sum_exp() - expected - last.entropy).max(0.0) * BITS) as f32,
        difference: foil.map(|foil| of_target - logits[foil as usize]),
    })
}
