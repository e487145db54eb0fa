//! Attention flow: how much can reach a position from each input token if every edge of the attention graph carries no more
//! than its weight (Abnar & Zuidema 2020).
//!
//! The maximum is exact: capacities are integers, and Dinic's algorithm (1970) finds it.

use rayon::prelude::*;
use std::collections::VecDeque;

/// Capacity 1, as an integer: weights keep twelve digits, and sums of a row do not overflow.
const ONE: f64 = (1u64 << 40) as f64;
/// A node from which the sink cannot be reached.
const AWAY: u32 = u32::MAX;

/// A directed graph with capacities.
#[derive(Default)]
struct Network {
    /// The end of each edge; edge `e ^ 1` is the way back.
    ends: Vec<u32>,
    /// The capacity of each edge.
    capacities: Vec<u64>,
    /// The edges that leave each node.
    from: Vec<Vec<u32>>,
}

impl Network {
    /// A graph with this many nodes and no edge.
    fn new(nodes: usize) -> Self {
        Self { from: vec![Vec::new(); nodes], ..Self::default() }
    }

    /// Adds an edge.
    fn connect(&mut self, from: usize, to: usize, capacity: u64) {
        let edge = self.ends.len() as u32;
        self.from[from].push(edge);
        self.from[to].push(edge + 1);
        self.ends.extend([to as u32, from as u32]);
        self.capacities.extend([capacity, 0]);
    }

    fn end(&self, edge: u32) -> usize {
        self.ends[edge as usize] as usize
    }

    /// The largest flow from a source to a sink.
    fn max_flow(&self, source: usize, sink: usize) -> u64 {
        let mut left = self.capacities.clone();
        let mut total = 0;
        while let Some(mut distance) = self.distances(source, sink, &left) {
            total += self.block(source, sink, &mut left, &mut distance);
        }
        total
    }

    /// How far each node is from the sink along edges with capacity left; `None` if the source is cut off.
    fn distances(&self, source: usize, sink: usize, left: &[u64]) -> Option<Vec<u32>> {
        let mut distance = vec![AWAY; self.from.len()];
        let mut queue = VecDeque::from([sink]);
        distance[sink] = 0;
        while let Some(node) = queue.pop_front() {
            for &edge in &self.from[node] {
                let before = self.end(edge);
                if left[edge as usize ^ 1] > 0 && distance[before] == AWAY {
                    distance[before] = distance[node] + 1;
                    if before == source {
                        return Some(distance);
                    }
                    queue.push_back(before);
                }
            }
        }
        None
    }

    /// A blocking flow: along shortest paths, until each of them has a full edge.
    fn block(&self, source: usize, sink: usize, left: &mut [u64], distance: &mut [u32]) -> u64 {
        let mut cursor = vec![0; self.from.len()];
        let (mut path, mut node, mut total): (Vec<u32>, usize, u64) = (Vec::new(), source, 0);
        loop {
            if node == sink {
                let pushed = path.iter().map(|edge| left[*edge as usize]).min().unwrap_or(0);
                total += pushed;
                for edge in &path {
                    left[*edge as usize] -= pushed;
                    left[*edge as usize ^ 1] += pushed;
                }
                // Goes on from where the path is now cut.
                let cut = path.iter().position(|edge| left[*edge as usize] == 0).unwrap_or(0);
                node = self.end(path[cut] ^ 1);
                path.truncate(cut);
                continue;
            }
            let open = |edge: u32| {
                let next = distance[self.end(edge)];
                left[edge as usize] > 0 && next != AWAY && next + 1 == distance[node]
            };
            let onward = self.from[node][cursor[node]..].iter().position(|edge| open(*edge));
            match onward {
                Some(skipped) => {
                    cursor[node] += skipped;
                    let edge = self.from[node][cursor[node]];
                    path.push(edge);
                    node = self.end(edge);
                }
                None if node == source => return total,
                None => {
                    distance[node] = AWAY;
                    let Some(edge) = path.pop() else { return total };
                    node = self.end(edge ^ 1);
                }
            }
        }
    }
}

/// The flow from each input token to `row` of the last layer, as shares that sum to 1, `[n]`.
///
/// `layers` are lower triangles `[n, n]` with the residual in them, first layer first (see [`super::rollout::with_residual`]).
pub fn flow(layers: &[Vec<f64>], n: usize, row: usize) -> Vec<f64> {
    let seen = row + 1;
    let mut network = Network::new((layers.len() + 1) * seen);
    for (depth, layer) in layers.iter().enumerate() {
        for i in 0..seen {
            for j in 0..=i {
                let capacity = (layer[i * n + j] * ONE).round() as u64;
                if capacity > 0 {
                    network.connect((depth + 1) * seen + i, depth * seen + j, capacity);
                }
            }
        }
    }
    let source = layers.len() * seen + row;
    let mut flows: Vec<f64> = (0..seen).into_par_iter().map(|j| network.max_flow(source, j) as f64).collect();
    let total: f64 = flows.iter().sum();
    flows.iter_mut().for_each(|flow| *flow /= if total > 0.0 { total } else { 1.0 });
    flows.resize(n, 0.0);
    flows
}
