//! A text too long to be held: its tokens a part at a time, and they are those that the whole text has.
use std::io::Read;
use std::ops::Range;

use crate::hash::Hasher;

use super::encoded::Encoded;
use super::{Prompt, Tokenizer, put, unknown_tokens};
use crate::encoding::{START, mark, not_utf8};
use crate::error::{Error, Result};

/// Bytes of a part, about.
const PART: usize = 64 << 10;
/// Bytes on both sides of a part that are tokenized with it, and of the half of them in which both parts must have the same tokens.
const BESIDE: usize = 4 << 10;
const SAME: usize = BESIDE / 2;
/// Bytes without a place to cut that are held in the end.
const MOST: usize = 4 << 20;

/// Reads a text by parts. Each is tokenized with some of the text on both sides, and is cut before a blank where both sides have the
/// same tokens around the cut.
pub struct LongText<'a, R> {
    tokenizer: &'a Tokenizer,
    from: R,
    /// What errors call it.
    name: &'a str,
    special: bool,
    bos: Option<u32>,
    /// What was read of a character that is not whole yet.
    rest: Vec<u8>,
    read: u64,
    hash: Hasher,
    text: String,
    /// Bytes of the text that were given out already, and the tokens on both sides of that place.
    cut: usize,
    around: [Vec<u32>; 2],
    begun: bool,
    ended: bool,
    done: bool,
    lost: bool,
    unknown: Option<(usize, u32)>,
}

/// A piece of the text in tokens.
struct Cut {
    /// Tokens before it.
    token: usize,
    /// Bytes before it.
    byte: usize,
}

impl<'a, R: Read> LongText<'a, R> {
    /// Of a text with what the tokenizer puts around it if `special`, and `bos` in front unless it is there already.
    pub fn new(tokenizer: &'a Tokenizer, from: R, name: &'a str, special: bool, bos: Option<u32>) -> Self {
        Self {
            tokenizer,
            from,
            name,
            special,
            bos,
            rest: Vec::new(),
            read: 0,
            hash: Hasher::new(),
            text: String::new(),
            cut: 0,
            around: [Vec::new(), Vec::new()],
            begun: false,
            ended: false,
            done: false,
            lost: false,
            unknown: None,
        }
    }

    /// The next part; none at the end. The first has the tokens in front of the text, the last those behind it and what people should
    /// know.
    ///
    /// # Errors
    /// What cannot be read, is not UTF-8 or cannot be tokenized; a text whose tokens depend on what stands far away, or in which there
    /// are 4 MiB without a blank.
    pub fn part(&mut self) -> Result<Option<Prompt>> {
        if self.done {
            return Ok(None);
        }
        let mut bytes = PART;
        loop {
            self.fill(self.cut + bytes + BESIDE)?;
            let (encoded, spans) = self.tokenizer.placed(&self.text, self.special)?;
            let own = encoded.front..encoded.ids.len() - encoded.behind;
            let start = self.start(&encoded, &spans, own.clone())?;
            if self.ended {
                return Ok(Some(self.give(encoded, start, None)));
            }
            let limit = self.text.len() - BESIDE;
            if let Some(cut) = self.place(&spans, start..own.end, limit) {
                let near = |at: &usize| spans[*at].start + SAME >= cut.byte;
                let before = (own.start..cut.token).rev().take_while(near).count();
                let after = (cut.token..own.end).take_while(|at| spans[*at].end <= cut.byte + SAME).count();
                self.around = [cut.token - before..cut.token, cut.token..cut.token + after]
                    .map(|range| encoded.ids[range].to_vec());
                return Ok(Some(self.give(encoded, start, Some(cut))));
            }
            if bytes >= MOST {
                return Err(Error::failed(format!("{} has {MOST} bytes without a blank between tokens", self.name))
                    .hint("break it into lines"));
            }
            bytes *= 2;
        }
    }

    /// XXH3-128 of all bytes, in hexadecimal, once the last part is read.
    pub fn hash(&self) -> String {
        crate::hash::digits(self.hash.digest128())
    }

    /// Reads until the text has this many bytes, or ends: without a final newline, as a prompt.
    fn fill(&mut self, length: usize) -> Result<()> {
        let mut buffer = vec![0; PART];
        while self.text.len() < length && !self.ended {
            let count = self
                .from
                .read(&mut buffer)
                .map_err(|e| Error::failed(format!("cannot read {}: {e}", self.name)).hint("give a text file"))?;
            self.hash.update(&buffer[..count]);
            self.rest.extend_from_slice(&buffer[..count]);
            self.ended = count == 0;
            if self.read == 0 && (self.rest.len() >= START || self.ended) {
                self.read = mark(self.name, &self.rest[..self.rest.len().min(START)])? as u64;
                self.rest.drain(..self.read as usize);
            } else if self.read == 0 {
                continue;
            }
            self.decode()?;
        }
        if self.ended && !self.done && self.text.ends_with('\n') {
            let newline = if self.text.ends_with("\r\n") { 2 } else { 1 };
            self.text.truncate(self.text.len() - newline);
        }
        Ok(())
    }

