//! The shares of a run, joined: the folder that one run over everything would have written.

use super::folder::Folder;
use super::index;
use super::job::Summary;
use super::joined::Joined;
use super::list::List;
use super::manifest::{Entry, ResultFile};
use super::run::Run;
use super::shard::Shard;
use super::tally::{End, Lines, Prompts};
use super::{BLOCK, MANIFEST};
use crate::error::{Error, Kind, Result};
use crate::export::write_own;
use crate::plain;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Joins finished shares into `out`, which is there whole afterwards or not at all; checks that they are all shares of one run over one
/// input, and that nothing in them is missing, double or changed.
///
/// # Errors
/// A share that is not finished or not of the same run, a prompt that is missing or double, a result that was changed; a folder that holds
/// something or cannot be made.
pub fn merge(shares: &[PathBuf], out: &Path) -> Result<Summary> {
    Folder::check(out, false).map_err(|error| match error.kind {
        Kind::Usage => error.hint("shares are joined in a folder that is empty or not there yet").option("out"),
        _ => error,
    })?;
    let mut heads = shares.iter().map(|dir| Head::read(dir)).collect::<Result<Vec<_>>>()?;
    check(&heads)?;
    heads.sort_by_key(|head| head.shard.map(Shard::number));
    // All that a list can tell is known before anything is copied.
    walk(&heads, &mut |_, _| Ok(()))?;
    let joined = Joined::new(out)?;
    let mut folder = Folder::open(joined.path(), false)?;
    folder.start()?;
    let mut summary = Summary::default();
    walk(&heads, &mut |dir, entries| {
        // A table is shared by prompts of its block only.
        let mut copied = HashSet::new();
        for file in entries.iter().flat_map(Entry::files).filter(|file| copied.insert(file.name.clone())) {
            copy(file, dir, joined.path())?;
        }
        entries.iter().for_each(|entry| summary.add(entry));
        folder.append(entries)
    })?;
    folder.finish()?;
    index::write(joined.path())?;
    joined.publish()?;
    Ok(summary)
}

/// What a share says of itself in its first entry.
struct Head {
    dir: PathBuf,
    run: Run,
    settings: String,
    /// Which share it is.
    shard: Option<Shard>,
    /// Its prompts, where it has none.
    nothing: Option<End>,
}

impl Head {
    fn read(dir: &Path) -> Result<Self> {
        let mut list = list(dir)?;
        let first = block(&mut list, dir)?.and_then(|entries| entries.into_iter().next());
        let said = match (first, list.nothing().cloned()) {
            (Some(Entry { run: Some(run), settings, shard, .. }), _) => Some((run, settings, shard, None)),
            (None, Some(nothing)) => Some((nothing.run, nothing.settings, nothing.shard, Some(nothing.end))),
            _ => None,
        };
        let (run, settings, shard, nothing) =
            said.ok_or_else(|| broken(dir, "its list does not say of what it is a share"))?;
        if run.settings()? != settings {
            return Err(broken(dir, "its first entry is not what its settings are the hash of"));
        }
        let shard =
            shard.map(|shard| shard.parse::<Shard>().map_err(|error| broken(dir, &error.message))).transpose()?;
        Ok(Self { dir: dir.to_path_buf(), run: *run, settings, shard, nothing })
    }
}

fn list(dir: &Path) -> Result<List> {
    let path = dir.join(MANIFEST);
    let file = plain::open_own(&path).map_err(|error| {
        Error::failed(format!("cannot read {}: {error}", path.display()))
            .hint("each folder must hold a finished share; resume one to finish it")
            .option("resume")
    })?;
    Ok(List::new(&path, file, u64::MAX))
}

/// The next block of a share's list.
fn block(list: &mut List, dir: &Path) -> Result<Option<Vec<Entry>>> {
    let block = list.block().map_err(|error| broken(dir, &error.message))?;
    Ok(block.map(|block| block.entries))
}

/// A share that cannot be joined as it is.
fn broken(dir: &Path, what: &str) -> Error {
    Error::failed(format!("{}: {what}", dir.display())).hint("run this share again, in an empty folder")
}

/// Shares of one run, each once, none left out.
fn check(heads: &[Head]) -> Result<()> {
    let Some(first) = heads.first() else {
        return Err(Error::usage("no share is named").hint("give the folder of every share, each once"));
    };
    let mut seen = HashSet::new();
    for Head { dir, run, shard, .. } in heads {
        let dir = dir.display();
        if *run != first.run {
            return Err(Error::failed(format!(
                "{dir} was made with other settings than {}: {}",
                first.dir.display(),
                first.run.changes(run)?
            ))
            .hint("run all shares with the same options, model and version"));
        }
        let shard = shard.unwrap_or_default();
        if shard.of() != heads.len() as u64 {
            return Err(Error::failed(format!("{dir} is share {shard}, but {} folders were given", heads.len()))
                .hint("give the folder of every share, each once"));
        }
        if !seen.insert(shard.number()) {
            return Err(Error::failed(format!("share {shard} was given twice")).hint("give every share once"));
        }
    }
    Ok(())
}

/// One share whose list is read.
struct Share<'a> {
    head: &'a Head,
    list: List,
    lines: Lines,
    end: Option<End>,
}

