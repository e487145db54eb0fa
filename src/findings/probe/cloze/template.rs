//! A prompt with slots, and what goes into them.

use super::filled::{Filled, Said, fill};
use crate::error::{Error, Result};
use crate::findings::survey::{Survey, none};
use crate::findings::{Findings, Output, Style, Watch, refuse_parts};
use crate::record::Input;
use crate::session::Session;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The most fillings.
const MOST: usize = 4096;

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

impl Survey for Template {
    const COMMAND: &'static str = "template";
    type Items = ();
    type Answer<'a> = Said;

    fn style(&self) -> &Style {
        &self.style
    }

    fn read(&self, files: &[PathBuf]) -> Result<Self::Items> {
        none(files)
    }

    fn input(_: &mut Self::Items) -> Option<&mut Input> {
        None
    }

    fn ask<'a>(&'a self, _: &'a Self::Items, session: &Session, watch: Watch) -> Result<Self::Answer<'a>> {
        fill(self, session, watch)
    }

    fn shown<'a>(
        &'a self,
        _: &'a Self::Items,
        answers: Vec<Self::Answer<'a>>,
        line: &str,
    ) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(Filled::new(self, answers, line)?))
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
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
}

impl Template {
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
    pub(super) fn shape(&self) -> [usize; 2] {
        let columns = self.fill.last().map_or(1, |slot| slot.values.len());
        let all: usize = self.fill.iter().map(|slot| slot.values.len()).product();
        [all / columns.max(1), columns]
    }

    /// All fillings, row by row.
    pub(super) fn prompts(&self) -> Vec<String> {
        let [rows, columns] = self.shape();
        (0..rows * columns).map(|number| self.prompt(number)).collect()
    }

    /// What goes into each slot in the filling of this number.
    pub(super) fn values(&self, number: usize) -> Vec<&str> {
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
