//! Commands that are asked of files of items instead of a prompt, of one model or of several.

use super::deliver::deliver;
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::progress::Progress;
use attnviz::error::Result;
use attnviz::findings::survey::{AnySurvey, Survey};
use std::path::PathBuf;

/// A command of items, as typed.
pub trait SurveyCommand {
    /// The flags of the models and of where results go.
    fn groups(&self) -> (&ModelArgs, &OutputArgs);
    /// What is meant by the others.
    fn survey(&self) -> Result<Box<dyn AnySurvey>>;
    /// What a case of a suite cannot say, where it was said.
    fn place(&self) -> Option<&'static str> {
        None
    }
}

/// What people call the results, and what a survey counts.
pub struct Names {
    /// Of files that nobody named.
    pub results: &'static str,
    /// What goes through the model.
    pub things: &'static str,
}

/// Asks all models and delivers what they say; `line` is what was typed, for people.
pub fn ask<S: Survey>(
    survey: &S,
    files: &[PathBuf],
    (models, output): (&ModelArgs, &OutputArgs),
    names: &Names,
    line: &str,
) -> Result<()> {
    let laps = output.laps();
    let destinations = output.destinations(names.results, None, line)?;
    let outputs: Vec<_> = destinations.iter().map(|destination| destination.output()).collect();
    survey.check(&outputs)?;
    let items = survey.read(files)?;
    laps.lap("read");
    let quiet = output.quiet;
    let answers = models
        .each(quiet, |session| Progress::during(quiet, names.things, |watch| survey.ask(&items, session, watch)))?;
    laps.lap("computed");
    deliver(&*survey.shown(&items, answers, line)?, &destinations, &survey.style().fonts()?, quiet)?;
    laps.lap("written");
    Ok(())
}
