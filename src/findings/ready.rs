//! What was found, in any format: figure and data of the whole are made once, however many formats show them.

use super::{Findings, page};
use crate::error::Result;
use crate::export::table::{text, whole};
use crate::export::{self, Table, unwritten};
use crate::figure::Figure;
use crate::format::Format;
use crate::record::Part;
use crate::render::{Fonts, pdf, png, svg, terminal};
use std::io::Write;
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

    /// The layer of a part.
    pub fn layer(&self, part: Option<usize>) -> Option<&str> {
        self.parts.get(part?).map(|part| &*part.layer)
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
        let mut bytes = Vec::new();
        self.write(format, part, fonts, &mut bytes)?;
        Ok(bytes)
    }

    /// The same into a file, without holding all of it where it is numbers.
    ///
    /// # Errors
    /// As [`Self::bytes`], and a failed write.
    pub fn write(
        &self,
        format: Format,
        part: Option<usize>,
        fonts: &Fonts,
        out: &mut (dyn Write + Send),
    ) -> Result<()> {
        let found = self.found;
        let drawn = match format {
            Format::Png => self.draw(part, |figure| png(figure, fonts))?,
            Format::Svg => self.draw(part, |figure| svg(figure, fonts))?.into_bytes(),
            Format::Pdf => self.draw(part, |figure| pdf(figure, fonts))?,
            Format::Txt => self.draw(part, |figure| Ok(terminal(figure, &Default::default())))?.into_bytes(),
            Format::Html => {
                let page = |figure: &Figure| {
                    let mut bytes = Vec::new();
                    page::write(found, part, figure, fonts, &mut bytes).map(|()| bytes)
                };
                self.draw(part, page)?
            }
            Format::Dot => found.dot()?.into_bytes(),
            Format::Md => found.markdown()?.into_bytes(),
            Format::Json | Format::Npz | Format::Safetensors => {
                let (mut data, source) = found.outline(part)?;
                data.record.part = part.and_then(|part| self.parts.get(part).cloned());
                let source = source.as_deref();
                return match format {
                    Format::Json => export::json::write_from(&data, source, out),
                    Format::Npz => export::npz::write_from(&data, source, out),
                    _ => export::safetensors::write_from(&data, source, out),
                };
            }
            Format::Csv => return found.csv(part, ',', out),
            Format::Tsv => return found.csv(part, '\t', out),
            Format::Parquet => {
                let (record, mut out, mut writer) = (found.about().record.of_all_prompts(), Some(out), None);
                found.tables(part, &mut |table| {
                    let table = whose(found, table);
                    if let Some(out) = out.take() {
                        writer = Some(export::parquet::Writer::new(out, &table.columns, &record)?);
                    }
                    writer.as_mut().map_or(Ok(()), |writer| writer.add(table))
                })?;
                return writer.map_or(Ok(()), |writer| writer.finish().map(drop));
            }
        };
        out.write_all(&drawn).map_err(unwritten)
    }

    fn draw<T>(&self, part: Option<usize>, draw: impl Fn(&Figure) -> Result<T>) -> Result<T> {
        let Some(place) = part else { return draw(self.figure()) };
        let mut figure = self.found.part_figure(place)?;
        if let Some(record) = &mut figure.record {
            record.part = self.parts.get(place).cloned();
        }
        draw(&figure)
    }
}

/// The table of one prompt as a part of the table of many: its rows say whose they are.
///
/// # Errors
/// As [`Findings::table`].
pub fn rows(found: &dyn Findings, part: Option<usize>) -> Result<Table> {
    Ok(whose(found, found.table(part)?))
}

fn whose(found: &dyn Findings, table: Table) -> Table {
    let about = found.about();
    let whose = [about.index.into(), about.record.prompt.clone().into()];
    Table {
        columns: [whole("index"), text("prompt")].into_iter().chain(table.columns).collect(),
        rows: table.rows.into_iter().map(|row| whose.iter().cloned().chain(row).collect()).collect(),
    }
}
