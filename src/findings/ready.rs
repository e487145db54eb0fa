//! What was found, in any format: figure and data of the whole are made once, however many formats show them.

use super::Findings;
use crate::error::Result;
use crate::export::table::{text, whole};
use crate::export::{self, Data, Table};
use crate::figure::Figure;
use crate::format::Format;
use crate::record::Part;
use crate::render::{Fonts, png, svg, terminal};
use std::sync::OnceLock;

/// Findings whose whole figure is made once.
pub struct Ready<'a> {
    found: &'a dyn Findings,
    parts: Vec<Part>,
    figure: OnceLock<Figure>,
}

impl<'a> Ready<'a> {
    /// Nothing is made yet.
    pub fn new(found: &'a dyn Findings) -> Self {
        Self { found, parts: found.parts(), figure: OnceLock::new() }
    }

    /// What was found.
    pub fn found(&self) -> &'a dyn Findings {
        self.found
    }

    /// The layer and head of each part.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The whole figure.
    pub fn figure(&self) -> &Figure {
        self.figure.get_or_init(|| self.found.figure(None))
    }

    /// What was found, in one format: all, or one part, which says so in its record.
    ///
    /// # Errors
    /// A picture too large to draw, or more numbers than a text format should hold.
    pub fn bytes(&self, format: Format, part: Option<usize>, fonts: &Fonts) -> Result<Vec<u8>> {
        let found = self.found;
        let mut bytes = Vec::new();
        match format {
            Format::Png => bytes = self.draw(part, |figure| png(figure, fonts))?,
            Format::Svg => bytes = self.draw(part, |figure| svg(figure, fonts))?.into_bytes(),
            Format::Txt => bytes = self.draw(part, |figure| Ok(terminal(figure, &Default::default())))?.into_bytes(),
            Format::Json => export::json::write(&self.data(part)?, &mut bytes)?,
            Format::Npz => export::npz::write(&self.data(part)?, &mut bytes)?,
            Format::Safetensors => export::safetensors::write(&self.data(part)?, &mut bytes)?,
            Format::Csv => found.csv(part, &mut bytes)?,
            Format::Tsv => export::csv::write_separated(&found.table(part)?, '\t', &mut bytes)?,
            Format::Parquet => {
                let record = found.about().record.of_all_prompts();
                bytes = export::parquet::write(rows(found, part)?, &record, bytes)?;
            }
        }
        Ok(bytes)
    }

    fn draw<T>(&self, part: Option<usize>, draw: impl Fn(&Figure) -> Result<T>) -> Result<T> {
        let Some(place) = part else { return draw(self.figure()) };
        let mut figure = self.found.figure(part);
        if let Some(record) = &mut figure.record {
            record.part = self.parts.get(place).cloned();
        }
        draw(&figure)
    }

    fn data(&self, part: Option<usize>) -> Result<Data> {
        let mut data = self.found.data(part)?;
        data.record.part = part.and_then(|part| self.parts.get(part).cloned());
        Ok(data)
    }
}

/// The table of one prompt as a part of the table of many: its rows say whose they are.
///
/// # Errors
/// As [`Findings::table`].
pub fn rows(found: &dyn Findings, part: Option<usize>) -> Result<Table> {
    let (table, about) = (found.table(part)?, found.about());
    let whose = [about.index.into(), about.record.prompt.clone().into()];
    Ok(Table {
        columns: [whole("index"), text("prompt")].into_iter().chain(table.columns).collect(),
        rows: table.rows.into_iter().map(|row| whose.iter().cloned().chain(row).collect()).collect(),
    })
}
