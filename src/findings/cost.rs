//! What an analysis takes, as far as it is known before it begins.

use super::Output;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::model::Spec;
use crate::prompt::Remark;
use crate::system::memory_limit;
use crate::text::bytes;

/// Less memory is not spoken of.
const MUCH_MEMORY: u64 = 1 << 30;
/// Less room on a disk is not spoken of.
const MUCH_ROOM: u64 = 256 << 20;
/// The program itself, its tokenizer, a picture and the columns of a Parquet file that are being written, about.
const ALWAYS: u64 = 160 << 20;

/// What an analysis of a prompt takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of memory at once, about, beside the weights and the program itself.
    pub memory: u64,
    /// Bytes of files, about.
    pub disk: u64,
    /// What else whoever waits should know.
    pub remarks: Vec<Remark>,
}

impl Cost {
    /// So much memory, and nothing else that is known.
    pub(super) fn of_memory(memory: u64) -> Self {
        Self { memory, ..Self::default() }
    }

    /// What people should know before it begins, with the bytes of the model's weights; nothing of what is small.
    pub fn said(&self, weights: u64) -> Vec<Remark> {
        self.need(weights).map(Remark::from).into_iter().chain(self.remarks.iter().cloned()).collect()
    }

    /// The memory and the room that it takes, with the bytes of the model's weights, where that is much.
    pub fn need(&self, weights: u64) -> Option<String> {
        let memory = ALWAYS + self.memory + weights;
        (memory >= MUCH_MEMORY || self.disk >= MUCH_ROOM)
            .then(|| format!("this takes about {} of memory and {} on disk", bytes(memory), bytes(self.disk)))
    }

    /// Fails where the system does not allow the memory that is needed beside the program and the weights, whose pages can be given up.
    ///
    /// # Errors
    /// That the process may not have so much.
    pub fn allowed(&self) -> Result<()> {
        let Some(limit) = memory_limit().filter(|limit| *limit < self.memory) else { return Ok(()) };
        let needed = bytes(self.memory);
        let what = format!("this takes {needed} of memory and more, of which the process may have {}", bytes(limit));
        Err(Error::failed(what).hint("select fewer layers, heads or tokens, or allow the process more"))
    }
}

/// The bytes of files that hold so many numbers: 4 for each, about 11 in JSON.
pub(super) fn files(outputs: &[Output], numbers: u64) -> u64 {
    let file = |output: &Output| match output.format {
        Format::Npz | Format::Safetensors => 4 * numbers,
        Format::Json => 11 * numbers,
        _ => 0,
    };
    outputs.iter().map(file).sum()
}

/// The bytes that a pass over so many tokens holds at once: the rows of one layer's activations, and where somebody looks at them, its
/// patterns with what is made of them.
pub(super) fn pass(spec: &Spec, tokens: usize, is_watched: bool) -> u64 {
    let n = tokens as u64;
    let patterns = if is_watched { 2 * spec.heads as u64 * n * n } else { 0 };
    4 * (patterns + n * (8 * spec.d_model as u64 + 2 * spec.d_mlp as u64))
}

/// The bytes that a pass over so many tokens needs to be followed backwards through so many of its layers at once, with the gradients of
/// one of them; its patterns are made again, unless somebody looks at them.
pub(super) fn followed(spec: &Spec, tokens: usize, layers: usize, is_watched: bool) -> u64 {
    let (n, layers) = (tokens as u64, layers as u64);
    let patterns = if is_watched { (2 * layers + 6) * spec.heads as u64 * n * n } else { spec.heads as u64 * n * n };
    4 * (patterns + (layers + 1) * n * (12 * spec.d_model as u64 + 2 * spec.d_mlp as u64))
}

/// What the patterns of a prompt take, and the files that hold their numbers.
///
/// Memory is the sum of what is held at once: the maps (whole, or pooled to pixels), what enters each layer, the pattern of one layer with
/// the maps made of it (and its scores, before and after), the rows of one layer's activations, and the rows of logits that are made
/// together. Files have 4 bytes for a number, about 11 in JSON and 40 for a row of CSV. Words, which make less of it, are not counted.
pub(super) struct Patterns {
    /// Layers and heads that were selected.
    pub maps: u64,
    /// Rows and columns of each map as it is held.
    pub side: u64,
    /// Whether layers are made again, for which what enters them is kept.
    pub again: bool,
    /// Whether scores are computed for themselves.
    pub scores: bool,
    /// Numbers of the arrays beside the maps.
    pub more: u64,
    /// How many of those are held.
    pub held: u64,
}

