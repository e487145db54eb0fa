//! Byte-pair encoding as a file lists it. The crate's form of it takes longer to build than a short prompt takes to read, so that a
//! piece of text is read with the few tokens and merges that it can contain, and all are built only where there is much to read.
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use tokenizers::models::bpe::BPE;
use tokenizers::{Model, Token};

use super::quick::Text;

/// After so many steps of narrow reading, building everything would have been as quick.
const PATIENCE: usize = 1 << 19;
/// What a piece takes besides looking for its parts, in such steps.
const PER_PIECE: usize = 200;
/// No merge.
const NONE: u32 = u32::MAX;

/// Tokens and their ids; the texts lie in one.
#[derive(Default)]
pub(super) struct Tokens {
    text: String,
    /// Where each ends, and its id.
    all: Vec<(usize, u32)>,
    by_text: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Tokens {
    /// Of two tokens with one text, the last counts.
    fn insert(&mut self, token: &str, id: u32) {
        let Self { text, all, by_text, hasher } = self;
        let at = |index: u32| of(text, all, index);
        let entry = by_text.entry(hasher.hash_one(token), |i| at(*i) == token, |i| hasher.hash_one(at(*i)));
        match entry {
            Entry::Occupied(there) => all[*there.get() as usize].1 = id,
            Entry::Vacant(free) => {
                free.insert(all.len() as u32);
                text.push_str(token);
                all.push((text.len(), id));
            }
        }
    }

    fn at(&self, index: u32) -> &str {
        of(&self.text, &self.all, index)
    }

    fn id(&self, index: u32) -> u32 {
        self.all[index as usize].1
    }

    fn index(&self, token: &str) -> Option<u32> {
        self.by_text.find(self.hasher.hash_one(token), |index| self.at(*index) == token).copied()
    }
}

fn of<'a>(text: &'a str, all: &[(usize, u32)], index: u32) -> &'a str {
    let index = index as usize;
    let start = if index == 0 { 0 } else { all[index - 1].0 };
    &text[start..all[index].0]
}

