//! The run itself: read, pack, compute the next prompts while the last ones are drawn, write, remember.

use super::BatchArgs;
use super::block::Block;
use crate::cli::args::Words;
use crate::cli::findings::{Command, Findings, bytes, find_all, origin, rows};
use crate::cli::output::{Format, Target};
use crate::cli::progress::Progress;
use crate::cli::recipe::Recipe;
use crate::cli::subject::Subject;
use attnviz::batch::{BLOCK, Entry, Folder, Inputs, Item, Outcome, Shard, Written, interrupted};
use attnviz::error::{Error, Result};
use attnviz::export::{Fields, Table, write_bytes};
use attnviz::prompt::Prompt;
use attnviz::render::Fonts;
use attnviz::session::Session;
use indicatif::ProgressBar;
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::Path;

/// Numbers of all patterns that are held at once: two such groups of prompts stand in memory.
const MOST_NUMBERS: usize = 48 << 20;

/// Everything that stays the same over a run.
pub struct Job<'a> {
    pub args: &'a BatchArgs,
    pub command: &'a dyn Command,
    pub recipe: &'a Recipe,
    pub session: &'a Session,
    pub fonts: Fonts,
    pub targets: Vec<Target>,
    pub settings: String,
    pub shard: Shard,
    pub bar: ProgressBar,
    /// The bar of a single prompt's work, which is not shown.
    pub silent: Progress,
}

/// A prompt that was worked on, or why not.
type Worked<'a> = (Item, Result<Box<dyn Findings + 'a>>);

