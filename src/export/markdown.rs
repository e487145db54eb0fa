//! Markdown that shows what it is given as text, whatever is in it.

use super::table::{Cell, Table};
use crate::text::count;

/// Rows of a table that somebody may read.
const MOST: usize = 1000;

/// A text as Markdown shows it: nothing in it is markup, a link or a mention.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let text = crate::text::printable(text);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '<' => shown += "&lt;",
            '>' => shown += "&gt;",
            '&' => shown += "&amp;",
            // A code span of its own: no other way keeps a mention from being one.
            '@' => shown += "`@`",
            // Of an address or an emoji's name.
            ':' if chars.peek().is_some_and(|next| !next.is_whitespace()) => shown += "\\:",
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '$' => {
                shown.push('\\');
                shown.push(c);
            }
            _ => shown.push(c),
        }
    }
    shown
}

/// Rows under their heads; numbers stand to the right.
pub fn rows(heads: &[(&str, bool)], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &mut dyn Iterator<Item = String>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut text = line(&mut heads.iter().map(|(head, _)| escaped(head)));
    text += &line(&mut heads.iter().map(|(_, right)| if *right { "---:".into() } else { "---".into() }));
    for row in rows {
        text += &line(&mut row.iter().map(|cell| escaped(cell)));
    }
    text
}

/// A table, of a long one its beginning.
pub fn table(table: &Table) -> String {
    let right =
        |at: usize| matches!(table.rows.first().and_then(|row| row.get(at)), Some(Cell::Whole(_) | Cell::Number(_)));
    let heads: Vec<_> = table.columns.iter().enumerate().map(|(at, column)| (column.name, right(at))).collect();
    let mut text = rows(&heads, table.rows.iter().take(MOST).map(|row| row.iter().map(shown).collect()));
    if let Some(more) = table.rows.len().checked_sub(MOST).filter(|more| *more > 0) {
        text += &format!("\n… and {}, which other formats have.\n", count(more, "more row"));
    }
    text
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Whole(number) => number.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Numbers(all) => all.iter().map(f32::to_string).collect::<Vec<_>>().join(" "),
        Cell::Texts(all) => all.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::table::{number, text};

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escaped("a|b\n<i>*x*</i> [y](z)"), "a\\|b &lt;i&gt;\\*x\\*&lt;/i&gt; \\[y\\](z)");
        assert_eq!(escaped("@you #1 http://x"), "`@`you \\#1 http\\://x");
        let one = Table {
            columns: vec![text("token"), number("score")],
            rows: vec![vec![Cell::Text("|".into()), Cell::Number(0.5)]; MOST + 1],
        };
        let told = table(&one);
        assert!(told.starts_with("| token | score |\n| --- | ---: |\n| \\| | 0.5 |\n"), "{told}");
        assert!(told.ends_with("\n… and 1 more row, which other formats have.\n"));
    }
}
