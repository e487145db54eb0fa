//! A model that is no GPT-2, on the library's public API: what it takes to bring one's own. RMSNorm, rotated queries and keys, heads
//! that share keys and values, a gated MLP, no biases. The names are those of transformers' Llama checkpoints.

use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::model::ops::{Linear, Weight, add};
use attnviz::model::{
    Activation as At, Backend, End, Model, Nonlinearity, Segment, Segments, Site, Spec, Tap, attend, visit, visit_rows,
};
use attnviz::session::{Session, tokenizer};
use attnviz::weights::Weights;
use attnviz::{Error, Result};
use candle_core::{D, DType, Device, Tensor};
use serde::Deserialize;
use std::path::Path;

/// The fields of a Llama's config that matter in a forward pass.
#[derive(Clone, Deserialize)]
pub struct Config {
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    pub hidden_size: usize,
    pub head_dim: usize,
    pub intermediate_size: usize,
    pub vocab_size: usize,
    pub max_position_embeddings: usize,
    pub rms_norm_eps: f64,
    pub rope_theta: f64,
    pub bos_token_id: u32,
}

struct RmsNorm {
    weight: Weight,
    eps: f64,
}

impl RmsNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let size = (x.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?;
        Ok(x.broadcast_div(&size)?.broadcast_mul(&self.weight.tensor()?)?)
    }
}

struct Block {
    input_layernorm: RmsNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    post_attention_layernorm: RmsNorm,
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

pub struct Llama {
    spec: Spec,
    fused: bool,
    theta: f64,
    embed_tokens: Weight,
    layers: Vec<Block>,
    norm: RmsNorm,
    lm_head: Linear,
}

/// The checkpoint that `tests/make_llama_model.py` writes.
pub fn checkpoint() -> Checkpoint {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/llama");
    Checkpoint::open(&Source::Directory(folder)).unwrap()
}

pub fn config() -> Config {
    serde_json::from_slice(&checkpoint().config).unwrap()
}

pub fn load(backend: &Backend) -> Llama {
    Llama::load(&checkpoint().weights().unwrap(), config(), backend).unwrap()
}

/// The tiny Llama, ready to answer.
pub fn session() -> Session {
    let checkpoint = checkpoint();
    let weights = checkpoint.weights().unwrap();
    let model = Llama::load(&weights, config(), &Backend::Fused).unwrap();
    let tokenizer = tokenizer(&checkpoint);
    Session::of("tiny-llama", None, weights.hash(), Box::new(model), tokenizer)
}

impl Llama {
    pub fn load(weights: &Weights, config: Config, backend: &Backend) -> Result<Self> {
        let spec = Spec {
            layers: config.num_hidden_layers,
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
            d_model: config.hidden_size,
            d_head: config.head_dim,
            d_mlp: config.intermediate_size,
            vocab: config.vocab_size,
            context: config.max_position_embeddings,
            bos: Some(config.bos_token_id),
        };
        let (d, q, kv) = (spec.d_model, spec.heads * spec.d_head, spec.kv_heads * spec.d_head);
        let get = |name: &str, shape: &[usize]| -> Result<Weight> {
            Ok(backend.weight(weights.get(&format!("{name}.weight"), shape)?)?)
        };
        let norm = |name: &str| Ok::<_, Error>(RmsNorm { weight: get(name, &[d])?, eps: config.rms_norm_eps });
        let linear = |name: &str, inputs, outputs| {
            Ok::<_, Error>(Linear { weight: get(name, &[outputs, inputs])?, bias: None, transposed: true })
        };
        let block = |layer: usize| -> Result<Block> {
            let at = |name: &str| format!("model.layers.{layer}.{name}");
            Ok(Block {
                input_layernorm: norm(&at("input_layernorm"))?,
                q_proj: linear(&at("self_attn.q_proj"), d, q)?,
                k_proj: linear(&at("self_attn.k_proj"), d, kv)?,
                v_proj: linear(&at("self_attn.v_proj"), d, kv)?,
                o_proj: linear(&at("self_attn.o_proj"), q, d)?,
                post_attention_layernorm: norm(&at("post_attention_layernorm"))?,
                gate_proj: linear(&at("mlp.gate_proj"), d, spec.d_mlp)?,
                up_proj: linear(&at("mlp.up_proj"), d, spec.d_mlp)?,
                down_proj: linear(&at("mlp.down_proj"), spec.d_mlp, d)?,
            })
        };
        Ok(Self {
            fused: matches!(backend, Backend::Fused),
            theta: config.rope_theta,
            embed_tokens: get("model.embed_tokens", &[spec.vocab, d])?,
            layers: (0..spec.layers).map(block).collect::<Result<_>>()?,
            norm: norm("model.norm")?,
            lm_head: linear("lm_head", d, spec.vocab)?,
            spec,
        })
    }

