//! What `attnviz probe` made: the model again, and the file of items, which is to be named.

use super::{Again, changed};
use crate::cli::output::remark_on;
use attnviz::error::{Error, Result};
use attnviz::findings::probe::pairs::{self, Options, Pairs, Suite};
use attnviz::session::Session;
use attnviz::text::shell_word;

impl Again<'_> {
    /// From a file of minimal pairs.
    pub(super) fn of_pairs(&self) -> Result<()> {
        let options: Options = self.options()?;
        let outputs = self.outputs(&|outputs| options.check(outputs))?;
        options.check(&outputs).map_err(|e| self.named(e))?;
        let Some(input) = &self.record.input else { return Err(self.silent("which file of pairs it is of")) };
        if self.record.others > 0 {
            return Err(self
                .named(Error::failed(format!("it compares {} models", self.record.others + 1)))
                .hint("only results of one model can be made again: run the command again"));
        }
        let [path] = &self.args.input[..] else {
            return Err(self.named(Error::failed(format!("it is of a file {:?}", input.name))).hint(format!(
                "give that file: attnviz rerun {} --input {}",
                shell_word(self.name),
                shell_word(&input.name)
            )));
        };
        let mut suite = Suite::read(path, &options)?;
        let change = (suite.input.hash != input.hash).then(|| {
            format!("the file of pairs had the hash {}, {} has {}", input.hash, suite.input.name, suite.input.hash)
        });
        suite.input.name.clone_from(&input.name); // a file keeps what it holds under any name
        let session = Session::new(self.model()?.open(false, self.args.output.quiet)?.checkpoint)?;
        remark_on(&session, self.args.output.quiet);
        let found = pairs::find(&options, &suite, &session, &|_, _| ())?;
        let change = change.or_else(|| changed(&self.record.model, &session));
        let pairs = Pairs::new(&options, &suite, vec![found], &self.record.line)?;
        self.finish(&pairs, &options.style.fonts()?, change)
    }
}
