//! Makes everything again, and compares it with what is expected, or accepts it.

use super::lock::{self, LOCK, Lock};
use super::make::{Made, Piece, make};
use super::record::{remove, write};
use super::report::{Difference, Outcome, Report, Verdict};
use super::suite::{Case, Suite, format};
use super::{SnapshotArgs, model};
use crate::cli::output::{self, Format};
use attnviz::compare::{Tolerance, differences, quote, side_by_side};
use attnviz::error::{Error, Kind, Result};
use attnviz::export::read_at_most;
use attnviz::render::Fonts;
use rayon::prelude::*;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

/// An expected file may have this many times the bytes of what is made now, and as many more.
const LARGER: (u64, u64) = (4, 16 << 20);

/// Compares a suite with its snapshot.
pub fn run(args: &SnapshotArgs, suite: &Suite) -> Result<()> {
    let old = Lock::read(&args.out)?;
    let mut report = Report::open(args)?;
    let mut new = Lock::new(suite.tolerance.clone());
    let remark = |text: &str| {
        if !args.quiet {
            output::remark(text);
        }
    };
    if old.version != new.version {
        remark(&format!("recorded with attnviz {}, this is {}", old.version, new.version));
    }
    if old.tolerance != new.tolerance {
        remark("the suite's tolerance is not what it was when the snapshot was recorded");
    }
    let (mut models, mut cases): (Vec<Outcome>, Vec<Option<Outcome>>) = (Vec::new(), Vec::new());
    cases.resize_with(suite.cases.len(), || None);
    let mut accepted = Accepted { args, lines: Vec::new() };
    make(args, suite, &mut |piece| {
        match piece {
            Piece::Model { label, weights, model } => {
                let (changes, remarks) = model::compare(old.models.get(label), &model, weights);
                remarks.iter().for_each(|text| remark(&format!("model {label}: {text}")));
                models.push(Outcome::new(format!("model {label}"), "model", None, changes));
                new.models.insert(label.to_owned(), model);
            }
            Piece::Cases(all) => {
                let look = |made: Made| {
                    let case = &suite.cases[made.case];
                    let compared = compare(&args.out, case, &made, old.cases.get(&case.name), &suite.tolerance);
                    let pictures =
                        if report.is_wanted(args) { compared.pictures(suite, made.fonts) } else { Vec::new() };
                    (made.case, made.settings, compared, pictures)
                };
                let compared: Vec<_> = all.into_par_iter().map(look).collect();
                for (place, settings, mut compared, pictures) in compared {
                    let case = &suite.cases[place];
                    for (part, picture) in pictures {
                        compared.outcome.attach(part, report.picture(&case.name, part, picture)?);
                    }
                    if args.update {
                        accepted.take(suite, case, compared.outcome.verdict.failure(), &compared.fresh)?;
                    }
                    new.cases.insert(case.name.clone(), settings);
                    cases[place] = Some(compared.outcome);
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
    report.finish(args, &outcomes)?;
    if args.update {
        return accepted.finish(&old, &new);
    }
    output::print(outcomes.iter().map(Outcome::line).collect::<String>().as_bytes())?;
    verdict(args, &outcomes, &report)
}

/// The exit code, and where to look.
fn verdict(args: &SnapshotArgs, outcomes: &[Outcome], report: &Report) -> Result<()> {
    let count = |wanted: fn(&Verdict) -> bool| outcomes.iter().filter(|outcome| wanted(&outcome.verdict)).count();
    let failed = count(|verdict| matches!(verdict, Verdict::Failed { .. }));
    let differ = count(|verdict| matches!(verdict, Verdict::Differs(_)));
    let (total, dir, page) = (outcomes.len(), args.out.display(), report.page());
    if failed > 0 {
        return Err(Error::failed(format!("{failed} of {total} could not be made, {differ} differ from {dir}"))
            .hint(format!("{} says why", page.display())));
    }
    if differ > 0 {
        return Err(Error::different(format!("{differ} of {total} differ from {dir}"))
            .hint(format!("look at {}, and accept with --update", page.display())));
    }
    Ok(())
}

/// What became of a case.
struct Compared {
    outcome: Outcome,
    /// What is made now and was expected otherwise.
    fresh: Vec<Fresh>,
}

/// A file that differs.
struct Fresh {
    format: Format,
    /// What was expected, where there is something.
    expected: Option<Vec<u8>>,
    actual: Vec<u8>,
    why: String,
}

fn compare(dir: &Path, case: &Case, made: &Made, old: Option<&lock::Case>, tolerance: &Tolerance) -> Compared {
    let now = &made.settings;
    let mut outcome = Outcome::new(case.name.clone(), &now.command, case.prompt.clone(), settings(old, now));
    let files = match &made.files {
        Ok(files) => files,
        Err(Error { message, hint, .. }) => {
            outcome.verdict = Verdict::Failed { message: message.clone(), hint: hint.clone().unwrap_or_default() };
            return Compared { outcome, fresh: Vec::new() };
        }
    };
    let mut fresh = Vec::new();
    for (format, actual) in files {
        let Some(compared) = format.compared() else { continue };
        let expected = match old {
            None => Err("is new".to_owned()),
            Some(_) => expected(&dir.join(case.file(*format)), actual.len() as u64),
        };
        let (expected, sentences) = match expected {
            Ok(bytes) => {
                let sentences = differences(compared, &bytes, actual, tolerance);
                (Some(bytes), sentences)
            }
            Err(why) => (None, vec![why]),
        };
        if let Some(why) = sentences.first().cloned() {
            fresh.push(Fresh { format: *format, expected, actual: actual.clone(), why });
            outcome.differs(format.extension(), sentences);
        }
    }
    Compared { outcome, fresh }
}

impl Compared {
    /// Side by side, by format; a picture that cannot be drawn is none, since the report says what is wrong with it.
    fn pictures(&self, suite: &Suite, fonts: &Fonts) -> Vec<(&'static str, Vec<u8>)> {
        let picture = |fresh: &Fresh| {
            let (expected, colours) = (fresh.expected.as_ref()?, suite.tolerance.colours);
            let drawn = side_by_side(fresh.format.compared()?, expected, &fresh.actual, colours, fonts);
            Some((fresh.format.extension(), drawn.ok()?))
        };
        self.fresh.iter().filter_map(picture).collect()
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
    File::open(path).and_then(|file| read_at_most(file, most)).map_err(unread)
}

/// What differs in how a case is made.
fn settings(old: Option<&lock::Case>, new: &lock::Case) -> Vec<String> {
    let Some(old) = old else { return vec!["it was not recorded".into()] };
    let mut changes = Vec::new();
    let mut say = |what: &str, now: String, verb: &str, was: String| {
        if was != now {
            changes.push(format!("{what} {now}, {verb} {was}"));
        }
    };
    say("its model is", new.model.clone(), "was", old.model.clone());
    say("its command is", new.command.clone(), "was", old.command.clone());
    say("its args are", format!("{:?}", new.args), "were", format!("{:?}", old.args));
    let prompt = |case: &lock::Case| case.prompt.as_ref().map_or("none".into(), |text| quote(text));
    say("its prompt is", prompt(new), "was", prompt(old));
    if old.prompt == new.prompt && old.token_ids != new.token_ids {
        changes.push(format!("its tokens are {:?}, were {:?}", new.token_ids, old.token_ids));
    }
    let gone = old.formats.iter().filter(|format| !new.formats.contains(format));
    changes.extend(gone.map(|format| format!("no {format} is asked for any more")));
    changes
}

/// What `--update` does.
struct Accepted<'a> {
    args: &'a SnapshotArgs,
    /// What was changed, a file a line.
    lines: Vec<String>,
}

impl Accepted<'_> {
    /// Writes what differs; a case that failed ends it all.
    fn take(&mut self, suite: &Suite, case: &Case, failure: Option<(&str, &str)>, fresh: &[Fresh]) -> Result<()> {
        if let Some((message, hint)) = failure {
            let error = Error { message: message.into(), hint: Some(hint.into()), kind: Kind::Failed };
            return Err(suite.named(case, error));
        }
        for Fresh { format, expected, actual, why } in fresh {
            let path = self.args.out.join(case.file(*format));
            write(&path, actual)?;
            self.say(if expected.is_some() { "changed" } else { "written" }, &path, why);
        }
        Ok(())
    }

    fn say(&mut self, what: &str, path: &Path, why: &str) {
        self.lines.push(output::printable(&format!("{what} {}: {why}", path.display())) + "\n");
    }

    /// Removes what is no longer asked for, writes the lock file, and lists it all.
    fn finish(mut self, old: &Lock, new: &Lock) -> Result<()> {
        let dir = &self.args.out;
        for (name, case) in &old.cases {
            let now = new.cases.get(name).map_or(&[][..], |case| &case.formats);
            for extension in case.formats.iter().filter(|format| !now.contains(format)) {
                // Both parts were checked to be names when the lock was read.
                let path = dir.join(format!("{name}.{}", format(extension)?.extension()));
                if fs::symlink_metadata(&path).is_ok() {
                    remove(&path)?;
                    self.say("removed", &path, "it is no longer asked for");
                }
            }
        }
        if old.bytes()? != new.bytes()? {
            write(&dir.join(LOCK), &new.bytes()?)?;
            self.say("changed", &dir.join(LOCK), &Difference::of_locks(old, new));
        }
        if self.lines.is_empty() && !self.args.quiet {
            output::remark("nothing has changed");
        }
        output::print(self.lines.concat().as_bytes())
    }
}
