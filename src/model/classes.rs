//! The classes that a model sorts whole texts into, where that is what its head is for.

/// What a classifier's logits mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Odds {
    /// One class is right: the softmax of all logits.
    #[default]
    OneOf,
    /// Each class is right or wrong by itself: the logistic function of its own logit.
    Each,
    /// They are scores, and have no probability.
    Score,
}

/// The classes, in the order of their logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Classes {
    /// What the config calls each. These are not trusted.
    pub labels: Vec<String>,
    /// What their logits mean.
    pub odds: Odds,
    /// The token that fills a text up, where the config names one: no text is read at it.
    pub padding: Option<u32>,
}

impl Classes {
    /// The token at which a text is sorted: the last that is no padding; of nothing but padding the first, as in transformers.
    pub fn position(&self, ids: &[u32]) -> usize {
        ids.iter().rposition(|id| Some(*id) != self.padding).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_sorted_at_its_last_token_that_is_no_padding() {
        let at = |padding, ids: &[u32]| Classes { labels: Vec::new(), odds: Odds::OneOf, padding }.position(ids);
        assert_eq!(at(None, &[4, 7, 7]), 2);
        assert_eq!(at(Some(7), &[4, 7, 7]), 0);
        assert_eq!(at(Some(7), &[7, 4, 7, 5, 7]), 3);
        assert_eq!(at(Some(7), &[7, 7]), 0);
    }
}
