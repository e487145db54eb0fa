//! Why a pair goes wrong: the token at which the gap arises, who writes it there, and what those heads attend to.

use crate::analysis::scoring::Scored;
use crate::analysis::{Parts, Request, attention, direct};
use crate::error::Result;
use crate::session::Session;

/// Writers that are told of a pair, and tokens that are told of a head.
const WRITERS: usize = 4;
const ATTENDED: usize = 2;

/// What was found of one pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The pair's number.
    pub pair: usize,
    /// What the two sentences' scored tokens are called.
    pub tokens: [Vec<String>; 2],
    /// The logarithm of each token's probability, in nats.
    pub log_p: [Vec<f64>; 2],
    /// The place of the token among the scored ones of each sentence.
    pub at: [usize; 2],
    /// How much of the difference of the two sums arises there, in nats: good minus bad.
    pub gap: f64,
    /// Whether two different tokens are compared after the same beginning; else one token after different beginnings.
    pub same_context: bool,
    /// The difference of the two logits there (against the mean of all tokens, where the beginnings differ).
    pub logit: f64,
    /// The largest writers of that difference.
    pub writers: Vec<Writer>,
}

/// A head or an MLP.
#[derive(Clone, Debug, PartialEq)]
pub struct Writer {
    /// Its layer.
    pub layer: usize,
    /// Its head; none of an MLP.
    pub head: Option<usize>,
    /// What it writes of the difference.
    pub amount: f64,
    /// What a head attends to most, in the good sentence and in the bad one: tokens with their shares. Once, where the two begin alike.
    pub attends: Vec<Vec<(String, f32)>>,
}

/// Looks into one pair; `ids` are what the model read, `scored` what it said.
pub(super) fn explain(session: &Session, pair: usize, ids: [&Vec<u32>; 2], scored: [&Scored; 2]) -> Result<Explained> {
    let log_p = scored.map(|scored| scored.tokens.clone());
    // Nothing is scored of what comes first.
    let tokens = ids.map(|ids| &ids[1..]);
    let (at, gap) = place(tokens, &log_p);
    let same_context = tokens[0][..at[0]] == tokens[1][..at[1]] && ids[0][0] == ids[1][0];
    let model = session.model();
    let targets = [tokens[0][at[0]], tokens[1][at[1]]];
    let part = |which: usize, foil| direct(model, &ids[which][..=at[which]], Some(targets[which]), foil, at[which]);
    let parts = if same_context {
        part(0, Some(targets[1]))?.parts
    } else {
        less(&part(0, None)?.centred, &part(1, None)?.centred)
    };
    let heads = session.spec().heads;
    let mut writers: Vec<Writer> = parts.mlp.iter().enumerate().map(|(layer, x)| writer(layer, None, *x)).collect();
    writers.extend(parts.heads.iter().enumerate().map(|(i, x)| writer(i / heads, Some(i % heads), *x)));
    // Those that make the gap, not those that hold against it.
    writers.sort_by(|a, b| (b.amount * gap.signum()).total_cmp(&(a.amount * gap.signum())));
    writers.truncate(WRITERS);
    for writer in &mut writers {
        let Some(head) = writer.head else { continue };
        for which in 0..if same_context { 1 } else { 2 } {
            writer.attends.push(attended(session, &ids[which][..=at[which]], writer.layer, head)?);
        }
    }
    let tokens = tokens.map(|tokens| tokens.iter().map(|id| session.tokenizer.label(*id)).collect());
    Ok(Explained { pair, tokens, log_p, at, gap, same_context, logit: parts.total, writers })
}

fn writer(layer: usize, head: Option<usize>, amount: f64) -> Writer {
    Writer { layer, head, amount, attends: Vec::new() }
}

/// Where most of the gap arises: at the words in which the sentences differ, or at a token that they share after those.
fn place(tokens: [&[u32]; 2], log_p: &[Vec<f64>; 2]) -> ([usize; 2], f64) {
    let [good, bad] = tokens;
    let alike = good.iter().zip(bad).take_while(|(a, b)| a == b).count();
    let first = alike.min(good.len() - 1).min(bad.len() - 1);
    let rest = good.len().min(bad.len()) - first;
    let behind =
        good.iter().rev().zip(bad.iter().rev()).take(rest.saturating_sub(1)).take_while(|(a, b)| a == b).count();
    let sum = |which: usize, len: usize| log_p[which][first..len - behind].iter().sum::<f64>();
    let all = |which: usize| log_p[which].iter().sum::<f64>();
    let sign = (all(0) - all(1)).signum();
    let mut best = ([first, first], sum(0, good.len()) - sum(1, bad.len()));
    for back in 1..=behind {
        let at = [good.len() - back, bad.len() - back];
        let gap = log_p[0][at[0]] - log_p[1][at[1]];
        if gap * sign > best.1 * sign {
            best = (at, gap);
        }
    }
    best
}

fn less(a: &Parts, b: &Parts) -> Parts {
    let each = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
    Parts {
        embedding: a.embedding - b.embedding,
        position: a.position - b.position,
        heads: each(&a.heads, &b.heads),
        attn_bias: each(&a.attn_bias, &b.attn_bias),
        mlp: each(&a.mlp, &b.mlp),
        bias: a.bias - b.bias,
        total: a.total - b.total,
    }
}

/// What a head's last query attends to most.
fn attended(session: &Session, ids: &[u32], layer: usize, head: usize) -> Result<Vec<(String, f32)>> {
    let request = Request { layers: vec![layer], heads: vec![head], ..Request::default() };
    let (attention, _) = attention(session.model(), ids, &request)?;
    let map = &attention.maps[0];
    let row = &map.values[(map.rows - 1) * map.cols..];
    let mut keys: Vec<usize> = (0..row.len()).collect();
    keys.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
    Ok(keys.into_iter().take(ATTENDED).map(|key| (session.tokenizer.label(ids[key]), row[key])).collect())
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_gap_is_where_most_of_it_arises() {
        // a x b c against a y b c: at x and y, or at c.
        let tokens: [&[u32]; 2] = [&[1, 2, 4, 5], &[1, 3, 4, 5]];
        let at = |good: [f64; 4], bad: [f64; 4]| place(tokens, &[good.to_vec(), bad.to_vec()]);
        assert_eq!(at([-1.0, -9.0, -1.0, -1.0], [-1.0, -2.0, -1.0, -2.0]), ([1, 1], -7.0));
        assert_eq!(at([-1.0, -2.0, -1.0, -9.0], [-1.0, -1.0, -1.0, -1.0]), ([3, 3], -8.0));
        // a x b against a x b b: what is shared behind never takes the words in which they differ.
        let tokens: [&[u32]; 2] = [&[1, 2, 3], &[1, 2, 3, 3]];
        let found = place(tokens, &[vec![-1.0; 3], vec![-1.0, -1.0, -1.0, -4.0]]);
        assert!(found.0[0] < 3 && found.0[1] < 4);
        // A sentence that the other one begins with.
        let tokens: [&[u32]; 2] = [&[1, 2], &[1, 2]];
        assert_eq!(place(tokens, &[vec![-1.0; 2], vec![-1.0; 2]]).1, 0.0);
    }
}
