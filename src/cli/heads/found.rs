//! What each head does, as figures, data and tables.

use super::HeadsArgs;
use crate::cli::findings::Findings;
use crate::cli::subject::{About, Subject};
use attnviz::analysis::Prediction;
use attnviz::analysis::heads::{Head, Label, SEQUENCES, Score};
use attnviz::error::Result;
use attnviz::export::table::{number, text, whole};
use attnviz::export::{Array, Data, Entry, Table};
use attnviz::figure::heads::{atlas, table};
use attnviz::figure::{Figure, Scale};
use serde_json::{Map, Value, json};

/// Heads in a figure's table, unless it was asked for in an order.
const MOST: usize = 24;

/// The scores of all heads.
pub struct Found<'a> {
    pub args: &'a HeadsArgs,
    pub subject: Subject<'a>,
    /// Layer by layer.
    pub heads: Vec<Head>,
    pub text: Text,
}

/// What the heads were looking at.
pub enum Text {
    /// The prompt; the model's next tokens after it.
    Prompt(Vec<Prediction>),
    /// Random tokens that repeat.
    Repeats { seed: u64, period: usize },
}

impl Findings for Found<'_> {
    fn about(&self) -> &About<'_> {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let style = &self.args.figure;
        let scale = |unit: &str, max: f32| Scale {
            kind: style.scale.into(),
            colormap: style.colormap.unwrap_or_default(),
            min: 0.0,
            max,
            unit: unit.into(),
        };
        let sort = self.args.sort.map(Score::from);
        let colours = match sort {
            Some(Score::Distance) => {
                let largest = self.heads.iter().map(|head| head.score(Score::Distance)).fold(1.0, f32::max);
                scale("mean distance", largest)
            }
            Some(Score::Entropy) => scale("entropy, share of the largest", 1.0),
            Some(score) => scale(&format!("{} score", score.name()), 1.0),
            None => scale("score of the label", 1.0),
        };
        let panels = vec![
            atlas(&self.heads, self.subject.session.model.spec().heads, sort, colours),
            table(&self.heads, &self.shown(), self.subject.session.model.spec().heads, scale("score", 1.0)),
        ];
        let mut lines = vec![self.subject.line("what each head does"), self.counts()];
        lines.push(match &self.text {
            Text::Prompt(next) => self.subject.next_line(next),
            Text::Repeats { seed, period } => {
                format!("on {SEQUENCES} sequences of {period} random tokens, each repeated once (seed {seed})")
            }
        });
        style.figure(&self.subject, lines, panels, self.subject.provenance())
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let (layers, heads) = self.shape();
        let array = |name: &str, of: &dyn Fn(&Head) -> f32| Array {
            name: name.into(),
            shape: vec![layers, heads],
            values: self.heads.iter().map(of).collect(),
        };
        let scores = Score::ALL.into_iter().map(|score| array(score.name(), &|head| head.score(score)));
        let arrays = scores.chain([array("confidence", &|head| head.label().1)]).collect();
        let labels: Value = self
            .heads
            .chunks(heads)
            .map(|row| row.iter().map(|head| head.label().0.name()).collect::<Value>())
            .collect();
        let settings = match self.text {
            Text::Prompt(_) => {
                Map::from_iter([("on".into(), "prompt".into()), ("bos".into(), self.args.prompt.bos.into())])
            }
            Text::Repeats { seed, period } => Map::from_iter([
                ("on".into(), "repeated random tokens".into()),
                ("seed".into(), seed.into()),
                ("sequences".into(), SEQUENCES.into()),
                ("period".into(), json!(period)),
            ]),
        };
        let fields = Map::from_iter([("label".into(), labels)]);
        Ok(self.subject.data(vec![Entry { method: "heads".into(), settings, fields, arrays }]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let heads = self.shape().1;
        let row = |at: usize| {
            let (label, confidence) = self.heads[at].label();
            let mut row = vec![(at / heads).into(), (at % heads).into(), label.name().into(), confidence.into()];
            row.extend(Score::ALL.map(|score| self.heads[at].score(score).into()));
            row
        };
        let named = [whole("layer"), whole("head"), text("label"), number("confidence")];
        let columns = named.into_iter().chain(Score::ALL.map(|score| number(score.name()))).collect();
        Ok(Table { columns, rows: self.order().into_iter().map(row).collect() })
    }
}

impl Found<'_> {
    fn shape(&self) -> (usize, usize) {
        let heads = self.subject.session.model.spec().heads;
        (self.heads.len() / heads, heads)
    }

    /// The heads by the score asked for, the largest first, else layer by layer.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.heads.len()).collect();
        if let Some(score) = self.args.sort.map(Score::from) {
            // NaN, where no query defines a score, comes last.
            let rank = |at: usize| Some(self.heads[at].score(score)).filter(|x| x.is_finite()).unwrap_or(f32::MIN);
            order.sort_by(|a, b| rank(*b).total_cmp(&rank(*a)));
        }
        order
    }

    /// The heads of a figure's table: all in the order asked for, else those that stand out, the clearest first.
    fn shown(&self) -> Vec<usize> {
        let mut order = self.order();
        if self.args.sort.is_some() || self.heads.len() <= MOST {
            return order;
        }
        let margin = |at: usize| match self.heads[at].label() {
            (Label::By(_), margin) => Some(margin),
            _ => None,
        };
        order.retain(|at| margin(*at).is_some());
        order.sort_by(|a, b| margin(*b).unwrap_or_default().total_cmp(&margin(*a).unwrap_or_default()));
        order.truncate(MOST);
        order
    }

    /// How many heads have each label.
    fn counts(&self) -> String {
        let labels = Score::ALL[..5].iter().map(|score| Label::By(*score)).chain([Label::Local, Label::Broad]);
        let count = |label: Label| self.heads.iter().filter(|head| head.label().0 == label).count();
        let named: Vec<String> = labels
            .map(|label| (count(label), label.name()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        named.join(", ")
    }
}
