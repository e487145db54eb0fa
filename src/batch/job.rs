//! The run itself: read, pack, compute the next prompts while the last ones are drawn, write, remember.

use super::block::{Block, Ended, Made};
use super::blocks::{Blocks, Work};
use super::folder::Folder;
use super::index;
use super::input::Item;
use super::interrupt::interrupted;
use super::manifest::{Entry, Nothing, Outcome, line};
use super::options::{Options, Target};
use super::run::Run;
use super::tally::{Lines, Prompts};
use crate::error::{Error, Result};
use crate::export::Draft;
use crate::findings::{Asked, Findings, Group, Output, Subject};
use crate::prompt::{Prompt, Remark};
use crate::render::Fonts;
use crate::session::Session;
use crate::text;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many prompts there were in this share.
    pub prompts: u64,
    /// How many of them failed.
    pub failed: u64,
    /// What people should know of how prompts were read, each thing once, and no more than eight.
    pub remarks: BTreeSet<Remark>,
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
    let analysis = asked.analysis();
    analysis.check(&outputs(&targets)).and_then(|()| analysis.check_prompt())?;
    Ok(targets)
}

fn outputs(targets: &[Target]) -> Vec<Output> {
    targets.iter().map(Target::output).collect()
}

/// Answers what is asked for every prompt, into the folder. What fails for one prompt is an entry of the folder's list; what fails for all
/// is an error, after which the run can be resumed. `line` is what was typed, for people; `tick` is called for every
/// prompt that is read, `say` with what people should know at once.
///
/// # Errors
/// As [`check`]; a model that lacks what is asked for, or whose files are changed meanwhile; a folder that another run writes to, that cannot
/// be written, or that is of another model, other options or another share; inputs that cannot be read on; an interruption; the first prompt that fails, where that was asked for.
pub fn run(
    options: &Options,
    asked: &Asked,
    line: &str,
    session: &Session,
    tick: &(dyn Fn() + Sync),
    say: &(dyn Fn(&Remark) + Sync),
) -> Result<Summary> {
    let targets = targets(options, asked)?;
    asked.analysis().fits(session.spec())?;
    let blocks = Blocks::new(options.prompts()?, options.shard, tick);
    let mut folder = Folder::open(&options.out, options.resume)?;
    let run = Run::new(options, asked, line, session)?;
    let job = Job {
        options,
        asked,
        session,
        fonts: asked.analysis().style().fonts()?,
        outputs: outputs(&targets),
        targets,
        settings: run.settings()?,
        shard: options.shard.is_part().then(|| options.shard.to_string()),
        run,
        remarks: Mutex::default(),
        say,
        most: AtomicU64::new(0),
    };
    let mut summary = job.run(blocks, &mut folder)?;
    summary.remarks = job.remarks.into_inner().unwrap_or_default();
    folder.finish()?;
    index::write(&options.out)?;
    Ok(summary)
}

/// Everything that stays the same over a run.
pub(super) struct Job<'a> {
    pub options: &'a Options,
    pub asked: &'a Asked,
    pub session: &'a Session,
    pub fonts: Fonts,
    pub targets: Vec<Target>,
    pub outputs: Vec<Output>,
    /// What the folder is of.
    pub run: Run,
    /// Its hash.
    pub settings: String,
    /// The share of the work, where it is not all.
    pub shard: Option<String>,
    /// What was to be said of prompts so far.
    pub remarks: Mutex<BTreeSet<Remark>>,
    /// Tells people what they should know at once.
    pub say: &'a (dyn Fn(&Remark) + Sync),
    /// The most memory of which they know that a prompt takes it.
    pub most: AtomicU64,
}

/// A prompt that was worked on, or why not.
pub(super) type Worked<'a> = (Item, Result<Box<dyn Findings + 'a>>);

/// What is done, and where it is remembered.
pub(super) struct Done<'a> {
    pub folder: &'a mut Folder,
    block: Block,
    pub lines: Lines,
    pub summary: Summary,
}

/// Prompts that are found and not written yet.
#[derive(Default)]
struct Pending<'a> {
    found: Vec<Worked<'a>>,
    /// Whether they are the last of their block.
    ends: bool,
    /// All prompts of the inputs, where that block is the last one.
    all: Option<Prompts>,
}

