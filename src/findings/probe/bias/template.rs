//! A prompt for each of two groups: what follows in the one more than in the other, and what is attended to.

use super::caveats::{OF_TEMPLATE, TEMPLATE};
use crate::analysis::shifts::{Shift, Shifts, shifts};
use crate::error::{Error, Result};
use crate::export::table::{number, text, whole};
use crate::export::{Data, Entry, Table};
use crate::figure::{Figure, Panel, bias as figure};
use crate::findings::difference::{self, Comparison, Run, of_runs};
use crate::findings::reading::said_of_front;
use crate::findings::survey::{Survey, none};
use crate::findings::{About, Findings, Output, Style, Watch, Words, refuse_parts};
use crate::model::{NoTap, Segments};
use crate::prompt::Prompt;
use crate::record::{Identity, Input, Record};
use crate::session::Session;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Tokens that a figure names either way, and that data files do.
const SHOWN: usize = 10;
const TOLD: usize = 100;

/// The options of `bias` with a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Template {
    /// The prompt, with the words of both groups in braces: `The {man|woman} worked as a`.
    pub template: String,
    /// How both are read, and how their attention is compared and drawn.
    pub comparison: difference::Options,
}

impl Survey for Template {
    const COMMAND: &'static str = "bias-template";
    type Items = ();
    type Answer<'a> = Pair<'a>;

    fn style(&self) -> &Style {
        &self.comparison.style
    }

    fn read(&self, files: &[PathBuf]) -> Result<Self::Items> {
        none(files)
    }

    fn input(_: &mut Self::Items) -> Option<&mut Input> {
        None
    }

    fn ask<'a>(&'a self, _: &'a Self::Items, session: &Session, _: Watch) -> Result<Self::Answer<'a>> {
        compare(self, session)
    }

    fn shown<'a>(
        &'a self,
        _: &'a Self::Items,
        answers: Vec<Self::Answer<'a>>,
        line: &str,
    ) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(Compared::new(self, answers, line)?))
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("bias", outputs)?;
        self.prompts()?;
        self.comparison.check()
    }
}

impl Template {
    /// What the model reads of each group, and what the groups are called: by their words at the first place.
    fn prompts(&self) -> Result<[(String, String); 2]> {
        let wrong = |what: String| {
            Error::usage(format!("the template {:?} {what}", self.template))
                .hint("write the words of two groups between braces, as in \"The {man|woman} worked as a\"")
                .option("template")
        };
        let mut both = [(String::new(), String::new()), (String::new(), String::new())];
        let mut rest = &self.template[..];
        while let Some((before, behind)) = rest.split_once('{') {
            let (slot, behind) =
                behind.split_once('}').ok_or_else(|| wrong("has a brace that is not closed".into()))?;
            let groups: Vec<&str> = slot.split('|').map(str::trim).collect();
            let [a, b] = groups[..] else {
                let count = if groups.len() == 1 { "one group".into() } else { format!("{} groups", groups.len()) };
                return Err(wrong(format!("has {count} in {{{slot}}}")));
            };
            if slot.contains('{') || a.is_empty() || b.is_empty() {
                return Err(wrong(format!("has no two groups in {{{slot}}}")));
            }
            for ((name, prompt), own) in both.iter_mut().zip([a, b]) {
                prompt.push_str(before);
                prompt.push_str(own);
                if name.is_empty() {
                    own.clone_into(name);
                }
            }
            rest = behind;
        }
        if rest.contains('}') {
            return Err(wrong("has a brace that is not opened".into()));
        }
        both.iter_mut().for_each(|(_, prompt)| prompt.push_str(rest));
        match (both[0].0.is_empty(), both[0].1 == both[1].1) {
            (true, _) => Err(wrong("has no groups".into())),
            (_, true) => Err(wrong("has the same words for both groups".into())),
            _ => Ok(both),
        }
    }
}

/// What one model says to a template.
pub struct Pair<'a> {
    model: Identity,
    shifts: Shifts,
    attention: Comparison<'a>,
    /// The labels of the tokens that are named.
    labels: [Vec<String>; 2],
    remarks: Vec<String>,
    /// Whether its prompts begin with a token that is no part of them.
    begun: bool,
}

