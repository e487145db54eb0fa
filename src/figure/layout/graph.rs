//! Nodes in ranks, the first one lowest, with edges that go up.

mod places;

use super::text::{Line, put_lines, wrap};
use super::{Anchor, Block, Item, Rect, Room, Style, Typeface};
use crate::figure::{Graph, GraphEdge, Ink};
use places::{Place, Places};

const TITLE: Style = Style::bold(12.0);
const NODE: Style = Style::regular(10.5);
const NAME: Style = Style::regular(11.0);
const NOTE: Style = Style::regular(10.0);
/// The height of a node, and from one rank to the next where nobody asks for a height.
const HIGH: f32 = 18.0;
const PITCH: f32 = 50.0;
const CLOSEST: f32 = 26.0;
/// Where nobody asks for a width: texts are not broken before this, and a narrow graph stands in its middle.
const NATURAL: f32 = 560.0;
/// The most that places are drawn apart; where they are drawn closer than they need, nodes are cut.
const LOOSEST: f32 = 1.8;
/// How thick edges are, from hardly there to the largest.
const THICK: (f32, f32) = (0.6, 5.0);
const SWATCH: f32 = 18.0;
/// Points of a curve from one rank to the next.
const POINTS: usize = 12;

pub(super) fn graph<'a>(graph: &'a Graph, face: &dyn Typeface, room: Room) -> Block<'a> {
    let mut block = Block::default();
    if graph.nodes.is_empty() {
        return block;
    }
    let names: Vec<Line> = graph.nodes.iter().map(|node| Line::fit(face, &node.label, NODE, 120.0)).collect();
    let widths: Vec<f32> = names.iter().map(|name| (name.width + 12.0).max(30.0)).collect();
    let places = Places::new(graph, &widths);
    let width = room.w.unwrap_or(places.width.max(NATURAL));
    put_lines(&mut block, wrap(face, &graph.title, TITLE, width, 2), 0.0, Ink::Strong);
    legend(&mut block, graph, face, width);
    let note = wrap(face, &graph.note, NOTE, width, usize::MAX);
    let top = block.h + 8.0;
    let steps = places.ranks.saturating_sub(1).max(1) as f32;
    let below = note.len() as f32 * NOTE.line() + 10.0;
    let pitch = room.h.map_or(PITCH, |h| (h - top - below - HIGH) / steps);
    let apart = (width - widths.iter().copied().fold(0.0, f32::max)) / places.width;
    let stretch = if apart > 1.0 { apart.min(LOOSEST) } else { (width / places.width).min(1.0) };
    block.cut |= stretch < 0.999 || pitch < CLOSEST;
    let pitch = pitch.max(CLOSEST);
    let left = (width - places.width * stretch) / 2.0;
    let on_page = OnPage { left, stretch, base: top + HIGH / 2.0 + steps * pitch, pitch };
    put_edges(&mut block, graph, &places, &widths, &on_page);
    for ((place, name), wide) in places.all.iter().zip(names).zip(&widths) {
        let (x, y) = on_page.at(place);
        let wide = wide * stretch.min(1.0);
        let rect = Rect::new(x - wide / 2.0, y - HIGH / 2.0, wide, HIGH);
        block.items.extend([Item::Fill(rect, Ink::Faint), Item::Frame(rect, Ink::Soft)]);
        block.items.push(Item::Label(name.at(x, y + NODE.size * 0.36, Anchor::Middle, Ink::Strong)));
    }
    block.w = block.w.max(width);
    block.h = top + steps * pitch + HIGH + 8.0;
    put_lines(&mut block, note, 0.0, Ink::Soft);
    block
}

/// From places to the page.
struct OnPage {
    left: f32,
    stretch: f32,
    /// The middle of the lowest rank.
    base: f32,
    pitch: f32,
}

impl OnPage {
    fn at(&self, place: &Place) -> (f32, f32) {
        (self.left + place.x * self.stretch, self.base - place.rank as f32 * self.pitch)
    }
}

