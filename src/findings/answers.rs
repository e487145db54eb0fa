//! What a model answers with, by name: the tokens that may come next, or the classes of a text.

use super::subject::{in_a_line, next_line, percent};
use super::target;
use super::{Subject, Token};
use crate::analysis::Prediction;
use crate::error::{Error, Result};
use crate::model::{Classes, Odds};
use crate::text::excerpt;
use serde_json::{Map, Value, json};

/// Classes that an error or a line lists, and characters of a class's name that are shown.
const SHOWN: usize = 12;
const LONGEST: usize = 60;

/// The names of a model's answers.
#[derive(Clone, Copy)]
pub(super) struct Answers<'a> {
    subject: &'a Subject<'a>,
    classes: Option<&'a Classes>,
}

impl<'a> Answers<'a> {
    /// Those of a subject's model.
    pub fn of(subject: &'a Subject<'a>) -> Self {
        Self { subject, classes: subject.session.model().classes() }
    }

    /// What its logits mean together.
    pub fn odds(&self) -> Odds {
        self.classes.map_or(Odds::OneOf, |classes| classes.odds)
    }

    /// How a table shows an answer.
    pub fn label(&self, id: u32) -> String {
        self.classes.map_or_else(|| self.subject.label(id), |classes| shown(classes, id))
    }

    /// How a sentence names an answer.
    pub fn name(&self, id: u32) -> String {
        match self.classes {
            Some(classes) => format!("class “{}”", shown(classes, id)),
            None => in_a_line(&self.subject.label(id)),
        }
    }

    /// How a sentence gives an answer's number.
    pub fn number(&self, number: f64) -> String {
        if self.odds() == Odds::Score { format!("score {number:.2}").replace('-', "−") } else { percent(number) }
    }

    /// The line that names the largest answers.
    pub fn line(&self, largest: &[Prediction]) -> Option<String> {
        let Some(classes) = self.classes else { return next_line(self.subject.session, largest) };
        let named = |one: &Prediction| format!("“{}” {}", shown(classes, one.id), self.number(one.probability));
        Some(format!("classes: {}", largest.iter().map(named).collect::<Vec<_>>().join(", ")))
    }

    /// The settings that say in a file what was explained.
    pub fn settings(&self, target: u32, foil: Option<u32>, position: usize) -> Map<String, Value> {
        let Some(Classes { labels, .. }) = self.classes else {
            return target::settings(self.subject, target, foil, position);
        };
        Map::from_iter([
            ("target".into(), json!(target)),
            ("target_label".into(), json!(labels[target as usize])),
            ("foil".into(), json!(foil)),
            ("foil_label".into(), json!(foil.map(|foil| &labels[foil as usize]))),
            ("position".into(), json!(position)),
        ])
    }
}

fn shown(classes: &Classes, id: u32) -> String {
    excerpt(&classes.labels[id as usize], LONGEST)
}

/// The class that is meant by its number or its name; `option` names it in errors.
pub(super) fn class(option: &'static str, typed: &Token, classes: &Classes) -> Result<u32> {
    let labels = &classes.labels;
    let called = |name: &str| -> Vec<usize> { (0..labels.len()).filter(|class| labels[*class] == name).collect() };
    let wrong = |what: String, hint: String| Err(Error::usage(format!("{option} {what}")).hint(hint).option(option));
    let first = || {
        let names: Vec<String> = (0..labels.len().min(SHOWN) as u32).map(|class| shown(classes, class)).collect();
        format!("classes are {}{}", names.join(", "), if labels.len() > SHOWN { " …" } else { "" })
    };
    match typed {
        Token::Id(id) => match (called(&id.to_string())[..].first(), labels.get(*id as usize)) {
            (Some(class), _) if *class != *id as usize => {
                wrong(format!("{id} is the name of class {class}, not its number"), format!("the name is text:{id}"))
            }
            (_, None) => wrong(format!("{id}: the model has the classes 0 to {}", labels.len() - 1), first()),
            _ => Ok(*id),
        },
        Token::Text(name) => match called(name)[..] {
            [class] => Ok(class as u32),
            [] => wrong(format!("{:?} is no class of this model", excerpt(name, LONGEST)), first()),
            [a, b, ..] => wrong(
                format!("{:?} is the name of classes {a} and {b}", excerpt(name, LONGEST)),
                format!("give its number: {a}"),
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_meant_by_its_number_or_its_name_and_never_by_both() {
        let of = |labels: &[&str], typed: Token| {
            let labels = labels.iter().map(|label| (*label).to_owned()).collect();
            class("target", &typed, &Classes { labels, odds: Odds::OneOf, padding: None })
                .map_err(|error| error.message)
        };
        let (text, id) = (|name: &str| Token::Text(name.into()), Token::Id);
        assert_eq!(of(&["no", "yes"], text("yes")), Ok(1));
        assert_eq!(of(&["no", "yes"], id(1)), Ok(1));
        // Stars: the name of one class is the number of another.
        assert_eq!(of(&["1", "2"], text("2")), Ok(1));
        assert!(of(&["1", "2"], id(1)).unwrap_err().contains("name of class 0"));
        assert_eq!(of(&["0", "1"], id(1)), Ok(1));
        assert!(of(&["no", "yes"], id(2)).unwrap_err().contains("0 to 1"));
        assert!(of(&["no", "yes"], text("Yes")).unwrap_err().contains("\"Yes\" is no class"));
        assert!(of(&["no", "no"], text("no")).unwrap_err().contains("classes 0 and 1"));
    }
}
