//! A prompt with slots: what the model says for each filling, as a matrix.

use super::Reader;
use crate::analysis::next_tokens;
use crate::analysis::proportion::wilson;
use crate::analysis::scoring::Watch;
use crate::error::{Error, Result};
use crate::export::table::{number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::{Figure, Heatmap, Matrix, Panel, Scale};
use crate::findings::{About, Findings, Output, Style, refuse_parts};
use crate::model::{NoTap, Segments};
use crate::prompt::Prompt;
use crate::record::{Identity, Record};
use crate::session::Session;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

/// The most fillings, and how many go through the model together.
const MOST: usize = 4096;
const TOGETHER: usize = 32;

/// A slot of a template with what goes into it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// What goes into it.
    pub values: Vec<String>,
}

/// The options of `probe cloze` with a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Template {
    /// The prompt, with `{name}` for each slot.
    pub template: String,
    /// The slots; the last one runs along the columns.
    pub fill: Vec<Slot>,
    /// Begin each prompt with the model's own beginning-of-text token.
    pub bos: bool,
    /// How the figure looks.
    pub style: Style,
}

impl Template {
    /// Fails where the options cannot be meant, before a model is loaded.
    ///
    /// # Errors
    /// A slot without a list, a list without a slot, more fillings than a matrix can show.
    pub fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("probe cloze", outputs)?;
        let slots = self.slots()?;
        for name in &slots {
            if !self.fill.iter().any(|slot| slot.name == *name) {
                return Err(Error::usage(format!("the slot {{{name}}} has no list"))
                    .hint(format!("say what goes into it: {name}=one,two"))
                    .option("fill"));
            }
        }
        for (at, slot) in self.fill.iter().enumerate() {
            let wrong = |what: &str| {
                Err(Error::usage(format!("the slot {:?} {what}", slot.name))
                    .hint("name each slot of the template once, with a list")
                    .option("fill"))
            };
            if !slots.contains(&&slot.name[..]) {
                return wrong("is not in the template");
            }
            if self.fill[..at].iter().any(|other| other.name == slot.name) {
                return wrong("is filled twice");
            }
            if slot.values.is_empty() || slot.values.iter().any(|value| value.trim().is_empty()) {
                return wrong("has an empty list, or an empty text in it");
            }
        }
        let count: usize = self.fill.iter().map(|slot| slot.values.len()).fold(1, usize::saturating_mul);
        if count > MOST {
            return Err(Error::usage(format!("the lists make {count} prompts"))
                .hint(format!("at most {MOST} are drawn"))
                .option("fill"));
        }
        self.style.check()
    }

    /// The names between braces.
    fn slots(&self) -> Result<Vec<&str>> {
        let wrong = |what: &str| {
            Error::usage(format!("the template {:?} {what}", self.template))
                .hint("write a slot as {name}, as in \"The {adj} {noun} is\"")
                .option("template")
        };
        let mut names = Vec::new();
        let mut rest = &self.template[..];
        while let Some(start) = rest.find('{') {
            let end = rest[start..].find('}').ok_or_else(|| wrong("has a brace that is not closed"))?;
            let name = &rest[start + 1..start + end];
            if name.is_empty() || name.contains('{') {
                return Err(wrong("has a slot without a name"));
            }
            names.push(name);
            rest = &rest[start + end + 1..];
        }
        if names.is_empty() {
            return Err(wrong("has no slot"));
        }
        Ok(names)
    }

    /// Rows and columns.
    fn shape(&self) -> [usize; 2] {
        let columns = self.fill.last().map_or(1, |slot| slot.values.len());
        let all: usize = self.fill.iter().map(|slot| slot.values.len()).product();
        [all / columns.max(1), columns]
    }

    /// All fillings, row by row.
    fn prompts(&self) -> Vec<String> {
        let [rows, columns] = self.shape();
        (0..rows * columns).map(|number| self.prompt(number)).collect()
    }

    /// What goes into each slot in the filling of this number.
    fn values(&self, number: usize) -> Vec<&str> {
        let mut rest = number;
        let mut values: Vec<&str> = Vec::new();
        for slot in self.fill.iter().rev() {
            values.push(&slot.values[rest % slot.values.len()]);
            rest /= slot.values.len();
        }
        values.reverse();
        values
    }

    /// The prompt of the filling of this number.
    fn prompt(&self, number: usize) -> String {
        let values = self.values(number);
        let (mut out, mut rest) = (String::new(), &self.template[..]);
        // In one pass, so that a filling is never taken for a slot.
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').unwrap_or((behind, ""));
            out += before;
            let slot = self.fill.iter().position(|slot| slot.name == name);
            out += slot.map_or("", |at| values[at]);
            rest = behind;
        }
        out + rest
    }
}

/// What one model says: the most probable next token of each filling, with its probability and its label.
pub struct Said {
    model: Identity,
    top: Vec<(u32, f64)>,
    labels: Vec<String>,
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
    Ok(Said { model: session.identity(), top, labels })
}

impl<'a> Filled<'a> {
    /// One or more models' answers; the first is what the others are compared with. `line` is what was typed, for people.
    ///
    /// # Errors
    /// None that is known of: options are plain data.
    pub fn new(options: &'a Template, said: Vec<Said>, line: &str) -> Result<Self> {
        let mut record = Record::of("template", options)?;
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
            title: if self.said.len() > 1 { said.model.name.clone() } else { String::new() },
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
        let bos = if self.options.bos { "after BOS" } else { "no BOS" };
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
                    ("bos".into(), self.options.bos.into()),
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
            vec![said.model.name.clone().into(), prompts[at].clone().into(), id.into(), label.into(), (p as f32).into()]
        };
        let rows = self.said.iter().flat_map(|said| (0..said.top.len()).map(move |at| row(said, at)));
        let columns = vec![text("model"), text("filled"), whole("top"), text("top_token"), number("p_top")];
        Ok(Table { columns, rows: rows.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str, fill: &[(&str, &[&str])]) -> Template {
        let slot = |(name, values): &(&str, &[&str])| Slot {
            name: (*name).into(),
            values: values.iter().map(|value| (*value).into()).collect(),
        };
        Template { template: text.into(), fill: fill.iter().map(slot).collect(), ..Template::default() }
    }

    #[test]
    fn fillings_run_along_the_columns_and_are_never_slots_themselves() {
        let both = template("The {a} {b}, {a}", &[("a", &["{b}", "old"]), ("b", &["x", "y", "z"])]);
        assert!(both.check(&[]).is_ok());
        assert_eq!(both.shape(), [2, 3]);
        assert_eq!([0, 1, 5].map(|at| both.prompt(at)), ["The {b} x, {b}", "The {b} y, {b}", "The old z, old"]);
    }

    #[test]
    fn what_is_wrong_with_a_template_is_said_before_a_model_is_loaded() {
        let a: (&str, &[&str]) = ("a", &["x"]);
        for (text, fill, option) in [
            ("The cat", vec![], "template"),
            ("The {a", vec![a], "template"),
            ("The {}", vec![], "template"),
            ("The {a} {b}", vec![a], "fill"),
            ("The {a}", vec![a, ("b", &["y"][..])], "fill"),
            ("The {a}", vec![a, a], "fill"),
            ("The {a}", vec![("a", &[][..])], "fill"),
        ] {
            assert_eq!(template(text, &fill).check(&[]).unwrap_err().option, Some(option), "{text}");
        }
    }

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Template>(r#"{"fills": []}"#);
    }
}
