//! What `mix` found, as figures, data and tables.

use super::MixArgs;
use crate::cli::args::SinkArg;
use crate::cli::findings::Findings;
use crate::cli::subject::{About, Subject, in_a_line, percent};
use crate::cli::target::{Explained, settings};
use attnviz::analysis::attribution::{Baseline, Probe};
use attnviz::analysis::mixing::{Method, Mixing, agreement, mixing};
use attnviz::analysis::rollout::RESIDUAL;
use attnviz::analysis::{Objective, Prediction};
use attnviz::error::Result;
use attnviz::export::table::{number, text, whole};
use attnviz::export::{Array, Data, Entry, Table};
use attnviz::figure::{Figure, Panel, Scale, mix};
use serde_json::{Map, Value, json};

/// Fewer tokens than this have no ranking to agree on; the numbers are in data files all the same.
const RANKED: usize = 5;

/// The maps of all methods.
pub struct Found<'a> {
    args: &'a MixArgs,
    subject: Subject<'a>,
    objective: Objective,
    next: Vec<Prediction>,
    mixings: Vec<Mixing>,
    /// Spearman's ρ, `[method, method]`.
    rho: Vec<f32>,
}

impl<'a> Found<'a> {
    pub fn find(args: &'a MixArgs, subject: Subject<'a>) -> Result<Self> {
        let (model, ids) = (&*subject.session.model, &subject.prompt.ids);
        let Explained { objective, next, .. } = args.target.explained(&subject, args.method.of)?;
        let watch = |done, planned| subject.progress.watch(done, planned);
        let probe = Probe::new(model, ids, objective, Baseline::Zero, &watch)?;
        let (methods, sink) = (args.method.methods()?, args.method.sink.into());
        let mixings = mixing(&probe, &methods, sink, args.method.all_rows, &watch)?;
        let rho = agreement(&mixings, objective.position);
        Ok(Self { args, objective, next, mixings, rho, subject })
    }

    fn scale(&self, unit: &str, values: &[f32]) -> Scale {
        let style = &self.args.figure;
        let max = values.iter().copied().filter(|x| x.is_finite()).fold(0.0, f32::max);
        Scale {
            kind: style.scale.into(),
            colormap: style.colormap.unwrap_or_default(),
            min: 0.0,
            max: if max > 0.0 { max } else { 1.0 },
            unit: unit.into(),
        }
    }

    /// Where the rows stand, and what the gradient is of.
    fn place(&self) -> String {
        let name = |id: u32| self.subject.name(id);
        let Objective { position, target, foil, .. } = self.objective;
        let token = in_a_line(&self.subject.prompt.tokens[position].label);
        let after = if position + 1 == self.subject.prompt.tokens.len() {
            format!("at the last token {token}")
        } else {
            format!("at token {token} (position {position})")
        };
        let gradient = match foil {
            _ if self.mixings.iter().all(|mixing| mixing.method != Method::AttentionXGradient) => String::new(),
            Some(foil) => format!("; gradient of {} rather than {}", name(target), name(foil)),
            None => format!("; gradient of {}", name(target)),
        };
        format!("words and agreement {after}{gradient}")
    }

    fn sink_line(&self) -> Option<String> {
        let methods: Vec<&str> =
            self.mixings.iter().filter(|mixing| mixing.method.has_sink()).map(|mixing| mixing.method.name()).collect();
        let first = self.mixings.iter().find(|mixing| mixing.method == Method::Raw).map(|raw| {
            let rows = raw.shares.chunks(raw.row(0).len()).skip(1);
            let count = rows.len();
            rows.map(|row| f64::from(row[0])).sum::<f64>() / count.max(1) as f64
        });
        match (self.args.method.sink, first) {
            _ if methods.is_empty() => None,
            (SinkArg::Keep, Some(share)) if share >= 0.4 => {
                Some(format!("{} of the attention is on the first token; --sink renorm hides it", percent(share)))
            }
            (SinkArg::Keep, _) => None,
            _ => Some(format!("attention on the first token is left out of {}", methods.join(", "))),
        }
    }

    fn settings(&self, method: Method) -> Map<String, Value> {
        let mut all = settings(&self.subject, self.objective.target, self.objective.foil, self.objective.position);
        if method != Method::AttentionXGradient {
            all.retain(|name, _| name == "position");
        } else {
            all.insert("of".into(), self.args.method.of.name().into());
        }
        if method.has_sink() {
            all.insert("sink".into(), self.args.method.sink.name().into());
            all.insert("reduce_heads".into(), "mean".into());
        }
        if matches!(method, Method::Rollout | Method::Flow) {
            all.insert("residual".into(), RESIDUAL.into());
        }
        if method.is_by_row() {
            all.insert("all_rows".into(), self.args.method.all_rows.into());
        }
        all.insert("bos".into(), self.args.prompt.bos.into());
        all
    }
}

impl Findings for Found<'_> {
    fn about(&self) -> &About<'_> {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let labels = self.subject.labels();
        let n = labels.len();
        let visible = self.mixings.iter().flat_map(|mixing| {
            // The first row is the first token whatever the method: it would set the scale of all others.
            mixing.shares[n.min(mixing.shares.len() - 1)..].iter().copied()
        });
        let scale = self.scale("share", &visible.collect::<Vec<_>>());
        let mut panels: Vec<Panel> = vec![
            mix::sheet(&self.mixings, &labels, scale),
            mix::rows(&self.mixings, self.objective.position, &labels, &|values| self.scale("share", values)),
        ];
        if self.mixings.len() > 1 && self.objective.position + 1 >= RANKED {
            panels.push(mix::agreement(&self.mixings, &self.rho));
        }
        let mut lines = vec![self.subject.line("mixing of tokens"), self.place()];
        lines.extend(self.sink_line());
        if self.objective.position + 1 == n {
            lines.push(self.subject.next_line(&self.next));
        }
        self.args.figure.figure(&self.subject, lines, panels, self.subject.provenance())
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let n = self.subject.prompt.ids.len();
        let entry = |mixing: &Mixing| {
            let by_layer = matches!(mixing.method, Method::Norm | Method::NormResidual | Method::ValueZeroing);
            let shape = if by_layer { vec![mixing.maps.len(), n, n] } else { vec![n, n] };
            let arrays = vec![Array { name: "map".into(), shape, values: mixing.maps.concat() }];
            let fields = Map::from_iter([("row".into(), json!(mixing.row(self.objective.position)))]);
            Entry { method: mixing.method.name().into(), settings: self.settings(mixing.method), fields, arrays }
        };
        let mut results: Vec<Entry> = self.mixings.iter().map(entry).collect();
        if self.mixings.len() > 1 {
            let names: Vec<&str> = self.mixings.iter().map(|mixing| mixing.method.name()).collect();
            let count = names.len();
            results.push(Entry {
                method: "agreement".into(),
                settings: Map::from_iter([("position".into(), json!(self.objective.position))]),
                fields: Map::from_iter([("methods".into(), json!(names))]),
                arrays: vec![Array { name: "spearman".into(), shape: vec![count, count], values: self.rho.clone() }],
            });
        }
        Ok(self.subject.data(results))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let position = self.objective.position;
        let shares = self.mixings.iter().map(|mixing| number(mixing.method.name()));
        let columns = [whole("key"), text("token")].into_iter().chain(shares).collect();
        let row = |key: usize| {
            let mut row = vec![key.into(), self.subject.prompt.tokens[key].text.clone().into()];
            row.extend(self.mixings.iter().map(|mixing| mixing.row(position)[key].into()));
            row
        };
        Ok(Table { columns, rows: (0..=position).map(row).collect() })
    }
}