impl Patterns {
    pub(super) fn cost(&self, spec: &Spec, tokens: usize, outputs: &[Output]) -> Cost {
        let (n, d) = (tokens as u64, spec.d_model as u64);
        let layer = spec.heads as u64 * n * n;
        let entering = if self.again { spec.layers as u64 * n * d } else { 0 };
        let scores = if self.scores { 2 * layer } else { 0 };
        let held = self.maps * self.side * self.side + entering + scores + self.held;
        let memory = 4 * held + pass(spec, tokens, true);
        let (all, pairs) = (self.maps * n * n, self.maps * n * (n + 1) / 2);
        let file = |Output { format, by_part }: &Output| {
            let more = if *by_part { 0 } else { self.more };
            match format {
                Format::Npz | Format::Safetensors => 4 * (all + more),
                Format::Parquet => 4 * pairs,
                Format::Html => 3 * pairs,
                Format::Json => 11 * (all + more),
                Format::Csv | Format::Tsv => 40 * pairs,
                Format::Png | Format::Svg | Format::Pdf | Format::Txt | Format::Dot | Format::Md => 0,
            }
        };
        Cost { memory, disk: outputs.iter().map(file).sum(), remarks: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::attention::Extra;
    use crate::findings::attention::Options;
    use crate::findings::{Analysis, Selection, difference, heads, lens, mix, saliency};

    #[test]
    fn what_a_big_job_takes_is_said_and_what_a_small_one_takes_is_not() {
        let spec = Spec {
            layers: 12,
            heads: 12,
            kv_heads: 12,
            d_model: 768,
            d_head: 64,
            d_mlp: 3072,
            vocab: 50_257,
            context: 1024,
            bos: None,
        };
        let options = Options { with: vec![Extra::Logits, Extra::Hidden, Extra::Scores], ..Options::default() };
        let said = |tokens, format| options.cost(&spec, tokens, &[Output::whole(format)]).said(475 << 20);
        assert_eq!(said(11, Format::Npz), []);
        // 2 · 144 + 13 / 1024 · 768 + 50257 / 1024 numbers for each pair of 1024 tokens, of 4 bytes.
        let all = said(1024, Format::Npz);
        assert!(all.len() == 1 && all[0].text.ends_with("on disk") && all[0].text.contains("1.4 GiB"), "{all:?}");
        let mixed = mix::Options::default();
        let (memory, said) = (mixed.cost(&spec, 1024, &[]).memory, |options: &dyn Analysis| {
            options.cost(&spec, 1024, &[]).said(475 << 20)
        });
        assert!((1000 << 20..1100 << 20).contains(&memory), "{}", bytes(memory)); // half of it the gradient of one layer
        for big in [&mixed as &dyn Analysis, &saliency::Options::default()] {
            assert!(said(big)[0].text.starts_with("this takes about 1."), "{:?}", said(big));
        }
        for small in [&lens::Options::default() as &dyn Analysis, &heads::Options::default()] {
            assert_eq!(said(small), []);
        }
        let both = difference::Options::default();
        let said = both.cost(&spec, [1024, 900], &[Output::whole(Format::Npz)]).said(475 << 20);
        assert!(said[0].text.contains("576 MiB on disk"), "{said:?}");
        let one = difference::Options {
            selection: Selection { heads: Some("4.11,5.1".parse().unwrap()), ..Selection::default() },
            ..both
        };
        assert_eq!(one.cost(&spec, [1024, 900], &[Output::whole(Format::Npz)]).disk, 8 << 20);
        let small = Options::default().cost(&spec, 1024, &[Output::whole(Format::Png)]);
        assert!(small.disk == 0 && small.memory < 250 << 20, "{small:?}");
    }
}
