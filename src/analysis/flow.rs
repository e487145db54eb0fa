//! Attention flow: how much can reach a position from each input token if every edge of the attention graph carries no more
//! than its weight (Abnar & Zuidema 2020).
//!
//! The maximum is exact: capacities are integers, and Dinic's algorithm (1970) finds it. A flow to one token is not thrown away for the
//! next: what has arrived there is led on as far as it goes, and only the rest is sought from the position. This is no approximation: where
//! neither the position nor an earlier token with something left has a way on, the nodes that they reach are cut off by full edges only,
//! so that no flow from the position is larger. A token is led to before those in front of it, which no flow to it passes. Whether an edge
//! has room is a bit, so that a node asks for all its ways on at once.

use rayon::prelude::*;
use std::ops::Range;

/// Capacity 1, as an integer: weights keep twelve digits, and sums of a row do not overflow.
const ONE: f64 = (1u64 << 40) as f64;
/// Nodes in a word of bits.
const WORD: usize = u64::BITS as usize;

/// The attention graph of all layers: node i of a level has an edge to each node j ≤ i of the level below.
pub struct Graph {
    nodes: usize,
    /// The capacities of each layer: row by row of the lower triangle.
    layers: Vec<Vec<u64>>,
}

impl Graph {
    /// `layers` are lower triangles `[n, n]` with the residual in them, first layer first (see [`super::rollout::with_residual`]).
    pub fn new(layers: &[Vec<f64>], n: usize) -> Self {
        let capacity = |weight: &f64| (weight * ONE).round() as u64;
        let triangle = |layer: &Vec<f64>| {
            layer.chunks(n).enumerate().flat_map(|(i, row)| row[..=i].iter().map(capacity)).collect()
        };
        Self { nodes: n, layers: layers.iter().map(triangle).collect() }
    }

    /// The flow from each input token to `row` of the last layer, as shares that sum to 1, `[n]`. Its tokens are divided among so many
    /// threads.
    pub fn shares(&self, row: usize, threads: usize) -> Vec<f64> {
        let size = (row + 1).div_ceil(threads.max(1));
        let parts = (0..row + 1).into_par_iter().step_by(size).map(|first| first..(row + 1).min(first + size));
        let mut flows: Vec<f64> = parts.flat_map_iter(|tokens| Residual::new(self, row).flows(tokens)).collect();
        let total: f64 = flows.iter().sum();
        flows.iter_mut().for_each(|flow| *flow /= if total > 0.0 { total } else { 1.0 });
        flows.resize(self.nodes, 0.0);
        flows
    }
}

/// The flow from each input token to `row` of the last layer, as [`Graph::shares`] gives it.
pub fn flow(layers: &[Vec<f64>], n: usize, row: usize) -> Vec<f64> {
    Graph::new(layers, n).shares(row, rayon::current_num_threads())
}

/// A node: its level, 0 for the input, and its position.
type Node = (usize, usize);

/// A set of nodes: the bits of each level.
#[derive(Clone)]
struct Nodes {
    words: usize,
    bits: Vec<u64>,
}

impl Nodes {
    fn none(levels: usize, words: usize) -> Self {
        Self { words, bits: vec![0; levels * words] }
    }

    fn level(&self, level: usize) -> &[u64] {
        &self.bits[level * self.words..][..self.words]
    }

    fn put(&mut self, (level, at): Node, is_in: bool) {
        put(&mut self.bits[level * self.words..][..self.words], at, is_in);
    }

    fn has(&self, (level, at): Node) -> bool {
        self.level(level)[at / WORD] >> (at % WORD) & 1 == 1
    }

    /// All of them, in order.
    fn each(&self) -> impl Iterator<Item = Node> + '_ {
        self.bits.iter().enumerate().flat_map(|(word, bits)| {
            let (level, first) = (word / self.words, word % self.words * WORD);
            let mut bits = *bits;
            std::iter::from_fn(move || {
                let at = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some((level, first + at))
            })
        })
    }
}

fn put(bits: &mut [u64], at: usize, is_in: bool) {
    let bit = 1 << (at % WORD);
    if is_in { bits[at / WORD] |= bit } else { bits[at / WORD] &= !bit }
}

/// The graph below one position, with what its edges still carry.
struct Residual<'a> {
    graph: &'a Graph,
    row: usize,
    /// What is left of each edge's capacity, by layer.
    left: Vec<Vec<u64>>,
    /// Where something is left on the way down from a node of the level above a layer.
    down: Vec<Nodes>,
    /// Where something flows, and can be taken back, from the level above a layer to a node below it.
    up: Vec<Nodes>,
    /// What has arrived at each input token and stayed.
    stayed: Vec<u64>,
}

impl<'a> Residual<'a> {
    fn new(graph: &'a Graph, row: usize) -> Self {
        let (nodes, words) = (row + 1, (row + 1).div_ceil(WORD));
        let left: Vec<Vec<u64>> = graph.layers.iter().map(|layer| layer[..edge(nodes, 0)].to_vec()).collect();
        let down = left.iter().map(|left| {
            let mut open = Nodes::none(nodes, words);
            for from in 0..nodes {
                (0..=from).filter(|to| left[edge(from, *to)] > 0).for_each(|to| open.put((from, to), true));
            }
            open
        });
        let down = down.collect();
        let up = vec![Nodes::none(nodes, words); left.len()];
        Self { graph, row, left, down, up, stayed: vec![0; nodes] }
    }

    /// The largest flow to each of these tokens.
    fn flows(mut self, tokens: Range<usize>) -> Vec<f64> {
        let mut flows: Vec<f64> = tokens
            .rev()
            .map(|token| {
                while let Some(mut rings) = self.rings(token) {
                    self.block(&mut rings, token);
                }
                self.stayed[token] as f64
            })
            .collect();
        flows.reverse();
        flows
    }

