//! Two SVG documents, element by element: places and sizes as numbers, colours as colours, embedded images as pixels.

use super::pixels::{apart, compare};
use super::{Closeness, Tolerance, quote};
use crate::render::Pixels;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use resvg::usvg::roxmltree::{Document, Node, ParsingOptions};
use std::collections::BTreeMap;

/// The most nodes of a document that are read.
const MOST_NODES: u32 = 1 << 22;
/// Units of a drawing of attnviz for each pixel.
const UNITS: f64 = 10.0;
/// How an embedded image begins.
pub(super) const EMBEDDED: &str = "data:image/png;base64,";
/// Attributes with numbers that are no places or sizes.
const SHARES: [&str; 4] = ["offset", "opacity", "fill-opacity", "stroke-opacity"];
/// Attributes that change with the text of a label.
const FOLLOWS: [&str; 1] = ["x"];

/// The most kinds of changes that are told apart.
const MOST_KINDS: usize = 1000;

/// Reads a document, bounded.
pub(super) fn parse(bytes: &[u8]) -> Result<Document<'_>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| format!("it is broken SVG ({error})"))
}

/// An element without what is in it.
struct Element<'a> {
    name: &'a str,
    depth: usize,
    attributes: Vec<(&'a str, &'a str)>,
    text: String,
    /// The cells of a map that is drawn as outlines, or why they cannot be read.
    cells: Option<Result<Pixels, String>>,
    /// Its number among those of its name, from 1.
    number: usize,
}

/// The old and the new elements of one name.
type Pair<'a> = (Vec<&'a Element<'a>>, Vec<&'a Element<'a>>);

pub(super) fn differences(old: &[u8], new: &[u8], tolerance: &Tolerance) -> Vec<String> {
    let (old, new) = match (parse(old), parse(new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(what), _) | (_, Err(what)) => return vec![what],
    };
    let words = *tolerance == Tolerance::EXACT;
    let (old, new) = (elements(&old, words), elements(&new, words));
    // By kind, so that a bar more leaves the labels comparable; labels come first.
    let mut kinds: BTreeMap<(bool, &str), Pair> = BTreeMap::new();
    old.iter().for_each(|element| kinds.entry(element.kind()).or_default().0.push(element));
    new.iter().for_each(|element| kinds.entry(element.kind()).or_default().1.push(element));
    let all: Vec<String> = kinds.values().flat_map(|(old, new)| of_kind(old, new, tolerance)).collect();
    let moved = |(old, new): (&Element, &Element)| (old.depth, old.name) != (new.depth, new.name);
    if all.is_empty() && old.iter().zip(&new).any(moved) {
        return vec!["its elements are in another order".into()];
    }
    all
}

/// What differs between all elements of one name.
fn of_kind(old: &[&Element], new: &[&Element], tolerance: &Tolerance) -> Vec<String> {
    let mut changes = Changes::default();
    if old.len() == new.len() {
        for (old, new) in old.iter().zip(new) {
            changes.extend(Changes::of(old, new, tolerance), new);
        }
        return changes.sentences();
    }
    // Whatever was put in or taken out lies between what is the same at both ends.
    let same = |(old, new): &(&&Element, &&Element)| Changes::of(old, new, tolerance).is_empty();
    let alike = old.iter().zip(new).take_while(same).count();
    let (old, new) = (&old[alike..], &new[alike..]);
    let after = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
    let list = |elements: &[&Element]| match elements[..elements.len() - after] {
        [] => "nothing".to_owned(),
        [one] => one.described(),
        [first, .., last] => {
            format!("{} elements, {} to {}", elements.len() - after, first.described(), last.described())
        }
    };
    vec![format!("has {} where it had {}", list(new), list(old))]
}

/// All of them; what only says in words what else is drawn only where `words` count.
fn elements<'a>(document: &'a Document, words: bool) -> Vec<Element<'a>> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut depths: BTreeMap<Option<usize>, usize> = BTreeMap::new();
    let is_in_map = |node: &Node| node.parent().is_some_and(|parent| parent.has_attribute(super::map::CELLS));
    // What is said in words are the numbers that are compared already, rounded.
    let is_words = |node: &Node| {
        !words && (node.has_tag_name("desc") || node.ancestors().any(|node| node.has_attribute(crate::render::VALUES)))
    };
    let said = |node: &Node| {
        !is_words(node) && !node.ancestors().take(2).any(|node| node.has_tag_name("metadata")) && !is_in_map(node)
    };
    let mut all = Vec::new();
    for node in document.descendants().filter(|node| node.is_element() && said(node)) {
        let depth = node.parent().and_then(|parent| depths.get(&Some(parent.id().get_usize()))).map_or(0, |d| d + 1);
        depths.insert(Some(node.id().get_usize()), depth);
        let name = node.tag_name().name();
        let number = numbers.entry(name).or_default();
        *number += 1;
        let mut attributes: Vec<_> = node.attributes().map(|a| (a.name(), a.value())).collect();
        attributes.sort_unstable();
        let text: String = node.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect();
        let text = if matches!(name, "text" | "tspan" | "title") { text } else { text.trim().to_owned() };
        let cells = node.attribute(super::map::CELLS).map(|size| super::map::cells(&node, size));
        all.push(Element { name, depth, attributes, text, cells, number: *number });
    }
    all
}

impl<'a> Element<'a> {
    /// Its name; texts come first.
    fn kind(&self) -> (bool, &'a str) {
        (self.name != "text", self.name)
    }

