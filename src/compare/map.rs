//! A map that is drawn as outlines in units of cells: the colours of its cells, whatever runs they are drawn in.

use crate::render::Pixels;
use resvg::usvg::roxmltree::Node;

/// The attribute that holds how many rows and columns a map has.
pub(super) const CELLS: &str = "data-cells";
/// Cells of a map: it is pooled to the pixels of its panel.
const MOST_CELLS: usize = 1 << 25;

/// The cells of a group of outlines, white where nothing is drawn. What was drawn last is on top; a run that reaches under the next row is
/// of its own row.
pub(super) fn cells(group: &Node, size: &str) -> Result<Pixels, String> {
    let broken = || "a map in it is broken".to_owned();
    let (rows, cols) = size.split_once(' ').ok_or_else(broken)?;
    let (height, width): (usize, usize) = (rows.parse().map_err(|_| broken())?, cols.parse().map_err(|_| broken())?);
    let count = height.checked_mul(width).filter(|count| (1..=MOST_CELLS).contains(count)).ok_or_else(broken)?;
    let mut rgb = vec![255; 3 * count];
    for outline in group.children().filter(Node::is_element) {
        let colour = outline.attribute("fill").and_then(super::markup::colour).ok_or_else(broken)?;
        for run in outline.attribute("d").unwrap_or_default().split('M').skip(1) {
            let [col, row, len] = run_of(run).ok_or_else(broken)?;
            let end = col.checked_add(len).filter(|end| *end <= width && row < height).ok_or_else(broken)?;
            rgb[3 * (row * width + col)..3 * (row * width + end)].as_chunks_mut::<3>().0.fill(colour);
        }
    }
    Ok(Pixels { width, height, rgb })
}

/// Column, row and length of `3 0h5v1H3z`.
fn run_of(run: &str) -> Option<[usize; 3]> {
    let (col, rest) = run.split_once(' ')?;
    let (row, rest) = rest.split_once('h')?;
    let (len, _) = rest.split_once('v')?;
    Some([col.parse().ok()?, row.parse().ok()?, len.parse().ok()?])
}

#[cfg(test)]
mod tests {
    use super::super::markup::differences;
    use crate::compare::Tolerance;

    fn svg(outlines: &str) -> Vec<u8> {
        format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><g data-cells=\"2 3\">{outlines}</g></svg>").into_bytes()
    }

    #[test]
    fn maps_are_compared_by_their_cells_in_whatever_runs_they_are_drawn() {
        let one = svg("<path fill=\"#102030\" d=\"M0 0h3v1H0zM0 1h1v1H0z\"/>");
        let two =
            svg("<path fill=\"#102030\" d=\"M0 0h1v1H0zM0 1h1v1H0z\"/><path fill=\"#112030\" d=\"M1 0h2v1H1z\"/>");
        assert!(differences(&one, &two, &Tolerance::default()).is_empty());
        let other = svg("<path fill=\"#ff2030\" d=\"M0 0h3v1H0zM0 1h1v1H0z\"/>");
        let found = differences(&one, &other, &Tolerance::default());
        assert!(found.len() == 1 && found[0].contains("pixels"), "{found:?}");
        for broken in ["M0 0h9v1H0z", "M0 2h1v1H0z", "M0 0h-1v1H0z", "Mx", "M18446744073709551615 0h1v1H0z"] {
            let broken = svg(&format!("<path fill=\"#102030\" d=\"{broken}\"/>"));
            assert!(differences(&broken, &one, &Tolerance::default())[0].contains("broken"));
        }
    }
}
