//! Running a circuit by itself: every edge that is not in it carries the corrupt run's value.

use super::{Edge, Edges};
use crate::error::Result;
use crate::model::{Activation, End, Segments, Site, Tap};
use candle_core::Tensor;

impl Edges<'_> {
    /// How much of the difference between the two runs the circuit of these edges makes: 1 is the clean run, 0 the corrupt one. With all
    /// edges it is the clean run, and with none the corrupt one.
    ///
    /// # Errors
    /// Logits that are not finite.
    pub fn faithfulness(&self, edges: &[Edge]) -> Result<f64> {
        let [clean, corrupt] = self.values();
        let value = if edges.len() == self.wiring.edges() { clean } else { self.run(edges)? };
        Ok((value - corrupt) / (clean - corrupt) + 0.0) // no −0
    }

    /// What is measured of the run of a circuit: each input is the corrupt run's, and what the writers of its edges moved from it.
    ///
    /// # Errors
    /// Logits that are not finite.
    pub fn run(&self, edges: &[Edge]) -> Result<f64> {
        let (wiring, corrupt) = (self.wiring, &self.corrupt);
        let mut inputs: Vec<Vec<usize>> = vec![Vec::new(); wiring.readers()];
        edges.iter().for_each(|edge| inputs[edge.reader].push(edge.writer));
        // The embedding reads nothing: it is the clean run's.
        let mut moved = Moved { rows: self.moved.narrow(0, 0, 1)?, shape: corrupt.embeddings.dims2()? };
        for layer in 0..wiring.layers {
            let first = wiring.first(layer);
            let of_layer = &inputs[first..wiring.first(layer + 1)];
            if of_layer.iter().all(Vec::is_empty) {
                moved.nothing(wiring.heads + 1)?;
            } else {
                self.block(layer, of_layer, &mut moved)?;
            }
        }
        let of_logits = moved.sum(&inputs[wiring.first(wiring.layers)..])?.squeeze(0)?;
        self.measured(&(&corrupt.last + of_logits.narrow(0, self.question.position, 1)?)?)
    }

    /// One layer of a circuit.
    fn block(&self, layer: usize, inputs: &[Vec<usize>], moved: &mut Moved) -> Result<()> {
        let (heads, corrupt) = (self.wiring.heads, &self.corrupt.trace);
        let resid = corrupt.get(Activation::ResidPre, layer, 0)?;
        let arrived = moved.sum(&inputs[..3 * heads])?; // [readers, positions, d]
        let (mut scores, mut values) = (Vec::new(), Vec::new());
        for head in 0..heads {
            let [q, k, v] = [0, 1, 2].map(|end| end * heads + head);
            let read = |reader: usize, end: End| -> Result<Tensor> {
                self.read(layer, head, end, &(resid + arrived.get(reader)?)?)
            };
            // What nothing reaches is the corrupt run's, bit for bit.
            scores.push(match inputs[q].is_empty() && inputs[k].is_empty() {
                true => corrupt.get(Activation::Scores, layer, 0)?.get(head)?,
                false => read(q, End::Query)?.matmul(&read(k, End::Key)?.t()?)?.to_dtype(resid.dtype())?,
            });
            values.push(match inputs[v].is_empty() {
                true => corrupt.get(Activation::V, layer, 0)?.narrow(1, head, 1)?.squeeze(1)?,
                false => read(v, End::Value)?.to_dtype(resid.dtype())?,
            });
        }
        let mut rewired = Rewired {
            edges: self,
            scores: Tensor::stack(&scores, 0)?,
            values: Tensor::stack(&values, 1)?,
            of_mlp: &inputs[3 * heads..],
            mlp_moved: None,
            moved,
        };
        self.model.block(layer, resid, &Segments::packed(&[resid.dims()[0]]), &mut rewired)?;
        let by_mlp = rewired.mlp_moved.map_or_else(|| Ok(resid.zeros_like()?), Ok::<_, crate::Error>)?;
        moved.add(&by_mlp.unsqueeze(0)?)
    }
}

/// What writers moved from the corrupt run, as far as the circuit was run.
struct Moved {
    /// `[writers, positions · d]`.
    rows: Tensor,
    /// Positions and d.
    shape: (usize, usize),
}

impl Moved {
    /// What writers moved, `[writers, positions, d]`.
    fn add(&mut self, by: &Tensor) -> Result<()> {
        self.rows = Tensor::cat(&[&self.rows, &by.flatten_from(1)?], 0)?;
        Ok(())
    }

    /// That so many writers moved nothing.
    fn nothing(&mut self, writers: usize) -> Result<()> {
        let (positions, d) = self.shape;
        self.add(&Tensor::zeros((writers, positions, d), self.rows.dtype(), self.rows.device())?)
    }

    /// What the writers of each of some lists moved together, `[lists, positions, d]`.
    fn sum(&self, lists: &[Vec<usize>]) -> Result<Tensor> {
        let writers = self.rows.dims()[0];
        let mut kept = vec![0f32; lists.len() * writers];
        for (row, list) in kept.chunks_mut(writers).zip(lists) {
            list.iter().for_each(|writer| row[*writer] = 1.0);
        }
        let kept = Tensor::from_vec(kept, (lists.len(), writers), self.rows.device())?.to_dtype(self.rows.dtype())?;
        Ok(kept.matmul(&self.rows)?.reshape((lists.len(), self.shape.0, self.shape.1))?)
    }
}

/// A block whose heads and whose MLP each read an input of their own.
struct Rewired<'a, 'm> {
    edges: &'a Edges<'m>,
    scores: Tensor,
    values: Tensor,
    /// The writers that the MLP reads, as the only list.
    of_mlp: &'a [Vec<usize>],
    /// What the MLP moved, where it reads anything.
    mlp_moved: Option<Tensor>,
    moved: &'a mut Moved,
}

impl Tap for Rewired<'_, '_> {
    fn wants(&self, site: Site) -> bool {
        use Activation as At;
        matches!(site.at, At::Scores | At::V | At::Z | At::ResidMid | At::MlpOut)
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        let corrupt = self.edges.corrupt.trace.get(site.at, site.layer, 0)?;
        match site.at {
            Activation::Scores => Ok(self.scores.clone()),
            Activation::V => Ok(self.values.clone()),
            Activation::Z => {
                self.moved.add(&self.edges.model.head_out(site.layer, &(&x - corrupt)?)?)?;
                Ok(x)
            }
            Activation::ResidMid => Ok((corrupt + self.moved.sum(self.of_mlp)?.squeeze(0)?)?),
            _ => {
                self.mlp_moved = if self.of_mlp[0].is_empty() { None } else { Some((&x - corrupt)?) };
                Ok(x)
            }
        }
    }
}
