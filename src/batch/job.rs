//! The run itself: read, pack, compute the next prompts while the last ones are drawn, write, remember.

use super::BLOCK;
use super::block::Block;
use super::folder::Folder;
use super::input::{Inputs, Item};
use super::interrupt::interrupted;
use super::manifest::{Entry, Outcome, ResultFile};
use super::options::{Options, Target};
use crate::error::{Error, Result};
use crate::export::{Fields, Table, write_bytes};
use crate::findings::{Asked, Findings, Group, Output, Ready, Subject, Words, find_all, rows};
use crate::format::Format;
use crate::prompt::Prompt;
use crate::render::Fonts;
use crate::session::Session;
use rayon::prelude::*;
use serde_json::json;
use std::collections::HashSet;
use std::path::Path;

/// How a run went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many prompts there were in this share.
    pub prompts: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// Fails where a run cannot be meant, before a model is loaded and anything is written.
///
/// # Errors
/// A name that is none, or would be that of two prompts' files; formats named twice or not at all; inputs that are not there; a folder
/// that holds something else; what the analysis refuses.
pub fn check(options: &Options, asked: &Asked) -> Result<()> {
    targets(options, asked)?;
    options.prompts()?;
    Folder::check(&options.out, options.resume).map(drop)
}

fn targets(options: &Options, asked: &Asked) -> Result<Vec<Target>> {
    let targets = options.targets()?;
    asked.analysis().check(&outputs(&targets))?;
    asked.analysis().check_prompt()?;
    Ok(targets)
}

fn outputs(targets: &[Target]) -> Vec<Output> {
    targets.iter().map(Target::output).collect()
}

/// Answers what is asked for every prompt, into the folder. What fails for one prompt is an entry of the folder's list; what fails for all
/// is an error, after which the run can be resumed. `line` is what was typed, for people; `tick` is called for every prompt that is read.
///
/// # Errors
/// As [`check`]; a model that lacks what is asked for; a folder that another run writes to, that cannot be written, or that other options
/// have begun; inputs that cannot be read on; an interruption; the first prompt that fails, where that was asked for.
pub fn run(
    options: &Options,
    asked: &Asked,
    line: &str,
    session: &Session,
    tick: &(dyn Fn() + Sync),
) -> Result<Summary> {
    let targets = targets(options, asked)?;
    asked.analysis().fits(session.spec())?;
    let inputs = options.prompts()?;
    let mut folder = Folder::open(&options.out, options.resume)?;
    let (command, recorded) = asked.parts()?;
    let settings =
        json!([env!("CARGO_PKG_VERSION"), session.hash, command, recorded, options.name, options.format_names()]);
    let job = Job {
        options,
        asked,
        line,
        session,
        tick,
        fonts: Fonts::bundled(),
        outputs: outputs(&targets),
        targets,
        settings: format!("{:016x}", xxhash_rust::xxh3::xxh3_64(settings.to_string().as_bytes())),
    };
    let summary = job.run(inputs, &mut folder)?;
    folder.finish()?;
    Ok(summary)
}

/// Everything that stays the same over a run.
struct Job<'a> {
    options: &'a Options,
    asked: &'a Asked,
    line: &'a str,
    session: &'a Session,
    tick: &'a (dyn Fn() + Sync),
    fonts: Fonts,
    targets: Vec<Target>,
    outputs: Vec<Output>,
    /// The hash of all that was asked.
    settings: String,
}

/// A prompt that was worked on, or why not.
type Worked<'a> = (Item, Result<Box<dyn Findings + 'a>>);

/// What is done, and where it is remembered.
struct Done<'a> {
    folder: &'a mut Folder,
    block: Block,
    summary: Summary,
}

