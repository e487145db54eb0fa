//! Every head and every MLP taken out, one at a time, and ranked.

use super::super::{About, Findings};
use super::asking::{Asking, fields, moved, signed};
use crate::analysis::ablation::{Cut, Part, Said, kl};
use crate::analysis::patching::Metric;
use crate::error::Result;
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::ablation::{Row, ranked};
use crate::figure::patching::{Labels, map};
use crate::figure::{Figure, Scale};
use crate::named::Named;
use serde_json::{Value, json};

/// Parts that the figure names.
const NAMED: usize = 12;

/// What was found of each part.
pub(super) struct Each<'a> {
    asking: Asking<'a>,
    /// Layer by layer: the heads, and then the MLP.
    found: Vec<Found>,
}

struct Found {
    part: Part,
    said: Said,
    /// KL(before ‖ after), in nats.
    kl: f64,
    /// What parts are ranked by.
    moved: f64,
}

impl<'a> Each<'a> {
    pub fn find(asking: Asking<'a>) -> Result<Self> {
        let spec = asking.subject.session.spec();
        let mut found = Vec::new();
        (asking.subject.watch)(0, spec.layers);
        for layer in 0..spec.layers {
            let parts = Part::of_layer(layer, spec);
            let mut rows = Vec::with_capacity(parts.len());
            asking.run.each(&parts, asking.position, &mut |logits| {
                rows.push((Said::of(logits, asking.answer, asking.foil)?, kl(&asking.logits, logits)?));
                Ok(())
            })?;
            let one = |(part, (said, kl))| {
                let moved = moved(asking.options.metric(), &asking.said, &said, kl);
                Found { part, said, kl, moved }
            };
            found.extend(parts.into_iter().zip(rows).map(one));
            (asking.subject.watch)(1, 0);
        }
        Ok(Self { asking, found })
    }

    fn name(&self, found: &Found) -> String {
        self.asking.name(&Cut { part: found.part, position: None })
    }

    /// By how far they move the answer, the furthest first.
    fn order(&self) -> Vec<&Found> {
        let mut order: Vec<&Found> = self.found.iter().collect();
        order.sort_by(|a, b| b.moved.abs().total_cmp(&a.moved.abs()));
        order
    }

    /// What is ranked by, in words.
    fn metric(&self) -> &'static str {
        match self.asking.options.metric() {
            Metric::LogitDifference => "logit difference",
            Metric::LogProb => "log-probability",
            Metric::Kl => "KL(before ‖ after) in nats",
        }
    }

    fn lines(&self) -> Vec<String> {
        let asking = &self.asking;
        let what = format!("every head and every MLP {}, one at a time", asking.replaced());
        let (question, metric) = (asking.question(), self.metric());
        let before = match asking.options.metric() {
            Metric::LogitDifference => asking.said.difference(),
            Metric::LogProb => Some(asking.said.log_p),
            Metric::Kl => None,
        };
        let measured = match before {
            Some(before) => format!(
                "how far that moves the {metric} of {question}, {} with all parts (rank {})",
                signed(before),
                asking.said.rank
            ),
            None => format!("{metric} of the next token{}", asking.subject.after(asking.position)),
        };
        vec![asking.subject.line(&what), measured]
    }
}

impl Findings for Each<'_> {
    fn about(&self) -> &About {
        &self.asking.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let (asking, style) = (&self.asking, &self.asking.options.style);
        let values: Vec<f32> = self.found.iter().map(|found| found.moved as f32).collect();
        let unit = match asking.options.metric() {
            Metric::Kl => self.metric().to_owned(),
            _ => format!("change of the {}", self.metric()),
        };
        let is_signed = asking.options.metric() != Metric::Kl;
        let of = if is_signed {
            Scale::signed(&*unit, values.iter().copied())
        } else {
            Scale::of_scores(&*unit, values.iter().copied())
        };
        let scale = Scale { kind: style.scale, colormap: style.colormap.unwrap_or(of.colormap), ..of };
        let heads = asking.subject.session.spec().heads;
        let cells = (0..heads).map(|head| head.to_string()).chain(["MLP".to_owned()]).collect();
        let rows = self.order().into_iter().take(NAMED).map(|found| Row {
            name: self.name(found),
            moved: found.moved as f32,
            log_p: (found.said.log_p - asking.said.log_p) as f32,
            rank: found.said.rank,
            kl: found.kl as f32,
        });
        let is_log_p = asking.options.metric() == Metric::LogProb;
        let table = ranked(&unit, is_log_p, &rows.collect::<Vec<_>>(), &asking.subject.name(asking.answer));
        let panels = vec![map("", values, Labels { cells, axis: "head, or MLP".into() }, &[], scale), table];
        style.figure(&asking.subject, self.lines(), panels)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let spec = self.asking.subject.session.spec();
        let array = |name: &str, of: &dyn Fn(&Found) -> f64| Array {
            name: name.into(),
            shape: vec![spec.layers, spec.heads + 1],
            values: self.found.iter().map(|found| of(found) as f32).collect(),
        };
        let before = self.asking.said;
        let mut arrays = vec![
            array("change", &|found| found.moved),
            array("logit_change", &|found| found.said.logit - before.logit),
            array("logprob_change", &|found| found.said.log_p - before.log_p),
            array("kl", &|found| found.kl),
            array("rank", &|found| found.said.rank as f64),
        ];
        if let Some(own) = before.difference() {
            let change = |found: &Found| found.said.difference().unwrap_or(f64::NAN) - own;
            arrays.push(array("logit_difference_change", &change));
        }
        let part = |found: &Found| -> Value {
            let (layer, head) = place(found.part);
            json!({ "layer": layer, "head": head, "change": found.moved, "after": fields(&found.said), "kl": found.kl })
        };
        let fields = serde_json::Map::from_iter([
            ("before".into(), fields(&before)),
            ("ranking".into(), self.order().into_iter().map(part).collect()),
        ]);
        let mut settings = self.asking.settings();
        settings.insert("metric".into(), self.asking.options.metric().name().into());
        Ok(self.asking.subject.data(vec![Entry { method: "ablation-each".into(), settings, fields, arrays }]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let columns = vec![
            whole("layer"),
            text("part"),
            whole("head"),
            number("change"),
            number("logit_change"),
            number("logprob_change"),
            number("logit_difference_change"),
            number("kl"),
            whole("rank"),
        ];
        let before = self.asking.said;
        let row = |found: &Found| -> Vec<Cell> {
            let (layer, head) = place(found.part);
            let difference = found.said.difference().zip(before.difference()).map(|(after, own)| (after - own) as f32);
            vec![
                layer.into(),
                if head.is_some() { "head" } else { "mlp" }.into(),
                head.into(),
                (found.moved as f32).into(),
                ((found.said.logit - before.logit) as f32).into(),
                ((found.said.log_p - before.log_p) as f32).into(),
                difference.into(),
                (found.kl as f32).into(),
                found.said.rank.into(),
            ]
        };
        Ok(Table { columns, rows: self.found.iter().map(row).collect() })
    }
}

/// The layer and the head; none of an MLP.
fn place(part: Part) -> (usize, Option<usize>) {
    match part {
        Part::Head(layer, head) => (layer, Some(head)),
        part => (part.layer(), None),
    }
}
