//! Explained pairs, as a table and as data.

use super::Pairs;
use super::explained::{Explained, Writer};
use crate::figure::{Panel, pairs as figure};
use serde_json::{Value, json};

impl Pairs<'_> {
    /// Who writes the gaps, of the first model.
    pub(super) fn explained_table(&self) -> Option<Panel> {
        let explained = &self.found.first()?.explained;
        let rows: Vec<Vec<String>> = explained.iter().flat_map(|one| self.explained_rows(one)).collect();
        let note = "gap: log p of the good sentence − that of the bad one at that token; logits: the same of the two tokens' logits. \
            Writers: direct attribution of that difference of logits, the heads and MLPs that make the gap.";
        let heads = ["sentence", "at", "gap", "logits", "writer", "logit", "attends to"];
        (!rows.is_empty()).then(|| figure::words("Where the gap arises, and who writes it", &heads, &rows, note))
    }

    /// A row for each writer; the pair itself in the first.
    fn explained_rows(&self, one: &Explained) -> Vec<Vec<String>> {
        let [good, bad] = [0, 1].map(|which| one.tokens[which][one.at[which]].clone());
        let place = if one.same_context { format!("{good} / {bad}") } else { format!("{good}, later") };
        let signed = |x: f64| format!("{x:+.2}").replace('-', "−");
        let attended = |all: &Vec<(String, f32)>| {
            all.iter().map(|(label, share)| format!("{label} {share:.2}")).collect::<Vec<_>>().join(" ")
        };
        let row = |(at, writer): (usize, &Writer)| {
            let own = [self.suite.pairs[one.pair].texts[0].clone(), place.clone(), signed(one.gap), signed(one.logit)];
            let own = if at == 0 { own } else { Default::default() };
            let name = writer.head.map_or(format!("MLP {}", writer.layer), |head| format!("{}.{head}", writer.layer));
            let to = writer.attends.iter().map(attended).collect::<Vec<_>>().join(" / ");
            own.into_iter().chain([name, signed(writer.amount), to]).collect()
        };
        one.writers.iter().enumerate().map(row).collect()
    }

    /// One of them, as data.
    pub(super) fn explanation(&self, one: &Explained) -> Value {
        let pair = &self.suite.pairs[one.pair];
        let writer = |writer: &Writer| json!({ "layer": writer.layer, "head": writer.head, "logit": writer.amount as f32, "attends_to": writer.attends });
        let log_p = one.log_p.each_ref().map(|all| all.iter().map(|x| *x as f32).collect::<Vec<_>>());
        json!({
            "good": pair.texts[0], "bad": pair.texts[1], "tokens": one.tokens, "log_p": log_p, "at": one.at, "gap": one.gap as f32,
            "same_context": one.same_context, "logit_difference": one.logit as f32,
            "writers": one.writers.iter().map(writer).collect::<Vec<_>>(),
        })
    }
}
