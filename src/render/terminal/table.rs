use super::Page;
use super::text::{columns, fit, pad};
use crate::figure::{Column, Ink, Table};
use crate::text;

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
        // Columns that have no room beside one another stand below, behind the first one again.
        let widths: Vec<usize> = table.columns.iter().map(|column| wide(column).min(self.width)).collect();
        let mut parts: Vec<Vec<(&Column, usize)>> = Vec::new();
        let used = |part: &[(&Column, usize)]| part.iter().map(|(_, wide)| wide + GAP).sum::<usize>();
        for (column, wide) in table.columns.iter().zip(widths) {
            match parts.last_mut() {
                Some(part) if used(part) + wide <= self.width => part.push((column, wide)),
                Some(part) => {
                    let first: Vec<_> =
                        part.first().copied().filter(|(_, own)| own + GAP + wide <= self.width).into_iter().collect();
                    parts.push(first.into_iter().chain([(column, wide)]).collect());
                }
                None => parts.push(vec![(column, wide)]),
            }
        }
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.pen.end();
            }
            self.columns(part, drawn);
        }
        if count > drawn {
            self.lines(&format!("… {}", text::count(count - drawn, "more row")), Ink::Soft);
        }
        self.lines(&table.note, Ink::Soft);
    }

    /// Columns of so many rows beside one another.
    fn columns(&mut self, shown: &[(&Column, usize)], rows: usize) {
        let between = |i: usize| if i + 1 < shown.len() { " ".repeat(GAP) } else { String::new() };
        for (i, (column, wide)) in shown.iter().enumerate() {
            let head = pad(&fit(&column.head, *wide), *wide, column.right) + &between(i);
            self.write(&head, Ink::Soft);
        }
        self.pen.end();
        for row in 0..rows {
            for (i, (column, wide)) in shown.iter().enumerate() {
                let text = column.cells.get(row).map_or(String::new(), |cell| fit(cell, *wide));
                let shade = column.shades.get(row).and_then(|shade| self.tone(*shade, &column.scale));
                self.pen.on(shade, &pad(&text, *wide, column.right));
                self.pen.plain(&between(i));
            }
            self.pen.end();
        }
    }
}
