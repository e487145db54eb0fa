//! Makes everything that a suite asks for: each model is loaded once, and prompts of one job run together.

use super::suite::{Case, Job, Question, Suite};
use super::{Open, Remark, lock, model};
use crate::error::{Error, Result};
use crate::findings::{Asked, Findings, Group, Output, Ready, Subject, find_all};
use crate::format::Format;
use crate::named::Named;
use crate::prompt::Prompt;
use crate::render::Fonts;
use crate::session::Session;
use crate::weights::Weights;
use rayon::prelude::*;

/// What is made, piece by piece.
pub enum Piece<'a> {
    /// A model was loaded.
    Model { label: &'a str, weights: &'a Weights, model: lock::Model },
    /// Some cases were made.
    Cases(Vec<CaseOutputs<'a>>),
}

/// A case that was made, or why not.
pub struct CaseOutputs<'a> {
    /// Its number in the suite.
    pub case: usize,
    /// Its settings, as the lock file has them.
    pub settings: lock::Case,
    /// Its outputs.
    pub files: Result<Vec<(Format, Vec<u8>)>>,
    pub fonts: &'a Fonts,
}

/// Is given what is made, as soon as there is something.
type Take<'a> = &'a mut dyn FnMut(Piece) -> Result<()>;

/// Makes it all. `remark` is told what was assumed to read each model.
///
/// # Errors
/// A model that cannot be had, two of one name, what `take` returns. A case that fails is a piece.
pub fn make(suite: &Suite, open: Open, remark: Remark, take: Take) -> Result<()> {
    let fonts = [Fonts::bundled(), Fonts::with_system()];
    let mut labels: Vec<(String, &str)> = Vec::new();
    for (first, job) in suite.jobs.iter().enumerate() {
        if suite.jobs[..first].iter().any(|earlier| earlier.model == job.model) {
            continue;
        }
        let (label, checkpoint) = model::open(open, &suite.path, &job.model)?;
        if let Some((_, other)) = labels.iter().find(|(known, _)| *known == label) {
            return Err(Error::usage(format!("{other:?} and {:?} are both called {label}", job.model))
                .hint("rename one of the folders: a snapshot knows models by name, not by path"));
        }
        let session = Session::new(checkpoint)?;
        session.remarks().iter().for_each(|text| remark(text));
        let weights =
            session.weights().ok_or_else(|| Error::failed(format!("model {label} has no weights in files")))?;
        let model = lock::Model {
            revision: session.revision.clone(),
            hash: session.hash.clone(),
            tensors: weights.fingerprints(),
        };
        take(Piece::Model { label: &label, weights, model })?;
        for (number, job) in suite.jobs.iter().enumerate().filter(|(_, other)| other.model == job.model) {
            let outputs = job.outputs();
            let fonts = &fonts[usize::from(job.question.style().system_fonts)];
            Run { job, label: &label, session: &session, fonts, outputs }.cases(suite, number, take)?;
        }
        labels.push((label, &job.model));
    }
    Ok(())
}

/// A job, and the model that it is done with.
struct Run<'a> {
    job: &'a Job,
    label: &'a str,
    session: &'a Session,
    fonts: &'a Fonts,
    outputs: Vec<Output>,
}

/// A case of the suite by its number, and its settings.
type Numbered = (usize, lock::Case);

impl Run<'_> {
    /// All cases of one job, by its number.
    fn cases(&self, suite: &Suite, number: usize, take: Take) -> Result<()> {
        let cases = suite.cases.iter().enumerate().filter(|(_, case)| case.job == number);
        match &self.job.question {
            Question::OfPrompt(asked) => self.of_prompts(asked, cases, take),
            Question::OfItems(items, _) => {
                for (place, case) in cases {
                    let found = items.find(self.session, &self.job.line, &|_, _| ());
                    let found = found.map_err(|error| self.session.explain(error));
                    take(Piece::Cases(vec![self.files((place, self.settings(case, &[])?), found)]))?;
                }
                Ok(())
            }
        }
    }

    /// Those with a prompt each, or with none.
    fn of_prompts<'c>(&self, asked: &Asked, cases: impl Iterator<Item = (usize, &'c Case)>, take: Take) -> Result<()> {
        let mut group = Group::new(self.session.spec());
        for (place, case) in cases {
            let prompt = self.prompt(asked, case);
            let settings = self.settings(case, prompt.as_ref().map_or(&[], |prompt| &prompt.ids))?;
            let tokens = settings.token_ids.len();
            if !group.has_room(tokens) {
                take(Piece::Cases(self.made(asked, group.take())))?;
            }
            group.push(((place, settings), prompt.and_then(|prompt| self.subject(asked, prompt))), tokens);
        }
        take(Piece::Cases(self.made(asked, group.take())))
    }

    /// What the model reads; nothing where the command needs nothing.
    fn prompt(&self, asked: &Asked, case: &Case) -> Result<Prompt> {
        let (analysis, spec) = (asked.analysis(), self.session.spec());
        analysis.fits(spec)?;
        match case.words() {
            Some(words) => analysis.reading().read(words, &self.session.tokenizer, spec),
            None => Ok(Prompt::default()),
        }
    }

    fn settings(&self, case: &Case, ids: &[u32]) -> Result<lock::Case> {
        let (command, options) = self.job.question.parts()?;
        let input = match &self.job.question {
            Question::OfPrompt(_) => None,
            Question::OfItems(_, input) => input.clone(),
        };
        Ok(lock::Case {
            model: self.label.to_owned(),
            command,
            options,
            prompt: case.prompt.clone(),
            token_ids: ids.to_vec(),
            input,
            formats: self.job.formats.iter().map(|format| format.name().to_owned()).collect(),
        })
    }

    fn subject(&self, asked: &Asked, prompt: Prompt) -> Result<Subject<'_>> {
        let mut subject = Subject::new(self.session, prompt, asked)?;
        self.job.line.clone_into(&mut subject.record.line);
        Ok(subject)
    }

    /// The outputs of a group of cases.
    fn made(&self, asked: &Asked, group: Vec<(Numbered, Result<Subject>)>) -> Vec<CaseOutputs<'_>> {
        let (cases, subjects): (Vec<Numbered>, Vec<_>) = group.into_iter().unzip();
        let found = find_all(asked.analysis(), self.session, subjects, &self.outputs);
        cases.into_par_iter().zip(found).map(|(case, found)| self.files(case, found)).collect()
    }

    /// The outputs of a case.
    fn files(&self, (case, settings): Numbered, found: Result<Box<dyn Findings + '_>>) -> CaseOutputs<'_> {
        let files = |found: Box<dyn Findings + '_>| {
            let ready = Ready::new(&*found);
            let file = |format: &Format| Ok((*format, ready.bytes(*format, None, self.fonts)?));
            self.job.formats.iter().map(file).collect()
        };
        CaseOutputs { case, settings, files: found.and_then(files), fonts: self.fonts }
    }
}
