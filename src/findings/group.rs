//! Prompts that go through the model together: as many as fit into memory.

use crate::model::Spec;

/// Prompts of a group.
const MOST: usize = 64;
/// Numbers of all patterns of a group.
const MOST_NUMBERS: usize = 48 << 20;

/// Prompts that go through the model together, each with what its owner keeps of it.
pub struct Group<T> {
    members: Vec<T>,
    numbers: usize,
    /// The model's, in all layers.
    heads: usize,
}

impl<T> Group<T> {
    /// Nobody yet.
    pub fn new(spec: &Spec) -> Self {
        Self { members: Vec::new(), numbers: 0, heads: spec.layers * spec.heads }
    }

    /// The first of it.
    pub fn first(&self) -> Option<&T> {
        self.members.first()
    }

    /// Whether a prompt of so many tokens fits in as well; alone, any does.
    pub fn has_room(&self, tokens: usize) -> bool {
        let full = self.members.len() == MOST || self.numbers.saturating_add(self.patterns(tokens)) > MOST_NUMBERS;
        self.members.is_empty() || !full
    }

    /// Adds a prompt of so many tokens.
    pub fn push(&mut self, member: T, tokens: usize) {
        self.numbers = self.numbers.saturating_add(self.patterns(tokens));
        self.members.push(member);
    }

    /// All of it; nobody is left.
    pub fn take(&mut self) -> Vec<T> {
        self.numbers = 0;
        std::mem::take(&mut self.members)
    }

    /// How many numbers the patterns of a prompt are.
    fn patterns(&self, tokens: usize) -> usize {
        tokens.saturating_mul(tokens).saturating_mul(self.heads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_bounded_by_its_prompts_and_by_their_patterns() {
        let mut group = Group { members: Vec::new(), numbers: 0, heads: 144 };
        assert!(group.has_room(usize::MAX), "one alone is taken whatever its length");
        for _ in 0..MOST {
            assert!(group.has_room(0));
            group.push((), 0);
        }
        assert!(!group.has_room(0));
        assert_eq!(group.take().len(), MOST);
        group.push((), 500);
        assert!(group.has_room(300) && !group.has_room(400), "36 + 13 and 36 + 23 million numbers");
        group.take();
        group.push((), usize::MAX);
        assert!(!group.has_room(1));
    }
}
