//! The attention of a block: queries, keys and values as a family makes them, and what its heads carry.

use crate::error::Result;
use crate::model::attend::{mix, scores, weighed, windowed_softmax};
use crate::model::norm::{Norm, RmsNorm};
use crate::model::ops::{Linear, Weight};
use crate::model::rotary::Rotary;
use crate::model::weighing::Weighing;
use crate::model::{Activation as At, End, Segment, Segments, Site, Tap, packed, visit, watches_attention};
use candle_core::{D, DType, Tensor};

/// The matrices that make queries, keys and values.
pub(in crate::model) enum Projection {
    /// One each.
    Apart(Box<[Linear; 3]>),
    /// One in which each head's query, key and value follow one another, as GPT-NeoX has it.
    Interleaved(Linear),
}

/// A norm of queries and keys.
pub(in crate::model) struct QkNorm {
    /// Of queries.
    pub query: RmsNorm,
    /// Of keys.
    pub key: RmsNorm,
    /// Over all heads together, not over each.
    pub whole: bool,
}

/// The attention of one block.
pub(in crate::model) struct Attention {
    /// Heads, and those of keys and values.
    pub heads: [usize; 2],
    /// Width of a head.
    pub d_head: usize,
    /// What makes queries, keys and values.
    pub qkv: Projection,
    /// What becomes of queries and keys before they are turned.
    pub qk_norm: Option<QkNorm>,
    /// How they are turned.
    pub rotary: Option<Rotary>,
    /// What becomes of scores.
    pub by: Weighing,
    /// From what heads carry to the residual stream.
    pub out: Linear,
}

impl Attention {
    /// What all heads carry: normed rows `[rows, d]` → `[rows, heads · d_head]`.
    pub fn forward(
        &self,
        x: &Tensor,
        layer: usize,
        segments: &Segments,
        tap: &mut dyn Tap,
        fused: bool,
    ) -> Result<Tensor> {
        let qkv = self.project(x)?;
        if let Some(attention) = packed::together(fused && !watches_attention(tap, layer, segments), segments)? {
            let qkv = self.side_by_side(qkv, segments)?;
            return Ok(attention(&qkv, segments, self.heads, self.by)?); // [rows, heads · d_head]
        }
        let mut z = Vec::with_capacity(segments.len());
        for (index, segment) in segments.iter().enumerate() {
            let site = |at| Site { at, layer, segment: index };
            let part = |x: &Tensor| x.narrow(0, segment.start, segment.len);
            z.push(self.attend([part(&qkv[0])?, part(&qkv[1])?, part(&qkv[2])?], segment, site, tap, fused)?);
        }
        Ok(if z.len() == 1 { z.remove(0) } else { Tensor::cat(&z, 0)? })
    }

    /// Queries, keys and values `[rows, heads, d_head]`, normed but not turned.
    fn project(&self, x: &Tensor) -> Result<[Tensor; 3]> {
        let (rows, [heads, kv_heads], d) = (x.dims()[0], self.heads, self.d_head);
        let [q, k, v] = match &self.qkv {
            Projection::Apart(all) => [
                all[0].forward(x)?.reshape((rows, heads, d))?,
                all[1].forward(x)?.reshape((rows, kv_heads, d))?,
                all[2].forward(x)?.reshape((rows, kv_heads, d))?,
            ],
            Projection::Interleaved(qkv) => {
                let qkv = qkv.forward(x)?.reshape((rows, heads, 3, d))?;
                let part = |which: usize| qkv.narrow(2, which, 1)?.squeeze(2)?.contiguous();
                [part(0)?, part(1)?, part(2)?]
            }
        };
        let Some(norm) = &self.qk_norm else { return Ok([q, k, v]) };
        let normed = |norm_of: &RmsNorm, x: Tensor| -> Result<Tensor> {
            let (rows, heads, d) = x.dims3()?;
            let flat = if norm.whole { x.reshape((rows, heads * d))? } else { x.reshape((rows * heads, d))? };
            Ok(norm_of.forward(&flat)?.reshape((rows, heads, d))?)
        };
        Ok([normed(&norm.query, q)?, normed(&norm.key, k)?, v])
    }