impl Job<'_> {
    /// Works through the inputs. Returns how many prompts there were in this share, and how many of them failed.
    pub fn run(&self, mut inputs: Inputs, folder: &mut Folder) -> Result<(u64, u64)> {
        let (mut count, mut failed) = (0, 0);
        let mut pending: Vec<Worked> = Vec::new();
        let about = Subject::new(self.session, Prompt::default(), None, self.recipe, &self.silent).about;
        let mut block = Block::new(origin(&about));
        let mut resuming = true;
        let mut group: Vec<(Item, Result<Subject>)> = Vec::new();
        let mut size = 0;
        loop {
            let item = inputs.read()?;
            if let Some(item) = &item {
                self.bar.inc(1);
                if !self.shard.owns(item.index) {
                    continue;
                }
                count += 1;
                if resuming {
                    if let Some(done) = folder.done()? {
                        self.compare(item, &done, folder.path())?;
                        failed += u64::from(matches!(done.outcome, Outcome::Error { .. }));
                        continue;
                    }
                    resuming = false;
                    folder.start()?;
                }
            }
            let ended = item.is_none();
            let fresh = item.map(|item| self.subject(item));
            let numbers = fresh.as_ref().map_or(0, |(_, subject)| self.numbers(subject));
            // A block is remembered whole; a group is as much of it as fits into memory.
            let next_block = |(item, _): &(Item, Result<Subject>)| {
                group.first().is_some_and(|(first, _)| first.index / BLOCK as u64 != item.index / BLOCK as u64)
            };
            let full = size + numbers > MOST_NUMBERS || fresh.as_ref().is_some_and(next_block) || ended;
            if full && !(group.is_empty() && pending.is_empty()) {
                let next = std::mem::take(&mut group);
                let (written, found) = rayon::join(|| self.write(std::mem::take(&mut pending)), || self.find(next));
                self.remember(written?, &mut block, &mut failed, folder)?;
                pending = found;
                size = 0;
                if interrupted() {
                    let done = count - pending.len() as u64;
                    return Err(Error::failed(format!("interrupted after about {done} prompts"))
                        .hint("nothing is half written; --resume goes on"));
                }
            }
            match fresh {
                Some(fresh) => {
                    size += numbers;
                    group.push(fresh);
                }
                None => {
                    let written = self.write(std::mem::take(&mut pending))?;
                    self.remember(written, &mut block, &mut failed, folder)?;
                    break;
                }
            }
        }
        if resuming && folder.done()?.is_some() {
            return Err(changed(folder.path(), "the inputs have fewer prompts than were done there"));
        }
        if resuming {
            if count == 0 {
                folder.start()?; // an empty manifest is a manifest
            }
            return Ok((count, failed));
        }
        block.end(folder)?;
        Ok((count, failed))
    }

    /// Refuses to go on with other inputs or settings than before.
    fn compare(&self, item: &Item, done: &Entry, folder: &Path) -> Result<()> {
        if done.settings != self.settings {
            return Err(changed(folder, "it was begun with other flags, another model or another version"));
        }
        if done.index != item.index || done.prompt.as_ref() != item.text.as_ref().ok() || done.input != item.origin {
            return Err(changed(folder, &format!("prompt {} is not the one that was done there", item.index)));
        }
        Ok(())
    }

    /// The prompt of a line as the model will see it.
    fn subject<'a>(&'a self, item: Item) -> (Item, Result<Subject<'a>>) {
        let prompt: Result<Prompt> = match &item.text {
            Err(reason) => Err(Error::failed(reason.clone()).hint("mend the line")),
            Ok(text) => {
                let words = Words::Text(text.clone());
                self.command.groups().prompt.resolve(words, &self.session.tokenizer, self.session.model.spec())
            }
        };
        let subject = prompt.map(|prompt| {
            let mut subject = Subject::new(self.session, prompt, None, self.recipe, &self.silent);
            subject.about.index = item.index as usize;
            subject
        });
        (item, subject)
    }

    /// How many numbers the patterns of a prompt are.
    fn numbers(&self, subject: &Result<Subject>) -> usize {
        let spec = self.session.model.spec();
        let tokens = subject.as_ref().map_or(0, |subject| subject.prompt.ids.len());
        (tokens * tokens).saturating_mul(spec.layers * spec.heads).max(1)
    }

    /// Runs the command on a group of prompts.
    fn find<'a>(&'a self, group: Vec<(Item, Result<Subject<'a>>)>) -> Vec<Worked<'a>> {
        let (items, subjects): (Vec<Item>, Vec<_>) = group.into_iter().unzip();
        items.into_iter().zip(find_all(self.command, self.session, subjects, &self.targets)).collect()
    }

    /// Writes the files of a group of prompts. Only what stops the whole run is an error.
    fn write(&self, group: Vec<Worked>) -> Result<Vec<(Entry, Option<Table>)>> {
        let results = |found: &dyn Findings| {
            let rows = self.args.format.contains(&Format::Parquet).then(|| rows(found, None)).transpose()?;
            Ok((self.files(found)?, rows))
        };
        group
            .into_par_iter()
            .map(|(item, found)| {
                let mut rows = None;
                let outcome = match found.and_then(|found| results(&*found)) {
                    Ok((files, table)) => {
                        rows = table;
                        for (name, bytes) in &files {
                            write_bytes(&self.args.out.join(name), bytes)?;
                        }
                        Outcome::Ok { files: files.into_iter().map(|(name, b)| Written::of(name, &b)).collect() }
                    }
                    Err(Error { message, hint, .. }) => Outcome::Error { error: message, hint },
                };
                let entry = Entry {
                    index: item.index,
                    input: item.origin,
                    prompt: item.text.ok(),
                    outcome,
                    settings: self.settings.clone(),
                    shard: self.shard.is_part().then(|| self.shard.to_string()),
                };
                Ok((entry, rows))
            })
            .collect()
    }

    /// All files of one prompt.
    fn files(&self, found: &dyn Findings) -> Result<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        let about = found.about();
        let fields = Fields { index: format!("{:06}", about.index), ..about.fields() };
        for target in &self.targets {
            // All prompts of a block are in one table.
            let Target::File(template, format) = target else { continue };
            if *format == Format::Parquet {
                continue;
            }
            let parts = if target.splits() { found.parts() } else { Vec::new() };
            if !target.splits() {
                let name = template.fill(&fields).to_string_lossy().into_owned();
                files.push((name, bytes(found, *format, None, &self.fonts)?));
            }
            for (part, (layer, head)) in parts.into_iter().enumerate() {
                let name = template.fill(&Fields { layer, head, ..fields.clone() }).to_string_lossy().into_owned();
                files.push((name, bytes(found, *format, Some(part), &self.fonts)?));
            }
        }
        let mut seen = HashSet::new();
        match files.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            Some((name, _)) => Err(Error::usage(format!("two files would be named {name}"))
                .hint("put both {layer} and {head} into --name")),
            None => Ok(files),
        }
    }

    /// Journals whole blocks, and stops at a failed prompt where that was asked for.
    fn remember(
        &self,
        new: Vec<(Entry, Option<Table>)>,
        block: &mut Block,
        failed: &mut u64,
        folder: &mut Folder,
    ) -> Result<()> {
        for (entry, rows) in new {
            if let Outcome::Error { error, .. } = &entry.outcome {
                *failed += 1;
                if self.args.strict {
                    return Err(Error::failed(format!("prompt {}: {error}", entry.index))
                        .hint("leave --strict out to go on; what was done is kept for --resume"));
                }
            }
            block.add(entry, rows, folder)?;
        }
        Ok(())
    }
}

fn changed(folder: &Path, what: &str) -> Error {
    Error::usage(format!("{} cannot be resumed: {what}", folder.display()))
        .hint("give the same inputs and flags, or another folder with --out")
}
