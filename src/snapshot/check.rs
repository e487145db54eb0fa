//! Makes everything again, and compares it with what is expected, or accepts it.

use super::file::{remove, write};
use super::lock::{self, LOCK, Lock};
use super::make::{CaseOutputs, Piece, make};
use super::options::Options;
use super::outcome::{Outcome, Verdict};
use super::report::Report;
use super::suite::{Case, Suite, format};
use super::{Open, Remark, model};
use crate::compare::{Tolerance, differences, side_by_side};
use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::named::Named;
use crate::plain;
use crate::render::Fonts;
use rayon::prelude::*;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// An expected file may have this many times the bytes of what is made now, and as many more.
const LARGER: (u64, u64) = (4, 16 << 20);

/// What a check found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What became of each model and each case; then of those that are no longer in the suite.
    pub outcomes: Vec<Outcome>,
    /// What was changed in the folder of the snapshot, where what is made now was accepted.
    pub changes: Vec<Change>,
    /// The page of the report that a reader begins with, where there is one.
    pub page: PathBuf,
}

/// A file of a snapshot that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What was done: `changed`, `written` or `removed`.
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}: {}", self.what, self.path.display(), self.why)
    }
}

/// Compares a suite with its snapshot, and accepts what differs where that is asked for. `remark` is told what is worth knowing besides.
///
/// # Errors
/// A folder that holds no snapshot or cannot be written, a model that cannot be had; a case that fails, but only where what is made now
/// is to be accepted.
pub fn check(suite: &Suite, options: &Options, open: Open, remark: Remark) -> Result<Checked> {
    let old = Lock::read(&options.out)?;
    let mut report = Report::open(options)?;
    let mut new = Lock::new(suite.tolerance.clone());
    if old.version != new.version {
        remark(&format!("recorded with attnviz {}, this is {}", old.version, new.version));
    }
    if old.tolerance != new.tolerance {
        remark("the suite's tolerance is not what it was when the snapshot was recorded");
    }
    let (mut models, mut cases) = (Vec::new(), Vec::new());
    cases.resize_with(suite.cases.len(), || None);
    let mut accepted = Accepted { dir: &options.out, changes: Vec::new() };
    make(suite, open, remark, &mut |piece| {
        match piece {
            Piece::Model { label, weights, model } => {
                let (changes, remarks) = model::compare(old.models.get(label), &model, weights);
                remarks.iter().for_each(|text| remark(&format!("model {label}: {text}")));
                models.push(Outcome::new(format!("model {label}"), "model", None, changes));
                new.models.insert(label.to_owned(), model);
            }
            Piece::Cases(all) => {
                let look = |made: CaseOutputs| {
                    let (case, place, fonts) = (&suite.cases[made.case], made.case, made.fonts);
                    let settings = made.settings.clone();
                    let compared = Compared::new(&options.out, case, made, old.cases.get(&case.name), suite);
                    let pictures = if report.wanted { compared.pictures(suite, fonts) } else { Vec::new() };
                    (place, settings, compared, pictures)
                };
                let compared: Vec<_> = all.into_par_iter().map(look).collect();
                for (place, settings, Compared { mut outcome, fresh }, pictures) in compared {
                    let case = &suite.cases[place];
                    for (part, picture) in pictures {
                        outcome.attach(part, report.picture(&case.name, part, &picture)?);
                    }
                    if options.update {
                        // Exit code 1, as everything that cannot be made.
                        let failed = |error| suite.named(case, Error { kind: Kind::Failed, ..error });
                        accepted.take(case, &fresh.map_err(failed)?)?;
                    }
                    new.cases.insert(case.name.clone(), settings);
                    cases[place] = Some(outcome);
                }
            }
        }
        Ok(())
    })?;
    let gone = old.cases.iter().filter(|(name, _)| !new.cases.contains_key(*name));
    let lost = gone.map(|(name, case)| {
        let changes = vec!["it is no longer in the suite".to_owned()];
        Outcome::new(name.clone(), &case.command, case.prompt.clone(), changes)
    });
    let outcomes: Vec<Outcome> = models.into_iter().chain(cases.into_iter().flatten()).chain(lost).collect();
    report.finish(options, &outcomes)?;
    let changes = if options.update { accepted.finish(&old, &new)? } else { Vec::new() };
    Ok(Checked { outcomes, changes, page: report.page() })
}

impl Checked {
    /// Fails unless all is the same as in this folder.
    ///
    /// # Errors
    /// A case that could not be made; else one that differs, which is [`Kind::Different`].
    pub fn verdict(&self, out: &Path) -> Result<()> {
        let count = |wanted: fn(&Verdict) -> bool| self.outcomes.iter().filter(|one| wanted(&one.verdict)).count();
        let failed = count(|verdict| matches!(verdict, Verdict::Failed { .. }));
        let differ = count(|verdict| matches!(verdict, Verdict::Differs(_)));
        let (total, dir, page) = (self.outcomes.len(), out.display(), self.page.display());
        if failed > 0 {
            return Err(Error::failed(format!("{failed} of {total} could not be made, {differ} differ from {dir}"))
                .hint(format!("{page} says why")));
        }
        if differ > 0 {
            return Err(Error::different(format!("{differ} of {total} differ from {dir}"))
                .hint(format!("look at {page}, and accept what is right"))
                .option("update"));
        }
        Ok(())
    }
}

