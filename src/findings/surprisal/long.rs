//! The same of a file that is too long to be held: its text is read by parts, once to be scored and once for each file of rows.

use super::numbers::{Scorer, Scores, Totals, Words};
use super::shown::{Setting, array, rows_of_words, shown};
use super::words::beginnings;
use super::{Options, WHAT};
use crate::error::{Error, Result};
use crate::export::{Data, Table, csv};
use crate::figure::Figure;
use crate::figure::surprisal::READ;
use crate::findings::reading::begin;
use crate::findings::{About, Findings, Watch};
use crate::prompt::{LongText, Prompt, Remark, Truncate};
use crate::record::{Input, Record};
use crate::session::Session;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What takes a part: the position of its first token, its tokens, its words.
type Take<'a> = &'a mut dyn FnMut(usize, &Prompt, Option<&Words>) -> Result<()>;

/// How surprised a model is by the text of a file of any length. Of the tokens only their numbers are held, 8 bytes each.
pub struct Long<'a> {
    setting: Setting<'a>,
    session: &'a Session,
    path: PathBuf,
    about: About,
    scores: Scores,
    totals: Totals,
    /// The words' numbers, where words are wanted, and the labels of the first.
    values: Vec<f64>,
    corrected: Option<Vec<f64>>,
    labels: Vec<String>,
    /// What people should know of how it was read.
    pub remarks: Vec<Remark>,
}

impl<'a> Long<'a> {
    /// Scores the file; `line` is what was typed, for people.
    ///
    /// # Errors
    /// A file that cannot be read or whose tokens depend on what stands far away, truncation, which this does not do; what
    /// [`Options`] are refused for.
    pub fn find(options: &'a Options, path: &Path, session: &'a Session, line: &str, watch: Watch) -> Result<Self> {
        session.has_next_tokens()?;
        if options.reading.truncate != Truncate::No {
            return Err(Error::usage("a text that is read by parts is not truncated")
                .hint("leave truncation out, or give a part of it")
                .option("truncate"));
        }
        let (window, stride) = options.windows(session.spec())?;
        let set = options.bow_correction.then(|| beginnings(session)).transpose()?;
        let mut scorer = Scorer::new(session.model(), (window, stride), set.as_deref());
        let mut record = Record::of("surprisal", options)?;
        (record.line, record.model) = (line.to_owned(), session.identity());
        let (mut beginning, mut remarks, mut length, mut behind) = (Prompt::default(), Vec::new(), 0, 0);
        let vocab = session.spec().vocab;
        let hash = parts(options, path, session, &mut |part| {
            watch(0, 1);
            let part = part.fit(usize::MAX, vocab, Truncate::No)?;
            scorer.push(&part.ids)?;
            if length == 0 {
                beginning = part.clone();
            }
            length += part.ids.len();
            behind = part.behind;
            remarks.extend(part.remarks);
            watch(1, 0);
            Ok(())
        })?;
        let scores = scorer.finish(beginning.front..length - behind)?;
        record.input = Some(Input { name: name(path), hash });
        beginning.ids.truncate(READ);
        beginning.tokens.truncate(READ);
        let mut about = About::new(record, beginning);
        // Its beginning is not the prompt.
        (about.record.prompt, about.record.token_ids) = (String::new(), Vec::new());
        let setting = Setting { options, window, stride };
        let corrected = options.bow_correction.then(Vec::new);
        let (totals, values, labels, path) = (Totals::default(), Vec::new(), Vec::new(), path.to_path_buf());
        let mut long = Self { setting, session, path, about, scores, totals, values, corrected, labels, remarks };
        long.gather()?;
        Ok(long)
    }

    /// What its record says of the file.
    pub fn input(&mut self) -> &mut Input {
        self.about.record.input.get_or_insert_default()
    }

    /// What the figure says of the model's origin, instead of its name.
    pub fn note(&mut self, note: Option<String>) {
        self.about.record.note = note;
    }

    /// What takes the tokens' texts: the totals, and the numbers of words.
    fn gather(&mut self) -> Result<()> {
        let (mut totals, mut values, mut labels) = (Totals::default(), Vec::new(), Vec::new());
        let mut corrected: Option<Vec<f64>> = self.corrected.take();
        self.walk(&mut |position, part, words| {
            totals.add(&part.tokens, &self.scores.nats[position..position + part.ids.len()]);
            let Some(words) = words else { return Ok(()) };
            let room = READ.saturating_sub(labels.len());
            labels.extend(words.words.iter().take(room).map(|word| word.label.clone()));
            values.extend(&words.values);
            corrected.iter_mut().zip(&words.corrected).for_each(|(all, some)| all.extend(some));
            Ok(())
        })?;
        (self.totals, self.values, self.labels, self.corrected) = (totals, values, labels, corrected);
        Ok(())
    }

