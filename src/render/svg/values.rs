//! What is said and not seen: title, description and record, and the numbers of cells where a reader points.

use super::fine;
use crate::error::Result;
use crate::export::record::json;
use crate::figure::Figure;
use crate::figure::layout::{Item, Rect, Scene};
use crate::record::NAME;
use crate::render::visible;
use crate::text::xml;
use std::fmt::Write as _;

/// A figure of more cells does not say each cell's number.
const MOST_VALUES: usize = 2000;
/// The attribute of a group that shows nothing and says the numbers of cells.
pub(crate) const VALUES: &str = "data-values";

/// What readers are told: title, description and the record, where there is one.
pub(super) fn said(out: &mut String, figure: &Figure) -> Result<()> {
    let first = figure.subtitle.first().map_or(NAME, |line| line);
    let title = xml(&visible(if figure.title.is_empty() { first } else { &figure.title }));
    let desc = xml(&visible(&figure.described()));
    write!(out, "<title id=\"title\">{title}</title>\n<desc id=\"desc\">{desc}</desc>\n")?;
    if let Some(record) = &figure.record {
        writeln!(out, "<metadata id=\"{NAME}\">{}</metadata>", xml(&json(record)?))?;
    }
    Ok(())
}

/// Over each cell nothing that can be seen, but that says its number where a reader points.
pub(super) fn values(out: &mut String, figure: &Figure, scene: &Scene) -> Result<()> {
    let maps = figure.maps();
    let cells = maps.iter().map(|map| map.values.data.iter().filter(|value| value.is_finite()).count()).sum::<usize>();
    if cells > MOST_VALUES {
        return Ok(());
    }
    for item in &scene.items {
        let Item::Cells(Rect { x, y, w, h }, matrix, _) = item else { continue };
        let Some(map) = maps.iter().find(|map| std::ptr::eq(map.values, *matrix)) else { continue };
        let map = map.named(|name| xml(&visible(name)));
        let (across, down) = (fine(*w) / matrix.cols.max(1) as f32, fine(*h) / matrix.rows.max(1) as f32);
        writeln!(
            out,
            "<g {VALUES}=\"\" fill=\"none\" pointer-events=\"all\" transform=\"matrix({across} 0 0 {down} {} {})\">",
            fine(*x),
            fine(*y)
        )?;
        for (row, col) in (0..matrix.rows).flat_map(|row| (0..matrix.cols).map(move |col| (row, col))) {
            if let Some(said) = map.cell(row, col) {
                writeln!(out, "<path d=\"M{col} {row}h1v1h-1z\"><title>{said}</title></path>")?;
            }
        }
        out.push_str("</g>\n");
    }
    Ok(())
}