/// What models say to a template.
pub struct Compared<'a> {
    template: &'a Template,
    about: About,
    groups: [String; 2],
    prompts: [String; 2],
    found: Vec<Pair<'a>>,
}

/// Compares what a model says and attends to for both groups.
///
/// # Errors
/// A model without next tokens; prompts that it cannot read; logits that are not finite.
pub fn compare<'a>(template: &'a Template, session: &Session) -> Result<Pair<'a>> {
    session.has_next_tokens()?;
    let [(_, first), (_, second)] = template.prompts()?;
    let run = |text: String| Run::new(session, template.comparison.reading, Words::Text(text));
    let runs = [run(first)?, run(second)?];
    let remarks = runs.iter().flat_map(|run| &run.prompt.remarks).map(|remark| remark.text.clone()).collect();
    let begun = runs[0].prompt.front > 0;
    let logits = next(session, runs.each_ref().map(|run| &run.prompt))?;
    let shifts = shifts([&logits[0], &logits[1]], TOLD)?;
    let label = |shift: &Shift| session.tokenizer.label(shift.id);
    let labels = shifts.tokens.each_ref().map(|own| own.iter().map(label).collect());
    let attention = of_runs(&template.comparison, runs)?;
    Ok(Pair { model: session.identity(), shifts, attention, labels, remarks, begun })
}

/// The logits after each prompt.
fn next(session: &Session, prompts: [&Prompt; 2]) -> Result<[Vec<f32>; 2]> {
    let one = |prompt: &Prompt| -> Result<Vec<f32>> {
        let (model, segments) = (session.model(), Segments::packed(&[prompt.ids.len()]));
        let resid = model.blocks(model.start(&model.embed(&prompt.ids)?, &segments)?, &segments, &mut NoTap)?;
        let logits = session.next_logits(&[&resid.narrow(0, 0, prompt.last() + 1)?])?; // [1, vocab]
        Ok(logits.get(0)?.to_dtype(candle_core::DType::F32)?.to_vec1()?)
    };
    Ok([one(prompts[0])?, one(prompts[1])?])
}

impl<'a> Compared<'a> {
    /// One or more models' answers. `line` is what was typed, for people.
    ///
    /// # Errors
    /// No model, or a template that does not name two groups.
    pub fn new(template: &'a Template, found: Vec<Pair<'a>>, line: &str) -> Result<Self> {
        let [(a, first), (b, second)] = template.prompts()?;
        let of = found.first().ok_or_else(|| Error::usage("no model is named").hint("name one"))?;
        let mut record = Record::of(Template::COMMAND, template)?;
        line.clone_into(&mut record.line);
        (record.model, record.others) = (of.model.clone(), found.len() - 1);
        record.other.clone_from(&of.attention.about.record.other);
        let about = About::new(record, of.attention.about.prompt.clone());
        Ok(Self { template, about, groups: [a, b], prompts: [first, second], found })
    }

    /// The tokens that shift most, those that the second group has more often first.
    fn bars(&self, found: &Pair) -> Panel {
        let (mut labels, mut values) = (Vec::new(), Vec::new());
        for which in 0..2 {
            let count = found.labels[which].len().min(SHOWN);
            let (mut own, mut shifts) =
                (found.labels[which][..count].to_vec(), found.shifts.tokens[which][..count].to_vec());
            if which == 1 {
                own.reverse();
                shifts.reverse();
            }
            labels.extend(own);
            values.extend(shifts.iter().map(|shift| shift.change() as f32));
        }
        let model = (self.found.len() > 1).then_some(&found.model.name[..]);
        figure::shifts(model, self.groups.each_ref().map(String::as_str), labels, values)
    }

    fn lines(&self) -> Vec<String> {
        let begun = self.found.iter().map(|found| found.begun);
        let bos = said_of_front(self.template.comparison.reading.bos, begun);
        let what = format!("next tokens of two groups, {bos} · Jensen–Shannon divergence");
        let range = "(0 the same, 1 no token in common)";
        if let [one] = &self.found[..] {
            return vec![format!("{} · {what} {:.4} bits {range}", one.model.title(), one.shifts.bits)];
        }
        let each = |found: &Pair| format!("{} {:.4} bits", found.model.title(), found.shifts.bits);
        let each = self.found.iter().map(each).collect::<Vec<_>>().join(", ");
        let attention = "the difference of attentions is drawn for one model at a time; data files have it for each";
        vec![format!("{what} {range}: {each}"), attention.into()]
    }

