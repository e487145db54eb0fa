//! Every picture that is made is whole, of any kind, size and number of tokens: texts stand apart, nothing leaves the page or has no
//! size, and every panel of colours has its scale. Where there is no room for that, the program says how much it needs, and that is
//! enough.

use crate::support::drawing::overlap;
use crate::support::figures::{
    atlas, attention, everything, grid, heatmap, lens, saliency, sheet, table, with_bars, words,
};
use attnviz::figure::layout::{Style, Typeface};
use attnviz::figure::{Figure, Panel};
use attnviz::render::{Fonts, svg};
use attnviz::{Error, Kind};
use roxmltree::{Document, Node};

/// Numbers that look random, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A figure of a kind, with so many tokens.
fn figure(kind: usize, n: usize, dice: &mut Dice) -> Figure {
    let labels = words(n);
    let heads = dice.of(&[(1, 4), (2, 3), (5, 4), (12, 12)]);
    let maps = if heads.0 == 12 { attention(n.min(12)) } else { attention(n) };
    match kind {
        0 => heatmap(&labels),
        1 => with_bars(heatmap(&labels), &labels),
        2 => grid(heads.0, heads.1, &maps),
        3 => with_bars(grid(heads.0, heads.1, &maps), &labels),
        4 => sheet(&labels),
        5 => saliency(&labels, 1 + dice.below(7), true),
        6 => saliency(&labels, 1, false),
        7 => lens(&labels, heads.0),
        8 => atlas(heads.0, heads.1),
        9 => everything(&labels),
        _ => Figure { panels: vec![table(n)], ..heatmap(&labels) },
    }
}

fn number(node: Node, name: &str) -> f32 {
    node.attribute(name).map_or(0.0, |value| value.parse().unwrap())
}