    /// The nodes by their distance from where flow can come from, as far as the token; none if it is cut off.
    fn rings(&self, token: usize) -> Option<Vec<Nodes>> {
        let (levels, words) = (self.left.len() + 1, self.row / WORD + 1);
        let mut first = Nodes::none(levels, words);
        first.put((levels - 1, self.row), true);
        self.stayed.iter().enumerate().filter(|(_, stayed)| **stayed > 0).for_each(|(at, _)| first.put((0, at), true));
        first.put((0, token), false);
        let mut unseen = Nodes::none(levels, words);
        for level in 0..levels - 1 {
            (token..=self.row).for_each(|at| unseen.put((level, at), !first.has((level, at))));
        }
        let mut rings = vec![first];
        loop {
            let mut next = Nodes::none(levels, words);
            for (level, at) in rings.last()?.each() {
                let mut reach = |level: usize, open: &[u64]| {
                    let place = level * words..(level + 1) * words;
                    for ((next, unseen), open) in
                        next.bits[place.clone()].iter_mut().zip(&mut unseen.bits[place]).zip(open)
                    {
                        *next |= open & *unseen;
                        *unseen &= !open;
                    }
                };
                if level > 0 {
                    reach(level - 1, self.down[level - 1].level(at));
                }
                if level + 1 < levels {
                    reach(level + 1, self.up[level].level(at));
                }
            }
            if next.has((0, token)) {
                next = Nodes::none(levels, words);
                next.put((0, token), true);
                rings.push(next);
                return Some(rings);
            }
            if next.bits.iter().all(|bits| *bits == 0) {
                return None;
            }
            rings.push(next);
        }
    }

    /// A blocking flow: along shortest paths, until each of them has a full edge.
    fn block(&mut self, rings: &mut [Nodes], token: usize) {
        let sources: Vec<Node> = rings[0].each().collect();
        for source in sources {
            let mut path = vec![source];
            while let Some(&node) = path.last() {
                if node == (0, token) {
                    let cut = self.push(&path);
                    path.truncate(cut + 1);
                    if source.0 == 0 && self.stayed[source.1] == 0 {
                        break;
                    }
                } else if let Some(next) = self.onward(node, &rings[path.len()]) {
                    path.push(next);
                } else {
                    path.pop();
                    rings[path.len()].put(node, false);
                }
            }
        }
    }

    /// A node of the next ring that a node has a way to.
    fn onward(&self, (level, at): Node, ring: &Nodes) -> Option<Node> {
        let first = |level: usize, open: &[u64]| {
            let both = open.iter().zip(ring.level(level)).map(|(open, ring)| open & ring);
            let found = both.enumerate().find(|(_, both)| *both != 0);
            found.map(|(word, both)| (level, word * WORD + both.trailing_zeros() as usize))
        };
        let below = if level > 0 { first(level - 1, self.down[level - 1].level(at)) } else { None };
        let above = || if level < self.left.len() { first(level + 1, self.up[level].level(at)) } else { None };
        below.or_else(above)
    }

    /// Sends as much as a path carries along it; the place of the first node that cannot send more.
    fn push(&mut self, path: &[Node]) -> usize {
        let room = |[from, to]: [Node; 2]| {
            let (layer, edge) = between(from, to);
            let left = self.left[layer][edge];
            if from.0 > to.0 { left } else { self.graph.layers[layer][edge] - left }
        };
        let (source, token) = (path[0], path[path.len() - 1].1);
        let held = if source.0 == 0 { self.stayed[source.1] } else { u64::MAX };
        let rooms: Vec<u64> = path.windows(2).map(|ends| room([ends[0], ends[1]])).collect();
        let pushed = rooms.iter().copied().fold(held, u64::min);
        for (ends, room) in path.windows(2).zip(&rooms) {
            let (from, to) = (ends[0], ends[1]);
            let (layer, edge) = between(from, to);
            let (left, stays_open) = (&mut self.left[layer][edge], *room > pushed);
            if from.0 > to.0 {
                *left -= pushed;
                self.down[layer].put((from.1, to.1), stays_open);
                self.up[layer].put((to.1, from.1), true);
            } else {
                *left += pushed;
                self.up[layer].put((from.1, to.1), stays_open);
                self.down[layer].put((to.1, from.1), true);
            }
        }
        self.stayed[token] += pushed;
        if source.0 == 0 {
            self.stayed[source.1] -= pushed;
        }
        rooms.iter().position(|room| *room == pushed).unwrap_or(0)
    }
}

/// The layer and the edge between two nodes of neighbouring levels.
fn between(from: Node, to: Node) -> (usize, usize) {
    let (above, below) = if from.0 > to.0 { (from, to) } else { (to, from) };
    (below.0, edge(above.1, below.1))
}

/// The place of an edge in a lower triangle.
fn edge(from: usize, to: usize) -> usize {
    from * (from + 1) / 2 + to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_that_is_led_on_is_the_one_that_is_sought_anew() {
        // More nodes than a word has bits; every thread begins anew, so that as many of them as tokens lead nothing on.
        let (n, mut state) = (70, 1u64);
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / f64::from(1 << 24)
        };
        for _ in 0..3 {
            let weight = |at: usize, x: f64| if at % n <= at / n && x > 0.4 { x } else { 0.0 };
            let layers: Vec<Vec<f64>> = (0..4).map(|_| (0..n * n).map(|at| weight(at, random())).collect()).collect();
            let graph = Graph::new(&layers, n);
            for row in [0, 63, 64, n - 1] {
                assert_eq!(graph.shares(row, 1), graph.shares(row, row + 1), "row {row}");
            }
        }
    }
}