impl Job<'_> {
    /// Works through the inputs.
    fn run(&self, mut blocks: Blocks, folder: &mut Folder) -> Result<Summary> {
        let mut done = Done { block: self.block()?, folder, lines: Lines::default(), summary: Summary::default() };
        match self.pass_over(&mut blocks, &mut done)? {
            Some(first) => {
                done.folder.start()?;
                self.work(first, &mut blocks, &mut done)?;
            }
            None if done.lines.count == 0 => {
                done.folder.start()?; // an empty manifest is a manifest
                let (settings, run) = (self.settings.clone(), Box::new(self.run.clone()));
                let end = done.lines.end(blocks.prompts());
                if self.shard.is_some() {
                    done.folder.write(&line(&Nothing { settings, shard: self.shard.clone(), run, end })?)?;
                }
            }
            None => {}
        }
        Ok(done.summary)
    }

    /// A block of which nothing is done.
    fn block(&self) -> Result<Block> {
        let record = self.subject(Prompt::default(), 0)?.record.of_all_prompts();
        Ok(Block::new(&self.options.out, record))
    }

    /// Does what is left: a group of prompts is computed while the one before it is drawn and written.
    fn work(&self, first: Work, blocks: &mut Blocks, done: &mut Done) -> Result<()> {
        let (mut pending, mut next) = (Pending::default(), Some(first));
        while let Some(Work { items, all }) = next {
            // A block is remembered whole; a group is as much of it as fits into memory.
            let mut groups = self.groups(items).into_iter().peekable();
            while let Some(group) = groups.next() {
                let found = self.turn(group, pending, done)?;
                let ends = groups.peek().is_none();
                pending = Pending { found, ends, all: all.clone().filter(|_| ends) };
            }
            next = blocks.next()?;
        }
        self.turn(Vec::new(), pending, done).map(drop)
    }

    /// The prompts of a block as the model will see them, in groups.
    fn groups(&self, items: Vec<Item>) -> Vec<Vec<(Item, Result<Subject<'_>>)>> {
        let (mut groups, mut group) = (Vec::new(), Group::new(self.session.spec()));
        for item in items {
            let subject = self.read(&item);
            let tokens = subject.as_ref().map_or(0, |subject| subject.prompt.ids.len());
            if !group.has_room(tokens) {
                groups.push(group.take());
            }
            group.push((item, subject), tokens);
        }
        groups.push(group.take());
        groups
    }

    /// Computes a group while the one before it is written and remembered. What was computed with files that changed meanwhile is
    /// never written.
    fn turn<'a>(
        &'a self,
        group: Vec<(Item, Result<Subject<'a>>)>,
        before: Pending<'a>,
        done: &mut Done,
    ) -> Result<Vec<Worked<'a>>> {
        self.session.unchanged()?;
        let Pending { found, ends, all } = before;
        let (written, found) = rayon::join(|| self.write(found), || self.find(group));
        self.remember(written?, done)?;
        if ends {
            self.end(all, done)?;
        }
        self.session.unchanged()?;
        if interrupted() {
            return Err(Error::failed(format!(
                "interrupted after about {}",
                text::count(done.summary.prompts, "prompt")
            ))
            .hint("nothing is half written; resume to go on")
            .option("resume"));
        }
        Ok(found)
    }

    /// Does a block anew whose results are not what they were; what it is now, whose files have no names yet.
    pub(super) fn again(&self, items: Vec<Item>) -> Result<Ended> {
        let mut block = self.block()?;
        for group in self.groups(items) {
            self.session.unchanged()?;
            let found = self.find(group);
            self.session.unchanged()?;
            self.write(found)?.into_iter().try_for_each(|made| block.add(made))?;
        }
        block.end()
    }

    /// Adds prompts to the block, and stops at a failed one where that was asked for.
    fn remember(&self, new: Vec<Made>, done: &mut Done) -> Result<()> {
        for made in new {
            let entry = &made.entry;
            done.summary.add(entry);
            if let Outcome::Error { error, .. } = &entry.outcome
                && self.options.strict
            {
                return Err(Error::failed(format!("prompt {}: {error}", entry.index))
                    .hint("what was done is kept to be resumed; to go on whatever fails, do not be strict")
                    .option("strict"));
            }
            done.block.add(made)?;
        }
        Ok(())
    }

    /// Journals the block. The first entry of a folder says what it is of, the last one of which prompts.
    fn end(&self, all: Option<Prompts>, done: &mut Done) -> Result<()> {
        let Ended { mut entries, files } = done.block.end()?;
        if let Some(first) = entries.first_mut().filter(|_| done.lines.count == 0) {
            first.run = Some(Box::new(self.run.clone()));
        }
        entries.iter().try_for_each(|entry| done.lines.add(entry))?;
        if let (Some(last), Some(all)) = (entries.last_mut(), all) {
            last.end = Some(done.lines.end(&all));
        }
        done.folder.append(&entries)?;
        // A run that is killed here finds them missing when it is resumed, and makes them again.
        files.into_iter().try_for_each(Draft::publish)
    }
}

impl Summary {
    /// Counts a prompt.
    pub(super) fn add(&mut self, entry: &Entry) {
        self.prompts += 1;
        self.failed += u64::from(matches!(entry.outcome, Outcome::Error { .. }));
    }
}
