//! Who writes into the residual stream, who reads from it, and the edges between them.

use super::Edge;
use crate::model::{End, Spec};

/// A part of the model, as a writer or as a reader; in this order each reads only from those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// The tokens' embeddings: they read nothing.
    Embedding,
    /// A head, by layer and number.
    Head(usize, usize),
    /// A layer's MLP.
    Mlp(usize),
    /// The logits: they write nothing.
    Logits,
}

/// What reads: a node, of a head one of its three inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reader {
    /// What a head makes its queries, its keys or its values of.
    Head(usize, usize, End),
    /// A layer's MLP.
    Mlp(usize),
    /// The logits.
    Logits,
}

impl Reader {
    /// Whose input it is.
    pub fn node(self) -> Node {
        match self {
            Self::Head(layer, head, _) => Node::Head(layer, head),
            Self::Mlp(layer) => Node::Mlp(layer),
            Self::Logits => Node::Logits,
        }
    }
}

/// A head's inputs, in the order of readers.
pub(super) const ENDS: [End; 3] = [End::Query, End::Key, End::Value];

/// The readers and writers of a model, numbered: of writers the embedding, then each layer's heads and its MLP; of readers each layer's
/// queries, keys and values by head and its MLP, then the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// Blocks.
    pub layers: usize,
    /// Heads in each of them.
    pub heads: usize,
}

impl Wiring {
    /// That of a model of these sizes.
    pub fn of(spec: &Spec) -> Self {
        Self { layers: spec.layers, heads: spec.heads }
    }

    /// How many writers there are below a layer.
    pub fn below(&self, layer: usize) -> usize {
        1 + layer * (self.heads + 1)
    }

    /// How many writers there are.
    pub fn writers(&self) -> usize {
        self.below(self.layers)
    }

    /// How many readers there are.
    pub fn readers(&self) -> usize {
        self.first(self.layers) + 1
    }

    /// How many edges there are.
    pub fn edges(&self) -> usize {
        (0..self.readers()).map(|reader| self.sees(reader)).sum()
    }

    /// The first reader of a layer.
    pub(super) fn first(&self, layer: usize) -> usize {
        layer * (3 * self.heads + 1)
    }

    /// How many writers a reader sees: the first so many.
    pub fn sees(&self, reader: usize) -> usize {
        match self.reader(reader) {
            Reader::Head(layer, ..) => self.below(layer),
            Reader::Mlp(layer) => self.below(layer) + self.heads,
            Reader::Logits => self.writers(),
        }
    }

    /// A reader by its number.
    pub fn reader(&self, number: usize) -> Reader {
        let (layer, at) = (number / (3 * self.heads + 1), number % (3 * self.heads + 1));
        match (layer < self.layers, ENDS.get(at / self.heads)) {
            (false, _) => Reader::Logits,
            (true, Some(end)) => Reader::Head(layer, at % self.heads, *end),
            (true, None) => Reader::Mlp(layer),
        }
    }

    /// A node by its number: that of the writer, the logits after all of them.
    pub fn node(&self, number: usize) -> Node {
        if number == 0 {
            return Node::Embedding;
        }
        let (layer, at) = ((number - 1) / (self.heads + 1), (number - 1) % (self.heads + 1));
        match (layer < self.layers, at < self.heads) {
            (false, _) => Node::Logits,
            (true, true) => Node::Head(layer, at),
            (true, false) => Node::Mlp(layer),
        }
    }

    /// The number of a node.
    pub fn number(&self, node: Node) -> usize {
        match node {
            Node::Embedding => 0,
            Node::Head(layer, head) => self.below(layer) + head,
            Node::Mlp(layer) => self.below(layer) + self.heads,
            Node::Logits => self.writers(),
        }
    }

    /// The same edges without those whose writer nothing reaches from the embedding, or whose reader nothing leads from to the logits: they
    /// change nothing.
    pub fn pruned(&self, edges: &[Edge]) -> Vec<Edge> {
        let end = |edge: &Edge| self.number(self.reader(edge.reader).node());
        let (mut reached, mut leads) = (vec![false; self.writers() + 1], vec![false; self.writers() + 1]);
        (reached[0], leads[self.writers()]) = (true, true);
        let mut order: Vec<&Edge> = edges.iter().collect();
        order.sort_by_key(|edge| end(edge));
        order.iter().for_each(|edge| reached[end(edge)] |= reached[edge.writer]);
        order.sort_by_key(|edge| edge.writer);
        order.iter().rev().for_each(|edge| leads[edge.writer] |= leads[end(edge)]);
        edges.iter().filter(|edge| reached[edge.writer] && leads[end(edge)]).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_one_reader_or_node_and_gpt2_has_32491_edges() {
        let wiring = Wiring { layers: 12, heads: 12 };
        assert_eq!((wiring.writers(), wiring.readers(), wiring.edges()), (157, 445, 32_491));
        assert!((0..=157).all(|number| wiring.number(wiring.node(number)) == number));
        assert_eq!(wiring.reader(0), Reader::Head(0, 0, End::Query));
        assert_eq!(wiring.reader(37 + 25), Reader::Head(1, 1, End::Value));
        assert_eq!((wiring.reader(36), wiring.sees(36)), (Reader::Mlp(0), 13));
        assert_eq!((wiring.reader(444), wiring.node(157)), (Reader::Logits, Node::Logits));
    }

    #[test]
    fn an_edge_that_nothing_reaches_or_that_leads_nowhere_is_pruned() {
        let wiring = Wiring { layers: 2, heads: 1 };
        let edge = |writer: Node, reader: Reader| {
            let reader = (0..wiring.readers()).find(|number| wiring.reader(*number) == reader).unwrap();
            Edge { writer: wiring.number(writer), reader, score: 1.0 }
        };
        let kept = [
            edge(Node::Head(1, 0), Reader::Logits),
            edge(Node::Embedding, Reader::Head(0, 0, End::Value)),
            edge(Node::Head(0, 0), Reader::Head(1, 0, End::Key)),
        ];
        let nowhere = edge(Node::Embedding, Reader::Mlp(0));
        let unreached = edge(Node::Mlp(1), Reader::Logits);
        let all = [kept[0], nowhere, kept[1], unreached, kept[2]];
        assert_eq!(wiring.pruned(&all), kept);
        assert_eq!(wiring.pruned(&kept[..2]), []);
    }
}
