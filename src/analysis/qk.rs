//! Why a head looks where it looks: its score as a sum over who wrote the query's residual and who wrote the key's.
//!
//! Elhage et al. 2021. The mean and the scale of the norm before the head are frozen at each position; what else lies between the residual
//! and the score is linear on either side, so that every pair of writers has a part of its own.

use crate::error::{Error, Result};
use crate::model::{Activation, End, Model, Segments};
use crate::trace::{Recorder, Trace};
use candle_core::{DType, Tensor};

/// How far the parts may be from the score: absolutely, and as a share of their summed sizes, which is what f32 leaves.
const TOLERANCE: (f64, f64) = (1e-3, 1e-5);

/// Who writes into the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Writer {
    /// The token's embedding.
    Embedding,
    /// Its position's embedding.
    Position,
    /// A head, by layer and number.
    Head(usize, usize),
    /// What a layer's attention adds whatever its heads carry.
    AttnBias(usize),
    /// A layer's MLP with its biases.
    Mlp(usize),
    /// The biases of the norm before the head and of its queries or keys: nobody wrote them, and they are there.
    Bias,
}

/// One query of one head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The head's layer.
    pub layer: usize,
    /// Its number there.
    pub head: usize,
    /// The position that looks.
    pub query: usize,
}

/// The scores of one query of one head, in parts.
#[derive(Clone, Debug)]
pub struct Scored {
    /// Who wrote, for the rows and columns of what follows.
    pub writers: Vec<Writer>,
    /// The score of each key that the query sees, as the model computes it.
    pub scores: Vec<f64>,
    /// The attention on each of them.
    pub pattern: Vec<f64>,
    /// The largest difference, over the keys, of the sum of all parts and the score.
    pub apart: f64,
    /// What each writer comes to at the query, `[writer][d_head]`.
    queries: Vec<Vec<f64>>,
    /// The same at each key, `[key][writer][d_head]`.
    keys: Vec<Vec<Vec<f64>>>,
}

/// Takes apart the scores of one query. Only the tokens up to it are run.
///
/// # Errors
/// If the parts do not add up to a score within 1e-3 (or 1e-5 of their summed sizes, where those are large).
pub fn qk(model: &dyn Model, ids: &[u32], look: Look) -> Result<Scored> {
    let Look { layer, head, query } = look;
    let ids = &ids[..=query];
    let segments = Segments::packed(&[ids.len()]);
    let embeddings = model.embed(ids)?;
    let start = model.start(&embeddings, &segments)?;
    let one = |x: &Tensor| row(x, head, query).map(Some);
    let mut recorder = Recorder::new()
        .keep(Activation::Z)
        .keep(Activation::MlpOut)
        .keep(Activation::ResidPre)
        .reduce(Activation::Scores, &[layer], |_, x| one(x))
        .reduce(Activation::Pattern, &[layer], |_, x| one(x));
    (0..=layer).try_fold(start, |resid, at| model.block(at, &resid, &segments, &mut recorder))?;
    let trace = recorder.trace();
    let at = |activation| trace.get(activation, layer, 0)?.to_dtype(DType::F64)?.to_vec1::<f64>().map_err(Error::from);
    let mut scored = Scored {
        writers: Vec::new(),
        scores: at(Activation::Scores)?,
        pattern: at(Activation::Pattern)?,
        apart: 0.0,
        queries: Vec::new(),
        keys: vec![Vec::new(); ids.len()],
    };
    let positions = model.start(&embeddings.zeros_like()?, &segments)?;
    let mut ends = Ends { model, look, resid: trace.get(Activation::ResidPre, layer, 0)?, scored: &mut scored };
    ends.add(&[Writer::Embedding, Writer::Position], &Tensor::stack(&[embeddings, positions], 0)?)?;
    for below in 0..layer {
        ends.of_layer(&trace, below)?;
    }
    ends.constant()?;
    scored.check()?;
    Ok(scored)
}

/// The head, its layer before its number, whose `query` has the largest weight on one token that is neither the first nor the query's own;
/// where there is none, on any.
///
/// # Errors
/// Those of the model.
pub fn sharpest(model: &dyn Model, ids: &[u32], query: usize) -> Result<(usize, usize)> {
    let mut best = (f32::NEG_INFINITY, (0, 0));
    let layers: Vec<usize> = (0..model.spec().layers).collect();
    let recorder = Recorder::new().reduce(Activation::Pattern, &layers, |site, x| {
        for head in 0..x.dims3()?.0 {
            let row = row(x, head, query)?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
            let others = if query >= 2 { &row[1..query] } else { &row[..] };
            let most = others.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if most > best.0 {
                best = (most, (site.layer, head));
            }
        }
        Ok(None)
    });
    let mut recorder = recorder;
    crate::trace::forward(model, &[&ids[..=query]], &mut recorder)?;
    drop(recorder);
    Ok(best.1)
}

/// One query of one head, of `[heads, queries, keys]`.
fn row(x: &Tensor, head: usize, query: usize) -> Result<Tensor> {
    Ok(x.narrow(0, head, 1)?.narrow(1, query, 1)?.flatten_all()?)
}

/// Gathers what writers come to at both ends.
struct Ends<'a> {
    model: &'a dyn Model,
    look: Look,
    /// What enters the head's layer, `[len, d]`.
    resid: &'a Tensor,
    scored: &'a mut Scored,
}

