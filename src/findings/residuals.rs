//! How large the residual grows and how much attention rests on the first token (`lens` with `norms`), as figures, data and tables.

use super::Findings;
use super::lens::Options;
use super::subject::{About, Subject, in_a_line, next_of_all, percent};
use crate::analysis::Prediction;
use crate::analysis::residuals::{LARGEST, Large, Residuals, residuals};
use crate::error::Result;
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::residuals::{norms, summary};
use crate::figure::{Figure, Scale, ScaleKind};
use serde_json::{Map, Value, json};
use std::iter::once;

/// What was found of a prompt.
pub(super) struct Norms<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    found: Residuals,
    next: Vec<Prediction>,
    /// What each row comes after.
    rows: Vec<String>,
}

impl<'a> Norms<'a> {
    pub fn find(options: &'a Options, subject: Subject<'a>) -> Result<Self> {
        let session = subject.session;
        let found = residuals(session.model(), &subject.prompt.ids)?;
        let next = next_of_all(session, once((&subject.prompt, &found.resid)))?.remove(0);
        let layers = (0..session.spec().layers).map(|layer| format!("layer {layer}"));
        let rows = once("embedding".into()).chain(layers).collect();
        Ok(Self { options, subject, found, next, rows })
    }

    /// A dimension in words.
    fn named(&self, large: &Large) -> String {
        let Large { dimension, position, value } = *large;
        let number = match value.abs() >= 100.0 {
            true => format!("{value:.0}"),
            false => format!("{value:.2}"),
        };
        let token = in_a_line(&self.subject.prompt.tokens[position].label);
        format!("{dimension}: {} at {token} ({position})", number.replace('-', "−"))
    }

    /// The mean over layers of the attention on the first token.
    fn sink(&self) -> Option<f64> {
        let first = &self.found.first;
        let mean = first.iter().map(|x| f64::from(*x)).sum::<f64>() / first.len() as f64;
        mean.is_finite().then_some(mean)
    }

    fn values(&self) -> Vec<f32> {
        self.found.depths.iter().flat_map(|depth| depth.norms.iter().copied()).collect()
    }

    fn scale(&self) -> Scale {
        let (style, values) = (&self.options.style, self.values());
        // Massive activations are orders of magnitude above the rest.
        let kind = if style.scale == ScaleKind::Linear { ScaleKind::Log } else { style.scale };
        let least = values.iter().copied().filter(|x| *x > 0.0).fold(f32::INFINITY, f32::min);
        Scale {
            kind,
            colormap: style.colormap.unwrap_or_default(),
            min: if kind == ScaleKind::Log { least } else { 0.0 },
            max: values.iter().copied().fold(f32::MIN_POSITIVE, f32::max),
            unit: "norm of the residual".into(),
            ..Scale::default()
        }
    }
}

impl Findings for Norms<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let named = |place: usize| -> Vec<String> {
            let large = self.found.depths.iter().map(|depth| depth.largest.get(place));
            large.map(|large| large.map_or_else(String::new, |large| self.named(large))).collect()
        };
        let panels = vec![
            norms(self.values(), self.rows.clone(), self.subject.labels(), self.scale()),
            summary(&self.found, self.rows.clone(), std::array::from_fn(named)),
        ];
        let mut lines = vec![self.subject.line("the norm of the residual, its largest dimensions, and the sink")];
        lines.extend(self.sink().map(|sink| {
            format!(
                "attention on the first token: {}, the mean over layers, heads and queries from the second on",
                percent(sink)
            )
        }));
        lines.extend(self.subject.next_line(&self.next));
        self.options.style.figure(&self.subject, lines, panels)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let (rows, n) = (self.rows.len(), self.subject.prompt.tokens.len());
        let depths = &self.found.depths;
        let count = depths[0].largest.len();
        let array = |name: &str, shape: Vec<usize>, values: Vec<f32>| Array { name: name.into(), shape, values };
        let largest = |name: &str, of: fn(&Large) -> f32| {
            let values = depths.iter().flat_map(|depth| depth.largest.iter().map(of)).collect();
            array(name, vec![rows, count], values)
        };
        let whole = |of: fn(&Large) -> usize| -> Value {
            depths.iter().map(|depth| depth.largest.iter().map(of).collect::<Value>()).collect()
        };
        let arrays = vec![
            array("norm", vec![rows, n], self.values()),
            array("median", vec![rows], depths.iter().map(|depth| depth.median).collect()),
            largest("largest", |large| large.value),
            largest("largest_dimension", |large| large.dimension as f32),
            largest("largest_position", |large| large.position as f32),
            array("first_token", vec![self.found.first.len()], self.found.first.clone()),
        ];
        let fields = Map::from_iter([
            ("largest_dimension".into(), whole(|large| large.dimension)),
            ("largest_position".into(), whole(|large| large.position)),
        ]);
        let settings =
            Map::from_iter([("rows".into(), json!(self.rows)), ("bos".into(), self.options.reading.bos.into())]);
        Ok(self.subject.data(vec![Entry { method: "norms".into(), settings, fields, arrays }]))
    }

    /// A row for each norm, each of the largest dimensions, each median and each share of the first token.
    fn table(&self, _: Option<usize>) -> Result<Table> {
        let tokens = &self.subject.prompt.tokens;
        let columns = vec![
            text("after"),
            text("measure"),
            whole("position"),
            text("token"),
            whole("place"),
            whole("dimension"),
            number("value"),
        ];
        let at = |position: usize| -> [Cell; 2] { [position.into(), tokens[position].text.clone().into()] };
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let none = [Cell::Empty, Cell::Empty];
        for (row, (after, depth)) in self.rows.iter().zip(&self.found.depths).enumerate() {
            let mut add = |measure: &str, [position, token]: [Cell; 2], [place, dimension]: [Cell; 2], value: f32| {
                let named = vec![after.clone().into(), measure.into(), position, token];
                rows.push(named.into_iter().chain([place, dimension, value.into()]).collect());
            };
            depth.norms.iter().enumerate().for_each(|(i, norm)| add("norm", at(i), none.clone(), *norm));
            for (place, large) in (1..=LARGEST).zip(&depth.largest) {
                add("largest", at(large.position), [place.into(), large.dimension.into()], large.value);
            }
            add("median", none.clone(), none.clone(), depth.median);
            if row > 0 {
                add("first_token", none.clone(), none.clone(), self.found.first[row - 1]);
            }
        }
        Ok(Table { columns, rows })
    }
}
