//! What `attnviz diff` made: two of everything.

use super::{Again, said};
use crate::cli::diff::runs::pair;
use crate::cli::{Cli, Command};
use attnviz::error::{Error, Result};
use attnviz::export::Other;
use attnviz::session::Session;

impl Again<'_> {
    /// From two files, two prompts, or two models.
    pub(super) fn of_pair(&self, other: &Other) -> Result<()> {
        let Self { made, recipe, .. } = self;
        // The prompts are not in the recipe; whatever stands for them here is not read.
        let typed = recipe.parse::<Cli>(&["text:a".into(), "text:b".into()]).map_err(|e| self.named(e))?;
        let Some(Command::Diff(args)) = typed.command else {
            return Err(self
                .named(Error::failed(format!("`attnviz {}` compares nothing", made.command)))
                .hint("give a file that attnviz diff wrote"));
        };
        if let (Some(a), Some(b)) = (&made.input, &other.input) {
            let [first, second] = &self.args.input[..] else {
                return Err(self
                    .named(Error::failed(format!("it compares two files {:?} and {:?}", a.name, b.name)))
                    .hint(format!("give both: attnviz rerun {} --input {} --input {}", self.name, a.name, b.name)));
            };
            let mut found = args.of_files([first, second], recipe)?;
            let changed = found.hashes() != [Some(&a.hash), Some(&b.hash)];
            found.rename([&a.name, &b.name]); // a file keeps what it holds under any name
            return self.finish(&found, changed.then(|| "the files that it compares have changed".into()));
        }
        let first = self.model()?;
        let one_model = (&other.model, &other.weights) == (&made.model, &made.weights);
        let sessions = if one_model {
            [Session::new(args.open(&first)?)?].into()
        } else {
            let given = self.args.against.as_deref();
            let second = self.model_of(given, &other.model, other.revision.as_deref(), "--against")?;
            Vec::from(args.open_both([&first, &second])?)
        };
        let (a, b) = (&sessions[0], &sessions[sessions.len() - 1]);
        let prompts = [
            said(&made.prompt, &made.token_ids, |words| args.prompt(words, a))?,
            said(&other.prompt, &other.token_ids, |words| args.prompt(words, b))?,
        ];
        let then = [(&made.weights, a), (&other.weights, b)];
        let change = then.into_iter().find(|(weights, session)| **weights != session.hash);
        let change =
            change.map(|(weights, now)| format!("its weights were {weights}, those of {} are {}", now.name, now.hash));
        self.finish(&args.of_runs(pair([a, b], prompts), recipe)?, change)
    }
}
