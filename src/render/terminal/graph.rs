use super::Page;
use super::text::{columns, fit, pad, short};
use crate::figure::{Graph, GraphEdge, Ink};

/// The most edges of a node that are listed.
const MOST: usize = 8;
const WIDEST: usize = 20;

impl Page {
    /// Each node, the highest first, with what its edges come from, the largest first: lines cannot be drawn with letters.
    pub(super) fn graph(&mut self, graph: &Graph) {
        self.lines(&graph.title, Ink::Strong);
        let mut order: Vec<usize> = (0..graph.nodes.len()).collect();
        order.sort_by_key(|node| std::cmp::Reverse(graph.nodes[*node].rank));
        let label = |node: usize| graph.nodes.get(node).map_or(String::new(), |node| fit(&node.label, WIDEST));
        let wide = order.iter().map(|node| columns(&label(*node))).max().unwrap_or(0);
        for node in order {
            for (kind, name) in graph.kinds.iter().enumerate() {
                let of_kind = |edge: &&GraphEdge| edge.to == node && edge.kind == kind;
                let mut edges: Vec<&GraphEdge> = graph.edges.iter().filter(of_kind).collect();
                edges.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
                if edges.is_empty() {
                    continue;
                }
                let from = |edge: &&GraphEdge| format!("{} {}", label(edge.from), short(edge.weight));
                let mut from: Vec<String> = edges.iter().map(from).collect();
                if edges.len() > MOST {
                    from[MOST - 1] = format!("… {} more", edges.len() - MOST + 1);
                    from.truncate(MOST);
                }
                self.write(&format!("{} ← ", pad(&label(node), wide, true)), Ink::Normal);
                let room = self.width.saturating_sub(wide + 3);
                self.write(&fit(&format!("{name}: {}", from.join("  ")), room), Ink::Soft);
                self.pen.end();
            }
        }
        self.lines(&graph.note, Ink::Soft);
    }
}
