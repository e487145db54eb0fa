//! Coloured cells in a terminal: background colours, half blocks, or letters of growing weight where colour is not wanted.

use std::fmt::Write as _;

use super::terminal::Colour;

/// From nothing to much, for terminals without colour.
const RAMP: &[u8; 10] = b".,:-=+*#%@";

/// What a cell shows: how much, and its colour. `None` shows nothing.
pub(super) type Cell = Option<(f32, [u8; 3])>;

/// A line of output that changes colours only where it has to.
pub(super) struct Ink {
    pub text: String,
    colour: Colour,
    /// Foreground and background as set at the end of the text.
    set: [Option<[u8; 3]>; 2],
}

impl Ink {
    pub fn new(colour: Colour) -> Self {
        Self { text: String::new(), colour, set: [None; 2] }
    }

    /// Text without colour.
    pub fn plain(&mut self, text: &str) {
        self.paint([None, None]);
        self.text.push_str(text);
    }

    /// Text in one colour.
    pub fn tinted(&mut self, text: &str, colour: [u8; 3]) {
        self.paint([Some(colour), None]);
        self.text.push_str(text);
    }

    /// Text on a cell; without colour, the text alone.
    pub fn on(&mut self, cell: Cell, text: &str) {
        match cell {
            Some((_, rgb)) if self.colour != Colour::None => {
                let light = 0.2126 * f32::from(rgb[0]) + 0.7152 * f32::from(rgb[1]) + 0.0722 * f32::from(rgb[2]);
                self.paint([Some(if light > 120.0 { [0; 3] } else { [255; 3] }), Some(rgb)]);
            }
            _ => self.paint([None, None]),
        }
        self.text.push_str(text);
    }

    /// A cell that is `wide` columns wide and one line high.
    pub fn cell(&mut self, cell: Cell, wide: usize) {
        match cell {
            Some((t, _)) if self.colour == Colour::None => {
                self.text.extend(std::iter::repeat_n(ramp(t), wide));
            }
            _ => self.on(cell, &" ".repeat(wide)),
        }
    }

    /// Two cells above one another in one column.
    pub fn halves(&mut self, top: Cell, bottom: Cell) {
        match (top, bottom) {
            _ if self.colour == Colour::None => {
                let strong = top.into_iter().chain(bottom).map(|cell| cell.0).reduce(f32::max);
                self.text.push(strong.map_or(' ', ramp));
            }
            (None, None) => self.plain(" "),
            (Some((_, rgb)), None) => self.tinted("▀", rgb),
            (None, Some((_, rgb))) => self.tinted("▄", rgb),
            (Some((_, top)), Some((_, bottom))) => {
                self.paint([Some(top), Some(bottom)]);
                self.text.push('▀');
            }
        }
    }

    /// Ends the line, without colours that would run on and without blanks.
    pub fn end(&mut self) {
        self.paint([None, None]);
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }

    fn paint(&mut self, want: [Option<[u8; 3]>; 2]) {
        if self.colour == Colour::None || self.set == want {
            return;
        }
        let cleared = self.set.iter().zip(&want).any(|(set, want)| set.is_some() && want.is_none());
        if cleared {
            self.text.push_str("\x1b[0m");
            self.set = [None; 2];
        }
        for (i, (layer, rgb)) in [38, 48].into_iter().zip(want).enumerate() {
            let Some(rgb @ [r, g, b]) = rgb.filter(|rgb| self.set[i] != Some(*rgb)) else { continue };
            // Writing to a string cannot fail.
            let _ = match self.colour {
                Colour::True => write!(self.text, "\x1b[{layer};2;{r};{g};{b}m"),
                _ => write!(self.text, "\x1b[{layer};5;{}m", indexed(rgb)),
            };
        }
        self.set = want;
    }
}

fn ramp(t: f32) -> char {
    RAMP[((t * RAMP.len() as f32) as usize).min(RAMP.len() - 1)].into()
}

/// The nearest of xterm's 256 colours: its cube of 6 × 6 × 6, or its 24 greys.
fn indexed(rgb: [u8; 3]) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let nearest = |v: u8| (0..6u8).min_by_key(|i| STEPS[*i as usize].abs_diff(v)).unwrap_or(0);
    let far = |other: [u8; 3]| rgb.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum::<u32>();
    let cube = rgb.map(nearest);
    let mean = (rgb.iter().map(|v| u32::from(*v)).sum::<u32>() / 3) as u8;
    let grey = (mean.saturating_sub(3) / 10).min(23);
    if far([8 + 10 * grey; 3]) < far(cube.map(|i| STEPS[i as usize])) {
        return 232 + grey;
    }
    16 + 36 * cube[0] + 6 * cube[1] + cube[2]
}