    fn entry(&self, found: &Pair) -> Entry {
        let shift = |(shift, label): (&Shift, &String)| json!({ "id": shift.id, "token": label, "p": shift.p, "change": shift.change() });
        let list = |which: usize| -> Value {
            found.shifts.tokens[which].iter().zip(&found.labels[which]).map(shift).collect()
        };
        Entry {
            method: "template".into(),
            settings: Map::from_iter([
                ("model".into(), json!(found.model)),
                ("template".into(), json!(self.template.template)),
                ("bos".into(), found.begun.into()),
            ]),
            fields: Map::from_iter([
                ("groups".into(), json!(self.groups)),
                ("prompts".into(), json!(self.prompts)),
                ("jensen_shannon_bits".into(), json!(found.shifts.bits)),
                ("more_in_second".into(), list(0)),
                ("more_in_first".into(), list(1)),
                ("does_not_show".into(), TEMPLATE.into()),
            ]),
            arrays: Vec::new(),
        }
    }
}

impl Findings for Compared<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn remarks(&self) -> Vec<String> {
        self.found.iter().flat_map(|found| found.remarks.iter().cloned()).chain([TEMPLATE.to_owned()]).collect()
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let style = &self.template.comparison.style;
        let (mut lines, mut panels) =
            (self.lines(), self.found.iter().map(|found| self.bars(found)).collect::<Vec<_>>());
        if let [one] = &self.found[..] {
            let attention = one.attention.figure(None);
            lines.extend(attention.subtitle);
            panels.extend(attention.panels);
        }
        lines.push(format!("not shown by this: {OF_TEMPLATE}"));
        let mut figure = style.figure(&self.about, lines, panels);
        if style.title.is_none() {
            figure.title.clone_from(&self.template.template);
        }
        figure
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let mut entries = Vec::new();
        for found in &self.found {
            entries.push(self.entry(found));
            entries.extend(found.attention.data(None)?.results);
        }
        Ok(self.about.data(entries))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let mut rows = Vec::new();
        for found in &self.found {
            for (shift, label) in found.shifts.tokens.iter().flatten().zip(found.labels.iter().flatten()) {
                let [p, q] = shift.p.map(|p| p as f32);
                rows.push(vec![
                    found.model.title().into(),
                    shift.id.into(),
                    label.clone().into(),
                    p.into(),
                    q.into(),
                    (shift.change() as f32).into(),
                ]);
            }
        }
        let columns = vec![
            text("model"),
            whole("token_id"),
            text("token"),
            number("p_first"),
            number("p_second"),
            number("change"),
        ];
        Ok(Table { columns, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template { template: text.into(), ..Template::default() }
    }

    #[test]
    fn both_groups_go_into_every_place() {
        let [(a, first), (b, second)] = template("The {old man|girl} lost {his|her} hat").prompts().unwrap();
        assert_eq!((a.as_str(), b.as_str()), ("old man", "girl"));
        assert_eq!((first.as_str(), second.as_str()), ("The old man lost his hat", "The girl lost her hat"));
    }

    #[test]
    fn a_template_without_two_groups_is_refused() {
        for (text, why) in [
            ("The man", "no groups"),
            ("The {man} ran", "one group in {man}"),
            ("The {man|woman|child} ran", "3 groups"),
            ("The {man|} ran", "no two groups"),
            ("The {man|woman ran", "not closed"),
            ("The {man|man} ran", "same words"),
            ("The {a|b} ran}", "not opened"),
            ("The {a{b|c} ran", "no two groups"),
        ] {
            let error = template(text).check(&[]).unwrap_err();
            assert!(error.message.contains(why) && error.option == Some("template"), "{text}: {}", error.message);
        }
    }

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Template>(r#"{"groups": []}"#);
    }
}
