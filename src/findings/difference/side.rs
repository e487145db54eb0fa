//! One of the two that are compared.

use crate::analysis::alignment::{Alignment, align};
use crate::analysis::{Attention, Reduction};
use crate::error::{Error, Result};
use crate::prompt::{Prompt, Word};
use crate::record::{Identity, Input, Other};

/// One of the two that are compared, and what is known of it.
#[derive(Default)]
pub(super) struct Side {
    /// The model; empty where nobody knows it.
    pub(super) model: Identity,
    /// The file that was read instead of running it.
    pub(super) input: Option<Input>,
    /// What the model read.
    pub(super) prompt: Prompt,
    /// Whether its axes are words.
    pub(super) by_word: bool,
    /// What each key is; none where nobody knows it.
    pub(super) axis: Vec<Key>,
    /// The line that names the model's next tokens.
    pub(super) next: Option<String>,
}

/// A token or a word that is attended to.
#[derive(Clone)]
pub(super) struct Key {
    /// What it says: keys of one text are aligned.
    text: String,
    /// How a figure shows it.
    pub(super) label: String,
}

impl Key {
    /// The tokens of a prompt.
    pub(super) fn tokens(prompt: &Prompt) -> Vec<Self> {
        prompt.tokens.iter().map(|token| Self { text: token.text.clone(), label: token.label.clone() }).collect()
    }

    /// Words, which are known by their labels.
    pub(super) fn words(words: &[Word]) -> Vec<Self> {
        words.iter().map(|word| Self { text: word.label.clone(), label: word.label.clone() }).collect()
    }

    /// Positions of keys of which nothing else is known.
    fn positions(count: usize) -> Vec<Self> {
        (0..count).map(|at| Self { text: at.to_string(), label: at.to_string() }).collect()
    }
}

impl Side {
    /// What files say of the second one.
    pub(super) fn other(&self) -> Other {
        Other {
            model: self.model.clone(),
            prompt: self.prompt.written(),
            tokens: self.prompt.tokens.iter().map(|token| token.text.clone()).collect(),
            token_ids: self.prompt.ids.clone(),
            input: self.input.clone(),
        }
    }

    /// What an error calls it.
    pub(super) fn name(&self) -> &str {
        self.input.as_ref().map_or(&self.model.name, |input| &input.name)
    }

    /// Whether both are of one model.
    pub(super) fn has_model_of(&self, other: &Self) -> bool {
        (&self.model.name, &self.model.hash, self.model.place)
            == (&other.model.name, &other.model.hash, other.model.place)
    }
}

/// The keys of both side by side, where they have so many; where one does not say what its keys are, they are those of the other.
pub(super) fn aligned([a, b]: &mut [Side; 2], counts: [usize; 2]) -> Result<Alignment> {
    let (known_a, known_b) = (!a.axis.is_empty(), !b.axis.is_empty());
    if known_a != known_b && counts[0] != counts[1] {
        let unknown = if known_a { b.name() } else { a.name() };
        return Err(Error::usage(format!("{unknown} does not say what its tokens are, and how many differs"))
            .hint("save `tokens` beside `attention`"));
    }
    match (known_a, known_b) {
        (true, false) => b.axis = a.axis.clone(),
        (false, true) => a.axis = b.axis.clone(),
        (false, false) => [a.axis, b.axis] = counts.map(Key::positions),
        (true, true) => {}
    }
    let texts = |side: &Side| side.axis.iter().map(|key| key.text.clone()).collect::<Vec<_>>();
    align(&texts(a), &texts(b))
}

/// Fails unless both have the same layers and heads, made in the same way.
pub(super) fn comparable([a, b]: &[Side; 2], [first, second]: [&Attention; 2]) -> Result<()> {
    for (what, option, ours, theirs) in [
        ("layers", "layer", (&first.layers, first.layers_to), (&second.layers, second.layers_to)),
        ("heads", "head", (&first.heads, first.heads_to), (&second.heads, second.heads_to)),
    ] {
        if ours != theirs {
            let said = |(numbers, how): (&Vec<usize>, Option<_>)| match how {
                Some(Reduction::Mean) => format!("the mean of {} {what}", numbers.len()),
                Some(Reduction::Max) => format!("the maximum of {} {what}", numbers.len()),
                None => format!("{what} {}", ranges(numbers)),
            };
            let (a, b) = (a.name(), b.name());
            return Err(Error::usage(format!("{a} has {}, {b} has {}", said(ours), said(theirs)))
                .hint(format!("select {what} that both have"))
                .option(option));
        }
    }
    if first.picked != second.picked {
        return Err(Error::usage(format!("{} and {} hold other heads", a.name(), b.name()))
            .hint("select heads that both have")
            .option("head"));
    }
    if a.by_word != b.by_word {
        let (words, tokens) = if a.by_word { (a.name(), b.name()) } else { (b.name(), a.name()) };
        return Err(Error::usage(format!("{words} holds words, {tokens} holds tokens"))
            .hint("save both by words, or neither")
            .option("words"));
    }
    Ok(())
}

/// Numbers in short: `0-3,7`.
fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let runs = runs.map(|run| match run {
        [one] => one.to_string(),
        many => format!("{}-{}", many[0], many[many.len() - 1]),
    });
    runs.collect::<Vec<_>>().join(",")
}