/// Gives each block in order, as the joined list has it, with the folder of its share; checks all of the lists.
fn walk(heads: &[Head], take: &mut dyn FnMut(&Path, &[Entry]) -> Result<()>) -> Result<()> {
    let mut shares = heads.iter().map(Share::open).collect::<Result<Vec<_>>>()?;
    let (mut prompts, mut lines) = (Prompts::default(), Lines::default());
    // The block that was read last: whether it is the last of all is known when the next one is missing.
    let mut before: Option<(&Path, Vec<Entry>)> = None;
    for turn in 0.. {
        let place = turn % shares.len();
        let Some(mut entries) = shares[place].block(turn as u64, &mut prompts)? else { break };
        if let Some((dir, before)) = before.take() {
            take(dir, &before)?;
        }
        for (index, entry) in entries.iter_mut().enumerate() {
            (entry.shard, entry.end) = (None, None);
            entry.run = (turn + index == 0).then(|| Box::new(heads[0].run.clone()));
            lines.add(entry)?;
        }
        before = Some((&shares[place].head.dir, entries));
    }
    shares.iter_mut().try_for_each(Share::ended)?;
    shares.iter().try_for_each(|share| share.of(&prompts))?;
    if let Some((dir, mut entries)) = before {
        entries.iter_mut().last().into_iter().for_each(|last| last.end = Some(lines.end(&prompts)));
        take(dir, &entries)?;
    }
    Ok(())
}

impl<'a> Share<'a> {
    fn open(head: &'a Head) -> Result<Self> {
        Ok(Self { head, list: list(&head.dir)?, lines: Lines::default(), end: head.nothing.clone() })
    }

    /// The share's next block, which must be this one and whole, unless it is the last one.
    fn block(&mut self, block: u64, prompts: &mut Prompts) -> Result<Option<Vec<Entry>>> {
        let broken = |what: String| broken(&self.head.dir, &what);
        let Some(entries) = self::block(&mut self.list, &self.head.dir)? else { return Ok(None) };
        let first = block * BLOCK as u64;
        for (index, entry) in (first..).zip(&entries) {
            if entry.index != index || prompts.count != index {
                let missing = prompts.count.min(index);
                let what = if entry.index >= missing { "missing" } else { "there twice" };
                return Err(Error::failed(format!("prompt {} is {what}", missing.min(entry.index)))
                    .hint("give the folder of every share, each once, and finished"));
            }
            if self.end.is_some() {
                return Err(broken(format!("prompt {index} comes after its end")));
            }
            let shard = entry.shard.as_deref().map(str::parse::<Shard>).transpose().ok().flatten();
            if entry.settings != self.head.settings || shard != self.head.shard {
                return Err(broken(format!("prompt {index} is of another run or share than its first entry")));
            }
            if entry.run.is_some() != (self.lines.count == 0) {
                return Err(broken(format!("its list was changed at prompt {index}")));
            }
            if let Some(file) = entry.files().iter().find(|file| !file.is_named_well()) {
                return Err(broken(format!("prompt {index} has a file {:?}, which is no name of a result", file.name)));
            }
            prompts.add(&entry.input, entry.text());
            self.lines.add(entry)?;
            self.end.clone_from(&entry.end);
        }
        Ok(Some(entries))
    }

    /// Fails unless the share is finished, and its list is what it was when it was finished.
    fn ended(&mut self) -> Result<()> {
        let dir = &self.head.dir;
        if let Some(first) = block(&mut self.list, dir)?.and_then(|entries| entries.into_iter().next()) {
            return Err(Error::failed(format!(
                "prompts before {} are missing, which {} has",
                first.index,
                dir.display()
            ))
            .hint("give the folder of every share, each once, and finished"));
        }
        match &self.end {
            None => Err(broken(dir, "its list has no end")),
            Some(end) if end.entries != self.lines.hash() => Err(broken(dir, "its list was changed")),
            Some(_) => Ok(()),
        }
    }

    /// Fails unless the share saw these inputs.
    fn of(&self, prompts: &Prompts) -> Result<()> {
        let now = self.lines.end(prompts);
        match &self.end {
            Some(end) if *end != now => Err(Error::failed(format!(
                "{} is a share of {} prompts with the hash {}, all shares together have {} with {}",
                self.head.dir.display(),
                end.prompts,
                end.inputs,
                now.prompts,
                now.inputs
            ))
            .hint("run all shares over the same inputs")),
            _ => Ok(()),
        }
    }
}

/// Copies a result, and checks it on the way.
fn copy(file: &ResultFile, from: &Path, to: &Path) -> Result<()> {
    let (source, target) = (from.join(&file.name), to.join(&file.name));
    let changed = |why: String| {
        Error::failed(format!("{} is missing or was changed{why}", source.display()))
            .hint("resume its share")
            .option("resume")
    };
    if target.symlink_metadata().is_ok() {
        return Err(Error::failed(format!("two results are named {}", file.name)).hint("give every share once"));
    }
    let open = plain::open_own(&source).map_err(|error| changed(format!(": {error}")))?;
    write_own(&target, |out| match file.pass(open, out) {
        Ok(true) => Ok(()),
        Ok(false) => Err(changed(String::new())),
        Err(error) => Err(changed(format!(": {error}"))),
    })
}
