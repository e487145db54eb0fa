//! From a line to the files of its prompt.

use super::block::Made;
use super::input::Item;
use super::job::{Job, Worked};
use super::manifest::{Entry, Outcome, ResultFile};
use super::options::Target;
use crate::error::{Error, Result};
use crate::export::{Draft, Fields};
use crate::findings::{Cost, Findings, Ready, Subject, Words, find_all, rows};
use crate::format::Format;
use crate::prompt::{Prompt, Remark};
use rayon::prelude::*;
use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;

/// More is not said of how prompts were read.
const MOST_REMARKS: usize = 8;

impl Job<'_> {
    /// The prompt of a line as the model will see it.
    pub(super) fn read(&self, item: &Item) -> Result<Subject<'_>> {
        let text = item.text.clone().map_err(|reason| Error::failed(reason).hint("mend the line"))?;
        let reading = self.asked.analysis().reading();
        let prompt = reading.read(Words::Text(text), &self.session.tokenizer, self.session.spec())?;
        if let Ok(mut said) = self.remarks.lock().map_err(drop)
            && said.len() < MOST_REMARKS
        {
            said.extend(prompt.remarks.iter().cloned());
        }
        self.announce(item.index, prompt.ids.len())?;
        self.subject(prompt, item.index as usize)
    }

    /// Says what a prompt of so many tokens takes, where that is much, and much more than what was said before. Files are held until all of
    /// a group are made.
    fn announce(&self, index: u64, tokens: usize) -> Result<()> {
        let Cost { memory, disk, .. } = self.asked.analysis().cost(self.session.spec(), tokens, &self.outputs);
        let cost = Cost { memory: memory + disk, disk, ..Cost::default() };
        cost.allowed()?;
        let most = self.most.load(Relaxed);
        if cost.memory > most + most / 2
            && let Some(need) = cost.need(self.session.weight_bytes())
        {
            self.most.store(cost.memory, Relaxed);
            (self.say)(&Remark::from(format!("prompt {index}: {need}")));
        }
        Ok(())
    }

    pub(super) fn subject(&self, prompt: Prompt, index: usize) -> Result<Subject<'_>> {
        let mut subject = Subject::new(self.session, prompt, self.asked)?;
        self.run.line.clone_into(&mut subject.record.line);
        subject.index = index;
        Ok(subject)
    }

    /// Answers for a group of prompts.
    pub(super) fn find<'a>(&'a self, group: Vec<(Item, Result<Subject<'a>>)>) -> Vec<Worked<'a>> {
        let (items, subjects): (Vec<Item>, Vec<_>) = group.into_iter().unzip();
        items.into_iter().zip(find_all(self.asked.analysis(), self.session, subjects, &self.outputs)).collect()
    }

    /// Drafts the files of a group of prompts. Only what stops the whole run is an error.
    pub(super) fn write(&self, group: Vec<Worked>) -> Result<Vec<Made>> {
        let results = |found: &dyn Findings| {
            let rows = self.options.formats.contains(&Format::Parquet).then(|| rows(found, None)).transpose()?;
            Ok((self.files(found)?, rows))
        };
        let one = |(item, found): Worked| {
            let (mut rows, mut drafts) = (None, Vec::new());
            let outcome = match found.and_then(|found| results(&*found)) {
                Ok((files, table)) => {
                    rows = table;
                    for (name, bytes) in &files {
                        drafts.push(Draft::of(&self.options.out.join(name), bytes)?);
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
                shard: self.shard.clone(),
                run: None,
                end: None,
            };
            Ok(Made { entry, files: drafts, rows })
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
}
