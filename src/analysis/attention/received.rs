//! The words of a prompt by the attention that they receive.

use super::Attention;
use crate::prompt::Word;

/// A word and the attention that its tokens receive together.
#[derive(Clone, Debug)]
pub struct Rank {
    /// The word.
    pub word: Word,
    /// What its tokens receive, the first token of the prompt left out: it is the sink.
    pub received: f32,
}

impl Rank {
    /// The position of its first token, without the sink.
    pub fn first_token(&self) -> usize {
        self.word.tokens.start.max(1)
    }

    /// The position of its last token.
    pub fn last_token(&self) -> usize {
        self.word.tokens.end - 1
    }
}

/// All words but the first token, the one that receives most first.
pub fn rank(attention: &Attention, words: &[Word]) -> Vec<Rank> {
    let received = |word: &Word| attention.received[word.tokens.start.max(1)..word.tokens.end].iter().sum();
    let words = words.iter().filter(|word| word.tokens.end > 1);
    let mut ranks: Vec<Rank> = words.map(|word| Rank { word: word.clone(), received: received(word) }).collect();
    ranks.sort_by(|a, b| b.received.total_cmp(&a.received));
    ranks
}
