//! Where the parts of a layered graph stand (after Sugiyama et al. 1981): an edge over several ranks has a place in each of them, so that
//! it runs between nodes and not through them. Edges of one source share these places: its lane.

use crate::figure::Graph;
use std::collections::HashMap;

/// Sweeps over all ranks; more change little.
const SWEEPS: usize = 12;
/// Room between neighbours: of nodes, and of a lane.
const GAP: f32 = 14.0;
const LANE: f32 = 7.0;

/// Something that stands in a rank.
#[derive(Debug)]
pub struct Place {
    /// The node, or the one whose lane it is.
    pub node: usize,
    pub is_lane: bool,
    pub rank: usize,
    /// Its middle.
    pub x: f32,
    width: f32,
    below: Vec<usize>,
    above: Vec<usize>,
}

/// All places of a graph.
#[derive(Debug, Default)]
pub struct Places {
    pub all: Vec<Place>,
    /// The place of a node at a rank: itself, or its lane.
    at: HashMap<(usize, usize), usize>,
    pub ranks: usize,
    pub width: f32,
}

impl Places {
    /// Places nodes of these widths.
    pub fn new(graph: &Graph, widths: &[f32]) -> Self {
        let mut used: Vec<usize> = graph.nodes.iter().map(|node| node.rank).collect();
        used.sort_unstable();
        used.dedup();
        let mut places = Self { ranks: used.len(), ..Self::default() };
        for (node, width) in widths.iter().enumerate() {
            places.add(node, used.partition_point(|rank| *rank < graph.nodes[node].rank), *width);
        }
        for edge in &graph.edges {
            let (from, to) = (places.all[edge.from].rank, places.all[edge.to].rank);
            for rank in from + 1..to {
                if !places.at.contains_key(&(edge.from, rank)) {
                    let lane = places.add(edge.from, rank, 0.0);
                    places.link(places.at[&(edge.from, rank - 1)], lane);
                }
            }
            places.link(places.at[&(edge.from, to - 1)], edge.to);
        }
        places.settle();
        places
    }

    /// The place of a node at a rank from its own up to where its lane ends.
    pub fn carrier(&self, node: usize, rank: usize) -> &Place {
        &self.all[self.at[&(node, rank)]]
    }

    fn add(&mut self, node: usize, rank: usize, width: f32) -> usize {
        let is_lane = self.all.get(node).is_some();
        self.at.insert((node, rank), self.all.len());
        self.all.push(Place { node, is_lane, rank, x: 0.0, width, below: Vec::new(), above: Vec::new() });
        self.all.len() - 1
    }

    fn link(&mut self, lower: usize, upper: usize) {
        self.all[lower].above.push(upper);
        self.all[upper].below.push(lower);
    }