    /// Queries and keys, turned, and values of all segments: `[rows, (heads + 2 kv_heads) · d_head]`.
    fn side_by_side(&self, [q, k, v]: [Tensor; 3], segments: &Segments) -> Result<Tensor> {
        let turned = |x: Tensor| match &self.rotary {
            Some(rotary) => rotary.turn(&x, segments.iter().flat_map(|s| s.position..s.position + s.len), true),
            None => Ok(x),
        };
        let parts = [turned(q)?, turned(k)?, v].map(|x| x.flatten_from(1));
        Ok(Tensor::cat(&parts.into_iter().collect::<candle_core::Result<Vec<_>>>()?, 1)?)
    }

    /// One segment: q `[len, heads, d_head]`, k and v `[len, kv_heads, d_head]` → z `[len, heads · d_head]`.
    fn attend(
        &self,
        [q, k, v]: [Tensor; 3],
        segment: &Segment,
        site: impl Fn(At) -> Site,
        tap: &mut dyn Tap,
        fused: bool,
    ) -> Result<Tensor> {
        let turned = |x: Tensor| match &self.rotary {
            Some(rotary) => rotary.turn(&x, segment.position.., fused),
            None => Ok(x),
        };
        let q = visit(tap, site(At::Q), turned(q)?)?;
        let mut k = visit(tap, site(At::K), turned(k)?)?;
        let mut v = visit(tap, site(At::V), v)?;
        if let Some(past) = &segment.past {
            k = Tensor::cat(&[&past.keys[site(At::K).layer], &k], 0)?; // [keys, kv_heads, d_head]
            v = Tensor::cat(&[&past.values[site(At::V).layer], &v], 0)?;
        }
        let pattern = if tap.wants(site(At::Scores)) {
            let scores = tap.visit(site(At::Scores), scores(&q, &k, self.by.scale)?)?;
            windowed_softmax(&self.by.capped(&scores)?, self.by.window, fused)?
        } else {
            weighed(&q, &k, self.by, fused)? // [heads, len, keys]
        };
        let pattern = visit(tap, site(At::Pattern), pattern)?;
        let z = visit(tap, site(At::Z), mix(&pattern, &v, fused)?)?; // [len, heads, d_head]
        Ok(z.reshape((segment.len, self.heads[0] * self.d_head))?)
    }

    /// `z_h W_O^h` for each head: z `[rows, heads, d_head]` → `[heads, rows, d]`.
    pub fn head_out(&self, z: &Tensor) -> Result<Tensor> {
        let of_head = |head: usize| -> Result<Tensor> {
            let weight = self.out.weight.columns(head * self.d_head, self.d_head)?; // [d, d_head]
            Ok(z.narrow(1, head, 1)?.squeeze(1)?.contiguous()?.matmul(&weight.to_dtype(z.dtype())?.t()?)?) // [rows, d]
        };
        Ok(Tensor::stack(&(0..self.heads[0]).map(of_head).collect::<Result<Vec<_>>>()?, 0)?)
    }

