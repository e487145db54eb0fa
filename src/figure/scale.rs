use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use super::number::{decimals, number};
use super::{Colormap, Matrix, Pooling};
use crate::named::Named;

/// How numbers are spread over the colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScaleKind {
    /// Evenly.
    #[default]
    Linear,
    /// By square root: small numbers show.
    Sqrt,
    /// By logarithm: every decade gets the same room.
    Log,
}

impl Named for ScaleKind {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Linear, "linear", "Evenly"),
        (Self::Sqrt, "sqrt", "By square root: small numbers show"),
        (Self::Log, "log", "By logarithm: every decade gets the same room"),
    ];
    const ALSO: &'static [(Self, &'static str)] = &[(Self::Linear, "lin"), (Self::Log, "log10")];
}

/// A logarithmic scale without a positive minimum shows this many decades.
const DECADES: i32 = 4;

/// How much larger than nearly all other numbers the largest must be for a scale to end before it.
const MUCH_LARGER: f32 = 1.5;

/// From numbers to colours. A diverging colour map is symmetric around 0, whatever the bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// How numbers are spread over the colours.
    pub kind: ScaleKind,
    /// The colours.
    pub colormap: Colormap,
    /// The number at the map's beginning; numbers below it have that colour, too.
    pub min: f32,
    /// The number at the map's end; numbers above it have that colour, too.
    pub max: f32,
    /// What the numbers are, such as `attention`.
    pub unit: String,
    /// Whether other figures have it as well: then its bounds stay, also where numbers share cells.
    #[serde(default)]
    pub shared: bool,
    /// One in so many numbers, or cells where numbers share them, is beyond its ends; 0 where none is.
    #[serde(default)]
    pub beyond: usize,
}

impl Default for Scale {
    fn default() -> Self {
        Self {
            kind: ScaleKind::Linear,
            colormap: Colormap::Tide,
            min: 0.0,
            max: 1.0,
            unit: String::new(),
            shared: false,
            beyond: 0,
        }
    }
}

