//! A figure laid out on its page, whose size a reader can use and files of shapes have exactly.

use super::fonts::Fonts;
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::figure::layout::{self, Scene};

/// Sizes in pixels that a page may have.
const SIZES: std::ops::RangeInclusive<u32> = 120..=20_000;

/// The figure laid out, and how many pixels one at 96 dpi has.
pub(super) fn scene<'a>(figure: &'a Figure, fonts: &Fonts) -> Result<(f32, Scene<'a>)> {
    if let Some(size) = [figure.width, figure.height].into_iter().flatten().find(|size| !SIZES.contains(size)) {
        let hint = format!("give a size between {} and {} pixels", SIZES.start(), SIZES.end());
        return Err(Error::usage(format!("a picture cannot have {size} pixels to a side")).hint(hint));
    }
    let detail = detail(figure)?;
    let scene = layout::layout(figure, fonts);
    if !scene.whole {
        readable(figure, fonts)?;
    }
    Ok((detail, scene))
}

/// By how much a page is larger than it is laid out, so that its sides are exactly what was asked for: layouts have whole pixels.
pub(super) fn stretch(figure: &Figure, scene: &Scene) -> [f64; 2] {
    let [w, h] = sides(scene, [1.0; 2]);
    let by = |exact: Option<f64>, given: Option<u32>, side: f64| exact.map(|exact| exact / side).or(given.map(|_| 1.0));
    let (x, y) = (by(figure.exact[0], figure.width, w), by(figure.exact[1], figure.height, h));
    [x.or(y).unwrap_or(1.0), y.or(x).unwrap_or(1.0)]
}

/// The sides of a page in pixels of a screen, stretched by so much.
pub(super) fn sides(scene: &Scene, [x, y]: [f64; 2]) -> [f64; 2] {
    [f64::from(scene.width * scene.zoom) * x, f64::from(scene.height * scene.zoom) * y]
}

/// Fails where a figure has a size at which it cannot be read, and says which it needs.
fn readable(figure: &Figure, fonts: &Fonts) -> Result<()> {
    let Some((w, h)) = layout::least(figure, fonts) else { return Ok(()) };
    let named = |sides: [Option<u32>; 2]| match sides {
        [Some(w), Some(h)] => format!("{w} × {h} pixels"),
        [Some(w), None] => format!("{w} pixels of width"),
        [None, Some(h)] => format!("{h} pixels of height"),
        [None, None] => "another size".to_owned(),
    };
    let error = Error::usage(format!("this figure cannot be read on {}", named([figure.width, figure.height])));
    Err(error.hint(format!("it needs at least {}", named([w, h]))).option(if w.is_some() { "width" } else { "height" }))
}

/// Pixels per unit of layout.
pub(super) fn detail(figure: &Figure) -> Result<f32> {
    match figure.dpi {
        dpi if (10.0..=2400.0).contains(&dpi) => Ok(dpi / 96.0),
        dpi => Err(Error::usage(format!("a picture cannot have {dpi} pixels per inch"))
            .hint("give a number between 10 and 2400, such as 96 for a screen or 300 for print")),
    }
}
