//! A text of an SVG.

use super::{Body, fine};
use crate::error::Result;
use crate::figure::layout::{Anchor, Label};
use crate::render::fonts::{Fonts, glyphs};
use crate::text::xml;
use std::fmt::Write as _;

/// By how much another font's letters may be wider than ours: DejaVu's are, which is all that a small system may have.
const WIDER: f32 = 1.12;
const BOLDER: f32 = 1.22;

impl Body {
    /// One text that is anchored where its label is: a viewer that lacks a font, and draws another's wider letters, moves none away from
    /// its cell. Only a text that such letters would push off the page has its length written down. Parts in several fonts follow one
    /// another in it.
    pub(super) fn label(&mut self, label: &Label, fonts: &Fonts) -> Result<()> {
        let runs = fonts.runs(&label.text, label.style);
        let [first, rest @ ..] = &runs[..] else { return Ok(()) };
        let [r, g, b] = self.theme.ink(label.ink);
        let (x, y) = (fine(label.x), fine(label.y));
        let turn =
            if label.angle == 0.0 { String::new() } else { format!(" transform=\"rotate({} {x} {y})\"", label.angle) };
        if fonts.has_given() {
            // Whoever opens the file lacks that font.
            let outline = glyphs::outline(label, fonts);
            let turn = if label.angle == 0.0 { String::new() } else { format!(" rotate({})", label.angle) };
            writeln!(
                self.labels,
                "<path aria-label=\"{}\" transform=\"translate({x} {y}){turn}\" fill=\"#{r:02x}{g:02x}{b:02x}\" d=\"{outline}\"/>",
                xml(&label.text),
            )?;
            return Ok(());
        }
        let anchor = match label.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let text = &label.text;
        let keep = if text.starts_with(' ') || text.ends_with(' ') || text.contains("  ") || !rest.is_empty() {
            " xml:space=\"preserve\""
        } else {
            ""
        };
        // Joined letters, such as Arabic ones, stay as they are.
        let length = if rest.is_empty() && first.family == "Inter" { self.length(label) } else { String::new() };
        write!(
            self.labels,
            "<text x=\"{x}\" y=\"{y}\"{anchor}{length} font-family=\"{}\" font-size=\"{}\"{} fill=\"#{r:02x}{g:02x}{b:02x}\"{turn}{keep}>{}",
            stack(first.family),
            fine(label.style.size),
            if label.style.bold { " font-weight=\"600\"" } else { "" },
            xml(first.text),
        )?;
        for run in rest {
            write!(self.labels, "<tspan font-family=\"{}\">{}</tspan>", stack(run.family), xml(run.text))?;
        }
        self.labels.push_str("</text>\n");
        Ok(())
    }

    /// How long a text stays that wider letters would push off the page.
    fn length(&self, label: &Label) -> String {
        let wider = label.width * if label.style.bold { BOLDER } else { WIDER };
        match self.page {
            Some(page) if label.angle == 0.0 && label.anchor == Anchor::Start && label.x + wider > page => {
                format!(" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"", fine(label.width))
            }
            _ => String::new(),
        }
    }
}

/// A font family with what a viewer that lacks it falls back to.
fn stack(family: &str) -> String {
    match family {
        "Inter" => "Inter,'Helvetica Neue',Arial,sans-serif".to_owned(),
        // Quotes and backslashes would end the name.
        other => format!("'{}',sans-serif", xml(&other.replace(['\'', '\\'], ""))),
    }
}
