//! A graph by layers, as plain data.

use serde::{Deserialize, Serialize};

/// Nodes in ranks, the first one lowest, with edges from lower ranks to higher ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Graph {
    /// Stands above the graph.
    pub title: String,
    /// The nodes.
    pub nodes: Vec<GraphNode>,
    /// The edges.
    pub edges: Vec<GraphEdge>,
    /// What each kind of edge is, such as `into queries`; each has a colour, and the first three arrive side by side.
    pub kinds: Vec<String>,
    /// What is drawn for edges of several kinds together.
    pub shared: String,
    /// What an edge of negative weight is; it is dashed.
    pub against: String,
    /// A remark under the graph.
    pub note: String,
}

/// A node of a [`Graph`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GraphNode {
    /// Stands in it.
    pub label: String,
    /// Its rank; ranks without nodes take no room.
    pub rank: usize,
}

/// An edge of a [`Graph`].
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct GraphEdge {
    /// The lower node.
    pub from: usize,
    /// The higher node.
    pub to: usize,
    /// Which kind of edge it is.
    pub kind: usize,
    /// How thick it is.
    pub weight: f32,
}

impl Graph {
    /// Where edges of a kind arrive, as a part of a node's width from its middle.
    pub(crate) fn port(&self, kind: usize) -> f32 {
        [-0.3, 0.0, 0.3].get(kind).copied().unwrap_or_default()
    }
}
