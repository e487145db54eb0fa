//! From parts of a text to sequences to what heads do there: all of them, or a sample.

use super::corpus::Options;
use crate::analysis::heads::{Corpus, Sequence, mix};
use crate::error::Result;
use crate::findings::Watch;
use crate::findings::reading::begin;
use crate::prompt::{Prompt, Remark};
use crate::session::Session;
use std::collections::BinaryHeap;

/// Tokens that go through the model together, about.
const TOGETHER: usize = 1024;
/// What is counted of a file whose length nobody knows in tokens.
pub(super) const KIB: usize = 1 << 10;

/// From parts of a text to sequences to what heads do there.
pub(super) struct Gathering<'a> {
    pub corpus: Corpus<'a>,
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
    pub sequences: usize,
    /// Sequences that were looked at, and their tokens.
    pub looked: usize,
    /// See `looked`.
    pub tokens: usize,
    /// Bytes of a token, about; bytes that were not told yet.
    per_token: f64,
    untold: f64,
    /// What people should know of how it was read.
    pub remarks: Vec<Remark>,
}

impl<'a> Gathering<'a> {
    pub fn new(options: &Options, session: &'a Session, watch: Watch<'a>) -> Result<Self> {
        let (bos, remark) = if options.reading.bos { begin(&session.tokenizer, session.spec())? } else { (None, None) };
        Ok(Self {
            corpus: Corpus::new(session.model(), options.seed),
            watch,
            length: options.length(session.spec()),
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

    /// Takes the next part.
    ///
    /// # Errors
    /// Those of the model.
    pub fn read(&mut self, part: Prompt) -> Result<()> {
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
    pub fn end(&mut self) -> Result<()> {
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