impl Ends<'_> {
    /// What the heads, the bias and the MLP of a layer wrote.
    fn of_layer(&mut self, trace: &Trace, layer: usize) -> Result<()> {
        let outs = self.model.head_adds(layer, trace.get(Activation::Z, layer, 0)?)?; // [heads, len, d]
        let heads: Vec<Writer> = (0..outs.dims()[0]).map(|head| Writer::Head(layer, head)).collect();
        self.add(&heads, &outs)?;
        let mlp = trace.get(Activation::MlpOut, layer, 0)?;
        if let Some(constant) = self.model.attn_constant(layer)? {
            let constant = constant.to_dtype(mlp.dtype())?.broadcast_as(mlp.shape())?.unsqueeze(0)?;
            self.add(&[Writer::AttnBias(layer)], &constant)?;
        }
        self.add(&[Writer::Mlp(layer)], &mlp.unsqueeze(0)?)
    }

    /// What these wrote, `[writers, len, d]`.
    fn add(&mut self, writers: &[Writer], written: &Tensor) -> Result<()> {
        let Look { layer, head, query } = self.look;
        let (resid, of) = (self.resid.narrow(0, query, 1)?, written.narrow(1, query, 1)?.contiguous()?);
        let (queries, _) = self.model.head_in((layer, head, End::Query), query, &resid, &of)?;
        let (keys, _) = self.model.head_in((layer, head, End::Key), 0, self.resid, written)?;
        self.scored.writers.extend(writers);
        self.scored.queries.extend(queries.squeeze(1)?.to_vec2::<f64>()?);
        for of_writer in keys.to_vec3::<f64>()? {
            self.scored.keys.iter_mut().zip(of_writer).for_each(|(key, part)| key.push(part));
        }
        Ok(())
    }

    /// What is there whatever was written.
    fn constant(&mut self) -> Result<()> {
        let Look { layer, head, query } = self.look;
        let nothing = self.resid.narrow(0, 0, 1)?.zeros_like()?.unsqueeze(0)?; // [1, 1, d]
        let resid = self.resid.narrow(0, query, 1)?;
        let (_, of_query) = self.model.head_in((layer, head, End::Query), query, &resid, &nothing)?;
        let nothing = self.resid.zeros_like()?.unsqueeze(0)?;
        let (_, of_keys) = self.model.head_in((layer, head, End::Key), 0, self.resid, &nothing)?;
        self.scored.writers.push(Writer::Bias);
        self.scored.queries.extend(of_query.to_vec2::<f64>()?);
        self.scored.keys.iter_mut().zip(of_keys.to_vec2::<f64>()?).for_each(|(key, part)| key.push(part));
        Ok(())
    }
}

impl Scored {
    /// The parts of one key's score, `[query writer][key writer]`, row by row.
    pub fn parts(&self, key: usize) -> Vec<f64> {
        self.pairs(&self.keys[key])
    }

    /// The same against the mean of all keys that the query sees: what attention is decided by, since it does not change where every key
    /// gets the same more.
    pub fn centred(&self, key: usize) -> Vec<f64> {
        // Behind a window nothing is seen.
        let first = self.pattern.iter().position(|weight| *weight > 0.0).unwrap_or(0);
        let seen = &self.keys[first..];
        let mean = |writer: usize, d: usize| seen.iter().map(|key| key[writer][d]).sum::<f64>() / seen.len() as f64;
        let above: Vec<Vec<f64>> = self.keys[key]
            .iter()
            .enumerate()
            .map(|(writer, part)| part.iter().enumerate().map(|(d, x)| x - mean(writer, d)).collect())
            .collect();
        self.pairs(&above)
    }

    /// What each writer at each key adds to the score, whoever wrote at the query: `[key][key writer]`, row by row.
    pub fn by_key_writer(&self) -> Vec<f64> {
        let whole = sum(&self.queries);
        self.keys.iter().flatten().map(|part| dot(&whole, part)).collect()
    }

    /// The key with the largest weight; the earlier one of two.
    pub fn favourite(&self) -> usize {
        (0..self.pattern.len()).rev().max_by(|a, b| self.pattern[*a].total_cmp(&self.pattern[*b])).unwrap_or(0)
    }

    fn pairs(&self, key: &[Vec<f64>]) -> Vec<f64> {
        self.queries.iter().flat_map(|query| key.iter().map(move |key| dot(query, key))).collect()
    }

    /// That the parts of every key add up to its score.
    fn check(&mut self) -> Result<()> {
        for (key, score) in self.scores.iter().enumerate() {
            let parts = self.parts(key);
            let (total, size) = (parts.iter().sum::<f64>(), parts.iter().map(|x| x.abs()).sum::<f64>());
            let apart = (total - score).abs();
            if apart.is_nan() || apart > TOLERANCE.0.max(TOLERANCE.1 * size) {
                return Err(Error::failed(format!(
                    "the parts of key {key} add up to {total}, but the score is {score}"
                ))
                .hint("this is a fault of attnviz or of the checkpoint; please report it"));
            }
            self.apart = self.apart.max(apart);
        }
        Ok(())
    }
}

fn sum(vectors: &[Vec<f64>]) -> Vec<f64> {
    let width = vectors.first().map_or(0, Vec::len);
    (0..width).map(|d| vectors.iter().map(|x| x[d]).sum()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
