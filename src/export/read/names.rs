//! Which arrays of a file are its attention, by their names.
use super::AttentionKind;
use super::raw::WHAT_FITS;
use crate::error::{Error, Result};
use crate::named::Named;
use std::collections::BTreeMap;

/// What one of the words of a name must be.
const NOUNS: [&str; 10] =
    ["attention", "attentions", "attn", "attns", "pattern", "patterns", "layer", "layers", "arr", "att"];
/// What the others may be.
const OTHERS: [&str; 14] = [
    "self",
    "weights",
    "probs",
    "probabilities",
    "maps",
    "map",
    "block",
    "blocks",
    "hook",
    "encoder",
    "decoder",
    "cross",
    "outputs",
    "output",
];
/// Nouns that say nothing without a layer's number.
const NUMBERED: [&str; 3] = ["layer", "layers", "arr"];
/// Names that an error lists.
const MOST_LISTED: usize = 6;

/// An array's layer, where its name has a number, and its name.
type Member<'a> = (Option<usize>, &'a String);

/// The arrays that are one file's attention.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    /// The names, in the order of their layers.
    pub(super) names: Vec<String>,
    /// The layer that each is of; empty where one array holds them all.
    pub(super) layers: Vec<usize>,
    /// What the names say that it is.
    pub(super) kind: Option<AttentionKind>,
}

/// Finds them: `attention`, or what programs call it, whole or an array for each layer.
pub(super) fn find(names: &[String], wanted: Option<AttentionKind>) -> Result<Found> {
    let whole = |name: &str| Found { names: vec![name.to_owned()], ..Found::default() };
    if names.iter().any(|name| name == "attention") {
        return Ok(whole("attention"));
    }
    let mut groups: BTreeMap<String, (Option<AttentionKind>, Vec<Member>)> = BTreeMap::new();
    for name in names {
        if let Some(Name { template, kind, layer }) = Name::of(name) {
            groups.entry(template).or_insert((kind, Vec::new())).1.push((layer, name));
        }
    }
    if let Some(wanted) = wanted {
        let exact = groups.values().any(|(kind, _)| *kind == Some(wanted));
        groups.retain(|_, (kind, _)| if exact { *kind == Some(wanted) } else { kind.is_none() });
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    match &groups[..] {
        [] => {
            let what = match wanted {
                Some(wanted) if names.iter().any(|name| Name::of(name).is_some()) => {
                    format!("there is no {} attention", wanted.name())
                }
                _ => "there is no array `attention`".into(),
            };
            return Err(Error::failed(format!("{what}, only: {}", listed(names.iter()))).hint(WHAT_FITS));
        }
        [_] => {}
        several => {
            let all = listed(several.iter().map(|(_, names)| names[0].1));
            let error = Error::failed(format!("it holds several kinds of attention: {all}"));
            return Err(match several.iter().all(|(kind, _)| kind.is_some()) && wanted.is_none() {
                true => error.hint("say which one is meant").option("kind"),
                false => error.hint("save the one that is meant as `attention`"),
            });
        }
    }
    let (kind, members) = groups.remove(0);
    let found = in_order(members)?;
    Ok(Found { kind, ..found })
}

/// An array for each layer, in the order of their numbers.
fn in_order(mut members: Vec<Member>) -> Result<Found> {
    members.sort();
    let names: Vec<String> = members.iter().map(|(_, name)| (*name).clone()).collect();
    let layers: Vec<usize> = members.iter().filter_map(|(layer, _)| *layer).collect();
    for (pair, of) in layers.windows(2).zip(names.windows(2)) {
        if pair[0] == pair[1] {
            return Err(Error::failed(format!("{} and {} are the same layer", of[0], of[1])).hint("save one of them"));
        }
        if pair[0] + 1 != pair[1] {
            return Err(Error::failed(format!("layer {} is missing: there are {}", pair[0] + 1, listed(names.iter())))
                .hint("save all layers from the first to the last"));
        }
    }
    Ok(Found { names, layers, kind: None })
}

fn listed<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let count = names.len();
    let shown: Vec<&str> = names.take(MOST_LISTED).map(String::as_str).collect();
    let more = if count > MOST_LISTED { format!(" and {} more", count - MOST_LISTED) } else { String::new() };
    shown.join(", ") + &more
}

