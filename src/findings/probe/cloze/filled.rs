//! What models say for each filling of a template, as a matrix.

use super::Reader;
use super::template::{Slot, Template};
use crate::analysis::next_tokens;
use crate::analysis::proportion::wilson;
use crate::analysis::scoring::Watch;
use crate::error::{Error, Result};
use crate::export::table::{number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::{Figure, Heatmap, Matrix, Panel, Scale};
use crate::findings::reading::said_of_front;
use crate::findings::survey::Survey;
use crate::findings::{About, Findings};
use crate::model::{NoTap, Segments};
use crate::prompt::Prompt;
use crate::record::{Identity, Record};
use crate::session::Session;
use serde_json::{Map, json};

/// Fillings that go through the model together.
const TOGETHER: usize = 32;

/// What one model says: the most probable next token of each filling, with its probability and its label.
pub struct Said {
    model: Identity,
    top: Vec<(u32, f64)>,
    labels: Vec<String>,
    /// Whether its prompts begin with a token that is no part of them.
    begun: bool,
}

/// What models say for each filling.
pub struct Filled<'a> {
    options: &'a Template,
    about: About,
    said: Vec<Said>,
}

/// What a model says for each filling.
///
/// # Errors
/// A filling that the model cannot read; logits that are not finite.
pub fn fill(options: &Template, session: &Session, watch: Watch) -> Result<Said> {
    let reader = Reader::new(session, options.bos)?;
    let read = |text: &String| {
        reader.prompt(text).map_err(|why| {
            Error::usage(format!("{text:?}: {why}")).hint("change the list or the template").option("fill")
        })
    };
    let ids: Vec<Vec<u32>> = options.prompts().iter().map(read).collect::<Result<_>>()?;
    let (model, mut top) = (session.model(), Vec::new());
    watch(0, ids.len());
    for ids in ids.chunks(TOGETHER) {
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let segments = Segments::packed(&lengths);
        let resid = model.start(&model.embed(&ids.concat())?, &segments)?;
        let resid = model.blocks(resid, &segments, &mut NoTap)?;
        let each = segments
            .iter()
            .map(|segment| Ok(resid.narrow(0, segment.start, segment.len)?))
            .collect::<Result<Vec<_>>>()?;
        let logits = session.next_logits(&each.iter().collect::<Vec<_>>())?;
        for row in 0..ids.len() {
            top.extend(next_tokens(&logits.get(row)?, 1)?.iter().map(|next| (next.id, next.probability)));
        }
        watch(ids.len(), 0);
    }
    let labels = top.iter().map(|(id, _)| session.tokenizer.label(*id)).collect();
    Ok(Said { model: session.identity(), top, labels, begun: !reader.front.is_empty() })
}

impl<'a> Filled<'a> {
    /// One or more models' answers; the first is what the others are compared with. `line` is what was typed, for people.
    ///
    /// # Errors
    /// None that is known of: options are plain data.
    pub fn new(options: &'a Template, said: Vec<Said>, line: &str) -> Result<Self> {
        let mut record = Record::of(Template::COMMAND, options)?;
        line.clone_into(&mut record.line);
        record.model = said.first().map(|said| said.model.clone()).unwrap_or_default();
        record.others = said.len().saturating_sub(1);
        Ok(Self { options, about: About::new(record, Prompt::default()), said })
    }

    fn map(&self, said: &Said, scale: &Scale) -> Panel {
        let ([rows, columns], options) = (self.options.shape(), self.options);
        let slots = &options.fill;
        let before = slots.len().saturating_sub(1);
        let names = |slots: &[Slot]| slots.iter().map(|slot| slot.name.clone()).collect::<Vec<_>>().join(" ");
        Panel::Heatmap(Heatmap {
            title: if self.said.len() > 1 { said.model.title() } else { String::new() },
            values: Matrix::new(rows, columns, said.top.iter().map(|(_, p)| *p as f32).collect()),
            row_labels: (0..rows).map(|row| options.values(row * columns)[..before].join(" ")).collect(),
            col_labels: slots.last().map_or_else(Vec::new, |slot| slot.values.clone()),
            row_axis: names(&slots[..before]),
            col_axis: names(&slots[before..]),
            cell_labels: said.labels.clone(),
            scale: scale.clone(),
            ..Heatmap::default()
        })
    }

