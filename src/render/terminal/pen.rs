//! Coloured cells in a terminal: background colours, half blocks, or signs of growing weight where colour is not wanted.

use std::fmt::Write as _;

use super::Colour;
use crate::figure::readable;

/// What a cell shows. `None` shows nothing.
pub(super) type Cell = Option<Tone>;

/// A number's place on its scale, and its colour.
#[derive(Clone, Copy)]
pub(super) struct Tone {
    pub t: f32,
    pub rgb: [u8; 3],
    /// Whether the middle of the scale is 0, and what is below it negative.
    pub signed: bool,
}

/// From nothing to much, for terminals without colour, and from little below 0 to much below 0.
const SHADES: [[&str; 2]; 2] = [["·░▒▓█", "·-=≡▤"], [".,:-=+*#%@", ".;~oO"]];
/// The same with the few colours that a basic terminal has.
const BASIC: &str = "░▒▓█";

/// A line of output that changes colours only where it has to.
pub(super) struct Pen {
    pub text: String,
    colour: Colour,
    ascii: bool,
    /// Foreground and background as set at the end of the text.
    set: [Option<[u8; 3]>; 2],
}

impl Pen {
    pub fn new(colour: Colour, ascii: bool) -> Self {
        Self { text: String::new(), colour, ascii, set: [None; 2] }
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

    /// Text on a cell; without colours, the text alone.
    pub fn on(&mut self, cell: Cell, text: &str) {
        match cell {
            Some(tone) if self.many() => self.paint([Some(readable(tone.rgb)), Some(tone.rgb)]),
            Some(tone) => self.paint([Some(tone.rgb), None]),
            None => self.paint([None, None]),
        }
        self.text.push_str(text);
    }

    /// A cell that is `wide` columns wide and one line high.
    pub fn cell(&mut self, cell: Cell, wide: usize) {
        match cell {
            Some(tone) if !self.many() => {
                let shade = self.shade(tone);
                self.tinted(&shade.to_string().repeat(wide), tone.rgb);
            }
            _ => self.on(cell, &" ".repeat(wide)),
        }
    }

    /// Two cells above one another in one column, where there are [colours enough](Self::many).
    pub fn halves(&mut self, top: Cell, bottom: Cell) {
        match (top, bottom) {
            (None, None) => self.plain(" "),
            (Some(top), None) => self.tinted("▀", top.rgb),
            (None, Some(bottom)) => self.tinted("▄", bottom.rgb),
            (Some(top), Some(bottom)) => {
                self.paint([Some(top.rgb), Some(bottom.rgb)]);
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

    /// Whether there are colours enough to show a number by its colour alone.
    pub fn many(&self) -> bool {
        matches!(self.colour, Colour::True | Colour::Indexed)
    }

    fn shade(&self, tone: Tone) -> char {
        let (strength, below) = match tone.signed {
            true => ((2.0 * tone.t - 1.0).abs(), tone.t < 0.5),
            false => (tone.t, false),
        };
        let shades = match self.colour {
            Colour::Basic if !self.ascii => BASIC,
            _ => SHADES[usize::from(self.ascii)][usize::from(below)],
        };
        let count = shades.chars().count();
        shades.chars().nth(((strength * count as f32) as usize).min(count - 1)).unwrap_or(' ')
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
                Colour::Indexed => write!(self.text, "\x1b[{layer};5;{}m", indexed(rgb)),
                _ => write!(self.text, "\x1b[{}m", layer - 8 + basic(rgb)),
            };
        }
        self.set = want;
    }
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

/// One of the eight colours that every terminal has, by hue alone: how light they are is up to the user. 9 is the terminal's own.
fn basic(rgb: [u8; 3]) -> u8 {
    let (most, least) = (rgb.iter().max().copied().unwrap_or(0), rgb.iter().min().copied().unwrap_or(0));
    if most - least < 24 {
        return 9;
    }
    let middle = least + (most - least) / 2;
    rgb.iter().enumerate().map(|(bit, v)| if *v > middle { 1 << bit } else { 0 }).sum()
}
