//! How a page's width is divided: margins, maps, and the bars beside them.

const MARGIN: f32 = 32.0;
/// How wide bars beside maps are.
pub(super) const BARS: f32 = 220.0;
/// Between a map and the bars beside it.
pub(super) const BESIDE: f32 = 40.0;
/// A page narrower than this has its bars under the maps.
pub(super) const WIDE: f32 = 640.0;
/// A page of at least one and a half times this size is drawn larger, not with more room around the same letters.
const LARGE: f32 = 1000.0;

/// Pixels per unit: halves, so that cells of whole units mostly stay whole pixels.
pub(super) fn zoom(width: Option<u32>, height: Option<u32>) -> f32 {
    let side = width.into_iter().chain(height).min().unwrap_or(0) as f32;
    ((side / LARGE * 2.0).floor() / 2.0).max(1.0)
}

/// How wide the margin is, what is left for the maps of a page of that many units, and whether bars stand beside them.
pub(super) fn columns(width: Option<f32>, with_bars: bool) -> (f32, Option<f32>, bool) {
    let Some(width) = width else { return (MARGIN, None, with_bars) };
    let margin = (width * 0.045).clamp(8.0, MARGIN).floor();
    let inner = width - 2.0 * margin;
    let beside = with_bars && inner >= WIDE;
    (margin, Some(if beside { inner - BARS - BESIDE } else { inner }), beside)
}

/// The same for a page that is nothing but maps: hairlines at its edges still fit on it.
pub(super) fn bare(width: Option<f32>) -> (f32, Option<f32>, bool) {
    const EDGE: f32 = 2.0;
    (EDGE, width.map(|width| width - 2.0 * EDGE), false)
}
