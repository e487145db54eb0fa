//! A prompt with slots: what the model says for each filling, as a matrix.

use super::Reader;
use crate::analysis::next_tokens;
use crate::analysis::scoring::Watch;
use crate::error::{Error, Result};
use crate::export::table::{number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::{Figure, Heatmap, Matrix, Panel, Scale};
use crate::findings::{About, Findings, Output, Style, refuse_parts};
use crate::model::{NoTap, Segments};
use crate::prompt::Prompt;
use crate::record::Record;
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

/// The most probable next token of each filling.
struct Filled<'a> {
    options: &'a Template,
    about: About,
    prompts: Vec<String>,
    top: Vec<(u32, f64)>,
    labels: Vec<String>,
}

/// What a model says for each filling.
///
/// # Errors
/// A filling that the model cannot read; logits that are not finite.
pub fn matrix<'a>(
    options: &'a Template,
    session: &Session,
    line: &str,
    watch: Watch,
) -> Result<Box<dyn Findings + 'a>> {
    let reader = Reader::new(session, options.bos)?;
    let [rows, columns] = options.shape();
    let prompts: Vec<String> = (0..rows * columns).map(|number| options.prompt(number)).collect();
    let read = |text: &String| {
        reader.prompt(text).map_err(|why| {
            Error::usage(format!("{text:?}: {why}")).hint("change the list or the template").option("fill")
        })
    };
    let ids: Vec<Vec<u32>> = prompts.iter().map(read).collect::<Result<_>>()?;
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
    let mut record = Record::of("template", options)?;
    line.clone_into(&mut record.line);
    record.model = session.identity();
    Ok(Box::new(Filled { options, about: About::new(record, Prompt::default()), prompts, top, labels }))
}

impl Findings for Filled<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let ([rows, columns], options) = (self.options.shape(), self.options);
        let (slots, style) = (&options.fill, &options.style);
        let before = slots.len().saturating_sub(1);
        let names = |slots: &[super::Slot]| slots.iter().map(|slot| slot.name.clone()).collect::<Vec<_>>().join(" ");
        let values: Vec<f32> = self.top.iter().map(|(_, p)| *p as f32).collect();
        let largest = values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let map = Heatmap {
            values: Matrix::new(rows, columns, values),
            row_labels: (0..rows).map(|row| options.values(row * columns)[..before].join(" ")).collect(),
            col_labels: slots.last().map_or_else(Vec::new, |slot| slot.values.clone()),
            row_axis: names(&slots[..before]),
            col_axis: names(&slots[before..]),
            cell_labels: self.labels.clone(),
            scale: Scale {
                kind: style.scale,
                colormap: style.colormap.unwrap_or_default(),
                min: 0.0,
                max: largest,
                unit: "probability".into(),
                ..Scale::default()
            },
            ..Heatmap::default()
        };
        let bos = if options.bos { "after BOS" } else { "no BOS" };
        let lines = vec![format!("{} · the most probable next token of each filling, {bos}", self.about.model().name)];
        let mut figure = style.figure(&self.about, lines, vec![Panel::Heatmap(map)]);
        if style.title.is_none() {
            figure.title.clone_from(&options.template);
        }
        figure
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let [rows, columns] = self.options.shape();
        let array = |name: &str, values: Vec<f32>| Array { name: name.into(), shape: vec![rows, columns], values };
        let top = self
            .top
            .chunks(columns)
            .map(|row| row.iter().map(|(id, _)| json!(id)).collect::<serde_json::Value>())
            .collect();
        Ok(self.about.data(vec![Entry {
            method: "template".into(),
            settings: Map::from_iter([
                ("template".into(), json!(self.options.template)),
                ("fill".into(), json!(self.options.fill)),
                ("bos".into(), self.options.bos.into()),
            ]),
            fields: Map::from_iter([
                ("top".into(), top),
                ("labels".into(), json!(self.labels)),
                ("prompts".into(), json!(self.prompts)),
            ]),
            arrays: vec![
                array("top", self.top.iter().map(|(id, _)| *id as f32).collect()),
                array("p_top", self.top.iter().map(|(_, p)| *p as f32).collect()),
            ],
        }]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let row = |at: usize| {
            let (id, p) = self.top[at];
            vec![self.prompts[at].clone().into(), id.into(), self.labels[at].clone().into(), (p as f32).into()]
        };
        let columns = vec![text("filled"), whole("top"), text("top_token"), number("p_top")];
        Ok(Table { columns, rows: (0..self.top.len()).map(row).collect() })
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