    /// The characters that are whole.
    fn decode(&mut self) -> Result<()> {
        let (whole, broken) = match std::str::from_utf8(&self.rest) {
            Ok(text) => (text, false),
            Err(error) => {
                let (whole, _) = self.rest.split_at(error.valid_up_to());
                (std::str::from_utf8(whole).unwrap_or_default(), error.error_len().is_some() || self.ended)
            }
        };
        let count = whole.len();
        self.text.push_str(whole);
        self.read += count as u64;
        if broken {
            return Err(not_utf8(self.name, self.read));
        }
        self.rest.drain(..count);
        Ok(())
    }

    /// The first token that was not given out yet.
    fn start(&self, encoded: &Encoded, spans: &[Range<usize>], own: Range<usize>) -> Result<usize> {
        if !self.begun {
            return Ok(0);
        }
        let start = own.clone().find(|at| spans[*at].start >= self.cut).unwrap_or(own.end);
        let [before, after] = &self.around;
        let same = encoded.ids[own.start..start].ends_with(before)
            && encoded.ids[start..own.end].starts_with(after)
            && (start == own.start || spans[start - 1].end <= self.cut);
        if same {
            return Ok(start);
        }
        Err(Error::failed(format!("{} cannot be read by parts: its tokens depend on what stands far away", self.name))
            .hint("give a part of it, of 4 MiB at most"))
    }

    /// The last blank up to the limit that stands between two tokens of these.
    fn place(&self, spans: &[Range<usize>], tokens: Range<usize>, limit: usize) -> Option<Cut> {
        let between = |token: &usize| {
            let (end, start) = (spans[*token - 1].end, spans[*token].start);
            let blank = |at: usize| self.text[at..].starts_with(char::is_whitespace);
            end > self.cut
                && end <= limit
                && start >= end
                && self.text.is_char_boundary(end)
                && blank(end)
                && !self.text[..end].ends_with(char::is_whitespace)
                && self.text.get(end..start).is_some_and(|gap| gap.chars().all(char::is_whitespace))
        };
        let token = (tokens.start + 1..tokens.end).rev().find(between)?;
        let byte = spans[token - 1].end;
        // Nothing before it reaches behind it, where a normalizer moved characters.
        spans[tokens.start..token].iter().all(|span| span.end <= byte).then_some(Cut { token, byte })
    }

    /// The tokens up to the cut, or all.
    fn give(&mut self, encoded: Encoded, start: usize, cut: Option<Cut>) -> Prompt {
        let Encoded { ids, gaps, front, behind, lost, unknown } = encoded;
        let count = ids.len();
        let end = cut.as_ref().map_or(count, |cut| cut.token);
        self.lost |= lost > 0;
        if let Some((_, id)) = unknown {
            let more = ids[start..end].iter().filter(|other| **other == id).count();
            self.unknown = Some((self.unknown.map_or(0, |(count, _)| count) + more, id));
        }
        let mut prompt = Prompt::of(self.tokenizer, ids, Some(gaps), self.bos.filter(|_| !self.begun));
        let inserted = prompt.ids.len() - count;
        let (remark, drop) = (put(&prompt.tokens[inserted..], front, behind), if self.begun { start } else { 0 });
        prompt.front = if self.begun { 0 } else { prompt.front.max(inserted + front) };
        prompt.ids = prompt.ids[drop..inserted + end].to_vec();
        prompt.tokens = prompt.tokens[drop..inserted + end].to_vec();
        self.begun = true;
        let Some(cut) = cut else {
            self.done = true;
            prompt.behind = behind;
            prompt.remarks.extend(remark);
            prompt.remarks.extend(self.lost.then(|| {
                "characters of the text are in no token: the tokenizer has nothing for what it drops".to_owned().into()
            }));
            prompt.remarks.extend(self.unknown.and_then(|(count, id)| unknown_tokens(self.tokenizer, count, id)));
            return prompt;
        };
        let kept = (cut.byte.saturating_sub(BESIDE)..=cut.byte).find(|at| self.text.is_char_boundary(*at));
        let kept = kept.unwrap_or(cut.byte);
        self.text.drain(..kept);
        self.cut = cut.byte - kept;
        prompt
    }
}
