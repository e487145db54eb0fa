//! What a tokenizer made of a text.
use tokenizers::Encoding;

/// What a text was turned into.
#[derive(Clone, Debug, Default)]
pub(super) struct Encoded {
    pub(super) ids: Vec<u32>,
    /// Whether the text has a blank before a token that no token has, `[token]`.
    pub(super) gaps: Vec<bool>,
    /// How many tokens the tokenizer put in front of the text.
    pub(super) front: usize,
    /// How many it put behind.
    pub(super) behind: usize,
    /// How many characters of the text are in no token. (Which ones, the crate's offsets do not tell where it drops some.)
    pub(super) lost: usize,
    /// How many tokens stand for something that the tokenizer does not know.
    pub(super) unknown: Option<(usize, u32)>,
}

impl Encoded {
    pub(super) fn of(text: &str, encoding: &Encoding) -> Self {
        let (offsets, put) = (encoding.get_offsets(), encoding.get_special_tokens_mask());
        let count = put.len();
        let front = put.iter().take_while(|mask| **mask == 1).count();
        let behind = put[front..].iter().rev().take_while(|mask| **mask == 1).count();
        let (mut gaps, mut lost, mut end) = (vec![false; count], 0, 0);
        let between = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        for (at, (from, to)) in offsets.iter().enumerate().take(count - behind).skip(front) {
            let gap = between(end, *from);
            gaps[at] = gap.contains(char::is_whitespace);
            lost += gap.chars().filter(|c| !c.is_whitespace()).count();
            end = end.max(*to);
        }
        lost += between(end, text.len()).chars().filter(|c| !c.is_whitespace()).count();
        Self { ids: encoding.get_ids().to_vec(), gaps, front, behind, lost, unknown: None }
    }
}
