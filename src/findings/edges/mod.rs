//! Which edges make the difference between two prompts, and how much of it their circuit makes by itself.

mod dot;
mod options;
mod shown;

pub use options::Options;

use super::patching::corrupt;
use super::subject::Subject;
use super::{Analysis, Cost, Findings, Output, Reading, Style};
use crate::analysis::patching::Question;
use crate::analysis::patching::edges::{Edge, Edges, Node, Reader, Wiring, ranked};
use crate::error::Result;
use crate::model::{End, Spec};
use rayon::prelude::*;

impl Analysis for Options {
    fn reading(&self) -> Reading {
        self.reading
    }

    fn style(&self) -> Style {
        self.style.clone()
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        self.check_all(outputs)
    }

    fn fits(&self, spec: &Spec) -> Result<()> {
        self.fits_all(spec)
    }

    /// What every writer moves, thrice; the activations of both runs, and those of one that is followed backwards.
    fn cost(&self, spec: &Spec, tokens: usize, _: &[Output]) -> Cost {
        let (n, d, layers) = (tokens as u64, spec.d_model as u64, spec.layers as u64);
        let moved = 3 * Wiring::of(spec).writers() as u64 * n * d;
        let patterns = spec.heads as u64 * n * n;
        let kept = 2 * layers * (5 * n * d + patterns);
        let followed = layers * (24 * n * d + 3 * n * spec.d_mlp as u64 + 5 * patterns);
        let of_a_layer = 2 * (3 * spec.heads as u64 + 1) * n * d;
        Cost { memory: 4 * (moved + kept + followed + of_a_layer), ..Cost::default() }
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(Found::find(self, subject)?))
    }
}

/// What was found of one pair of prompts.
struct Found<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    question: Question,
    /// What each token of the corrupt prompt is called.
    corrupt: Vec<String>,
    wiring: Wiring,
    /// What is measured of the clean run and of the corrupt one.
    values: [f64; 2],
    /// All edges, the largest first.
    ranked: Vec<Edge>,
    /// Those of the circuit that connect embedding and logits.
    circuit: Vec<Edge>,
    /// Numbers of edges, with the faithfulness of their circuit.
    curve: Vec<(usize, f64)>,
}

impl<'a> Found<'a> {
    fn find(options: &'a Options, subject: Subject<'a>) -> Result<Self> {
        let session = subject.session;
        session.has_next_tokens()?;
        let pair = options.pair();
        let corrupt = corrupt(&pair, &subject)?;
        let question = pair.question(&subject, &corrupt)?;
        let edges = Edges::new(session.model(), [&subject.prompt.ids, &corrupt.ids], question)?;
        let ranked = ranked(edges.scores(options.steps(), subject.watch)?);
        let sizes = sizes(ranked.len(), options.circuit(ranked.len()));
        (subject.watch)(0, sizes.len());
        let measured = |size: usize| -> Result<(usize, f64)> {
            let faithfulness = edges.faithfulness(&ranked[..size])?;
            (subject.watch)(1, 0);
            Ok((size, faithfulness))
        };
        // One circuit is too small for all processors.
        let curve = sizes.into_par_iter().with_max_len(1).map(measured).collect::<Result<_>>()?;
        let circuit = edges.wiring.pruned(&ranked[..options.circuit(ranked.len())]);
        let (wiring, values) = (edges.wiring, edges.values());
        let corrupt = corrupt.tokens.into_iter().map(|token| token.label).collect();
        Ok(Self { options, subject, question, corrupt, wiring, values, ranked, circuit, curve })
    }

    /// How many edges the circuit has before it is pruned.
    fn asked(&self) -> usize {
        self.options.circuit(self.ranked.len())
    }

    /// The faithfulness of the circuit.
    fn faithfulness(&self) -> f64 {
        self.curve.iter().find(|(size, _)| *size == self.asked()).map_or(f64::NAN, |(_, faithfulness)| *faithfulness)
    }

    /// What an edge brings of the difference between both runs, to first order.
    fn effect(&self, edge: &Edge) -> f64 {
        -edge.score / (self.values[0] - self.values[1])
    }
}

/// Sizes of circuits that are run: powers of two up to all edges, and the one that was asked for.
fn sizes(all: usize, asked: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = (0..usize::BITS).map(|bit| 1 << bit).take_while(|size| *size < all).collect();
    sizes.extend([0, asked, all]);
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// What a node is called.
fn name(node: Node) -> String {
    match node {
        Node::Embedding => "embedding".into(),
        Node::Head(layer, head) => format!("{layer}.{head}"),
        Node::Mlp(layer) => format!("MLP {layer}"),
        Node::Logits => "logits".into(),
    }
}

/// Which of a head's inputs it is, or none: its number among the kinds of edges, and its name.
fn input(reader: Reader) -> (usize, &'static str) {
    match reader {
        Reader::Head(.., End::Query) => (0, "q"),
        Reader::Head(.., End::Key) => (1, "k"),
        Reader::Head(.., End::Value) => (2, "v"),
        Reader::Mlp(_) | Reader::Logits => (3, ""),
    }
}
