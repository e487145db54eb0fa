use super::Page;
use super::text::{columns, fit, pad};
use crate::figure::{Ink, Intervals};
use crate::text;

/// Columns of the axis, and the most rows drawn.
const LONG: usize = 24;
const MOST: usize = 120;

impl Page {
    pub(super) fn intervals(&mut self, chart: &Intervals) {
        self.lines(&chart.title, Ink::Strong);
        self.lines(&chart.unit, Ink::Soft);
        let left = chart.rows.iter().map(|row| columns(&fit(&row.label, self.width / 3))).max().unwrap_or(0);
        let [low, high] = chart.bounds;
        let place = |x: f32| {
            let share = ((x - low) / (high - low).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
            (share * (LONG - 1) as f32).round() as usize
        };
        for row in chart.rows.iter().take(MOST) {
            for (series, [value, from, to]) in row.estimates.iter().enumerate() {
                let label = if series == 0 { fit(&row.label, self.width / 3) } else { String::new() };
                let mut axis = [' '; LONG];
                if let Some(at) = chart.reference {
                    axis[place(at)] = '|';
                }
                if from.is_finite() && to.is_finite() {
                    axis[place(*from)..=place(*to).max(place(*from))].fill(if self.ascii { '-' } else { '─' });
                }
                if value.is_finite() {
                    axis[place(*value)] = if self.ascii { 'o' } else { '●' };
                }
                self.pen.plain(&format!("{} {} ", pad(&label, left, true), axis.iter().collect::<String>()));
                let name = chart.series.get(series).filter(|_| chart.series.len() > 1);
                let remark = match (series, name) {
                    (0, None) => row.remark.clone(),
                    (0, Some(name)) => format!("{name} · {}", row.remark),
                    (_, name) => name.cloned().unwrap_or_default(),
                };
                let room = self.width.saturating_sub(left + LONG + 2);
                self.write(&fit(&remark, room), Ink::Soft);
                self.pen.end();
            }
        }
        if chart.rows.len() > MOST {
            self.lines(&format!("… {}", text::count(chart.rows.len() - MOST, "more row")), Ink::Soft);
        }
        self.lines(&chart.note, Ink::Soft);
    }
}
