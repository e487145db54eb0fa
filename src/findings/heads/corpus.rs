//! What each head does over the text of a file of any length, as figures, data and tables; with examples.

mod examples;

use super::gathering::{Gathering, KIB};
use super::ranked::Ranked;
use crate::analysis::heads::{Looked, Score};
use crate::error::{Error, Result};
use crate::export::{Data, Entry, Table};
use crate::figure::heads::examples;
use crate::figure::{Figure, Scale};
use crate::findings::{About, Advice, Findings, Output, Picks, Reading, Style, Watch, refuse_parts};
use crate::model::Spec;
use crate::named::Named;
use crate::prompt::{LongText, Prompt, Remark, Truncate};
use crate::record::{Input, Record};
use crate::session::Session;
use crate::text::count;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::fs::File;
use std::path::Path;

/// The options of `heads` over a corpus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How the text is read; with `bos` every sequence begins with that token.
    pub reading: Reading,
    /// Colour and rank the heads by this score; none colours them by their labels' and leaves them in order.
    pub sort: Option<Score>,
    /// Tokens of a sequence; none means the model's context.
    pub length: Option<usize>,
    /// So many sequences, drawn from all by the seed; none means all.
    pub limit: Option<usize>,
    /// Seed of the drawing of sequences and of examples.
    pub seed: u64,
    /// The head whose examples the figure and the tables show; none shows all heads' scores.
    pub head: Option<Picks>,
    /// How the figure looks.
    pub style: Style,
}

impl Options {
    /// Fails where the options cannot be meant, before anything is loaded.
    ///
    /// # Errors
    /// What cannot be meant, or not for these outputs.
    pub fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("heads", outputs)?;
        if self.reading.truncate != Truncate::No {
            return Err(Error::usage("a corpus is read in sequences and not truncated")
                .hint("leave truncation out, or limit the number of sequences")
                .option("truncate"));
        }
        if self.head.as_ref().is_some_and(Picks::are_several) {
            return Err(Error::usage("several heads are named, and examples are shown of one")
                .hint("name one; a .json file has those of all heads")
                .option("head"));
        }
        if self.limit == Some(0) {
            return Err(Error::usage("limit 0 leaves no sequence").hint("give 1 or more").option("limit"));
        }
        self.style.check()
    }

    /// Fails where the model lacks what is asked for, before its weights are read.
    ///
    /// # Errors
    /// A length that does not fit into the context, a head that the model does not have.
    pub fn fits(&self, spec: &Spec) -> Result<()> {
        let length = self.length(spec);
        if length < 2 || length > spec.context {
            return Err(Error::usage(format!("length {length} does not fit a context of {} tokens", spec.context))
                .hint(format!("give 2 to {}", spec.context))
                .option("length"));
        }
        self.named(spec).map(drop)
    }

    pub(super) fn length(&self, spec: &Spec) -> usize {
        self.length.unwrap_or(spec.context)
    }

    /// The head that is named.
    fn named(&self, spec: &Spec) -> Result<Option<usize>> {
        let all = |count| (0..count).collect::<Vec<_>>();
        let one = |picks: &Picks| picks.among("the model", &all(spec.layers), &all(spec.heads));
        Ok(self.head.as_ref().map(one).transpose()?.map(|found| found.layers[0] * spec.heads + found.heads[0]))
    }
}

/// What each head does over a text.
pub struct OverCorpus<'a> {
    options: &'a Options,
    session: &'a Session,
    about: About,
    ranked: Ranked,
    found: Vec<Looked>,
    head: Option<usize>,
    length: usize,
    /// Tokens and sequences that were looked at, and sequences that there are.
    tokens: usize,
    sequences: usize,
    all: usize,
    /// What people should know of how it was read.
    pub remarks: Vec<Remark>,
}