/// A name that may be one of attention.
struct Name {
    /// The name with `#` for its number.
    template: String,
    kind: Option<AttentionKind>,
    layer: Option<usize>,
}

impl Name {
    fn of(name: &str) -> Option<Self> {
        let (mut words, mut layer, mut template) = (Vec::new(), None, Vec::new());
        for part in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
            let lower = part.to_ascii_lowercase();
            let word = lower.trim_end_matches(|c: char| c.is_ascii_digit());
            if !word.is_empty() {
                words.push(word.to_owned());
                template.push(word.to_owned());
            }
            if word.len() < lower.len() {
                let number = lower[word.len()..].parse::<usize>().ok().filter(|number| *number < usize::MAX)?;
                if layer.replace(number).is_some() {
                    return None;
                }
                template.push("#".into());
            }
        }
        let has = |word: &str| words.iter().any(|known| known == word);
        let known = |word: &String| NOUNS.contains(&&word[..]) || OTHERS.contains(&&word[..]);
        let nouns = |word: &&str| has(word) && (layer.is_some() || !NUMBERED.contains(word));
        if !words.iter().all(known) || !NOUNS.iter().any(nouns) {
            return None;
        }
        let kind = match () {
            () if has("cross") => Some(AttentionKind::Cross),
            () if has("encoder") && !has("decoder") => Some(AttentionKind::Encoder),
            () if has("decoder") && !has("encoder") => Some(AttentionKind::Causal),
            () => None,
        };
        Some(Self { template: template.join(" "), kind, layer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn layers_are_in_the_order_of_their_numbers_whatever_they_are_called() {
        for (pattern, others) in [
            ("attention_#", &["tokens", "logits"][..]),
            ("attentions.#", &[]),
            ("layer_#", &["hidden_states.0"]),
            ("attn#", &[]),
            ("arr_#", &["tokens"]),
            (
                "blocks.#.attn.hook_pattern",
                &["blocks.0.attn.hook_attn_scores", "blocks.0.attn.hook_q", "ln_final.hook_scale"],
            ),
            ("encoder.layer.#.attention.self", &["encoder.layer.0.output.dense.weight"]),
        ] {
            let mut all: Vec<String> = (0..12).rev().map(|layer| pattern.replace('#', &layer.to_string())).collect();
            let wanted: Vec<String> = all.iter().rev().cloned().collect();
            all.extend(names(others));
            let found = find(&all, None).unwrap();
            assert_eq!((found.names, found.layers), (wanted, (0..12).collect()), "{pattern}");
        }
        assert_eq!(find(&names(&["layer_5", "layer_6"]), None).unwrap().layers, [5, 6]);
        assert_eq!(find(&names(&["attentions", "attn.weight"]), None).unwrap().names, ["attentions"]);
    }

    #[test]
    fn what_is_missing_twice_or_one_of_several_is_named() {
        for (all, says) in [
            (&["attention_0", "attention_2"][..], "layer 1 is missing"),
            (&["attention_1", "attention_01"], "the same layer"),
            (&["transformer.h.0.attn.c_attn.weight"], "there is no array `attention`, only: transformer"),
            (&["attention_0_1"], "there is no array"),
            (&["layer", "arr"], "there is no array"),
            (
                &["encoder_attentions", "cross_attentions"],
                "several kinds of attention: cross_attentions, encoder_attentions",
            ),
            (&[], "only: "),
        ] {
            let error = find(&names(all), None).unwrap_err();
            assert!(error.message.contains(says), "{all:?}: {}", error.message);
        }
        let all = names(&["encoder_attentions", "decoder_attentions", "cross_attentions"]);
        for (kind, wanted) in AttentionKind::all().zip(["decoder_attentions", "encoder_attentions", "cross_attentions"])
        {
            assert_eq!(find(&all, Some(kind)).unwrap().names, [wanted]);
        }
        assert!(find(&all[..1], Some(AttentionKind::Cross)).unwrap_err().message.contains("no cross attention"));
    }
}