/// `{token: id}`.
impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Tokens;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("tokens and their ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tokens, A::Error> {
                let mut tokens = Tokens::default();
                while let Some((Text(token), id)) = map.next_entry()? {
                    tokens.insert(&token, id);
                }
                Ok(tokens)
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// Two tokens that become one, and the merge before it that makes the same.
#[derive(Clone, Copy)]
struct Merge {
    parts: [u32; 2],
    before: u32,
}

/// What is listed, with all that follows from it.
struct Lists {
    tokens: Tokens,
    merges: Vec<Merge>,
    /// The last merge that makes each token.
    makes: Vec<u32>,
    /// The tokens by their ids.
    by_id: Vec<u32>,
    /// The bytes of the longest token.
    longest: usize,
    /// Steps of narrow reading so far.
    steps: AtomicUsize,
    whole: OnceLock<Result<BPE, String>>,
}

/// A vocabulary of byte-pair encoding, without marks at the beginning or the end of words.
#[derive(Clone)]
pub(super) struct Listed {
    lists: Arc<Lists>,
    /// Its settings, made before the first text is read; it has no tokens.
    pub(super) settings: BPE,
}

impl Listed {
    /// Tokens, and what becomes of neighbours, the first merge first.
    ///
    /// # Errors
    /// A merge of tokens, or into one, that is not among them.
    pub(super) fn new<S: AsRef<str>>(tokens: Tokens, merges: impl Iterator<Item = (S, S)>) -> Result<Self, String> {
        let index = |token: &str| tokens.index(token).ok_or_else(|| format!("Token `{token}` out of vocabulary"));
        let (mut all, mut makes, mut whole) = (Vec::new(), vec![NONE; tokens.all.len()], String::new());
        for (left, right) in merges {
            let (left, right) = (left.as_ref(), right.as_ref());
            whole.clear();
            whole.extend([left, right]);
            let parts = [index(left)?, index(right)?];
            let made = index(&whole)? as usize;
            all.push(Merge { parts, before: makes[made] });
            makes[made] = all.len() as u32 - 1;
        }
        let mut by_id: Vec<u32> = (0..tokens.all.len() as u32).collect();
        by_id.sort_by_key(|index| tokens.id(*index));
        let longest = by_id.iter().map(|index| tokens.at(*index).len()).max().unwrap_or_default();
        let (steps, whole) = (AtomicUsize::new(0), OnceLock::new());
        let lists = Lists { tokens, merges: all, makes, by_id, longest, steps, whole };
        Ok(Self { lists: Arc::new(lists), settings: BPE::default() })
    }

    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        self.lists.tokens.all.len()
    }

    pub(super) fn id(&self, token: &str) -> Option<u32> {
        let tokens = &self.lists.tokens;
        tokens.index(token).map(|index| tokens.id(index))
    }

    pub(super) fn token(&self, id: u32) -> Option<&str> {
        let Lists { tokens, by_id, .. } = &*self.lists;
        let at = by_id.binary_search_by_key(&id, |index| tokens.id(*index)).ok()?;
        Some(tokens.at(by_id[at]))
    }

    /// All tokens and their ids.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, u32)> {
        let tokens = &self.lists.tokens;
        (0..).zip(&tokens.all).map(|(index, (_, id))| (tokens.at(index), *id))
    }

    /// The tokens of a piece of text.
    pub(super) fn tokenize(&self, piece: &str) -> tokenizers::Result<Vec<Token>> {
        let Lists { longest, steps, whole, .. } = &*self.lists;
        let takes = piece.len().saturating_mul(piece.len().min(*longest)) + PER_PIECE;
        if whole.get().is_none()
            && steps.fetch_add(takes, Ordering::Relaxed).saturating_add(takes) <= PATIENCE
            && let Some(narrow) = self.narrow(piece)
        {
            return narrow?.tokenize(piece);
        }
        let whole = whole.get_or_init(|| self.whole().map_err(|error| error.to_string()));
        whole.as_ref().map_err(String::clone)?.tokenize(piece)
    }

    /// What a piece can contain: neighbours become one only where that is a part of the piece. None where a letter has no token: then its
    /// neighbours may meet, or what stands for it.
    fn narrow(&self, piece: &str) -> Option<tokenizers::Result<BPE>> {
        let Lists { tokens, merges, makes, longest, .. } = &*self.lists;
        let bounds: Vec<usize> = piece.char_indices().map(|(at, _)| at).chain([piece.len()]).collect();
        let mut within = Vec::new();
        for (nth, start) in bounds.iter().enumerate().take(bounds.len() - 1) {
            let index = |end: &usize| tokens.index(&piece[*start..*end]);
            within.push(index(&bounds[nth + 1])?);
            within.extend(bounds[nth + 2..].iter().take_while(|end| *end - start <= *longest).filter_map(index));
        }
        within.sort_unstable();
        within.dedup();
        let is_within = |index: &u32| within.binary_search(index).is_ok();
        let mut joined = Vec::new();
        for token in &within {
            let mut at = makes[*token as usize];
            while at != NONE {
                let Merge { parts, before } = merges[at as usize];
                joined.extend(parts.iter().all(is_within).then_some(at));
                at = before;
            }
        }
        joined.sort_unstable();
        Some(self.build(within.into_iter(), joined.into_iter(), 0))
    }

    fn whole(&self) -> tokenizers::Result<BPE> {
        let Lists { tokens, merges, .. } = &*self.lists;
        /// Words whose tokens are kept, as many as the crate keeps.
        const KEPT: usize = 10_000;
        self.build(0..tokens.all.len() as u32, 0..merges.len() as u32, KEPT)
    }

    fn build(
        &self,
        of: impl Iterator<Item = u32>,
        merges: impl Iterator<Item = u32>,
        kept: usize,
    ) -> tokenizers::Result<BPE> {
        let tokens = &self.lists.tokens;
        let vocab: tokenizers::models::bpe::Vocab =
            of.map(|index| (tokens.at(index).to_owned(), tokens.id(index))).collect();
        let pair = |at: u32| self.lists.merges[at as usize].parts.map(|index| tokens.at(index).to_owned());
        let merges = merges.map(pair).map(|[left, right]| (left, right)).collect();
        let mut built = BPE::builder().vocab_and_merges(vocab, merges).cache_capacity(kept).build()?;
        let BPE { unk_token, fuse_unk, byte_fallback, ignore_merges, .. } = &self.settings;
        (built.fuse_unk, built.byte_fallback, built.ignore_merges) = (*fuse_unk, *byte_fallback, *ignore_merges);
        built.unk_token.clone_from(unk_token);
        Ok(built)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::quick;
    use crate::prompt::vocabulary::Vocabulary;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    fn listed(tokens: &str, merges: &[(&str, &str)]) -> Result<Listed, String> {
        Listed::new(serde_json::from_str(tokens).unwrap(), merges.iter().copied())
    }

    fn ids(tokens: tokenizers::Result<Vec<Token>>) -> Vec<(u32, String, (usize, usize))> {
        tokens.unwrap().into_iter().map(|Token { id, value, offsets }| (id, value, offsets)).collect()
    }

    #[test]
    fn a_piece_read_narrowly_has_the_tokens_that_the_whole_vocabulary_gives() {
        let json = include_bytes!("../../assets/model/tokenizer.json");
        let Some(Vocabulary::Listed(mut listed)) = quick::read(json).map(|parts| parts.model) else {
            panic!("the built-in model's file is one of byte-pair encoding")
        };
        let mut draws = ChaCha8Rng::seed_from_u64(7);
        let mut draw = |below: usize| draws.next_u64() as usize % below;
        for case in 0..300 {
            listed.settings.ignore_merges = case % 3 == 0;
            let whole = listed.whole().unwrap();
            // Tokens in a row, some of them cut: what merges, what merges in another way, and what has no letter.
            let piece: String = (0..1 + draw(8))
                .flat_map(|_| {
                    let token = listed.lists.tokens.at(draw(listed.len()) as u32);
                    token.chars().take(1 + draw(6)).collect::<Vec<_>>()
                })
                .collect();
            let narrow = listed.narrow(&piece).expect("every byte has a token").unwrap();
            assert_eq!(ids(narrow.tokenize(&piece)), ids(whole.tokenize(&piece)), "{piece:?}");
        }
    }

    #[test]
    fn a_piece_with_a_letter_without_a_token_is_left_to_the_whole_vocabulary() {
        // Where nothing stands for a letter it is dropped, and its neighbours meet.
        let listed = listed(r#"{"a": 1, "b": 2, "ab": 3}"#, &[("a", "b")]).unwrap();
        assert!(listed.narrow("a本b").is_none());
        let met: Vec<u32> = ids(listed.tokenize("a本b")).into_iter().map(|(id, ..)| id).collect();
        assert_eq!(met, [3]);
    }

    #[test]
    fn a_merge_of_or_into_what_is_no_token_is_refused_by_name() {
        let tokens = r#"{"a": 0, "b": 1, "ab": 2}"#;
        assert!(listed(tokens, &[("a", "b")]).is_ok());
        for (merge, missing) in [(("a", "c"), "`c`"), (("d", "a"), "`d`"), (("b", "a"), "`ba`")] {
            let reason = listed(tokens, &[("a", "b"), merge]).err().unwrap();
            assert!(reason.contains(missing), "{reason}");
        }
    }

    #[test]
    fn of_a_token_that_is_listed_twice_the_last_id_counts() {
        let listed = listed(r#"{"a": 7, "b": 3, "a": 1}"#, &[]).unwrap();
        assert_eq!((listed.len(), listed.id("a"), listed.id("c")), (2, Some(1), None));
        assert_eq!((listed.token(1), listed.token(3), listed.token(7)), (Some("a"), Some("b"), None));
    }

    #[test]
    fn much_text_is_read_with_everything_that_was_built_once() {
        let listed = listed(r#"{"a": 0, "b": 1, "ab": 2}"#, &[("a", "b")]).unwrap();
        assert!(ids(listed.tokenize("abab")).len() == 2 && listed.lists.whole.get().is_none());
        for _ in 0..=PATIENCE / PER_PIECE {
            listed.tokenize("abab").unwrap();
        }
        assert!(ids(listed.tokenize("abab")).len() == 2 && listed.lists.whole.get().is_some());
    }
}