/// What became of a case.
struct Compared {
    outcome: Outcome,
    /// What is made now and was expected otherwise, or why nothing is made.
    fresh: Result<Vec<Fresh>>,
}

/// A file that differs.
struct Fresh {
    format: Format,
    /// What was expected, where there is something.
    expected: Option<Vec<u8>>,
    actual: Vec<u8>,
    why: String,
}

impl Compared {
    fn new(dir: &Path, case: &Case, made: CaseOutputs, old: Option<&lock::Case>, suite: &Suite) -> Self {
        let changes = old.map_or_else(|| vec!["it was not recorded".into()], |old| made.settings.changes(old));
        let mut outcome = Outcome::new(case.name.clone(), &made.settings.command, case.prompt.clone(), changes);
        let files = match made.files {
            Ok(files) => files,
            Err(error) => {
                outcome.fails(&error);
                return Self { outcome, fresh: Err(error) };
            }
        };
        let mut fresh = Vec::new();
        for (format, actual) in files {
            let expected = match old {
                None => Err("is new".to_owned()),
                Some(_) => expected(&dir.join(case.file(format)), actual.len() as u64),
            };
            let (expected, sentences) = compared(format, expected, &actual, &suite.tolerance);
            if let Some(why) = sentences.first().cloned() {
                fresh.push(Fresh { format, expected, actual, why });
                outcome.differs(format.name(), sentences);
            }
        }
        Self { outcome, fresh: Ok(fresh) }
    }

    /// Side by side, by format; a picture that cannot be drawn is none, since the report says what is wrong with it.
    fn pictures(&self, suite: &Suite, fonts: &Fonts) -> Vec<(&'static str, Vec<u8>)> {
        let picture = |fresh: &Fresh| {
            let (expected, colours) = (fresh.expected.as_ref()?, suite.tolerance.colours);
            let drawn = side_by_side(fresh.format, expected, &fresh.actual, colours, fonts);
            Some((fresh.format.name(), drawn.ok()?))
        };
        self.fresh.iter().flatten().filter_map(picture).collect()
    }
}

/// What was expected, where there is something, and what differs.
fn compared(
    format: Format,
    expected: Result<Vec<u8>, String>,
    actual: &[u8],
    tolerance: &Tolerance,
) -> (Option<Vec<u8>>, Vec<String>) {
    match expected {
        Ok(bytes) => {
            let sentences = differences(format, &bytes, actual, tolerance);
            (Some(bytes), sentences)
        }
        Err(why) => (None, vec![why]),
    }
}

/// An expected file. It is not trusted: a link is not followed, and no more is read than could be right.
fn expected(path: &Path, now: u64) -> Result<Vec<u8>, String> {
    let most = now.saturating_mul(LARGER.0).saturating_add(LARGER.1);
    let unread = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => "the expected file is missing".to_owned(),
        ErrorKind::FileTooLarge => format!("the expected file has more than {most} bytes, {now} are made now"),
        _ => format!("the expected file cannot be read ({error})"),
    };
    if !fs::symlink_metadata(path).map_err(unread)?.is_file() {
        return Err("what is expected is not a regular file".into());
    }
    plain::open_own(path).and_then(|file| plain::read_at_most(file, most)).map_err(unread)
}

/// What is accepted.
struct Accepted<'a> {
    dir: &'a Path,
    changes: Vec<Change>,
}

impl Accepted<'_> {
    /// Writes what differs of a case.
    fn take(&mut self, case: &Case, fresh: &[Fresh]) -> Result<()> {
        for Fresh { format, expected, actual, why } in fresh {
            let path = self.dir.join(case.file(*format));
            write(&path, actual)?;
            self.note(if expected.is_some() { "changed" } else { "written" }, path, why);
        }
        Ok(())
    }

    fn note(&mut self, what: &'static str, path: PathBuf, why: &str) {
        self.changes.push(Change { what, path, why: why.to_owned() });
    }

    /// Removes what is no longer asked for, writes the lock file, and tells all that was changed.
    fn finish(mut self, old: &Lock, new: &Lock) -> Result<Vec<Change>> {
        for (name, case) in &old.cases {
            let now = new.cases.get(name).map_or(&[][..], |case| &case.formats);
            for extension in case.formats.iter().filter(|format| !now.contains(format)) {
                // Both parts were checked to be names when the lock was read.
                let path = self.dir.join(format!("{name}.{}", format(extension)?.extension()));
                if fs::symlink_metadata(&path).is_ok() {
                    remove(&path)?;
                    self.note("removed", path, "it is no longer asked for");
                }
            }
        }
        if old.bytes()? != new.bytes()? {
            let path = self.dir.join(LOCK);
            write(&path, &new.bytes()?)?;
            self.note("changed", path, &new.changes(old));
        }
        Ok(self.changes)
    }
}
