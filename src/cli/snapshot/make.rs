//! Makes everything that a suite asks for: each model is loaded once, and prompts of one command run together.

use super::suite::{Job, Suite};
use super::{SnapshotArgs, lock, model};
use crate::cli::findings::{Findings, bytes, find_all};
use crate::cli::output::Format;
use crate::cli::progress::Progress;
use crate::cli::subject::Subject;
use attnviz::error::{Error, Result};
use attnviz::prompt::Prompt;
use attnviz::render::Fonts;
use attnviz::session::Session;
use attnviz::weights::Weights;
use rayon::prelude::*;

/// Numbers of all patterns that are held at once.
const MOST_NUMBERS: usize = 48 << 20;
/// Cases whose outputs are held at once.
const MOST_CASES: usize = 64;

/// What is made, piece by piece.
pub enum Piece<'a> {
    /// A model was loaded.
    Model { label: &'a str, weights: &'a Weights, model: lock::Model },
    /// Some cases were made.
    Cases(Vec<Made<'a>>),
}

/// A case that was made, or why not.
pub struct Made<'a> {
    /// Its number in the suite.
    pub case: usize,
    /// Its settings, as the lock file has them.
    pub settings: lock::Case,
    /// Its outputs.
    pub files: Result<Vec<(Format, Vec<u8>)>>,
    pub fonts: &'a Fonts,
}

/// Makes it all, and hands it on as soon as there is something.
pub fn make(args: &SnapshotArgs, suite: &Suite, take: &mut dyn FnMut(Piece) -> Result<()>) -> Result<()> {
    let fonts = Fonts::bundled();
    let mut labels: Vec<(String, &str)> = Vec::new();
    for (first, job) in suite.jobs.iter().enumerate() {
        if suite.jobs[..first].iter().any(|earlier| earlier.model == job.model) {
            continue;
        }
        let (label, checkpoint) = model::open(args, &suite.path, &job.model)?;
        if let Some((_, other)) = labels.iter().find(|(known, _)| *known == label) {
            return Err(Error::usage(format!("{other:?} and {:?} are both called {label}", job.model))
                .hint("rename one of the folders: a snapshot knows models by name, not by path"));
        }
        let session = Session::new(checkpoint)?;
        let weights =
            session.weights().ok_or_else(|| Error::failed(format!("model {label} has no weights in files")))?;
        let model = lock::Model {
            revision: session.revision.clone(),
            hash: session.hash.clone(),
            tensors: weights.fingerprints(),
        };
        take(Piece::Model { label: &label, weights, model })?;
        for (number, job) in suite.jobs.iter().enumerate().filter(|(_, other)| other.model == job.model) {
            run(suite, number, job, &label, &session, &fonts, take)?;
        }
        labels.push((label, &job.model));
    }
    Ok(())
}

/// All cases of one job.
fn run(
    suite: &Suite,
    number: usize,
    job: &Job,
    label: &str,
    session: &Session,
    fonts: &Fonts,
    take: &mut dyn FnMut(Piece) -> Result<()>,
) -> Result<()> {
    let (command, spec, silent) = (job.command.command(), session.model.spec(), Progress::new(true));
    let targets = job.targets()?;
    let (mut group, mut size) = (Vec::new(), 0);
    let mut cases = suite.cases.iter().enumerate().filter(|(_, case)| case.job == number).peekable();
    while let Some((place, case)) = cases.next() {
        let prompt = command.fits(spec).and_then(|()| match case.words() {
            Some(words) => command.groups().prompt.resolve(words, &session.tokenizer, spec),
            None => Ok(Prompt::default()),
        });
        let settings = lock::Case {
            model: label.to_owned(),
            command: job.recipe.command.clone(),
            args: job.recipe.args.clone(),
            prompt: case.prompt.clone(),
            token_ids: prompt.as_ref().map_or(Vec::new(), |prompt| prompt.ids.clone()),
            formats: job.formats.iter().map(|format| format.extension().to_owned()).collect(),
        };
        let tokens = settings.token_ids.len();
        size += (tokens * tokens).saturating_mul(spec.layers * spec.heads);
        let subject = prompt.map(|prompt| Subject::new(session, prompt, None, &job.recipe, &silent));
        group.push(((place, settings), subject));
        if size > MOST_NUMBERS || group.len() == MOST_CASES || cases.peek().is_none() {
            let (cases, subjects): (Vec<_>, Vec<_>) = std::mem::take(&mut group).into_iter().unzip();
            let found = find_all(command, session, subjects, &targets);
            let made = |((case, settings), found): ((usize, lock::Case), Result<Box<dyn Findings + '_>>)| {
                let file = |found: &dyn Findings, format: Format| Ok((format, bytes(found, format, None, fonts)?));
                let files = found.and_then(|found| job.formats.iter().map(|format| file(&*found, *format)).collect());
                Made { case, settings, files, fonts }
            };
            take(Piece::Cases(cases.into_par_iter().zip(found).map(made).collect()))?;
            size = 0;
        }
    }
    Ok(())
}
