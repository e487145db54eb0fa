//! What a figure of a difference says under its headline.

use super::comparison::{ComparedAttention, Comparison};
use super::words::{excerpts, short};
use crate::checkpoint::identity;
use crate::figure::ScaleKind;
use crate::text;

impl Comparison<'_> {
    /// The lines under the headline: what is compared, A and B, and where they differ most.
    pub(super) fn subtitle(&self, part: Option<usize>) -> Vec<String> {
        let mut lines = vec![self.compared(part)];
        lines.extend(self.named());
        let (most, place) = match (&self.attention, part) {
            (Some(attention), Some(map)) => (attention.difference.heads[map].max_abs, attention.place(map)),
            _ => self.largest(),
        };
        lines.push(match most {
            0.0 => "no number differs".into(),
            _ => format!("largest difference {}: {place}", short(most)),
        });
        lines.extend(self.attention.as_ref().and_then(|attention| match attention.faint_rows(part) {
            0 => None,
            1 => Some("1 row keeps less than 5 % without the first token, and is counted but not drawn".into()),
            many => {
                Some(format!("{many} rows keep less than 5 % without the first token, and are counted but not drawn"))
            }
        }));
        if self.is_faint() {
            lines.push("most differences are small beside it".into());
        }
        lines
    }

    /// Whether the figure shows hardly any of what differs.
    pub(super) fn is_faint(&self) -> bool {
        let linear = self.options.style.scale == ScaleKind::Linear;
        let many = |attention: &ComparedAttention| attention.difference.maps.len() > 1;
        linear && self.attention.as_ref().is_some_and(|attention| many(attention) && attention.is_faint())
    }

    /// What is compared, and of which model where it is one.
    fn compared(&self, part: Option<usize>) -> String {
        let [a, b] = &self.sides;
        let mut said = if a.has_model_of(b) && a.input.is_none() { vec![a.model.title()] } else { Vec::new() };
        if let Some(attention) = &self.attention {
            let count = |what: &str, names: &[String]| match names {
                [one] => format!("{what} {one}"),
                many => text::count(many.len(), what),
            };
            said.push(match part.map(|map| attention.name(map)) {
                Some((layer, head)) => format!("layer {layer}, head {head}"),
                None if !attention.picked.is_empty() => {
                    let heads = attention.picked.iter().map(|(layer, head)| format!("{layer}.{head}"));
                    format!("heads {}", heads.collect::<Vec<_>>().join(", "))
                }
                None => format!("{}, {}", count("layer", &attention.names[0]), count("head", &attention.names[1])),
            });
            said.push(self.edits(attention));
        } else {
            said.push(text::count(self.arrays.len(), "array"));
        }
        said.join(" · ")
    }

    /// What A and B are.
    fn named(&self) -> [String; 2] {
        let [a, b] = &self.sides;
        let (one_model, one_name) = (a.has_model_of(b), a.model.name == b.model.name);
        let [a_hash, b_hash] = identity::told_apart(&a.model.hash, &b.model.hash);
        let [a_text, b_text] = excerpts(&a.prompt.written(), &b.prompt.written());
        [("A", a, a_hash, a_text), ("B", b, b_hash, b_text)].map(|(letter, side, hash, text)| {
            let mut said = Vec::new();
            said.extend(side.input.as_ref().map(|input| input.name.clone()));
            let name = &side.model.name;
            let place = side.model.place.to_string();
            let apart = if a.model.place == b.model.place { hash } else { &place };
            if !name.is_empty() && (!one_model || side.input.is_some()) {
                said.push(if one_name && !one_model { format!("{name} ({apart})") } else { name.clone() });
            }
            said.push(text);
            said.extend(side.next.clone());
            said.retain(|text| !text.is_empty());
            format!("{letter}: {}", said.join(" · "))
        })
    }

    /// What became of the tokens.
    fn edits(&self, attention: &ComparedAttention) -> String {
        let [kept, replaced, removed, added] = attention.alignment.counts();
        let what = if self.sides[0].by_word { "word" } else { "token" };
        let all = format!("{} in both", text::count(kept, what));
        let said = [(replaced, "replaced (→)"), (removed, "only in A (−)"), (added, "only in B (+)")];
        let said = said.into_iter().filter(|(count, _)| *count > 0).map(|(count, how)| format!("{count} {how}"));
        std::iter::once(all).chain(said).collect::<Vec<_>>().join(", ")
    }
}