impl Scale {
    /// A scale over all finite numbers of some matrices: from 0 if none is negative.
    pub fn over<'a>(
        kind: ScaleKind,
        colormap: Colormap,
        unit: impl Into<String>,
        matrices: impl IntoIterator<Item = &'a Matrix>,
    ) -> Self {
        let ranges = matrices.into_iter().filter_map(Matrix::range);
        let (min, max) = ranges.fold((0.0f32, 0.0f32), |(low, high), (a, b)| (low.min(a), high.max(b)));
        Self { kind, colormap, min, max: if max > min { max } else { min + 1.0 }, unit: unit.into(), ..Self::default() }
    }

    /// A diverging scale over signed scores: 0 in its middle, the largest of them, whatever its sign, at an end.
    pub fn signed(unit: impl Into<String>, scores: impl IntoIterator<Item = f32>) -> Self {
        let bound = scores.into_iter().filter(|v| v.is_finite()).fold(0.0f32, |most, v| most.max(v.abs()));
        let bound = if bound > 0.0 { bound } else { 1.0 };
        Self { colormap: Colormap::Balance, min: -bound, max: bound, unit: unit.into(), ..Self::default() }
    }

    /// A scale over scores that may have signs: a diverging one if any is negative, else one from 0.
    pub fn of_scores(unit: impl Into<String>, scores: impl IntoIterator<Item = f32>) -> Self {
        let (mut any, mut most) = (false, 0.0f32);
        for score in scores.into_iter().filter(|score| score.is_finite()) {
            (any, most) = (any || score < 0.0, most.max(score.abs()));
        }
        let signed = Self::signed(unit, [most]);
        if any { signed } else { Self { colormap: Colormap::default(), min: 0.0, ..signed } }
    }

    /// The same, ending where about one in so many of the numbers is larger, should the largest be much larger than all others: else
    /// nothing but it would be seen. `most` is the largest, whatever its sign, and `usual` the one that so few are larger than.
    pub(crate) fn but_for(self, one_in: usize, [most, usual]: [f32; 2]) -> Self {
        let cut = most > MUCH_LARGER * usual && usual > 0.0;
        let end = if cut { usual } else { most };
        let end = if end > 0.0 { end } else { 1.0 };
        Self { min: -end, max: end, beyond: if cut { one_in } else { 0 }, ..self }
    }

    /// How numbers that share a cell are pooled on it.
    pub fn pooling(&self) -> Pooling {
        if self.min < 0.0 { Pooling::Largest } else { Pooling::Mean }
    }

    /// The scale of what is drawn of some maps: itself, or where each cell shows several numbers one of the cells. Of means it goes up to the
    /// largest mean, which is much less than the largest number, and its unit says so; of the largest of several, one that few numbers are
    /// beyond ends where as few cells are.
    pub(crate) fn drawn<'a>(
        &'a self,
        maps: impl IntoIterator<Item = &'a Matrix>,
        (tall, wide): (usize, usize),
        pooled: usize,
    ) -> Cow<'a, Self> {
        if tall * wide * pooled.max(1) <= 1 {
            return Cow::Borrowed(self);
        }
        match self.pooling() {
            Pooling::Mean => Cow::Owned(self.of_means(maps, (tall, wide))),
            Pooling::Largest if self.beyond > 0 => Cow::Owned(self.of_largest(maps, (tall, wide))),
            Pooling::Largest => Cow::Borrowed(self),
        }
    }

    fn of_means<'a>(&self, maps: impl IntoIterator<Item = &'a Matrix>, (tall, wide): (usize, usize)) -> Self {
        let largest = |map: &Matrix| map.pool_blocks((tall, wide), Pooling::Mean).range().map_or(0.0, |(_, most)| most);
        let most =
            if self.shared || tall * wide == 1 { 0.0 } else { maps.into_iter().map(largest).fold(0.0, f32::max) };
        let unit = if self.unit.is_empty() { String::new() } else { format!("mean {}", self.unit) };
        Self { max: if most > self.min { most } else { self.max }, unit, ..self.clone() }
    }

    fn of_largest<'a>(&self, maps: impl IntoIterator<Item = &'a Matrix>, (tall, wide): (usize, usize)) -> Self {
        let pooled = maps.into_iter().map(|map| map.pool_blocks((tall, wide), Pooling::Largest));
        let sizes = pooled.flat_map(|map| map.data).map(f32::abs);
        let mut sizes: Vec<f32> = sizes.filter(|size| *size > 0.0 && size.is_finite()).collect();
        let Some(last) = sizes.len().checked_sub(1) else { return self.clone() };
        let (_, usual, above) = sizes.select_nth_unstable_by(last - last / self.beyond, f32::total_cmp);
        let most = above.iter().copied().fold(*usual, f32::max);
        self.clone().but_for(self.beyond, [most, *usual])
    }

    /// What is said of cells that are so many numbers each, and of numbers beyond its ends.
    pub(crate) fn said(&self, tall: usize, wide: usize) -> String {
        let pooled = self.pooling().said(tall, wide);
        if self.beyond == 0 {
            return pooled;
        }
        let (what, end) = (if pooled.is_empty() { "differences" } else { "cells" }, number(self.max));
        let end = format!("colours end at ±{end}: about 1 in {} of the {what} is larger", self.beyond);
        if pooled.is_empty() { end } else { format!("{pooled}; {end}") }
    }

    /// Where a number stands between the map's beginning, 0, and its end, 1. `None` for NaN.
    pub fn position(&self, value: f32) -> Option<f32> {
        if value.is_nan() {
            return None;
        }
        let (min, max) = self.bounds();
        let value = value.clamp(min, max);
        if self.colormap.is_diverging() {
            let strength = match self.kind {
                ScaleKind::Linear => value.abs() / max,
                ScaleKind::Sqrt => (value.abs() / max).sqrt(),
                ScaleKind::Log => 1.0 + (value.abs() / max).log10().max(-DECADES as f32) / DECADES as f32,
            };
            return Some(0.5 + 0.5 * strength.copysign(value));
        }
        Some(match self.kind {
            ScaleKind::Linear => (value - min) / (max - min),
            ScaleKind::Sqrt => ((value - min) / (max - min)).sqrt(),
            ScaleKind::Log => ((value.ln() - min.ln()) / (max.ln() - min.ln())).clamp(0.0, 1.0),
        })
    }

    /// Round numbers with their positions, as many as `room` labels allow, least first.
    pub fn ticks(&self, room: usize) -> Vec<(f32, String)> {
        let (min, max) = self.bounds();
        let room = room.clamp(2, 12);
        let values = match (self.kind, self.colormap.is_diverging()) {
            (ScaleKind::Linear, _) => round_steps(min, max, room),
            (ScaleKind::Sqrt, false) => {
                // Evenly spaced on the scale, then the nearest round number.
                let step = |i| min + (max - min) * (i as f32 / (room - 1) as f32).powi(2);
                (0..room).map(|i| round_near(step(i))).collect()
            }
            (ScaleKind::Log, false) => decades(min, max, room),
            (_, true) => {
                let half: Vec<f32> = match self.kind {
                    ScaleKind::Log => decades(max * 10f32.powi(-DECADES + 1), max, room / 2),
                    _ => (1..=room / 2).map(|i| round_near(max * (i as f32 / (room / 2) as f32).powi(2))).collect(),
                };
                half.iter().rev().map(|v| -v).chain([0.0]).chain(half.iter().copied()).collect()
            }
        };
        let slack = (max - min) * 1e-4;
        let mut ticks: Vec<(f32, String)> = Vec::new();
        for value in values.into_iter().filter(|v| (min - slack..=max + slack).contains(v)) {
            let Some(position) = self.position(value) else { continue };
            // A tick closer than two thirds of its share to the one before would touch it.
            if ticks.last().is_none_or(|(last, _)| position - last > 0.66 / room as f32) {
                ticks.push((position, number(value)));
            }
        }
        // One number says nothing of a scale: where round ones are too far apart, its ends say what it is.
        let ends = if self.colormap.is_diverging() { vec![min, 0.0, max] } else { vec![min, max] };
        if ticks.len() < ends.len() {
            return ends.into_iter().filter_map(|v| Some((self.position(v)?, number(v)))).collect();
        }
        ticks
    }

    /// A number with two digits of the scale's largest, three where that begins with 1 or 2; empty for NaN.
    pub(crate) fn short(&self, value: f32) -> String {
        let (low, high) = self.bounds();
        if value.is_nan() { String::new() } else { decimals(value, low.abs().max(high.abs()) / 3.0, 2) }
    }

    /// Bounds that every formula above can divide by, whatever the fields hold.
    pub(crate) fn bounds(&self) -> (f32, f32) {
        let finite = |v: f32, or: f32| if v.is_finite() { v.clamp(-1e30, 1e30) } else { or };
        let (min, max) = (finite(self.min, 0.0), finite(self.max, 1.0));
        if self.colormap.is_diverging() {
            let bound = min.abs().max(max.abs());
            let bound = if bound > f32::MIN_POSITIVE { bound } else { 1.0 };
            return (-bound, bound);
        }
        if self.kind == ScaleKind::Log {
            let max = if max > 1e-30 { max } else { 1.0 };
            let min = if min > f32::MIN_POSITIVE && min < max * 0.999 { min } else { max * 10f32.powi(-DECADES) };
            return (min, max);
        }
        if max - min > f32::MIN_POSITIVE { (min, max) } else { (min, min + min.abs().max(1.0)) }
    }
}