impl Job<'_> {
    /// Works through the inputs.
    fn run(&self, mut inputs: Inputs, folder: &mut Folder) -> Result<Summary> {
        let block = Block::new(self.subject(Prompt::default(), 0)?.record.of_all_prompts());
        let mut done = Done { folder, block, summary: Summary::default() };
        if let Some(first) = self.pass_over(&mut inputs, &mut done)? {
            done.folder.start()?;
            self.work(first, &mut inputs, &mut done)?;
            done.block.end(done.folder)?;
        }
        Ok(done.summary)
    }

    /// The next prompt of this share.
    fn next(&self, inputs: &mut Inputs) -> Result<Option<Item>> {
        while let Some(item) = inputs.read()? {
            (self.tick)();
            if self.options.shard.owns(item.index) {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// Passes over what an earlier run has done. Returns the first prompt that it has not.
    fn pass_over(&self, inputs: &mut Inputs, done: &mut Done) -> Result<Option<Item>> {
        while let Some(item) = self.next(inputs)? {
            let Some(entry) = done.folder.done()? else { return Ok(Some(item)) };
            self.compare(&item, &entry, done.folder.path())?;
            done.summary.prompts += 1;
            done.summary.failed += u64::from(matches!(entry.outcome, Outcome::Error { .. }));
        }
        if done.folder.done()?.is_some() {
            return Err(changed(done.folder.path(), "the inputs have fewer prompts than were done there"));
        }
        if done.summary.prompts == 0 {
            done.folder.start()?; // an empty manifest is a manifest
        }
        Ok(None)
    }

    /// Refuses to go on with other inputs or settings than before.
    fn compare(&self, item: &Item, done: &Entry, folder: &Path) -> Result<()> {
        if done.settings != self.settings {
            return Err(changed(folder, "it was begun with other options, another model or another version"));
        }
        if done.index != item.index || done.prompt.as_ref() != item.text.as_ref().ok() || done.input != item.origin {
            return Err(changed(folder, &format!("prompt {} is not the one that was done there", item.index)));
        }
        Ok(())
    }

    /// Does what is left: a group of prompts is computed while the one before it is drawn and written.
    fn work(&self, first: Item, inputs: &mut Inputs, done: &mut Done) -> Result<()> {
        let (mut group, mut pending) = (Group::new(self.session.spec()), Vec::new());
        let mut next = Some(first);
        while let Some(item) = next {
            done.summary.prompts += 1;
            let subject = self.read(&item);
            let tokens = subject.as_ref().map_or(0, |subject| subject.prompt.ids.len());
            // A block is remembered whole; a group is as much of it as fits into memory.
            let in_block = |(first, _): &(Item, _)| first.index / BLOCK as u64 == item.index / BLOCK as u64;
            if !(group.has_room(tokens) && group.first().is_none_or(in_block)) {
                pending = self.turn(group.take(), pending, done)?;
            }
            group.push((item, subject), tokens);
            next = self.next(inputs)?;
        }
        let last = self.turn(group.take(), pending, done)?;
        self.remember(self.write(last)?, done)
    }

    /// Computes a group while the one before it is written and remembered.
    fn turn<'a>(
        &'a self,
        group: Vec<(Item, Result<Subject<'a>>)>,
        before: Vec<Worked<'a>>,
        done: &mut Done,
    ) -> Result<Vec<Worked<'a>>> {
        let (written, found) = rayon::join(|| self.write(before), || self.find(group));
        self.remember(written?, done)?;
        if interrupted() {
            let done = done.summary.prompts - found.len() as u64;
            return Err(Error::failed(format!("interrupted after about {done} prompts"))
                .hint("nothing is half written; resume to go on")
                .option("resume"));
        }
        Ok(found)
    }

    /// The prompt of a line as the model will see it.
    fn read(&self, item: &Item) -> Result<Subject<'_>> {
        let text = item.text.clone().map_err(|reason| Error::failed(reason).hint("mend the line"))?;
        let reading = self.asked.analysis().reading();
        let prompt = reading.read(Words::Text(text), &self.session.tokenizer, self.session.spec())?;
        self.subject(prompt, item.index as usize)
    }

    fn subject(&self, prompt: Prompt, index: usize) -> Result<Subject<'_>> {
        let mut subject = Subject::new(self.session, prompt, self.asked)?;
        self.line.clone_into(&mut subject.record.line);
        subject.index = index;
        Ok(subject)
    }

    /// Answers for a group of prompts.
    fn find<'a>(&'a self, group: Vec<(Item, Result<Subject<'a>>)>) -> Vec<Worked<'a>> {
        let (items, subjects): (Vec<Item>, Vec<_>) = group.into_iter().unzip();
        items.into_iter().zip(find_all(self.asked.analysis(), self.session, subjects, &self.outputs)).collect()
    }

    /// Writes the files of a group of prompts. Only what stops the whole run is an error.
    fn write(&self, group: Vec<Worked>) -> Result<Vec<(Entry, Option<Table>)>> {
        let results = |found: &dyn Findings| {
            let rows = self.options.formats.contains(&Format::Parquet).then(|| rows(found, None)).transpose()?;
            Ok((self.files(found)?, rows))
        };
        let one = |(item, found): Worked| {
            let mut rows = None;
            let outcome = match found.and_then(|found| results(&*found)) {
                Ok((files, table)) => {
                    rows = table;
                    for (name, bytes) in &files {
                        write_bytes(&self.options.out.join(name), bytes)?;
                    }
                    Outcome::Ok { files: files.into_iter().map(|(name, bytes)| ResultFile::of(name, &bytes)).collect() }
                }
                Err(Error { message, hint, .. }) => Outcome::Error { error: message, hint },
            };
            let entry = Entry {
                index: item.index,
                input: item.origin,
                prompt: item.text.ok(),
                outcome,
                settings: self.settings.clone(),
                shard: self.options.shard.is_part().then(|| self.options.shard.to_string()),
            };
            Ok((entry, rows))
        };
        group.into_par_iter().map(one).collect()
    }

    /// All files of one prompt, but for its rows: all prompts of a block are in one table.
    fn files(&self, found: &dyn Findings) -> Result<Vec<(String, Vec<u8>)>> {
        let (ready, mut files) = (Ready::new(found), Vec::new());
        let fields = Fields { index: format!("{:06}", found.about().index), ..found.about().fields() };
        for Target { template, format } in self.targets.iter().filter(|target| target.format != Format::Parquet) {
            let mut add = |fields: &Fields, part| -> Result<()> {
                let name = template.fill(fields).to_string_lossy().into_owned();
                files.push((name, ready.bytes(*format, part, &self.fonts)?));
                Ok(())
            };
            if !template.by_part() {
                add(&fields, None)?;
                continue;
            }
            for (place, part) in ready.parts().iter().enumerate() {
                add(&fields.of(part), Some(place))?;
            }
        }
        let mut seen = HashSet::new();
        match files.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            Some((name, _)) => Err(Error::usage(format!("two files would be named {name}"))
                .hint("put both {layer} and {head} into the name")
                .option("name")),
            None => Ok(files),
        }
    }

    /// Journals whole blocks, and stops at a failed prompt where that was asked for.
    fn remember(&self, new: Vec<(Entry, Option<Table>)>, done: &mut Done) -> Result<()> {
        for (entry, rows) in new {
            if let Outcome::Error { error, .. } = &entry.outcome {
                done.summary.failed += 1;
                if self.options.strict {
                    return Err(Error::failed(format!("prompt {}: {error}", entry.index))
                        .hint("what was done is kept to be resumed; to go on whatever fails, do not be strict")
                        .option("strict"));
                }
            }
            done.block.add(entry, rows, done.folder)?;
        }
        Ok(())
    }
}

fn changed(folder: &Path, what: &str) -> Error {
    Error::usage(format!("{} cannot be resumed: {what}", folder.display()))
        .hint("give the same inputs and options, or another folder")
        .option("out")
}