    /// For how many fillings a model says the same as the first.
    fn same(&self, said: &Said) -> usize {
        said.labels.iter().zip(&self.said[0].labels).filter(|(a, b)| a == b).count()
    }

    fn lines(&self) -> Vec<String> {
        let models: Vec<&str> = self.said.iter().map(|said| &said.model.name[..]).collect();
        let bos = said_of_front(self.options.bos, self.said.iter().map(|said| said.begun));
        let mut lines = vec![format!("{} · the most probable next token of each filling, {bos}", models.join(", "))];
        for said in self.said.iter().skip(1) {
            let (same, all) = (self.same(said), said.top.len());
            let [low, high] = wilson(same, all);
            let (name, first) = (&said.model.name, models[0]);
            let share = same as f64 / all as f64;
            lines.push(format!(
                "{name}: the same token as {first} for {same} of {all} fillings, {share:.3} [{low:.3}, {high:.3}]"
            ));
        }
        lines
    }
}

impl Findings for Filled<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let (options, style) = (self.options, &self.options.style);
        let values = self.said.iter().flat_map(|said| &said.top).map(|(_, p)| *p as f32);
        let scale = Scale {
            kind: style.scale,
            colormap: style.colormap.unwrap_or_default(),
            min: 0.0,
            max: values.fold(f32::MIN_POSITIVE, f32::max),
            unit: "probability".into(),
            ..Scale::default()
        };
        let maps = self.said.iter().map(|said| self.map(said, &scale)).collect();
        let mut figure = style.figure(&self.about, self.lines(), maps);
        if style.title.is_none() {
            figure.title.clone_from(&options.template);
        }
        figure
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let [rows, columns] = self.options.shape();
        let array = |name: &str, values: Vec<f32>| Array { name: name.into(), shape: vec![rows, columns], values };
        let prompts = self.options.prompts();
        let entry = |(at, said): (usize, &Said)| {
            let ids = |row: &[(u32, f64)]| row.iter().map(|(id, _)| json!(id)).collect::<serde_json::Value>();
            let mut entry = Entry {
                method: "template".into(),
                settings: Map::from_iter([
                    ("model".into(), json!(said.model)),
                    ("template".into(), json!(self.options.template)),
                    ("fill".into(), json!(self.options.fill)),
                    ("bos".into(), said.begun.into()),
                ]),
                fields: Map::from_iter([
                    ("top".into(), said.top.chunks(columns).map(ids).collect()),
                    ("labels".into(), json!(said.labels)),
                    ("prompts".into(), json!(prompts)),
                ]),
                arrays: vec![
                    array("top", said.top.iter().map(|(id, _)| *id as f32).collect()),
                    array("p_top", said.top.iter().map(|(_, p)| *p as f32).collect()),
                ],
            };
            if at > 0 {
                entry.fields.insert("same_as_first".into(), self.same(said).into());
            }
            entry
        };
        Ok(self.about.data(self.said.iter().enumerate().map(entry).collect()))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let prompts = self.options.prompts();
        let row = |said: &Said, at: usize| {
            let ((id, p), label) = (said.top[at], said.labels[at].clone());
            vec![said.model.title().into(), prompts[at].clone().into(), id.into(), label.into(), (p as f32).into()]
        };
        let rows = self.said.iter().flat_map(|said| (0..said.top.len()).map(move |at| row(said, at)));
        let columns = vec![text("model"), text("filled"), whole("top"), text("top_token"), number("p_top")];
        Ok(Table { columns, rows: rows.collect() })
    }
}