/// Multiples of 1, 2 or 5 times a power of ten, at most about `room`.
fn round_steps(min: f32, max: f32, room: usize) -> Vec<f32> {
    let (min, max) = (f64::from(min), f64::from(max));
    let rough = (max - min) / (room - 1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough * 0.999).unwrap_or(10.0 * power);
    let first = (min / step - 1e-6).ceil();
    (0..=room).map(|i| ((first + i as f64) * step) as f32).take_while(|v| f64::from(*v) <= max + step * 1e-4).collect()
}

/// Powers of ten between two positive numbers; where a single decade holds both, 2 and 5 times them as well.
fn decades(min: f32, max: f32, room: usize) -> Vec<f32> {
    let (low, high) = (min.log10().floor() as i32, max.log10().ceil() as i32);
    let between = |v: &f32| *v >= min * 0.999 && *v <= max * 1.001;
    let powers: Vec<f32> = (low..=high).map(|e| 10f32.powi(e)).filter(between).collect();
    if powers.len() >= 2 {
        let every = powers.len().div_ceil(room.max(1));
        return powers.into_iter().rev().step_by(every).collect::<Vec<_>>().into_iter().rev().collect();
    }
    (low..=high).flat_map(|e| [1.0, 2.0, 5.0].map(|m| m * 10f32.powi(e))).filter(between).collect()
}

