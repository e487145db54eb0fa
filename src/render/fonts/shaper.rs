//! Texts shaped as resvg shapes them.

use harfrust::script::UNKNOWN;
use harfrust::{FontRef, GlyphBuffer, ShapeOptions, ShapePlan, ShaperData, UnicodeBuffer};
use std::sync::{Arc, Mutex, PoisonError};

/// A font that shapes texts. What it does for a script is worked out once, which takes as long as shaping a label.
pub(super) struct Shaper<'a> {
    font: FontRef<'a>,
    data: ShaperData,
    plans: Mutex<Vec<Arc<ShapePlan>>>,
}

impl<'a> Shaper<'a> {
    pub fn new(font: FontRef<'a>) -> Self {
        Self { data: ShaperData::new(&font), font, plans: Mutex::default() }
    }

    /// The glyphs of a text, and how many units an em has.
    pub fn shape(&self, text: &str) -> (GlyphBuffer, f32) {
        let shaper = self.data.shaper(&self.font).build();
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        let (script, direction) = (Some(buffer.script()).filter(|script| *script != UNKNOWN), buffer.direction());
        let plan = {
            let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
            plans.iter().find(|plan| (plan.script(), plan.direction()) == (script, direction)).cloned().unwrap_or_else(
                || {
                    let plan = Arc::new(ShapePlan::new(&shaper, direction, script, None, &[]));
                    plans.push(plan.clone());
                    plan
                },
            )
        };
        (shaper.shape(buffer, ShapeOptions::new().plan(Some(&plan))), shaper.units_per_em().max(1) as f32)
    }

    /// The width of a text in ems.
    pub fn width(&self, text: &str) -> f32 {
        let (glyphs, units) = self.shape(text);
        glyphs.glyph_positions().iter().map(|place| place.x_advance as f32).sum::<f32>() / units
    }
}