    /// As [`crate::model::Model::head_in`], behind the norm before attention.
    pub fn head_in(
        &self,
        (head, end): (usize, End),
        first: usize,
        norm: Option<&Norm>,
        resid: &Tensor,
        written: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let (_, rows, d) = written.dims3()?;
        let of_parts = |x: &Tensor| match norm {
            Some(norm) => norm.of_parts(resid, x),
            None => x.to_dtype(DType::F64),
        };
        let bias = norm.map(Norm::bias).transpose()?.flatten();
        let read_by = |matrix: &(Tensor, Option<Tensor>), x: &Tensor| -> Result<(Tensor, Tensor)> {
            let (count, width) = (x.dims()[0], matrix.0.dims()[1]);
            let read = of_parts(x)?.reshape((count * rows, d))?.matmul(&matrix.0)?.reshape((count, rows, width))?;
            let mut constant = Tensor::zeros((1, width), DType::F64, resid.device())?;
            if let Some(bias) = &bias {
                constant = (constant + bias.unsqueeze(0)?.matmul(&matrix.0)?)?;
            }
            if let Some(own) = &matrix.1 {
                constant = constant.broadcast_add(&own.unsqueeze(0)?)?;
            }
            Ok((read, constant.expand((rows, width))?.contiguous()?))
        };
        let shared = head * self.heads[1] / self.heads[0];
        let of_end = if end == End::Query { head } else { shared };
        let (mut read, mut constant) = read_by(&self.matrix(end, of_end..of_end + 1)?, written)?;
        let Some(by) = self.qk_norm.as_ref().filter(|_| end != End::Value) else {
            return self.turned(end, first, read, constant);
        };
        let (own, count) = if end == End::Query { (&by.query, self.heads[0]) } else { (&by.key, self.heads[1]) };
        let over = if by.whole { 0..count } else { of_end..of_end + 1 };
        let (all, added) = read_by(&self.matrix(end, over)?, &resid.unsqueeze(0)?)?;
        let size = ((all.squeeze(0)? + added)?.sqr()?.mean_keepdim(D::Minus1)? + own.eps)?.sqrt()?; // [rows, 1]
        let weight = own.weight.double()?;
        let weight = if by.whole { weight.narrow(0, of_end * self.d_head, self.d_head)? } else { weight };
        read = read.broadcast_div(&size)?.broadcast_mul(&weight)?;
        constant = constant.broadcast_div(&size)?.broadcast_mul(&weight)?;
        self.turned(end, first, read, constant)
    }

    /// What is read as scores need it: turned, queries scaled.
    fn turned(&self, end: End, first: usize, read: Tensor, constant: Tensor) -> Result<(Tensor, Tensor)> {
        let (mut read, mut constant) = (read, constant);
        if let Some(rotary) = self.rotary.as_ref().filter(|_| end != End::Value) {
            read = rotary.turn(&read.transpose(0, 1)?, first.., false)?.transpose(0, 1)?.contiguous()?;
            constant = rotary.turn(&constant.unsqueeze(1)?, first.., false)?.squeeze(1)?;
        }
        let scale = if end == End::Query { self.by.scale } else { 1.0 };
        Ok(((read * scale)?, (constant * scale)?))
    }

    /// The matrix of some heads' queries, keys or values `[d, heads · d_head]`, and its bias, in double precision.
    fn matrix(&self, end: End, heads: std::ops::Range<usize>) -> Result<(Tensor, Option<Tensor>)> {
        let which = [End::Query, End::Key, End::Value].iter().position(|one| *one == end).unwrap_or_default();
        let (linear, starts): (&Linear, Vec<usize>) = match &self.qkv {
            Projection::Apart(all) => (&all[which], heads.map(|head| head * self.d_head).collect()),
            Projection::Interleaved(all) => (all, heads.map(|head| (3 * head + which) * self.d_head).collect()),
        };
        let of = |start: &usize| linear.weight.rows(*start, self.d_head)?.double();
        let weight =
            Tensor::cat(&starts.iter().map(of).collect::<candle_core::Result<Vec<_>>>()?, 0)?.t()?.contiguous()?;
        let of_bias = |bias: &Weight| -> Result<Tensor> {
            let bias = bias.double()?;
            let of = |start: &usize| bias.narrow(0, *start, self.d_head);
            Ok(Tensor::cat(&starts.iter().map(of).collect::<candle_core::Result<Vec<_>>>()?, 0)?)
        };
        Ok((weight, linear.bias.as_ref().map(of_bias).transpose()?))
    }
}
