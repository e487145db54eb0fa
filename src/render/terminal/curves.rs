use super::text::{columns, fit, pad};
use super::{Colour, Page};
use crate::figure::layout::{curve_axes, curve_inks};
use crate::figure::{Curves, Ink};

const HIGH: usize = 12;
const WIDEST: usize = 72;

/// One character of the plot: the dots of its braille sign, and the curve that was drawn there last.
#[derive(Clone, Copy, Default)]
struct Spot {
    dots: u8,
    curve: usize,
}

/// Bits of a braille sign's dots, four high and two wide.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Page {
    pub(super) fn curves(&mut self, chart: &Curves) {
        self.lines(&chart.title, Ink::Strong);
        self.lines(&chart.y_axis, Ink::Soft);
        let (x, y) = curve_axes(chart);
        let ticks: Vec<(usize, String)> =
            y.ticks(5).into_iter().map(|(t, text)| (((1.0 - t) * (HIGH - 1) as f32).round() as usize, text)).collect();
        let left = ticks.iter().map(|(_, text)| columns(text)).max().unwrap_or(0);
        let wide = (self.width - left - 2).min(WIDEST);
        let inks = curve_inks(chart);
        let mut spots = vec![Spot::default(); HIGH * wide];
        for (curve, (series, ..)) in inks.iter().enumerate().rev() {
            let place = |(at, high): (&f32, &f32)| {
                let (x, y) = (x.position(*at)?, y.position(*high).filter(|_| high.is_finite())?);
                Some((x * (2 * wide - 1) as f32, (1.0 - y) * (4 * HIGH - 1) as f32))
            };
            let points: Vec<Option<(f32, f32)>> = series.xs.iter().zip(&series.ys).map(place).collect();
            for pair in points.windows(2) {
                let (Some(from), Some(to)) = (pair[0], pair[1]) else { continue };
                let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0);
                for step in 0..=steps as usize {
                    let share = step as f32 / steps;
                    let along = |a: f32, b: f32| (a + (b - a) * share).round() as usize;
                    let (col, row) = (along(from.0, to.0), along(from.1, to.1));
                    let spot = &mut spots[row / 4 * wide + col / 2];
                    let dots = if spot.curve == curve { spot.dots } else { 0 };
                    *spot = Spot { dots: dots | DOTS[row % 4][col % 2], curve };
                }
            }
        }
        for (row, line) in spots.chunks(wide.max(1)).enumerate() {
            let tick = ticks.iter().find(|(at, _)| *at == row).map_or("", |(_, text)| text);
            self.pen.plain(&format!("{} {}", pad(tick, left, true), if self.ascii { "|" } else { "│" }));
            for spot in line {
                match spot.dots {
                    0 => self.pen.plain(" "),
                    _ => {
                        let sign = self.sign(spot.curve, inks[spot.curve].0.faint, spot.dots);
                        self.pen.tinted(&sign.to_string(), self.theme.ink(inks[spot.curve].1));
                    }
                }
            }
            self.pen.end();
        }
        let across = if self.ascii { "-" } else { "─" };
        self.pen.plain(&format!("{} {}{}", " ".repeat(left), if self.ascii { "+" } else { "└" }, across.repeat(wide)));
        self.pen.end();
        let mut line = String::new();
        for (t, text) in x.ticks(wide / 12) {
            let at = (t * (wide - 1) as f32).round() as usize;
            let start = at.saturating_sub(columns(&text) / 2).min(wide - columns(&text).min(wide));
            if line.is_empty() || columns(&line) < start {
                line = pad(&line, start, false) + &text;
            }
        }
        self.pen.plain(&format!("{}{line}", " ".repeat(left + 2)));
        self.pen.end();
        self.pen.plain(&" ".repeat(left + 2));
        self.write(&fit(&chart.x_axis, wide), Ink::Soft);
        self.pen.end();
        self.legend_of_curves(chart);
        self.lines(&chart.note, Ink::Soft);
    }

    fn legend_of_curves(&mut self, chart: &Curves) {
        let mut used = 0;
        for (curve, (series, ink, _)) in
            curve_inks(chart).into_iter().enumerate().filter(|(_, (s, ..))| !s.name.is_empty())
        {
            let name = fit(&series.name, self.width - 2);
            let wide = columns(&name) + 4;
            if used > 0 && used + wide > self.width {
                self.pen.end();
                used = 0;
            }
            let sign = self.sign(curve, series.faint, 0xff);
            self.pen.tinted(&sign.to_string(), self.theme.ink(ink));
            self.pen.plain(&format!(" {name}  "));
            used += wide;
        }
        self.pen.end();
    }

    /// What a curve is drawn with: dots in its colour, or its letter where there are none.
    fn sign(&self, curve: usize, faint: bool, dots: u8) -> char {
        match self.colour {
            Colour::True | Colour::Indexed => char::from_u32(0x2800 + u32::from(dots)).unwrap_or('*'),
            _ if faint => '.',
            _ => char::from(b'a' + (curve % 26) as u8),
        }
    }
}
