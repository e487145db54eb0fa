//! The circuit for Graphviz.

use super::{Found, input, name};
use crate::analysis::patching::edges::Node;
use crate::figure::{Ink, Theme};
use crate::text::printable;

/// How thick the largest edge is.
const THICK: f64 = 5.0;
/// Letters of a line above the graph.
const WIDE: usize = 90;

impl Found<'_> {
    pub(super) fn as_dot(&self) -> String {
        let font = "fontname=\"sans-serif\"";
        let mut dot = format!(
            "digraph circuit {{\n  rankdir=BT;\n  graph [{font}];\n  node [shape=box, {font}];\n  edge [{font}];\n"
        );
        dot += &format!("  label={};\n  labelloc=t;\n", self.label());
        let largest = self.circuit.iter().map(|edge| self.effect(edge).abs()).fold(f64::MIN_POSITIVE, f64::max);
        for edge in &self.circuit {
            let ([from, to, at], effect) = (self.names(edge), self.effect(edge));
            let [r, g, b] = Theme::Light.ink(Ink::Curve(input(self.wiring.reader(edge.reader)).0 as u8));
            let style = if effect < 0.0 { "dashed" } else { "solid" };
            dot += &format!(
                "  {} -> {} [label={}, color=\"#{r:02x}{g:02x}{b:02x}\", penwidth={:.3}, style={style}, score={:.6}];\n",
                quoted(&from),
                quoted(&to),
                quoted(&at),
                (effect.abs() / largest * THICK).max(0.3),
                edge.score,
            );
        }
        for layer in 0..self.wiring.layers {
            let of_layer = |number: &usize| matches!(self.wiring.node(*number), Node::Head(at, _) if at == layer);
            let heads: Vec<String> = self
                .nodes()
                .into_iter()
                .filter(of_layer)
                .map(|number| quoted(&name(self.wiring.node(number))))
                .collect();
            if heads.len() > 1 {
                dot += &format!("  {{ rank=same; {} }}\n", heads.join("; "));
            }
        }
        dot + "}\n"
    }

    /// What stands above the graph: the title that was given, or both prompts; and what the figure says of the circuit.
    fn label(&self) -> String {
        let title = match &self.options.style.title {
            Some(title) => title.clone(),
            None => format!("{} · corrupt: {}", self.subject.headline(), self.options.corrupt),
        };
        let lines: Vec<String> = [title, self.said()].iter().flat_map(|text| broken(text)).collect();
        format!("\"{}\"", lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\\n"))
    }
}

/// A string of DOT, in which nothing ends it and no backslash or entity of HTML means anything.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('\\', "\\\\").replace('"', "\\\"")
}

/// A text in lines of about as many letters as a graph is wide.
fn broken(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_inclusive(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() <= WIDE => line.push_str(word),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn nothing_in_a_text_ends_its_string() {
        assert_eq!(quoted("a \"b\" \\n c\\"), "\"a \\\"b\\\" \\\\n c\\\\\"");
        assert_eq!(quoted("a &amp; &#65;"), "\"a &amp;amp; &amp;#65;\"");
        assert!(!quoted("a\nb\u{1b}[0m").contains(['\n', '\u{1b}']));
    }
}
