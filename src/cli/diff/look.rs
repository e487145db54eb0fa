//! One of the two that are compared.

use attnviz::analysis::Attention;
use attnviz::analysis::alignment::{Alignment, align};
use attnviz::error::{Error, Result};
use attnviz::export::{Input, Other};
use attnviz::prompt::Prompt;

/// One of the two that are compared, and what is known of it.
pub struct Look {
    pub model: String,
    pub revision: Option<String>,
    pub hash: String,
    pub input: Option<Input>,
    pub prompt: Prompt,
    /// Whether its axes are words.
    pub by_word: bool,
    /// The text and the label of each key; empty where nobody knows them.
    pub axis: Vec<(String, String)>,
    pub attention: Option<Attention>,
    /// The model's next tokens.
    pub next: Option<String>,
}

impl Look {
    /// What files say of the second one.
    pub fn other(&self) -> Other {
        Other {
            model: self.model.clone(),
            revision: self.revision.clone(),
            weights: self.hash.clone(),
            prompt: self.prompt.written(),
            tokens: self.prompt.tokens.iter().map(|token| token.text.clone()).collect(),
            token_ids: self.prompt.ids.clone(),
            input: self.input.clone(),
        }
    }

    /// What an error calls it.
    pub fn name(&self) -> &str {
        self.input.as_ref().map_or(&self.model, |input| &input.name)
    }

    fn keys(&self) -> usize {
        self.attention.as_ref().and_then(|attention| attention.maps.first()).map_or(0, |map| map.cols)
    }
}

/// The keys of both side by side; where one does not say what its tokens are, they are those of the other.
pub fn aligned([a, b]: &mut [Look; 2]) -> Result<Alignment> {
    let (known_a, known_b) = (!a.axis.is_empty(), !b.axis.is_empty());
    if known_a != known_b && a.keys() != b.keys() {
        let unknown = if known_a { b.name() } else { a.name() };
        return Err(Error::usage(format!("{unknown} does not say what its tokens are, and how many differs"))
            .hint("save `tokens` beside `attention`"));
    }
    let positions = |count: usize| (0..count).map(|at| (at.to_string(), at.to_string())).collect();
    match (known_a, known_b) {
        (true, false) => b.axis = a.axis.clone(),
        (false, true) => a.axis = b.axis.clone(),
        (false, false) => (a.axis, b.axis) = (positions(a.keys()), positions(b.keys())),
        (true, true) => {}
    }
    let texts = |look: &Look| look.axis.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>();
    align(&texts(a), &texts(b))
}

/// Whether both have the same layers and heads, made in the same way.
pub fn check([a, b]: &[Look; 2]) -> Result<()> {
    let (Some(first), Some(second)) = (&a.attention, &b.attention) else { return Ok(()) };
    for (what, ours, theirs) in [
        ("layers", (&first.layers, first.layers_to), (&second.layers, second.layers_to)),
        ("heads", (&first.heads, first.heads_to), (&second.heads, second.heads_to)),
    ] {
        if ours != theirs {
            let said = |(numbers, how): (&Vec<usize>, Option<_>)| match how {
                Some(attnviz::analysis::Reduction::Mean) => format!("the mean of {} {what}", numbers.len()),
                Some(attnviz::analysis::Reduction::Max) => format!("the maximum of {} {what}", numbers.len()),
                None => format!("{what} {}", ranges(numbers)),
            };
            let (a, b) = (a.name(), b.name());
            return Err(Error::usage(format!("{a} has {}, {b} has {}", said(ours), said(theirs)))
                .hint("select what both have with --layer and --head"));
        }
    }
    if a.by_word != b.by_word {
        let (words, tokens) = if a.by_word { (a.name(), b.name()) } else { (b.name(), a.name()) };
        return Err(Error::usage(format!("{words} holds words, {tokens} holds tokens"))
            .hint("save both with --words, or both without"));
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
