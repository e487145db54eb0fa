//! `attnviz diff`: what one run attends to more than another: two prompts, two models, or two saved results.

mod sides;

use super::args::{FigureArgs, SelectionArgs, one_of};
use super::deliver::deliver;
use super::model::{ModelArgs, Opened};
use super::output::{Destination, OutputArgs, remark_on, remark_on_prompt};
use super::run::announce;
use attnviz::checkpoint::Checkpoint;
use attnviz::error::{Error, Result};
use attnviz::findings::difference::{Options, Run, alike, of_files, of_runs};
use attnviz::findings::{Findings, Reading, refuse_graph};
use attnviz::prompt::Truncate;
use attnviz::session::{self, Session};
use clap::Args;
use sides::Sides;

/// The flags of `diff`.
#[derive(Args)]
#[command(after_help = "\
A word that ends in .json, .npz or .safetensors is a file, any other a prompt;
`text:` before a prompt forces it, `ids:464,2068` gives token ids. Prompts of
unequal length are aligned token by token, by the fewest edits. Blue is where B
attends more, orange where A does.

Exit: 0 no number differs by more than --tol; 3 some do, or one of the two has
tokens that the other lacks. Files are written either way.

Examples:
  attnviz diff \"The cat sat\" \"The old dog sat\" -m builtin
  attnviz diff \"Once upon a time\" -m builtin --against ./my-gpt2
  attnviz diff before.json after.safetensors --tol 1e-3")]
pub struct DiffArgs {
    /// The first: a prompt, or a file of results; `-` is a prompt on standard input
    #[arg(value_name = "A", help_heading = "Prompt")]
    a: String,
    /// The second, of the same kind
    #[arg(value_name = "B", help_heading = "Prompt", conflicts_with = "against")]
    b: Option<String>,
    /// Begin with the model's own beginning-of-text token
    #[arg(long, help_heading = "Prompt")]
    bos: bool,
    /// Leave out the tokens that the tokenizer puts in front of a text and behind it
    #[arg(long, visible_alias = "no-bos", help_heading = "Prompt")]
    no_special: bool,
    /// Take each text as a user's turn in the model's own chat template
    #[arg(long, conflicts_with_all = ["no_special", "truncate"], help_heading = "Prompt")]
    chat: bool,
    /// Shorten a prompt that is longer than the model's context
    #[arg(long, value_name = "SIDE", help_heading = "Prompt", value_parser = one_of::<Truncate>())]
    truncate: Option<Truncate>,
    /// The model to compare with on one prompt, such as a fine-tune
    #[arg(long, value_name = "MODEL", help_heading = "Model")]
    against: Option<String>,
    /// How far apart two numbers may be and still count as the same
    #[arg(long, value_name = "X", default_value = "1e-4", help_heading = "Comparison")]
    tol: f32,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Compares, writes what was asked for, and fails where the two differ; `line` is what was typed, for people.
pub fn run(args: &DiffArgs, line: &str) -> Result<()> {
    let (sides, quiet) = (args.sides()?, args.output.quiet);
    let named = args.model.named().filter(|_| !matches!(sides, Sides::Files(..)));
    let destinations = args.output.destinations("diff", named.as_deref(), line)?;
    let outputs: Vec<_> = destinations.iter().map(Destination::output).collect();
    refuse_graph("diff", &outputs)?;
    let options = args.options()?;
    options.check()?;
    args.model.start_threads()?;
    let reading = options.reading;
    let compare = |runs: [Run<'_>; 2]| {
        runs.iter().for_each(|run| remark_on_prompt(&run.prompt, quiet));
        let [a, b] = &runs;
        let more = if std::ptr::eq(a.session, b.session) { 0 } else { b.session.weight_bytes() };
        let cost = options.cost(a.session.spec(), [a, b].map(|run| run.prompt.ids.len()), &outputs);
        announce(&cost, a.session.weight_bytes() + more, quiet)?;
        of_runs(&options, runs)
    };
    let mut found = match sides {
        Sides::Files(a, b) => of_files(&options, [&a, &b])?,
        Sides::Prompts(a, b) => {
            let session = Session::new(open(&args.model, &options, quiet)?)?;
            remark_on(&session, quiet);
            compare([Run::new(&session, reading, a)?, Run::new(&session, reading, b)?])?
        }
        Sides::Models(words, against) => {
            let [a, b] = open_both([&args.model, &args.model.instead(&against)], &options, quiet)?;
            compare([Run::new(&a, reading, words.clone())?, Run::new(&b, reading, words)?])?
        }
    };
    line.clone_into(&mut found.about.record.line);
    if found.parts().is_empty() && destinations.iter().any(|destination| destination.output().by_part) {
        return Err(Error::usage("these results have no layers and heads").hint("leave {layer} and {head} out of -o"));
    }
    deliver(&found, &destinations, &options.style.fonts()?, quiet)?;
    found.verdict()
}

/// A model that has what is selected. None stands in for one that cannot be had: differences from another would be no answer.
pub fn open(model: &ModelArgs, options: &Options, quiet: bool) -> Result<Checkpoint> {
    let Opened { checkpoint, .. } = model.open(false, quiet)?;
    options.fits(session::family(&checkpoint)?.spec())?;
    Ok(checkpoint)
}

/// Two models that can be compared head by head.
pub fn open_both(models: [&ModelArgs; 2], options: &Options, quiet: bool) -> Result<[Session; 2]> {
    let (a, b) = (open(models[0], options, quiet)?, open(models[1], options, quiet)?);
    let (family_a, family_b) = (session::family(&a)?, session::family(&b)?);
    alike([(&a.name, family_a.spec()), (&b.name, family_b.spec())])?;
    let sessions = [Session::new(a)?, Session::new(b)?];
    sessions.iter().for_each(|session| remark_on(session, quiet));
    Ok(sessions)
}

impl DiffArgs {
    /// What is meant, but for the two sides.
    fn options(&self) -> Result<Options> {
        let (bos, no_special, chat) = (self.bos, self.no_special, self.chat);
        let reading =
            Reading { bos, truncate: self.truncate.unwrap_or_default(), no_special, chat, ..Reading::default() };
        Ok(Options { reading, selection: self.selection.selection()?, tol: self.tol, style: self.figure.style()? })
    }
}