impl<'a> OverCorpus<'a> {
    /// Looks at the text of a file; `line` is what was typed, for people. The text is read once, and never held. What is watched are KiB of
    /// the text, or where there is a limit, sequences.
    ///
    /// # Errors
    /// A file that cannot be read, has fewer than two tokens, or whose tokens depend on what stands far away; what [`Options`] are refused
    /// for.
    pub fn find(options: &'a Options, path: &Path, session: &'a Session, line: &str, watch: Watch) -> Result<Self> {
        options.fits(session.spec())?;
        options.reading.by_parts()?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let cannot = |e| Error::failed(format!("cannot read {name}: {e}")).hint("check the path").option("corpus");
        let file = File::open(path).map_err(cannot)?;
        let bytes = file.metadata().map_err(cannot)?.len() as usize;
        let length = options.length(session.spec());
        let mut gathering = Gathering::new(options, session, watch)?;
        match options.limit {
            Some(limit) => watch(0, limit),
            None => watch(0, bytes / KIB),
        }
        let mut text = LongText::new(&session.tokenizer, file, &name, !options.reading.no_special, None);
        while let Some(part) = text.part()? {
            if !part.ids.is_empty() {
                gathering.read(part.fit(usize::MAX, session.spec().vocab, Truncate::No)?)?;
            }
        }
        let hash = text.hash();
        gathering.end()?;
        if gathering.tokens == 0 {
            return Err(Error::failed(format!(
                "{name} has fewer than two tokens, and a head looks from one at another"
            ))
            .hint("give a longer text")
            .option("corpus"));
        }
        let Gathering { corpus, tokens, looked: sequences, sequences: all, remarks, .. } = gathering;
        let mut record = Record::of("heads", options)?;
        (record.line, record.model) = (line.to_owned(), session.identity());
        record.input = Some(Input { name, hash });
        let found = corpus.finish()?;
        let heads = found.iter().map(|looked| looked.head).collect();
        let ranked = Ranked::new(heads, session.spec().heads, options.sort);
        let (about, head) = (About::new(record, Prompt::default()), options.named(session.spec())?);
        Ok(Self { options, session, about, ranked, found, head, length, tokens, sequences, all, remarks })
    }

    /// What its record says of the file.
    pub fn input(&mut self) -> &mut Input {
        self.about.record.input.get_or_insert_default()
    }

    /// What the figure says of the model's origin, instead of its name.
    pub fn note(&mut self, note: Option<String>) {
        self.about.record.note = note;
    }

    /// What was looked at, in words.
    fn over(&self) -> String {
        let sequences = count(self.sequences, "sequence");
        let drawn = match self.options.limit {
            Some(_) if self.sequences < self.all => {
                format!("{sequences} drawn from {} (seed {})", self.all, self.options.seed)
            }
            _ => sequences,
        };
        let bos = if self.options.reading.bos { ", each begun with the token that begins texts" } else { "" };
        format!("over {} in {drawn} of {} at most{bos}", count(self.tokens, "token"), count(self.length, "token"))
    }

    fn head_name(&self, head: usize) -> String {
        format!("{}.{}", head / self.ranked.across, head % self.ranked.across)
    }
}

impl Findings for OverCorpus<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn advice(&self) -> Vec<Advice> {
        let mut advice = self.ranked.advice();
        if self.head.is_none() {
            advice.push(Advice::new("head", "", "such as 0.1 shows the examples of one head"));
        }
        advice
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let style = &self.options.style;
        let scores: Vec<Score> = Score::all().collect();
        let what = match self.head {
            None => "what each head does".into(),
            Some(head) => format!("what head {} does", self.head_name(head)),
        };
        let mut lines = vec![self.about.line(&what), self.over()];
        let panels = match self.head {
            None => {
                lines.insert(1, self.ranked.counts());
                self.ranked.panels(style, &scores)
            }
            Some(head) => {
                let scale = Scale {
                    kind: style.scale,
                    colormap: style.colormap.unwrap_or_default(),
                    unit: "largest weight".into(),
                    ..Scale::default()
                };
                vec![self.ranked.one(head, style, &scores), examples(&self.rows(head), scale)]
            }
        };
        style.figure(&self.about, lines, panels)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let settings = Map::from_iter([
            ("on".into(), "corpus".into()),
            ("bos".into(), self.options.reading.bos.into()),
            ("length".into(), self.length.into()),
            ("seed".into(), self.options.seed.into()),
            ("limit".into(), json!(self.options.limit)),
            ("tokens".into(), self.tokens.into()),
            ("sequences".into(), self.sequences.into()),
            ("all_sequences".into(), self.all.into()),
        ]);
        let shown: Vec<usize> = self.head.map_or_else(|| (0..self.found.len()).collect(), |head| vec![head]);
        let fields = Map::from_iter([
            ("label".into(), self.ranked.names()),
            ("examples".into(), shown.into_iter().map(|head| self.said(head)).collect()),
        ]);
        let entry = Entry { method: "heads".into(), settings, fields, arrays: self.ranked.arrays() };
        Ok(self.about.data(vec![entry]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(self.head.map_or_else(|| self.ranked.table(), |head| self.examples_table(head)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"heads": "1.1"}"#);
    }

    #[test]
    fn what_cannot_be_meant_names_its_option() {
        let refused = |options: Options| options.check(&[]).unwrap_err().option;
        assert_eq!(refused(Options { limit: Some(0), ..Options::default() }), Some("limit"));
        let several = Some("1.1,1.2".parse().unwrap());
        assert_eq!(refused(Options { head: several, ..Options::default() }), Some("head"));
    }
}