/// The nearest number with one digit that is 1, 2 or 5.
fn round_near(value: f32) -> f32 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let power = 10f32.powf(value.abs().log10().floor());
    let digit = value.abs() / power;
    let round = [1.0f32, 2.0, 5.0, 10.0].into_iter().min_by(|a, b| (a - digit).abs().total_cmp(&(b - digit).abs()));
    (round.unwrap_or(1.0) * power).copysign(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(kind: ScaleKind, colormap: Colormap, min: f32, max: f32) -> Scale {
        Scale { kind, colormap, min, max, ..Scale::default() }
    }

    #[test]
    fn no_number_and_no_bounds_put_a_position_outside_the_map() {
        let odd = [f32::NEG_INFINITY, -1e38, -1.0, -0.0, 0.0, 1e-40, 0.5, 1.0, 1e38, f32::INFINITY, f32::NAN];
        for kind in [ScaleKind::Linear, ScaleKind::Sqrt, ScaleKind::Log] {
            for map in [Colormap::Tide, Colormap::Balance] {
                for (min, max) in odd.into_iter().flat_map(|a| odd.map(|b| (a, b))) {
                    let scale = scale(kind, map, min, max);
                    for value in odd {
                        let position = scale.position(value);
                        assert_eq!(position.is_none(), value.is_nan());
                        assert!(position.is_none_or(|p| (0.0..=1.0).contains(&p)), "{scale:?} {value} {position:?}");
                    }
                    assert!(scale.ticks(5).iter().all(|(p, _)| (0.0..=1.0).contains(p)));
                }
            }
        }
    }

    #[test]
    fn ticks_are_round_numbers() {
        let labels = |s: Scale| s.ticks(6).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(labels(scale(ScaleKind::Linear, Colormap::Tide, 0.0, 1.0)), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(labels(scale(ScaleKind::Log, Colormap::Tide, 0.0, 1.0)), ["0.0001", "0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels(scale(ScaleKind::Linear, Colormap::Balance, -3.0, 2.0)), ["−2", "0", "2"]);
    }

    #[test]
    fn where_numbers_share_cells_a_scale_ends_where_few_of_the_cells_are_larger() {
        // One number in 200 is 1, one cell of 10 × 10 in two holds one, and five cells of all hold a 9.
        let value = |at: usize| {
            if at % 40_000 == 7 {
                9.0
            } else if at % 200 == 7 {
                -1.0
            } else {
                0.01
            }
        };
        let map = Matrix::new(400, 400, (0..160_000).map(value).collect());
        let scale = Scale::signed("", [9.0]).but_for(100, [9.0, 0.01]);
        assert_eq!((scale.max, scale.beyond), (0.01, 100));
        assert_eq!(
            scale.drawn([&map], (1, 1), 1).said(1, 1),
            "colours end at ±0.01: about 1 in 100 of the differences is larger"
        );
        let drawn = scale.drawn([&map], (10, 10), 1);
        assert_eq!((drawn.min, drawn.max), (-1.0, 1.0));
        let said = "each cell is the largest of 10 × 10; colours end at ±1: about 1 in 100 of the cells is larger";
        assert_eq!(drawn.said(10, 10), said);
        // Where no cell is much larger than the others, it ends at the largest.
        let drawn = scale.drawn([&map], (400, 400), 1);
        assert_eq!((drawn.max, drawn.said(400, 400)), (9.0, "each cell is the largest of 400 × 400".into()));
    }

    #[test]
    fn zero_is_in_the_middle_of_a_diverging_map() {
        assert_eq!(scale(ScaleKind::Linear, Colormap::Balance, -1.0, 5.0).position(0.0), Some(0.5));
    }
}