fn numbers(text: &str) -> Vec<f32> {
    let parts = text.split(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').filter(|part| !part.is_empty());
    parts.map(|part| part.parse().unwrap()).collect()
}

/// The four corners around the letters of a text.
fn corners(node: Node, fonts: &Fonts) -> [(f32, f32); 4] {
    let text: String = node.descendants().filter(Node::is_text).filter_map(|part| part.text()).collect();
    let size = number(node, "font-size");
    let width = fonts.width(&text, Style { size, bold: node.attribute("font-weight").is_some() });
    let left = match node.attribute("text-anchor") {
        None => 0.0,
        Some("middle") => -width / 2.0,
        Some(_) => -width,
    };
    let angle = node.attribute("transform").map_or(0.0, |turn| numbers(turn)[0]);
    let ((sin, cos), (x, y)) = (angle.to_radians().sin_cos(), (number(node, "x"), number(node, "y")));
    let (top, bottom) = (-0.76 * size, 0.22 * size);
    [(left, top), (left + width, top), (left + width, bottom), (left, bottom)]
        .map(|(a, b)| (x + a * cos - b * sin, y + a * sin + b * cos))
}

/// How many scales a figure needs: one for each panel of colours, or for each row of a strip that has its own.
fn scales(figure: &Figure) -> usize {
    let needs = |panel: &Panel| match panel {
        Panel::Heatmap(_) | Panel::Grid(_) | Panel::Sheet(_) => 1,
        Panel::Strip(strip) => {
            let own = strip.rows.iter().filter(|row| row.scale.is_some()).count();
            own + usize::from(own < strip.rows.len())
        }
        _ => 0,
    };
    figure.panels.iter().map(needs).sum()
}

/// What is wrong with a picture.
fn faults(text: &str, figure: &Figure, fonts: &Fonts) -> Vec<String> {
    let document = Document::parse(text).unwrap();
    let page = numbers(document.root_element().attribute("viewBox").unwrap());
    let named = |name: &'static str| document.descendants().filter(move |node| node.has_tag_name(name));
    let inside = |x: f32, y: f32| (-6.0..=page[2] + 6.0).contains(&x) && (-6.0..=page[3] + 6.0).contains(&y);
    let mut found = Vec::new();
    for node in named("rect").chain(named("image")) {
        let [x, y, w, h] = ["x", "y", "width", "height"].map(|name| number(node, name));
        if w <= 0.0 || h <= 0.0 || !inside(x, y) || !inside(x + w, y + h) {
            found.push(format!("a shape of {w} × {h} at {x} {y} of {page:?}"));
        }
    }
    for node in named("polyline") {
        let points = numbers(node.attribute("points").unwrap());
        if !points.chunks(2).all(|point| inside(point[0], point[1])) {
            found.push(format!("a line leaves {page:?}: {points:?}"));
        }
    }
    for node in named("g").filter(|node| node.has_attribute("data-cells")) {
        let [cells, at] = ["data-cells", "transform"].map(|name| numbers(node.attribute(name).unwrap()));
        let (right, bottom) = (at[4] + at[0] * cells[1], at[5] + at[3] * cells[0]);
        if at[0] <= 0.0 || at[3] <= 0.0 || !inside(right, bottom) {
            found.push(format!("a map to {right} {bottom} of {page:?}"));
        }
    }
    let ramps = named("rect").filter(|node| node.attribute("fill").is_some_and(|fill| fill.starts_with("url"))).count();
    if ramps < scales(figure) {
        found.push(format!("{ramps} scales"));
    }
    let texts: Vec<_> = named("text").map(|node| (corners(node, fonts), node.text().unwrap_or_default())).collect();
    for (i, (place, text)) in texts.iter().enumerate() {
        if !place.iter().all(|(x, y)| inside(*x, *y)) {
            found.push(format!("{text:?} leaves {page:?}: {place:?}"));
        }
        let touched = texts[i + 1..].iter().filter(|(other, _)| overlap(place, other, 5.0));
        found.extend(touched.map(|(_, other)| format!("{text:?} and {other:?} overlap")));
    }
    found
}

/// The size that a refusal names, in place of what was asked for.
fn named(error: &Error, figure: &Figure) -> Option<(Option<u32>, Option<u32>)> {
    let sizes: Vec<u32> = numbers(error.hint.as_deref()?).into_iter().map(|size| size as u32).collect();
    match (&sizes[..], figure.width, figure.height) {
        _ if error.kind != Kind::Usage => None,
        ([w, h], Some(_), Some(_)) => Some((Some(*w), Some(*h))),
        ([w], Some(_), None) => Some((Some(*w), None)),
        ([h], None, Some(_)) => Some((None, Some(*h))),
        _ => None,
    }
}

#[test]
fn every_picture_of_any_size_is_whole_or_says_what_it_needs() {
    let (mut dice, fonts) = (Dice(7), Fonts::bundled());
    let (mut refused, mut drawn, mut wrong) = (0, 0, Vec::new());
    for round in 0..132 {
        let (kind, tokens) = (round % 11, dice.of(&[1, 2, 3, 6, 12, 25, 60, 90]));
        let side = |dice: &mut Dice| {
            let most = dice.of(&[300, 900, 2000]);
            (dice.below(3) > 0).then(|| 120 + dice.below(most) as u32)
        };
        let (width, height) = (side(&mut dice), side(&mut dice));
        let mut figure = Figure { width, height, ..figure(kind, tokens, &mut dice) };
        let mut what = format!("kind {kind}, {tokens} tokens, {width:?} × {height:?}");
        let text = svg(&figure, &fonts).or_else(|error| {
            refused += 1;
            let (width, height) = named(&error, &figure).ok_or(error)?;
            what += &format!(", then {width:?} × {height:?}");
            (figure.width, figure.height) = (width, height);
            svg(&figure, &fonts)
        });
        drawn += 1;
        match text {
            Ok(text) => {
                wrong.extend(faults(&text, &figure, &fonts).into_iter().map(|fault| format!("{what}: {fault}")))
            }
            Err(error) => wrong.push(format!("{what}: {error:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 10 && drawn - refused > 40, "{refused} of {drawn} refused");
}

#[test]
fn more_tokens_make_no_smaller_sheet() {
    let fonts = Fonts::bundled();
    let width = |heads: usize, tokens: usize| {
        let figure = grid(1, heads, &attention(tokens));
        let text = svg(&figure, &fonts).unwrap();
        number(Document::parse(&text).unwrap().root_element(), "width")
    };
    for heads in [4, 12] {
        let few = width(heads, 6);
        for tokens in [12, 20, 44, 45, 66, 90, 130, 260, 500, 1000] {
            assert!(
                width(heads, tokens) >= few - 24.0,
                "{heads} heads, {tokens} tokens: {} < {few}",
                width(heads, tokens)
            );
        }
    }
}