    /// First the order within each rank, then places in that order.
    fn settle(&mut self) {
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); self.ranks];
        self.all.iter().enumerate().for_each(|(i, place)| rows[place.rank].push(i));
        rows.iter().for_each(|row| self.spread(row));
        for sweep in 0..SWEEPS {
            for step in 0..rows.len() {
                let rank = if sweep % 2 == 0 { step } else { rows.len() - 1 - step };
                let wishes: HashMap<usize, f32> =
                    rows[rank].iter().map(|i| (*i, self.wish(*i, sweep % 2 == 0).unwrap_or(self.all[*i].x))).collect();
                rows[rank].sort_by(|a, b| wishes[a].total_cmp(&wishes[b]));
                self.spread(&rows[rank]);
            }
        }
        for sweep in 0..SWEEPS {
            for step in 0..rows.len() {
                let rank = if sweep % 2 == 0 { step } else { rows.len() - 1 - step };
                let row = &rows[rank];
                let wishes: Vec<f32> =
                    row.iter().map(|i| self.wish(*i, sweep % 2 == 0).unwrap_or(self.all[*i].x)).collect();
                let offsets = self.offsets(row);
                let wished: Vec<f32> = wishes.iter().zip(&offsets).map(|(wish, offset)| wish - offset).collect();
                for ((i, x), offset) in row.iter().zip(ascending(&wished)).zip(offsets) {
                    self.all[*i].x = x + offset;
                }
            }
        }
        let edge = |place: &Place, side: f32| place.x + side * place.width / 2.0;
        let left = self.all.iter().map(|place| edge(place, -1.0)).fold(f32::MAX, f32::min);
        self.all.iter_mut().for_each(|place| place.x -= left);
        self.width = self.all.iter().map(|place| edge(place, 1.0)).fold(0.0, f32::max);
    }

    /// The middle of what it is linked with on one side.
    fn wish(&self, place: usize, below: bool) -> Option<f32> {
        let others = if below { &self.all[place].below } else { &self.all[place].above };
        let sum: f32 = others.iter().map(|other| self.all[*other].x).sum();
        (!others.is_empty()).then(|| sum / others.len() as f32)
    }

    /// How far the middles of a row are from the first one's, as close as they may be.
    fn offsets(&self, row: &[usize]) -> Vec<f32> {
        let mut offset = 0.0;
        let room = |i: usize| {
            let place = &self.all[i];
            place.width / 2.0 + if place.is_lane { LANE } else { GAP } / 2.0
        };
        let next = |at: usize| {
            offset += if at == 0 { 0.0 } else { room(row[at - 1]) + room(row[at]) };
            offset
        };
        (0..row.len()).map(next).collect()
    }

    /// As close as they may be, around 0.
    fn spread(&mut self, row: &[usize]) {
        let offsets = self.offsets(row);
        let middle = offsets.last().map_or(0.0, |last| last / 2.0);
        row.iter().zip(offsets).for_each(|(i, offset)| self.all[*i].x = offset - middle);
    }
}

/// The ascending numbers that are nearest to these: neighbours out of order share their mean.
fn ascending(wished: &[f32]) -> Vec<f32> {
    let mut pools: Vec<(f32, usize)> = Vec::new();
    for wish in wished {
        pools.push((*wish, 1));
        while let [.., (a, n), (b, m)] = pools[..]
            && a > b
        {
            pools.truncate(pools.len() - 2);
            pools.push(((a * n as f32 + b * m as f32) / (n + m) as f32, n + m));
        }
    }
    pools.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{GraphEdge, GraphNode};

    #[test]
    fn numbers_out_of_order_share_their_mean() {
        assert_eq!(ascending(&[1.0, 3.0, 2.0, 0.0, 9.0]), [1.0, 5.0 / 3.0, 5.0 / 3.0, 5.0 / 3.0, 9.0]);
    }

    #[test]
    fn nothing_in_a_rank_stands_on_anything_else() {
        let node = |rank: usize| GraphNode { label: String::new(), rank };
        let nodes: Vec<_> = [0, 3, 3, 5, 5, 5, 9].map(node).into_iter().collect();
        let edge = |from: usize, to: usize| GraphEdge { from, to, kind: 0, weight: 1.0 };
        let edges = [(0, 6), (0, 1), (1, 3), (1, 6), (2, 6), (2, 3), (2, 4), (5, 6), (0, 5)];
        let graph = Graph { nodes, edges: edges.map(|(a, b)| edge(a, b)).to_vec(), ..Graph::default() };
        let places = Places::new(&graph, &[40.0; 7]);
        // A lane of the embedding in two ranks, and of both nodes above it in one.
        assert_eq!((places.ranks, places.all.len()), (4, 7 + 2 + 2));
        for (i, a) in places.all.iter().enumerate() {
            for b in places.all[..i].iter().filter(|b| b.rank == a.rank) {
                assert!((a.x - b.x).abs() + 0.01 >= (a.width + b.width) / 2.0 + LANE, "{a:?} {b:?}");
            }
        }
    }
}
