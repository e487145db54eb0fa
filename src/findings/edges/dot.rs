//! The circuit for Graphviz.

use super::{Found, input, name};
use crate::analysis::patching::edges::Node;
use crate::figure::{Ink, Theme};
use crate::text::printable;

/// How thick the largest edge is.
const THICK: f64 = 5.0;

impl Found<'_> {
    pub(super) fn as_dot(&self) -> String {
        let mut dot = String::from("digraph circuit {\n  rankdir=BT;\n  node [shape=box, fontname=\"sans-serif\"];\n");
        let title = format!("{} · corrupt: {}", self.subject.headline(), self.options.corrupt);
        dot += &format!("  label={};\n  labelloc=t;\n", quoted(&title));
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
}

/// A string of DOT, in which nothing ends it and no backslash means anything.
fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text).replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn nothing_in_a_text_ends_its_string() {
        assert_eq!(quoted("a \"b\" \\n c\\"), "\"a \\\"b\\\" \\\\n c\\\\\"");
        assert!(!quoted("a\nb\u{1b}[0m").contains(['\n', '\u{1b}']));
    }
}
