use super::Page;
use super::text::{columns, fit, pad};
use crate::figure::{Column, Ink, Table};

/// The most rows drawn.
const MOST: usize = 40;
const WIDEST: usize = 40;
const GAP: usize = 2;

impl Page {
    pub(super) fn table(&mut self, table: &Table) {
        self.lines(&table.title, Ink::Strong);
        let count = table.columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
        let drawn = if count > MOST { MOST - 1 } else { count };
        let wide = |column: &Column| {
            let cells = column.cells.iter().take(drawn).map(|cell| columns(&fit(cell, WIDEST)));
            cells.fold(columns(&fit(&column.head, WIDEST)), usize::max)
        };
        let mut room = self.width + GAP;
        let mut shown: Vec<(&Column, usize)> = Vec::new();
        for column in &table.columns {
            let wide = wide(column).min(self.width);
            if wide + GAP > room {
                break;
            }
            room -= wide + GAP;
            shown.push((column, wide));
        }
        let between = |i: usize| if i + 1 < shown.len() { " ".repeat(GAP) } else { String::new() };
        for (i, (column, wide)) in shown.iter().enumerate() {
            let head = pad(&fit(&column.head, *wide), *wide, column.right) + &between(i);
            self.write(&head, Ink::Soft);
        }
        self.pen.end();
        for row in 0..drawn {
            for (i, (column, wide)) in shown.iter().enumerate() {
                let text = column.cells.get(row).map_or(String::new(), |cell| fit(cell, *wide));
                let shade = column.shades.get(row).and_then(|shade| self.tone(*shade, &column.scale));
                self.pen.on(shade, &pad(&text, *wide, column.right));
                self.pen.plain(&between(i));
            }
            self.pen.end();
        }
        let hidden = [(count - drawn, "rows"), (table.columns.len() - shown.len(), "columns")];
        for (left, what) in hidden.into_iter().filter(|(left, _)| *left > 0) {
            self.lines(&format!("… {left} more {what}"), Ink::Soft);
        }
        self.lines(&table.note, Ink::Soft);
    }
}
