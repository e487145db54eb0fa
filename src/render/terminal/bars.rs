use super::Page;
use super::text::{columns, fit, pad};
use crate::figure::number::number;
use crate::figure::{Bars, Ink};

/// The most columns of a bar.
const LONGEST: usize = 40;

impl Page {
    pub(super) fn bars(&mut self, bars: &Bars) {
        let title = fit(&bars.title, self.width);
        let used = columns(&title) + 2;
        self.write(&title, Ink::Strong);
        self.write(&format!("  {}", fit(&bars.unit, self.width.saturating_sub(used))), Ink::Soft);
        self.pen.end();
        let count = bars.labels.len().min(bars.values.len());
        let numbers: Vec<String> = bars.values[..count].iter().map(|v| number(*v)).collect();
        let left = bars.labels[..count].iter().map(|l| columns(&fit(l, self.width / 3))).max().unwrap_or(0);
        let right = numbers.iter().map(|n| columns(n)).max().unwrap_or(0);
        let finite = |v: f32| if v.is_finite() { v } else { 0.0 };
        let (low, high) =
            bars.values[..count].iter().fold((0.0f32, 0.0f32), |(a, b), v| (a.min(finite(*v)), b.max(finite(*v))));
        // A number stands at the end of its bar; bars of negative numbers grow to the left.
        let before = if low < 0.0 { right + 1 } else { 0 };
        let length = self.width.saturating_sub(left + before + right + 2).clamp(1, LONGEST);
        let unit = length as f32 / (high - low).max(f32::MIN_POSITIVE);
        let zero = before + (-low * unit).round() as usize;
        for ((label, value), number) in bars.labels.iter().zip(&bars.values).zip(&numbers) {
            self.pen.plain(&pad(&fit(label, self.width / 3), left, true));
            self.pen.plain(" ");
            let share = finite(*value).abs() * unit;
            if *value < 0.0 {
                let bar = (share.round() as usize).min(zero);
                self.pen.plain(&pad(&format!("{number} "), zero - bar, true));
                let block = if self.ascii { "#" } else { "█" };
                self.pen.tinted(&block.repeat(bar), self.theme.ink(Ink::Negative));
            } else {
                self.pen.plain(&" ".repeat(zero));
                self.pen.tinted(&bar(share, self.ascii), self.theme.ink(Ink::Bar));
                self.pen.plain(&format!(" {number}"));
            }
            self.pen.end();
        }
        if bars.more > 0 {
            self.lines(&format!("… {} more", bars.more), Ink::Soft);
        }
        self.lines(&bars.note, Ink::Soft);
    }
}

fn bar(share: f32, ascii: bool) -> String {
    if ascii {
        return "#".repeat(share.round() as usize);
    }
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * 8.0).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}
