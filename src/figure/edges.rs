//! The figure of `patch --edges`: the circuit, and how faithful circuits of the best edges are.

use super::number::number;
use super::{Curves, Graph, GraphEdge, GraphNode, Panel, ScaleKind, Series};

/// A circuit; an edge's weight is its effect, and its kind what it goes into.
pub fn circuit(nodes: Vec<GraphNode>, edges: Vec<GraphEdge>) -> Panel {
    let largest = edges.iter().map(|edge| edge.weight.abs()).fold(0.0, f32::max);
    let note = match edges.is_empty() {
        true => "no edge of the circuit is on a way from the embedding to the logits".into(),
        false => format!(
            "the thickest edge has an estimated effect of {} of the difference; edges of one source share their way until they part",
            number(largest)
        ),
    };
    let kinds = ["into queries", "into keys", "into values", "into MLPs and logits"].map(String::from).to_vec();
    let (shared, against) = ("several of these".into(), "dashed: works against the answer".into());
    Panel::Graph(Graph { title: String::new(), nodes, edges, kinds, shared, against, note })
}

/// Faithfulness by the number of edges.
pub fn curve(points: &[(usize, f64)]) -> Panel {
    let points: Vec<(f32, f32)> =
        points.iter().filter(|(size, _)| *size > 0).map(|(size, share)| (*size as f32, *share as f32)).collect();
    let line = |name: &str, ys: Vec<f32>, faint| {
        let xs = points.iter().map(|(size, _)| *size).collect();
        Series { name: name.into(), xs, ys, faint }
    };
    let measured = line("circuit", points.iter().map(|(_, share)| *share).collect(), false);
    Panel::Curves(Curves {
        title: "Faithfulness by number of edges".into(),
        x_axis: "edges, largest first (logarithmic)".into(),
        y_axis: "share of the difference".into(),
        x_kind: ScaleKind::Log,
        series: vec![measured, line("clean run", vec![1.0; points.len()], true)],
        note: "each circuit was run, with the corrupt run's value on every other edge".into(),
    })
}
