//! From a command of one prompt to its files: check what was typed, load, find, write, show.

use super::args::PromptArgs;
use super::deliver::deliver;
use super::model::ModelArgs;
use super::output::{self, Destination, OutputArgs};
use super::progress::Progress;
use attnviz::error::Result;
use attnviz::findings::{Asked, Cost, Subject, find};
use attnviz::prompt::Prompt;
use attnviz::weights::Weights;

/// A command that looks at one prompt, as typed.
pub trait PromptCommand {
    /// The flags that all such commands share.
    fn groups(&self) -> Groups<'_>;
    /// What is meant by the others.
    fn asked(&self) -> Result<Asked>;
    /// Where its results go.
    fn destinations(&self, command: &str, line: &str) -> Result<Vec<Destination>> {
        let Groups { prompt, model, output } = self.groups();
        let named = model.named().filter(|_| prompt.is_given()); // without a prompt the name is the model's already
        output.destinations(command, named.as_deref(), line)
    }
    /// Does it in another way, where it is not of one model and one prompt: of several models, or of a file that is too large for a
    /// prompt.
    fn otherwise(&self, _line: &str) -> Option<Result<()>> {
        None
    }
}

/// The flags that all commands of one prompt share.
pub struct Groups<'a> {
    pub prompt: &'a PromptArgs,
    pub model: &'a ModelArgs,
    pub output: &'a OutputArgs,
}

/// Runs a command; `line` is what was typed, for people.
pub fn run(command: &dyn PromptCommand, name: &str, line: &str) -> Result<()> {
    if let Some(done) = command.otherwise(line) {
        return done;
    }
    let Groups { prompt, model, output } = command.groups();
    let laps = output.laps();
    // What was typed is checked before anything slow.
    let destinations = command.destinations(name, line)?;
    let outputs: Vec<_> = destinations.iter().map(|destination| destination.output()).collect();
    let asked = command.asked()?;
    let analysis = asked.analysis();
    analysis.check(&outputs)?;
    let words = if analysis.needs_prompt() || prompt.is_given() { Some(prompt.words()?) } else { None };
    let (session, note) = model.session(true, output.quiet, |spec| analysis.fits(spec))?;
    laps.lap("loaded");
    let prompt = match words {
        Some(words) => analysis.reading().read(words, &session.tokenizer, session.spec())?,
        None => Prompt::default(),
    };
    output::remark_on_prompt(&prompt, output.quiet);
    let cost = analysis.cost(session.spec(), prompt.ids.len(), &outputs);
    announce(&cost, session.weight_bytes(), output.quiet)?;
    let progress = Progress::new(output.quiet);
    let watch = |done, planned| progress.watch(done, planned);
    let mut subject = Subject { watch: &watch, ..Subject::new(&session, prompt, &asked)? };
    (subject.record.line, subject.record.note) = (line.to_owned(), note);
    let doubts = if output.quiet { Vec::new() } else { asked.doubts(&subject)? };
    let found = find(analysis, subject, &outputs);
    progress.finish();
    let found = found?;
    doubts.iter().for_each(output::advise);
    laps.lap("computed");
    let fonts = analysis.style().fonts()?;
    std::thread::scope(|scope| {
        scope.spawn(|| session.weights().map(Weights::rest));
        deliver(&*found, &destinations, &fonts, output.quiet)
    })?;
    laps.lap("written");
    found.verdict()
}

/// Says what is taken, and fails where the system does not allow it.
pub fn announce(cost: &Cost, weights: u64, quiet: bool) -> Result<()> {
    cost.said(weights).iter().filter(|_| !quiet).for_each(output::say);
    cost.allowed()
}