    /// Queries or keys `[len, heads, d_head]`, each half of a head turned against the other by its position (Su et al. 2021).
    fn turned(&self, x: &Tensor, position: usize) -> Result<Tensor> {
        let (len, _, d) = x.dims3()?;
        let angle = |i: usize| (position + i / (d / 2)) as f64 / self.theta.powf((2 * (i % (d / 2))) as f64 / d as f64);
        let along = |f: fn(f64) -> f64| -> Result<Tensor> {
            let values: Vec<f64> = (0..len * d / 2).map(|i| f(angle(i))).collect();
            Ok(Tensor::from_vec(values, (len, 1, d / 2), x.device())?.to_dtype(x.dtype())?)
        };
        let (cos, sin) = (along(f64::cos)?, along(f64::sin)?);
        let (a, b) = (x.narrow(2, 0, d / 2)?, x.narrow(2, d / 2, d / 2)?);
        let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
        let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
        Ok(Tensor::cat(&[first, second], 2)?)
    }

    /// Causal self-attention of one segment: q `[len, heads · d_head]`, k and v `[len, kv_heads · d_head]` → z `[len, heads · d_head]`.
    fn attend(
        &self,
        [q, k, v]: [Tensor; 3],
        segment: &Segment,
        site: impl Fn(At) -> Site,
        tap: &mut dyn Tap,
    ) -> Result<Tensor> {
        let Spec { heads, kv_heads, d_head, .. } = self.spec;
        let split = |x: &Tensor, heads: usize| x.reshape((segment.len, heads, d_head));
        let q = visit(tap, site(At::Q), self.turned(&split(&q, heads)?, segment.position)?)?;
        let mut k = visit(tap, site(At::K), self.turned(&split(&k, kv_heads)?, segment.position)?)?;
        let mut v = visit(tap, site(At::V), split(&v, kv_heads)?)?;
        if let Some(past) = &segment.past {
            k = Tensor::cat(&[&past.keys[site(At::K).layer], &k], 0)?; // [keys, kv_heads, d_head]
            v = Tensor::cat(&[&past.values[site(At::V).layer], &v], 0)?;
        }
        let scores = attend::scores(&q, &k, 1.0 / (d_head as f64).sqrt())?; // [heads, len, keys]
        let pattern = attend::causal_softmax(&visit(tap, site(At::Scores), scores)?, self.fused)?;
        let pattern = visit(tap, site(At::Pattern), pattern)?;
        let z = visit(tap, site(At::Z), attend::mix(&pattern, &v, self.fused)?)?; // [len, heads, d_head]
        Ok(z.reshape((segment.len, heads * d_head))?)
    }
}

impl Model for Llama {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.spec.vocab) {
            return Err(Error::usage(format!("token id {id} is outside the model's vocabulary")));
        }
        Ok(self.embed_tokens.gather(ids)?.tensor()?)
    }

    fn start(&self, embeddings: &Tensor, segments: &Segments) -> Result<Tensor> {
        match segments.iter().find(|segment| segment.position + segment.len > self.spec.context) {
            Some(_) => Err(Error::usage("a prompt is longer than the model's context")),
            None => Ok(embeddings.clone()),
        }
    }

    fn block(&self, layer: usize, resid: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        let block = &self.layers[layer];
        let resid = visit_rows(tap, At::ResidPre, layer, segments, resid.clone())?; // [rows, d]
        let normed = block.input_layernorm.forward(&resid)?;
        let mut z = Vec::new();
        for (index, segment) in segments.iter().enumerate() {
            let rows = normed.narrow(0, segment.start, segment.len)?;
            let qkv = [block.q_proj.forward(&rows)?, block.k_proj.forward(&rows)?, block.v_proj.forward(&rows)?];
            z.push(self.attend(qkv, segment, |at| Site { at, layer, segment: index }, tap)?);
        }
        let attn_out = block.o_proj.forward(&Tensor::cat(&z, 0)?)?;
        let attn_out = visit_rows(tap, At::AttnOut, layer, segments, attn_out)?;
        let resid = visit_rows(tap, At::ResidMid, layer, segments, add(&resid, &attn_out, self.fused)?)?;
        let normed = block.post_attention_layernorm.forward(&resid)?;
        let gate = Nonlinearity::Silu.forward(&block.gate_proj.forward(&normed)?, self.fused)?; // [rows, d_mlp]
        let mlp_out = block.down_proj.forward(&(gate * block.up_proj.forward(&normed)?)?)?;
        let mlp_out = visit_rows(tap, At::MlpOut, layer, segments, mlp_out)?; // [rows, d]
        visit_rows(tap, At::ResidPost, layer, segments, add(&resid, &mlp_out, self.fused)?)
    }

    fn final_norm(&self, resid: &Tensor) -> Result<Tensor> {
        self.norm.forward(resid)
    }

    fn pull_back(&self, resid: &[f64], row: &[f64]) -> Result<(Vec<f64>, f64)> {
        let weight: Vec<f64> = self.norm.weight.tensor()?.to_dtype(DType::F64)?.to_vec1()?;
        let mean_square = resid.iter().map(|x| x * x).sum::<f64>() / resid.len() as f64;
        let size = (mean_square + self.norm.eps).sqrt();
        Ok((weight.iter().zip(row).map(|(weight, row)| weight * row / size).collect(), 0.0))
    }

    fn unembed(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        Ok(match ids {
            None => self.lm_head.forward(normed)?,
            Some(ids) => Linear { weight: self.lm_head.weight.gather(ids)?, ..self.lm_head.clone() }.forward(normed)?,
        })
    }

    fn head_out(&self, layer: usize, z: &Tensor) -> Result<Tensor> {
        let Spec { heads, d_head, .. } = self.spec;
        let weight = self.layers[layer].o_proj.weight.tensor()?.t()?; // [heads · d_head, d]
        let of_head = |head: usize| -> Result<Tensor> {
            let weight = weight.narrow(0, head * d_head, d_head)?.contiguous()?;
            Ok(z.narrow(1, head, 1)?.squeeze(1)?.matmul(&weight)?)
        };
        Ok(Tensor::stack(&(0..heads).map(of_head).collect::<Result<Vec<_>>>()?, 0)?) // [heads, rows, d]
    }

    fn head_in(
        &self,
        (layer, head, end): (usize, usize, End),
        first: usize,
        resid: &Tensor,
        written: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let Spec { heads, kv_heads, d_head, .. } = self.spec;
        let block = &self.layers[layer];
        let (of, head, scale) = match end {
            End::Query => (&block.q_proj, head, 1.0 / (d_head as f64).sqrt()),
            End::Key => (&block.k_proj, kv_heads * head / heads, 1.0),
            End::Value => (&block.v_proj, kv_heads * head / heads, 1.0),
        };
        let exact = |x: &Tensor| x.to_dtype(DType::F64);
        let weight = (exact(&of.weight.tensor()?)?.narrow(0, head * d_head, d_head)?.t()?.contiguous()? * scale)?;
        let norm = &block.input_layernorm;
        let size = (exact(resid)?.sqr()?.mean_keepdim(D::Minus1)? + norm.eps)?.sqrt()?; // [rows, 1]
        let normed = exact(written)?.broadcast_div(&size)?.broadcast_mul(&exact(&norm.weight.tensor()?)?)?;
        let (parts, rows, d) = normed.dims3()?;
        let read = normed.reshape((parts * rows, d))?.matmul(&weight)?.reshape((parts, rows, d_head))?;
        let constant = Tensor::zeros((rows, d_head), DType::F64, resid.device())?;
        if end == End::Value {
            return Ok((read, constant));
        }
        let turned = self.turned(&read.transpose(0, 1)?.contiguous()?, first)?; // [rows, parts, d_head]
        Ok((turned.transpose(0, 1)?.contiguous()?, constant))
    }

    fn attn_constant(&self, _: usize) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// In double precision, by candle's own operations.
pub fn exact() -> Llama {
    load(&Backend::Composite(DType::F64, Device::Cpu))
}
