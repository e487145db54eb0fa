use super::Page;
use super::text::{columns, fit, pad, short};
use crate::figure::{Ink, Lines, Link};
use crate::text;

/// The most queries of a head that are listed.
const MOST: usize = 60;
const WIDEST: usize = 20;

impl Page {
    /// Each query with the keys that it attends to, the strongest first: lines cannot be drawn with letters.
    pub(super) fn links(&mut self, chart: &Lines) {
        let wide = chart.left.iter().take(MOST).map(|label| columns(&fit(label, WIDEST))).max().unwrap_or(0);
        for one in &chart.series {
            self.lines(&one.name, Ink::Strong);
            for (from, label) in chart.left.iter().enumerate().take(MOST) {
                let mut links: Vec<&Link> = one.links.iter().filter(|link| link.from == from).collect();
                links.sort_by(|a, b| b.weight.total_cmp(&a.weight));
                let key = |link: &&Link| {
                    let label = chart.right.get(link.to).map_or("", String::as_str);
                    format!("{} {}", fit(label, WIDEST), short(link.weight))
                };
                let keys: Vec<String> = links.iter().map(key).collect();
                self.write(&format!("{} → ", pad(&fit(label, WIDEST), wide, true)), Ink::Normal);
                let room = self.width.saturating_sub(wide + 3);
                self.write(&fit(&keys.join("  "), room), Ink::Soft);
                self.pen.end();
            }
            if chart.left.len() > MOST {
                self.lines(&format!("… {}", text::count(chart.left.len() - MOST, "more query")), Ink::Soft);
            }
            self.pen.end();
        }
        self.lines(&chart.note, Ink::Soft);
    }
}
