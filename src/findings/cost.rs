//! What an analysis takes, as far as it is known before it begins.

use super::Output;
use crate::format::Format;
use crate::model::Spec;
use crate::prompt::Remark;
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
    /// What people should know before it begins, with the bytes of the model's weights; nothing of what is small.
    pub fn said(&self, weights: u64) -> Vec<Remark> {
        let memory = ALWAYS + self.memory + weights;
        let needs = (memory >= MUCH_MEMORY || self.disk >= MUCH_ROOM)
            .then(|| format!("this takes about {} of memory and {} on disk", bytes(memory), bytes(self.disk)));
        needs.map(Remark::from).into_iter().chain(self.remarks.iter().cloned()).collect()
    }
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
        let working = layer * if self.scores { 4 } else { 2 } + n * (8 * d + 2 * spec.d_mlp as u64);
        let memory = 4 * (self.maps * self.side * self.side + entering + working + self.held);
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
    use crate::findings::Analysis;
    use crate::findings::attention::Options;

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
        let small = Options::default().cost(&spec, 1024, &[Output::whole(Format::Png)]);
        assert!(small.disk == 0 && small.memory < 250 << 20, "{small:?}");
    }
}
