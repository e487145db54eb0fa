//! Induction: random tokens that are repeated are foreseen, and heads that look at what followed do it.

use super::Quantity;
use crate::analysis::attribution::Dice;
use crate::analysis::heads::{Score, of_repeats, some_repeats};
use crate::analysis::logits::Softmax;
use crate::error::Result;
use crate::findings::Subject;
use crate::findings::heads::pool;
use crate::model::{Activation, Model, Site, Tap};
use crate::trace::forward;
use candle_core::{DType, Tensor};

/// A head whose stripe is at least that is an induction head, as in `heads`.
const STRIPE: f64 = 0.4;
/// How much less is lost on the repeat than before it.
const REPEATED: f64 = 0.7;
/// How much of that goes with the induction heads, and how much of it may go with as many others.
const LOST: f64 = 0.5;
const OTHERS: f64 = 0.5;

/// Its quantities.
pub(super) fn measure(subject: &Subject, seed: u64, count: usize) -> Result<Vec<Quantity>> {
    let (session, model) = (subject.session, subject.session.model());
    let heads = session.spec().heads;
    let (sequences, period) = some_repeats(&pool(session), session.spec().context, seed, count)?;
    let stripes: Vec<f32> =
        of_repeats(model, &sequences, period)?.iter().map(|head| head.score(Score::Induction)).collect();
    let strongest = (0..stripes.len()).max_by(|a, b| stripes[*a].total_cmp(&stripes[*b])).unwrap_or(0);
    let (found, rest): (Vec<usize>, Vec<usize>) =
        (0..stripes.len()).partition(|head| f64::from(stripes[*head]) >= STRIPE);
    let order = Dice::new(seed, u64::MAX).order(rest.len());
    let others: Vec<usize> = order.into_iter().take(found.len()).map(|at| rest[at]).collect();
    (subject.watch)(0, 3);
    let halves = |without: &[usize]| -> Result<[f64; 2]> {
        let halves = losses(model, &sequences, period, without)?;
        (subject.watch)(1, 0);
        Ok(halves)
    };
    let [whole, without, control] = [halves(&[])?, halves(&found)?, halves(&others)?];
    let gain = |[first, second]: [f64; 2]| first - second;
    let lost = |halves: [f64; 2]| 1.0 - gain(halves) / gain(whole);
    let (place, heads_lost) = (format!("{}.{}", strongest / heads, strongest % heads), lost(without));
    let (many, strongest) = (found.len(), f64::from(stripes[strongest]));
    Ok(vec![
        Quantity::at_least(format!("strongest induction stripe ({place})"), strongest, STRIPE),
        Quantity::at_most("loss on the repeat / before it", whole[1] / whole[0], REPEATED),
        Quantity::at_least(format!("saving lost without {many} such heads"), heads_lost, LOST),
        Quantity::at_most(format!("lost without {} others / that", others.len()), lost(control) / heads_lost, OTHERS),
    ])
}

/// The mean loss, in nats, before the repeat and in it, with some heads' z set to zero. The first token of the repeat is in neither: nobody
/// can know that it begins.
fn losses(model: &dyn Model, sequences: &[Vec<u32>], period: usize, without: &[usize]) -> Result<[f64; 2]> {
    let mut sums = [0.0; 2];
    for ids in sequences {
        let mut tap = Without(without);
        let logits = model.unembed(&model.final_norm(&forward(model, &[ids], &mut tap)?)?, None)?;
        for at in (1..ids.len()).filter(|at| *at != period) {
            let row = logits.get(at - 1)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
            sums[usize::from(at > period)] -= Softmax::new(&row)?.log_probability(row[ids[at] as usize]);
        }
    }
    let count = (sequences.len() * (period - 1)) as f64;
    Ok(sums.map(|sum| sum / count))
}

/// Sets what some heads carry to zero; heads are numbered layer by layer.
struct Without<'a>(&'a [usize]);

impl Tap for Without<'_> {
    fn wants(&self, site: Site) -> bool {
        site.at == Activation::Z && !self.0.is_empty()
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        let heads = x.dims3()?.1;
        let keep: Vec<f32> = (0..heads).map(|head| f32::from(!self.0.contains(&(site.layer * heads + head)))).collect();
        let keep = Tensor::from_vec(keep, (1, heads, 1), x.device())?.to_dtype(x.dtype())?;
        Ok(x.broadcast_mul(&keep)?)
    }
}
