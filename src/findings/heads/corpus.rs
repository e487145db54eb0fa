//! What each head does over the text of a file of any length, as figures, data and tables; with examples.

use super::ranked::Ranked;
use crate::analysis::heads::{Corpus, Example, Looked, Score, Sequence, mix};
use crate::error::{Error, Result};
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Data, Entry, Table};
use crate::figure::heads::{ExampleRow, examples};
use crate::figure::{Figure, Scale};
use crate::findings::reading::begin;
use crate::findings::subject::in_a_line;
use crate::findings::{About, Advice, Findings, Output, Picks, Reading, Style, Watch, refuse_parts};
use crate::model::Spec;
use crate::named::Named;
use crate::prompt::{LongText, Prompt, Remark, Truncate};
use crate::record::{Input, Record};
use crate::session::Session;
use crate::text::count;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BinaryHeap;
use std::fs::File;
use std::path::Path;

/// Tokens that go through the model together, about.
const TOGETHER: usize = 1024;
/// A weight that a figure does not name: it would be 0.00.
const FAINT: f32 = 0.005;
/// What is counted of a file whose length nobody knows in tokens.
const KIB: usize = 1 << 10;

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

    fn length(&self, spec: &Spec) -> usize {
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
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let cannot = |e| Error::failed(format!("cannot read {name}: {e}")).hint("check the path").option("corpus");
        let file = File::open(path).map_err(cannot)?;
        let bytes = file.metadata().map_err(cannot)?.len() as usize;
        let length = options.length(session.spec());
        let mut gathering = Gathering::new(options, session, length, watch)?;
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

    fn texts(&self, ids: &[u32]) -> Prompt {
        Prompt::from_ids(&self.session.tokenizer, ids.to_vec(), None)
    }

    /// A head's examples as a figure shows them, the strongest fifth first.
    fn rows(&self, head: usize) -> Vec<ExampleRow> {
        let looked = &self.found[head];
        let row = |fifth: usize, example: &Example| {
            let around = self.texts(&example.around);
            let at = example.query - example.first;
            let before: String = around.tokens[..at].iter().map(|token| &*token.text).collect();
            let key = |(position, id, weight): &(usize, u32, f32)| {
                let back = example.query - position;
                let at = if back == 0 { "itself".into() } else { format!("−{back}") };
                format!("{} {weight:.2} ({at})", in_a_line(&self.session.tokenizer.label(*id)))
            };
            ExampleRow {
                bounds: looked.bounds(fifth),
                weight: example.weight,
                before: before.split_whitespace().collect::<Vec<_>>().join(" "),
                query: around.tokens[at].label.clone(),
                keys: example.keys.iter().filter(|key| key.2 >= FAINT).map(key).collect::<Vec<_>>().join(", "),
            }
        };
        let fifths = looked.examples.iter().enumerate().rev();
        fifths.flat_map(|(fifth, examples)| examples.iter().map(move |one| row(fifth, one))).collect()
    }

    /// A head's examples as data files have them.
    fn said(&self, head: usize) -> Value {
        let label = |id: u32| self.texts(&[id]).tokens[0].text.clone();
        let one = |example: &Example| {
            let keys = example.keys.iter().map(
                |(position, id, weight)| json!({"position": position, "id": id, "token": label(*id), "weight": weight}),
            );
            json!({
                "sequence": example.sequence,
                "query": example.query,
                "weight": example.weight,
                "keys": keys.collect::<Value>(),
                "first": example.first,
                "ids": example.around,
                "tokens": self.texts(&example.around).tokens.iter().map(|token| &*token.text).collect::<Value>(),
            })
        };
        let looked = &self.found[head];
        let fifths = looked.examples.iter().map(|fifth| fifth.iter().map(one).collect::<Value>());
        let (layer, head) = (head / self.ranked.across, head % self.ranked.across);
        let (low, high) = looked.range;
        json!({"layer": layer, "head": head, "lowest": low, "highest": high, "fifths": fifths.collect::<Value>()})
    }

    /// A row for each key of each example of a head.
    fn examples_table(&self, head: usize) -> Table {
        let named = [whole("layer"), whole("head"), whole("fifth"), number("weight"), whole("sequence")];
        let texts = [whole("query"), text("query_token"), text("text"), whole("place"), whole("key")];
        let columns = named.into_iter().chain(texts).chain([text("key_token"), number("key_weight")]).collect();
        let mut rows = Vec::new();
        for (fifth, examples) in self.found[head].examples.iter().enumerate().rev() {
            for example in examples {
                let around = self.texts(&example.around);
                for (place, (key, id, weight)) in (1usize..).zip(&example.keys) {
                    rows.push(vec![
                        (head / self.ranked.across).into(),
                        (head % self.ranked.across).into(),
                        Cell::from(fifth + 1),
                        example.weight.into(),
                        Cell::Whole(example.sequence as i64),
                        example.query.into(),
                        around.tokens[example.query - example.first].text.clone().into(),
                        around.written().into(),
                        place.into(),
                        (*key).into(),
                        self.texts(&[*id]).tokens[0].text.clone().into(),
                        (*weight).into(),
                    ]);
                }
            }
        }
        Table { columns, rows }
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

/// From parts of a text to sequences to what heads do there.
struct Gathering<'a> {
    corpus: Corpus<'a>,
    watch: Watch<'a>,
    length: usize,
    limit: Option<usize>,
    seed: u64,
    bos: Option<u32>,
    /// Tokens that are no sequence yet.
    rest: Vec<u32>,
    /// Sequences that go through the model next; or where there is a limit, the drawn ones so far, the highest rank first.
    ready: Vec<Sequence>,
    drawn: BinaryHeap<Drawn>,
    /// Sequences that there are.
    sequences: usize,
    looked: usize,
    tokens: usize,
    /// Bytes of a token, about; bytes that were not told yet.
    per_token: f64,
    untold: f64,
    remarks: Vec<Remark>,
}

impl<'a> Gathering<'a> {
    fn new(options: &Options, session: &'a Session, length: usize, watch: Watch<'a>) -> Result<Self> {
        let (bos, remark) = if options.reading.bos { begin(&session.tokenizer, session.spec())? } else { (None, None) };
        Ok(Self {
            corpus: Corpus::new(session.model(), options.seed),
            watch,
            length,
            limit: options.limit,
            seed: options.seed,
            bos,
            rest: Vec::new(),
            ready: Vec::new(),
            drawn: BinaryHeap::new(),
            sequences: 0,
            looked: 0,
            tokens: 0,
            per_token: 0.0,
            untold: 0.0,
            remarks: remark.map(Remark::from).into_iter().collect(),
        })
    }

    fn read(&mut self, part: Prompt) -> Result<()> {
        let bytes: usize = part.tokens.iter().map(|token| token.text.len()).sum();
        self.per_token = bytes as f64 / part.ids.len() as f64;
        self.remarks.extend(part.remarks);
        self.rest.extend(part.ids);
        let own = self.length - usize::from(self.bos.is_some());
        let mut from = 0;
        while self.rest.len() - from >= own {
            let ids = self.rest[from..from + own].to_vec();
            from += own;
            self.sequence(ids)?;
        }
        self.rest.drain(..from);
        Ok(())
    }

    /// The last sequence, which may be shorter, and what is still to be looked at.
    fn end(&mut self) -> Result<()> {
        let ids = std::mem::take(&mut self.rest);
        if ids.len() + usize::from(self.bos.is_some()) >= 2 {
            self.sequence(ids)?;
        }
        let mut drawn: Vec<Sequence> = self.drawn.drain().map(|drawn| drawn.sequence).collect();
        drawn.sort_by_key(|sequence| sequence.number);
        for sequence in drawn {
            self.push(sequence)?;
        }
        self.look()
    }

    fn sequence(&mut self, ids: Vec<u32>) -> Result<()> {
        let begun = self.bos.filter(|bos| ids.first() != Some(bos));
        let ids: Vec<u32> = begun.into_iter().chain(ids).collect();
        let sequence = Sequence { number: self.sequences as u64, ids };
        self.sequences += 1;
        let Some(limit) = self.limit else { return self.push(sequence) };
        // Those with the lowest of random ranks are a fair sample.
        self.drawn.push(Drawn { rank: mix(self.seed, sequence.number), sequence });
        if self.drawn.len() > limit {
            self.drawn.pop();
        }
        Ok(())
    }

    fn push(&mut self, sequence: Sequence) -> Result<()> {
        self.ready.push(sequence);
        let waiting: usize = self.ready.iter().map(|sequence| sequence.ids.len()).sum();
        if waiting >= TOGETHER { self.look() } else { Ok(()) }
    }

    fn look(&mut self) -> Result<()> {
        if self.ready.is_empty() {
            return Ok(());
        }
        self.corpus.look(&self.ready)?;
        let tokens: usize = self.ready.iter().map(|sequence| sequence.ids.len()).sum();
        self.looked += self.ready.len();
        self.tokens += tokens;
        if self.limit.is_some() {
            (self.watch)(self.ready.len(), 0);
        } else {
            self.untold += tokens as f64 * self.per_token;
            let told = (self.untold / KIB as f64) as usize;
            self.untold -= (told * KIB) as f64;
            (self.watch)(told, 0);
        }
        self.ready.clear();
        Ok(())
    }
}

/// A sequence by its random rank.
struct Drawn {
    rank: u64,
    sequence: Sequence,
}

impl PartialEq for Drawn {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Drawn {}

impl PartialOrd for Drawn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Drawn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
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
