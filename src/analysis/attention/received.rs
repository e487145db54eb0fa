//! The words of a prompt by the attention that they receive.

use super::{Attention, Received};
use crate::prompt::Word;

/// A word and the attention that its tokens receive together.
#[derive(Clone, Debug)]
pub struct Rank {
    /// The word.
    pub word: Word,
    /// What its tokens receive, the first token of the prompt left out: it is the sink.
    pub received: Received,
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

/// All words but the first token, the one that receives most for its place first.
pub fn rank(attention: &Attention, words: &[Word]) -> Vec<Rank> {
    let received = |word: &Word| attention.received[word.tokens.start.max(1)..word.tokens.end].iter().copied().sum();
    let words = words.iter().filter(|word| word.tokens.end > 1);
    let mut ranks: Vec<Rank> = words.map(|word| Rank { word: word.clone(), received: received(word) }).collect();
    ranks.sort_by(|a, b| b.received.lift().total_cmp(&a.received.lift()));
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::attention::{Extent, Recorded, Request, recorded};

    /// What each token of one head's causal pattern receives.
    fn of(pattern: &dyn Fn(usize, usize) -> f32, n: usize) -> Vec<Received> {
        let values: Vec<f32> =
            (0..n * n).map(|at| if at % n <= at / n { pattern(at / n, at % n) } else { 0.0 }).collect();
        let request = Request { layers: vec![0], heads: vec![0], ..Request::default() };
        let extent = Extent { queries: n, keys: n, causal: true };
        let patterns = Recorded { values: &values, layers: &[0], heads: &[0], picked: &[], extent };
        recorded(&patterns, &request).unwrap().received
    }

    #[test]
    fn an_even_spread_gives_every_token_the_same_wherever_it_stands() {
        for sink in [0.0, 0.5, 0.99] {
            let even = |i: usize, j: usize| match (i, j) {
                (0, _) => 1.0,
                (_, 0) => sink,
                _ => (1.0 - sink) / i as f32,
            };
            let found = of(&even, 40);
            assert!(found[1..].iter().all(|one| (one.lift() - 1.0).abs() < 1e-4), "{sink}: {found:?}");
        }
    }

    #[test]
    fn a_previous_token_head_gives_the_middle_tokens_alike_and_shares_sum_to_one() {
        let found = of(&|i, j| if j + 1 == i || i == 0 { 1.0 } else { 0.0 }, 30);
        assert!((found.iter().map(|one| one.share).sum::<f64>() - 1.0).abs() < 1e-6);
        assert!(found[1..29].iter().all(|one| (one.sum - 1.0).abs() < 1e-6));
        // The last token is seen by itself alone.
        assert_eq!(found[29].sum, 0.0);
        assert!(found.iter().all(|one| one.lift().is_finite()));
    }
}