    /// Its kind and what a reader finds it by.
    fn described(&self) -> String {
        if !self.text.is_empty() {
            return format!("{} {}", self.name, quote(&self.text));
        }
        let value = |name: &str| self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        match value("x").zip(value("y")) {
            Some((x, y)) => format!("{} {} (x {x}, y {y})", self.name, self.number),
            None => format!("{} {}", self.name, self.number),
        }
    }
}

/// Changes of one kind: the first as a sentence, and how many.
struct Change {
    first: String,
    count: usize,
}

/// What changed, by kind.
#[derive(Default)]
struct Changes(Vec<((String, String), Change)>);

impl Changes {
    fn of(old: &Element, new: &Element, tolerance: &Tolerance) -> Self {
        let mut changes = Self::default();
        let mut say = |what: &str, sentence: String| {
            changes.0.push(((new.name.to_owned(), what.to_owned()), Change { first: sentence, count: 1 }));
        };
        if (old.name, old.depth) != (new.name, new.depth) {
            say("", format!("{} where {} was", new.described(), old.described()));
            return changes;
        }
        if old.text != new.text {
            say("text", format!("{} {}, was {}", new.name, quote(&new.text), quote(&old.text)));
        }
        let what = match (&old.cells, &new.cells) {
            (Some(Ok(old)), Some(Ok(new))) => compare(old, new, tolerance.colours),
            (Some(Err(what)), _) | (_, Some(Err(what))) => Some(what.clone()),
            _ => None,
        };
        what.into_iter().for_each(|what| say("cells", format!("{}: {what}", new.described())));
        let follows = |name: &str| old.text != new.text && FOLLOWS.contains(&name);
        for (name, now) in new.attributes.iter().filter(|(name, _)| !follows(name)) {
            match old.attributes.iter().find(|(key, _)| key == name).map(|(_, was)| *was) {
                Some(was) => {
                    if let Some(what) = value(new.name, name, was, now, tolerance) {
                        say(name, format!("{}: {what}", new.described()));
                    }
                }
                None => say(name, format!("{}: {name} {now} is new", new.described())),
            }
        }
        for (name, was) in &old.attributes {
            if !new.attributes.iter().any(|(key, _)| key == name) {
                say(name, format!("{}: {name} {was} is gone", new.described()));
            }
        }
        changes
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn extend(&mut self, more: Self, of: &Element) {
        for (kind, change) in more.0 {
            // Every changed label is told, and changes of hundreds of cells are one.
            let told = of.name == "text" && kind.1 == "text";
            let full = self.0.len() == MOST_KINDS;
            match self.0.iter_mut().find(|(known, _)| *known == kind).filter(|_| !told) {
                Some((_, known)) => known.count += 1,
                None if full => {}
                None => self.0.push((kind, change)),
            }
        }
    }

    fn sentences(self) -> Vec<String> {
        let sentence = |((name, attribute), Change { first, count }): ((String, String), Change)| match count {
            1 => first,
            _ => format!("{attribute} of {count} elements {name}, first {first}"),
        };
        self.0.into_iter().map(sentence).collect()
    }
}

/// What differs between two values of an attribute.
fn value(element: &str, name: &str, old: &str, new: &str, tolerance: &Tolerance) -> Option<String> {
    if old == new {
        return None;
    }
    if let (Some(old), Some(new)) = (colour(old), colour(new)) {
        let close = apart(old, new) <= tolerance.colours.levels;
        return (!close).then(|| format!("{name} {}, was {}", super::pixels::hex(new), super::pixels::hex(old)));
    }
    if let (Some(old), Some(new)) = (old.strip_prefix(EMBEDDED), new.strip_prefix(EMBEDDED)) {
        return match image(new, u64::MAX).and_then(|new| Ok((image(old, 4 * (new.rgb.len() as u64 + 1))?, new))) {
            Ok((old, new)) => compare(&old, &new, tolerance.colours),
            Err(what) => Some(what),
        };
    }
    let gradient = matches!(element, "linearGradient" | "stop");
    let closeness = match gradient || SHARES.contains(&name) {
        true => tolerance.numbers,
        false => Closeness { absolute: tolerance.distance * UNITS, relative: 0.0 },
    };
    (!alike(old, new, closeness)).then(|| format!("{name} {}, was {}", cut(new), cut(old)))
}

/// An embedded image of no more than so many pixels.
pub(super) fn image(base64: &str, most: u64) -> Result<Pixels, String> {
    let bytes = BASE64_STANDARD.decode(base64).map_err(|error| format!("an image in it is broken ({error})"))?;
    Pixels::read(&bytes, most.min(super::pixels::MOST_PIXELS)).map_err(|what| format!("of an image in it, {what}"))
}

pub(super) fn colour(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let [_, r, g, b] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
    Some([r, g, b])
}

/// Whether two texts are the same but for numbers that are close.
fn alike(old: &str, new: &str, closeness: Closeness) -> bool {
    let mut pairs = Pieces(old);
    let mut others = Pieces(new);
    loop {
        match (pairs.next(), others.next()) {
            (None, None) => return true,
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) => match (old.parse(), new.parse()) {
                (Ok(old), Ok(new)) if closeness.allows(old, new) => {}
                _ => return false,
            },
            _ => return false,
        }
    }
}

/// Numbers, and what is between them.
struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;
    fn next(&mut self) -> Option<&'a str> {
        let numeric = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e');
        let first = self.0.chars().next()?;
        let end = self.0.find(|c| numeric(c) != numeric(first)).unwrap_or(self.0.len());
        let (piece, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(piece)
    }
}

fn cut(value: &str) -> String {
    quote(value).trim_matches('"').to_owned()
}