/// Edges rank by rank: what several of a source share is drawn once, as thick as the largest of them. The largest lie on top.
fn put_edges(block: &mut Block, graph: &Graph, places: &Places, widths: &[f32], on_page: &OnPage) {
    let largest = graph.edges.iter().map(|edge| edge.weight.abs()).fold(f32::MIN_POSITIVE, f32::max);
    let mut drawn: Vec<(f32, Item)> = Vec::new();
    let mut put = |edges: &[&GraphEdge], from: (f32, f32), to: (f32, f32), through: bool| {
        let most = edges.iter().map(|edge| edge.weight.abs()).fold(0.0, f32::max);
        let kind = edges.first().map_or(0, |edge| edge.kind);
        // A colour stands for one kind.
        let ink = if edges.iter().all(|edge| edge.kind == kind) { Ink::Curve(kind as u8) } else { Ink::Soft };
        let thick = THICK.0 + (THICK.1 - THICK.0) * (most / largest);
        let dashed = edges.iter().all(|edge| edge.weight < 0.0);
        drawn.push((most, Item::Curve { points: curve(from, to, through), ink, thick, dashed }));
    };
    for place in &places.all {
        let (x, y) = on_page.at(place);
        let from = (x, if place.is_lane { y + HIGH / 2.0 } else { y - HIGH / 2.0 });
        let of_node = || graph.edges.iter().filter(|edge| edge.from == place.node);
        let rank_of = |edge: &GraphEdge| places.all[edge.to].rank;
        let on: Vec<&GraphEdge> = of_node().filter(|edge| rank_of(edge) > place.rank + 1).collect();
        if !on.is_empty() {
            let (x, y) = on_page.at(places.carrier(place.node, place.rank + 1));
            put(&on, from, (x, y + HIGH / 2.0), place.is_lane);
        }
        for edge in of_node().filter(|edge| rank_of(edge) == place.rank + 1) {
            let (x, y) = on_page.at(&places.all[edge.to]);
            let port = graph.port(edge.kind) * widths[edge.to] * on_page.stretch.min(1.0);
            put(&[edge], from, (x + port, y + HIGH / 2.0), place.is_lane);
        }
    }
    drawn.sort_by(|a, b| a.0.total_cmp(&b.0));
    block.items.extend(drawn.into_iter().map(|(_, item)| item));
}

/// A curve that leaves and arrives upright; one that goes through a rank is straight there.
fn curve(from: (f32, f32), to: (f32, f32), through: bool) -> Vec<(f32, f32)> {
    let start = if through { (from.0, from.1 - HIGH) } else { from };
    let bend = |step: usize| {
        let t = step as f32 / POINTS as f32;
        let along = t * t * (3.0 - 2.0 * t);
        (start.0 + (to.0 - start.0) * along, start.1 + (to.1 - start.1) * t)
    };
    through.then_some(from).into_iter().chain((0..=POINTS).map(bend)).collect()
}

/// The names of the kinds in their colours, and what is dashed.
fn legend(block: &mut Block, graph: &Graph, face: &dyn Typeface, width: f32) {
    let kinds = graph.kinds.iter().enumerate().map(|(i, name)| (name, Ink::Curve(i as u8), false));
    let both = [(&graph.shared, Ink::Soft, false), (&graph.against, Ink::Soft, true)];
    let (mut x, top) = (0.0, block.h);
    let mut y = top;
    for (name, ink, dashed) in kinds.chain(both).filter(|(name, ..)| !name.is_empty()) {
        let line = Line::fit(face, name, NAME, width - SWATCH - 6.0);
        let wide = SWATCH + 6.0 + line.width + 18.0;
        if x > 0.0 && x + wide > width {
            (x, y) = (0.0, y + NAME.line() + 2.0);
        }
        let middle = y + NAME.line() / 2.0;
        let points = vec![(x, middle), (x + SWATCH, middle)];
        block.items.push(Item::Curve { points, ink, thick: 2.4, dashed });
        block.items.push(Item::Label(line.at(x + SWATCH + 6.0, middle + NAME.size * 0.36, Anchor::Start, Ink::Normal)));
        x += wide;
        block.h = y + NAME.line() + 4.0;
    }
}
