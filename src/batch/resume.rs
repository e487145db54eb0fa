//! What an earlier run has done in a folder: passed over where it is what this run would do, refused by name where it is not, and done again
//! where results are missing or changed.

use super::blocks::{Blocks, Work};
use super::folder::Folder;
use super::input::Item;
use super::job::{Done, Job};
use super::manifest::{Entry, Origin, ResultFile};
use super::run::Run;
use crate::error::{Error, Result};
use crate::export::Draft;
use crate::plain;
use crate::text::excerpt;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io::sink;
use std::path::Path;

/// Characters of a prompt that are shown.
const MOST_TEXT: usize = 60;

impl Job<'_> {
    /// Passes over what an earlier run has done. Returns the first block that it has not.
    pub(super) fn pass_over(&self, blocks: &mut Blocks, done: &mut Done) -> Result<Option<Work>> {
        while let Some(block) = blocks.next()? {
            let Some(entries) = done.folder.done()? else {
                return self.check_nothing(done.folder).map(|()| Some(block));
            };
            if !self.is_done(&block, &entries, done)? {
                return Ok(Some(block));
            }
            done.folder.keep();
            entries.iter().for_each(|entry| done.summary.add(entry));
        }
        match done.folder.done()? {
            Some(_) => Err(self.refused("the inputs have fewer prompts than were done there")),
            None => self.check_nothing(done.folder).map(|()| None),
        }
    }

    /// Whether a block is done, with all that its inputs have now.
    fn is_done(&self, block: &Work, entries: &[Entry], done: &mut Done) -> Result<bool> {
        if done.lines.count == 0 {
            self.check_run(entries.first().and_then(|first| first.run.as_deref()))?;
        }
        if entries.len() > block.items.len() {
            return Err(self.refused("the inputs have fewer prompts than were done there"));
        }
        block.items.iter().zip(entries).try_for_each(|(item, entry)| self.compare(item, entry))?;
        let mut lines = done.lines.clone();
        for (place, entry) in entries.iter().enumerate() {
            if (entry.run.is_some() && lines.count > 0) || (entry.end.is_some() && place + 1 < entries.len()) {
                return Err(self.refused(&format!("its list was changed at prompt {}", entry.index)));
            }
            lines.add(entry)?;
        }
        let end = entries.last().and_then(|last| last.end.as_ref());
        let now = block.all.as_ref().map(|all| lines.end(all));
        if let Some(end) = end
            && end.entries != lines.hash()
        {
            return Err(self.refused("its list was changed"));
        }
        // The last block of a finished run says so, and may have a short table.
        if entries.len() < block.items.len() || end != now.as_ref() {
            return Ok(false);
        }
        self.mend(&block.items, entries)?;
        done.lines = lines;
        Ok(true)
    }

    /// Refuses to go on with what is not of this run.
    fn check_run(&self, run: Option<&Run>) -> Result<()> {
        let Some(run) = run else {
            return Err(self.refused("its list does not say what it is of, as those of an earlier version do not"));
        };
        if *run == self.run {
            return Ok(());
        }
        Err(self.refused(&format!("it was begun with other options or another model: {}", run.changes(&self.run)?)))
    }

    /// The same for a share that had no prompts.
    fn check_nothing(&self, folder: &Folder) -> Result<()> {
        let Some(nothing) = folder.nothing() else { return Ok(()) };
        self.check_run(Some(&nothing.run))?;
        self.check_shard(nothing.shard.as_ref())
    }

    fn check_shard(&self, done: Option<&String>) -> Result<()> {
        let named = |shard: Option<&String>| shard.map_or("all prompts".into(), |shard| format!("share {shard}"));
        let (was, is) = (named(done), named(self.shard.as_ref()));
        if was == is { Ok(()) } else { Err(self.refused(&format!("it holds {was}, and {is} was asked for"))) }
    }

    /// Refuses to go on with another prompt, share or setting than before.
    fn compare(&self, item: &Item, done: &Entry) -> Result<()> {
        self.check_shard(done.shard.as_ref())?;
        if done.settings != self.settings {
            return Err(self.refused(&format!(
                "prompt {} was made with other options or another model: settings was {}, is {}",
                done.index, done.settings, self.settings
            )));
        }
        let same = done.index == item.index
            && done.input == item.origin
            && done.text() == item.text.as_deref().map_err(String::as_str);
        if same {
            return Ok(());
        }
        let shown = |index: u64, origin: &Origin, text: Result<&str, &str>| {
            let text = text.map_or_else(|wrong| format!("none ({wrong})"), |text| format!("{text:?}"));
            format!("{} in line {} of {} (number {index})", excerpt(&text, MOST_TEXT), origin.line, origin.file)
        };
        Err(self.refused(&format!(
            "prompt {} is not the one that was done there: it was {}, is {}",
            item.index,
            shown(done.index, &done.input, done.text()),
            shown(item.index, &item.origin, item.text.as_deref().map_err(String::as_str))
        )))
    }

    /// Does a block again where a result of it is missing or is not what it was.
    fn mend(&self, items: &[Item], entries: &[Entry]) -> Result<()> {
        let files: BTreeMap<&str, &ResultFile> =
            entries.iter().flat_map(Entry::files).map(|file| (file.name.as_str(), file)).collect();
        let folder = &self.options.out;
        let damaged = |file: &&ResultFile| !is_whole(file, folder);
        let Some(file) = files.into_values().collect::<Vec<_>>().into_par_iter().find_first(damaged) else {
            return Ok(());
        };
        let again = self.again(items.to_vec())?;
        if again.entries.iter().map(|now| &now.outcome).eq(entries.iter().map(|then| &then.outcome)) {
            return again.files.into_iter().try_for_each(Draft::publish);
        }
        Err(self.refused(&format!(
            "{} is missing or was changed, and what is made of prompts {} to {} now is not what was made then",
            file.name,
            items[0].index,
            items[items.len() - 1].index
        )))
    }

    fn refused(&self, what: &str) -> Error {
        Error::usage(format!("{} cannot be resumed: {what}", self.options.out.display()))
            .hint("give the same inputs, model and options, or another folder")
            .option("out")
    }
}

/// Whether a result is there, and is what it was.
fn is_whole(file: &ResultFile, folder: &Path) -> bool {
    file.is_named_well()
        && plain::open_own(&folder.join(&file.name)).and_then(|from| file.pass(from, &mut sink())).unwrap_or(false)
}
