//! The circuit as a figure, as data and as a table.

use super::{Found, input, name};
use crate::analysis::patching::Metric;
use crate::analysis::patching::edges::{Edge, Node};
use crate::error::Result;
use crate::export::table::{number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::edges::{circuit, curve};
use crate::figure::{Figure, GraphEdge, GraphNode};
use crate::findings::subject::About;
use crate::findings::{Findings, patching::measure};
use crate::named::Named;
use crate::text::count;
use serde_json::{Map, Value, json};

impl Found<'_> {
    fn lines(&self) -> Vec<String> {
        let signed = |x: f64| format!("{x:+.3}").replace('-', "−");
        let (asked, all, steps) = (self.asked(), self.ranked.len(), self.options.steps());
        let metric = measure(&self.subject, &self.question);
        let place = self.subject.after(self.question.position);
        vec![
            self.subject.line(&format!(
                "EAP-IG in {}: the {asked} largest of {}",
                count(steps, "step"),
                count(all, "edge")
            )),
            format!("corrupt: {}", self.options.corrupt.split_whitespace().collect::<Vec<_>>().join(" ")),
            format!("{metric}{place}: clean {}, corrupt {}", signed(self.values[0]), signed(self.values[1])),
            self.said(),
        ]
    }

    /// How much the circuit makes by itself, and what is not drawn of it.
    pub(super) fn said(&self) -> String {
        let share = format!("{:.3}", self.faithfulness()).replace('-', "−");
        let share = if share == "−0.000" { "0.000" } else { &share };
        let (asked, left) = (self.asked(), self.asked() - self.circuit.len());
        let pruned = match left {
            0 => String::new(),
            1 => "; 1 leads from no embedding or to no logits, and is left out".to_owned(),
            _ => format!("; {left} of them lead from no embedding or to no logits, and are left out"),
        };
        let these = match asked {
            1 => "run by itself, this edge makes".to_owned(),
            _ => format!("run by themselves, these {asked} make"),
        };
        format!("{these} {share} of the difference (faithfulness){pruned}")
    }

    /// The nodes of the circuit, by their numbers.
    pub(super) fn nodes(&self) -> Vec<usize> {
        let ends = |edge: &Edge| [edge.writer, self.reads(edge)];
        let mut nodes: Vec<usize> = self.circuit.iter().flat_map(ends).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// The number of the node that reads.
    pub(super) fn reads(&self, edge: &Edge) -> usize {
        self.wiring.number(self.wiring.reader(edge.reader).node())
    }

    /// What the ends of an edge are called, and what it goes into there.
    pub(super) fn names(&self, edge: &Edge) -> [String; 3] {
        let reader = self.wiring.reader(edge.reader);
        [name(self.wiring.node(edge.writer)), name(reader.node()), input(reader).1.to_owned()]
    }

    /// An edge of the circuit, or one that is pruned or out of it.
    fn place(&self, rank: usize, edge: &Edge) -> &'static str {
        match rank < self.asked() {
            false => "out",
            true if self.circuit.contains(edge) => "in",
            true => "pruned",
        }
    }
}

fn rank(node: Node, layers: usize) -> usize {
    match node {
        Node::Embedding => 0,
        Node::Head(layer, _) => 2 * layer + 1,
        Node::Mlp(layer) => 2 * layer + 2,
        Node::Logits => 2 * layers + 1,
    }
}

impl Findings for Found<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let nodes = self.nodes();
        let at = |number: usize| nodes.partition_point(|node| *node < number);
        let drawn = |number: &usize| {
            let node = self.wiring.node(*number);
            GraphNode { label: name(node), rank: rank(node, self.wiring.layers) }
        };
        let edge = |edge: &Edge| {
            let kind = input(self.wiring.reader(edge.reader)).0;
            GraphEdge { from: at(edge.writer), to: at(self.reads(edge)), kind, weight: self.effect(edge) as f32 }
        };
        let graph = circuit(nodes.iter().map(drawn).collect(), self.circuit.iter().map(edge).collect());
        self.options.style.figure(&self.subject, self.lines(), vec![graph, curve(&self.curve)])
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let array = |name: &str, values: Vec<f32>| Array { name: name.into(), shape: vec![values.len()], values };
        let of_edges = |of: &dyn Fn(&Edge) -> f64| self.ranked.iter().map(|edge| of(edge) as f32).collect();
        let arrays = vec![
            array("edges.writer", of_edges(&|edge| edge.writer as f64)),
            array("edges.reader", of_edges(&|edge| edge.reader as f64)),
            array("edges.score", of_edges(&|edge| edge.score)),
            array("curve.edges", self.curve.iter().map(|(size, _)| *size as f32).collect()),
            array("curve.faithfulness", self.curve.iter().map(|(_, share)| *share as f32).collect()),
        ];
        let one = |(at, edge): (usize, &Edge)| {
            let ([from, to, input], place) = (self.names(edge), self.place(at, edge));
            json!({ "from": from, "to": to, "input": input, "score": edge.score, "effect": self.effect(edge), "circuit": place })
        };
        let edges: Value = self.ranked.iter().enumerate().map(one).collect();
        let curve: Value =
            self.curve.iter().map(|(size, share)| json!({ "edges": size, "faithfulness": share })).collect();
        let readers = (0..self.wiring.readers()).map(|reader| {
            let reader = self.wiring.reader(reader);
            [name(reader.node()), input(reader).1.to_owned()].join(" ").trim_end().to_owned()
        });
        let writers = (0..self.wiring.writers()).map(|writer| name(self.wiring.node(writer)));
        let (metric, position) = (self.options.metric, self.question.position);
        let answer = if metric == Metric::Kl { Value::Null } else { self.question.answer.into() };
        let settings = Map::from_iter([
            ("metric".into(), metric.name().into()),
            ("answer".into(), answer),
            ("foil".into(), json!(self.question.foil)),
            ("position".into(), position.into()),
            ("steps".into(), self.options.steps().into()),
            ("circuit".into(), self.asked().into()),
            ("bos".into(), self.options.reading.bos.into()),
        ]);
        let fields = Map::from_iter([
            ("clean".into(), json!(self.values[0])),
            ("corrupt".into(), json!(self.values[1])),
            ("corrupt_tokens".into(), json!(self.corrupt)),
            ("faithfulness".into(), json!(self.faithfulness())),
            ("kept".into(), self.circuit.len().into()),
            ("edges".into(), edges),
            ("curve".into(), curve),
            ("writers".into(), writers.collect()),
            ("readers".into(), readers.collect()),
        ]);
        Ok(self.subject.data(vec![Entry { method: "eap-ig".into(), settings, fields, arrays }]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let columns = vec![
            whole("rank"),
            text("from"),
            text("to"),
            text("input"),
            number("score"),
            number("effect"),
            text("circuit"),
        ];
        let row = |(at, edge): (usize, &Edge)| {
            let [from, to, input] = self.names(edge);
            let numbers = [edge.score as f32, self.effect(edge) as f32].map(Into::into);
            let named = [(at + 1).into(), from.into(), to.into(), input.into()];
            named.into_iter().chain(numbers).chain([self.place(at, edge).into()]).collect()
        };
        Ok(Table { columns, rows: self.ranked.iter().enumerate().map(row).collect() })
    }

    fn dot(&self) -> Result<String> {
        Ok(self.as_dot())
    }

    fn remarks(&self) -> Vec<String> {
        vec![self.said()]
    }
}
