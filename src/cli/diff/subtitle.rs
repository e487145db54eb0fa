//! What a figure of a difference says under its headline.

use super::found::{Found, Heads};
use super::words::{excerpts, short};
use crate::cli::args::ScaleArg;

impl Found<'_> {
    /// The lines under the headline: what is compared, A and B, and where they differ most.
    pub fn subtitle(&self, part: Option<usize>) -> Vec<String> {
        let [a, b] = &self.looks;
        let mut lines = Vec::new();
        let texts = excerpts(&a.prompt.written(), &b.prompt.written());
        let one_model = a.model == b.model && a.hash == b.hash;
        let mut first = if one_model && a.input.is_none() { vec![a.model.clone()] } else { Vec::new() };
        if let Some(heads) = &self.heads {
            let count = |what: &str, names: &[String]| match names {
                [one] => format!("{what} {one}"),
                many => format!("{} {what}s", many.len()),
            };
            first.push(match part.map(|map| heads.name(map)) {
                Some((layer, head)) => format!("layer {layer}, head {head}"),
                None => format!("{}, {}", count("layer", &heads.names[0]), count("head", &heads.names[1])),
            });
            first.push(self.edits(heads));
        } else {
            first.push(if self.arrays.len() == 1 { "1 array".into() } else { format!("{} arrays", self.arrays.len()) });
        }
        lines.push(first.join(" · "));
        for (letter, (look, text)) in ["A", "B"].into_iter().zip(self.looks.iter().zip(texts)) {
            let mut said = Vec::new();
            said.extend(look.input.as_ref().map(|input| input.name.clone()));
            if !look.model.is_empty() && (!one_model || look.input.is_some()) {
                let weights: String = look.hash.chars().take(8).collect();
                let same_name = a.model == b.model && !one_model;
                said.push(if same_name { format!("{} ({weights})", look.model) } else { look.model.clone() });
            }
            said.push(text);
            said.extend(look.next.iter().map(|next| format!("next: {next}")));
            said.retain(|text| !text.is_empty());
            lines.push(format!("{letter}: {}", said.join(" · ")));
        }
        let (most, place) = match (&self.heads, part) {
            (Some(heads), Some(map)) => (heads.difference.heads[map].max_abs, heads.place(map)),
            _ => self.largest(),
        };
        lines.push(match most {
            0.0 => "no number differs".into(),
            _ => format!("largest difference {}: {place}", short(most)),
        });
        let linear = matches!(self.args.figure.scale, ScaleArg::Linear);
        if linear && self.heads.as_ref().is_some_and(|heads| heads.difference.maps.len() > 1 && heads.is_faint()) {
            lines.push("most differences are small beside it; --scale sqrt shows them".into());
        }
        lines
    }

    /// What became of the tokens.
    fn edits(&self, heads: &Heads) -> String {
        let [kept, replaced, removed, added] = heads.alignment.counts();
        let what = if self.looks[0].by_word { "word" } else { "token" };
        let all = match kept {
            1 => format!("1 {what} in both"),
            _ => format!("{kept} {what}s in both"),
        };
        let said = [(replaced, "replaced (→)"), (removed, "only in A (−)"), (added, "only in B (+)")];
        let said = said.into_iter().filter(|(count, _)| *count > 0).map(|(count, how)| format!("{count} {how}"));
        std::iter::once(all).chain(said).collect::<Vec<_>>().join(", ")
    }
}