    /// Reads the file once more: each part with the position of its first token, and its words.
    fn walk(&self, take: Take) -> Result<()> {
        let changed =
            || Error::failed(format!("{} was changed while it was read", name(&self.path))).hint("run it again");
        let (mut position, all) = (0, self.scores.nats.len());
        let hash = parts(self.setting.options, &self.path, self.session, &mut |part| {
            if position + part.ids.len() > all {
                return Err(changed());
            }
            take(position, &part, self.scores.words(self.setting.options, &part, position).as_ref())?;
            position += part.ids.len();
            Ok(())
        })?;
        if self.about.record.input.as_ref().is_none_or(|input| input.hash != hash) { Err(changed()) } else { Ok(()) }
    }
}

/// Each part of the text of a file; its hash.
fn parts(
    options: &Options,
    path: &Path,
    session: &Session,
    take: &mut dyn FnMut(Prompt) -> Result<()>,
) -> Result<String> {
    options.reading.by_parts()?;
    let name = name(path);
    let file =
        File::open(path).map_err(|e| Error::failed(format!("cannot read {name}: {e}")).hint("check the path"))?;
    let (bos, remark) = if options.reading.bos { begin(&session.tokenizer, session.spec())? } else { (None, None) };
    let mut remark = remark.map(Remark::from);
    let mut text = LongText::new(&session.tokenizer, file, &name, !options.reading.no_special, bos);
    while let Some(mut part) = text.part()? {
        part.remarks.extend(remark.take());
        take(part)?;
    }
    Ok(text.hash())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Findings for Long<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let Setting { options, .. } = self.setting;
        let style = &options.style;
        let count = self.scores.nats.len();
        let file = self.about.record.input.as_ref().map(|input| input.name.as_str()).unwrap_or_default();
        let first = format!("{} · {WHAT} · {} of {file}", self.about.model_name(), crate::text::count(count, "token"));
        let lines = self.setting.lines(first, &self.totals, count);
        let (labels, rows) = match options.rule() {
            Some(_) => (self.labels.clone(), rows_of_words(&self.values, self.corrected.as_deref())),
            None => {
                let tokens = self.scores.of(options.base, 0..count);
                (self.about.labels(), vec![(String::new(), shown(&tokens))])
            }
        };
        style.figure(&self.about, lines, self.setting.panels(style, labels, rows))
    }

    /// The numbers without the tokens, whose texts are in the file.
    fn data(&self, _: Option<usize>) -> Result<Data> {
        let tokens = self.scores.of(self.setting.options.base, 0..self.scores.nats.len());
        let mut entry = self.setting.entry(&tokens, &self.totals);
        if self.setting.options.rule().is_some() {
            entry.arrays.push(array("words", &self.values));
            entry.arrays.extend(self.corrected.as_ref().map(|values| array("corrected", values)));
        }
        Ok(Data { record: self.about.record.clone(), tokens: Vec::new(), results: vec![entry] })
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let mut whole: Option<Table> = None;
        self.tables(None, &mut |table| {
            match &mut whole {
                Some(whole) => whole.rows.extend(table.rows),
                None => whole = Some(table),
            }
            Ok(())
        })?;
        Ok(whole.unwrap_or_default())
    }

    fn tables(&self, _: Option<usize>, take: &mut dyn FnMut(Table) -> Result<()>) -> Result<()> {
        let mut place = 0;
        self.walk(&mut |position, part, words| match words {
            Some(words) => {
                take(self.setting.word_rows(place, position, words))?;
                place += words.words.len();
                Ok(())
            }
            None => {
                let values = self.scores.of(self.setting.options.base, position..position + part.ids.len());
                take(self.setting.token_rows(position, part, &values))
            }
        })
    }

    fn csv(&self, part: Option<usize>, separator: char, out: &mut dyn Write) -> Result<()> {
        let mut rows = csv::Rows::new(separator, out);
        self.tables(part, &mut |table| rows.add(&table))?;
        rows.finish()
    }
}
