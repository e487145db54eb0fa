//! A PDF of attnviz as an SVG with the same shapes and texts, so that one comparison serves both. It reads nothing but what attnviz
//! writes: one page, one operator a line.

use crate::text::xml;
use flate2::read::ZlibDecoder;
use std::fmt::Write as _;
use std::io::Read;

/// Units of a drawing for each of the page's.
const UNITS: f32 = 10.0;
/// Points per pixel of a screen.
const POINTS: f32 = 0.75;
/// A packed stream is not unpacked beyond this, in bytes.
const MOST: u64 = 256 << 20;
/// Cells of one map.
const MOST_CELLS: usize = 1 << 25;

/// The drawing of a PDF.
pub(super) fn svg(pdf: &[u8]) -> Result<String, String> {
    let streams = streams(pdf);
    let page = streams.iter().find_map(|stream| stream.unpacked().filter(|text| text.contains(" cm\n")));
    let page = page.filter(|_| pdf.starts_with(b"%PDF-")).ok_or("it is no PDF of attnviz")?;
    let images = streams.iter().filter(|stream| has(stream.head, b"/Subtype/Image")).collect();
    let mut drawing = Drawing { images, fonts: fonts(pdf), width: 1.0, ..Drawing::default() };
    for ramp in streams.iter().filter(|stream| has(stream.head, b"/FunctionType 0")) {
        drawing.gradient(ramp.data);
    }
    for line in page.lines() {
        drawing.line(line).ok_or_else(|| format!("it is a broken PDF ({:?})", super::quote(line)))?;
    }
    let [_, _, w, h] = drawing.page.ok_or("it is a PDF without a page")?;
    let (w, h) = (w * drawing.unit / POINTS, h * drawing.unit / POINTS);
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {} {}\">\n{}</svg>",
        w * UNITS * POINTS / drawing.unit,
        h * UNITS * POINTS / drawing.unit,
        drawing.out
    ))
}

/// What an object begins with, and its stream.
struct Stream<'a> {
    head: &'a [u8],
    data: &'a [u8],
}

impl Stream<'_> {
    fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        ZlibDecoder::new(self.data).take(MOST).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn unpacked(&self) -> Option<String> {
        String::from_utf8(self.bytes().filter(|_| has(self.head, b"/FlateDecode"))?).ok()
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn has(bytes: &[u8], what: &[u8]) -> bool {
    find(bytes, what).is_some()
}

/// The streams of all objects, in the order of the file.
fn streams(pdf: &[u8]) -> Vec<Stream<'_>> {
    let (mut all, mut rest) = (Vec::new(), pdf);
    while let Some(at) = find(rest, b"stream\n") {
        let (before, data) = (&rest[..at], &rest[at + 7..]);
        let head = before.windows(4).rposition(|window| window == b"obj\n").map_or(before, |from| &before[from..]);
        let digits = find(head, b"/Length ").map(|from| &head[from + 8..]).unwrap_or_default();
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        let length = std::str::from_utf8(&digits[..end]).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0usize);
        let (data, after) = data.split_at(length.min(data.len()));
        all.push(Stream { head, data });
        rest = after.strip_prefix(b"\nendstream\n").unwrap_or(after);
    }
    all
}

/// The names of the fonts, in the order of their numbers, without what tells subsets apart.
fn fonts(pdf: &[u8]) -> Vec<String> {
    const BEFORE: &[u8] = b"/Subtype/Type0/BaseFont/";
    let (mut all, mut rest) = (Vec::new(), pdf);
    while let Some(at) = find(rest, BEFORE) {
        rest = &rest[at + BEFORE.len()..];
        let end = rest
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'-'))
            .unwrap_or(rest.len());
        let name = String::from_utf8_lossy(&rest[..end]);
        all.push(name.split_once('+').map_or(&*name, |(_, name)| name).to_owned());
    }
    all
}

/// The SVG while its page is read.
#[derive(Default)]
struct Drawing<'a> {
    images: Vec<&'a Stream<'a>>,
    fonts: Vec<String>,
    gradients: usize,
    /// Points for a unit.
    unit: f32,
    page: Option<[f32; 4]>,
    fill: String,
    stroke: String,
    width: f32,
    dashed: bool,
    /// The rectangles and points of the path.
    rects: Vec<[f32; 4]>,
    points: String,
    map: Option<Map>,
    text: Option<Text>,
    out: String,
}

/// A map while it is read.
#[derive(Default)]
struct Map {
    rows: usize,
    cols: usize,
    palette: Vec<String>,
    place: Vec<f32>,
    paths: String,
}

/// A text while it is read.
#[derive(Default)]
struct Text {
    said: String,
    font: String,
    size: f32,
    place: Vec<f32>,
}

impl Drawing<'_> {
    fn gradient(&mut self, colours: &[u8]) {
        let _ = write!(self.out, "<linearGradient id=\"S{}\">", self.gradients); // a text has room
        self.gradients += 1;
        let last = (colours.len() / 3).max(2) - 1;
        for (i, [r, g, b]) in colours.as_chunks::<3>().0.iter().enumerate() {
            let offset = i as f32 / last as f32;
            let _ = write!(self.out, "<stop offset=\"{offset}\" stop-color=\"#{r:02x}{g:02x}{b:02x}\"/>");
        }
        self.out += "</linearGradient>\n";
    }

    /// One operator; nothing where it is broken.
    fn line(&mut self, line: &str) -> Option<()> {
        let (operands, operator) = line.rsplit_once(' ').unwrap_or(("", line));
        let numbers: Vec<f32> = operands.split(' ').filter_map(|number| number.parse().ok()).collect();
        let three = || numbers.first_chunk::<3>().map(|parts| parts.map(|part| (part * 255.0).round() as u8));
        let hex = || three().map(|[r, g, b]| format!("#{r:02x}{g:02x}{b:02x}"));
        match operator {
            "cm" if self.unit == 0.0 => self.unit = numbers.first().copied().filter(|unit| *unit > 0.0)?,
            "cm" => self.map.iter_mut().for_each(|map| map.place.clone_from(&numbers)),
            "rg" => self.fill = hex()?,
            "RG" => self.stroke = hex()?,
            "re" => {
                let rect = *numbers.first_chunk()?;
                self.page.get_or_insert(rect);
                self.rects.push(rect);
            }
            "m" | "l" => {
                let [x, y] = *numbers.first_chunk()?;
                let _ = write!(self.points, "{},{} ", x * UNITS, y * UNITS);
            }
            "w" => self.width = *numbers.first()?,
            "d" => self.dashed = true,
            "Q" => (self.width, self.dashed) = (1.0, false),
            "f" => self.filled()?,
            "S" => self.stroked(),
            "sh" => {
                let fill = format!("url(#{})", xml(operands.trim_start_matches('/')));
                self.rects.drain(..).for_each(|rect| self.out += &rectangle(rect, &fill));
            }
            "BDC" => self.begin(operands)?,
            "Do" => self.image(operands)?,
            "Tf" => {
                let (font, size) = operands.split_once(' ')?;
                let font = self.fonts.get(font.strip_prefix("/F")?.parse::<usize>().ok()?)?.clone();
                let text = self.text.as_mut()?;
                (text.font, text.size) = (font, size.parse().ok()?);
            }
            "Tm" => {
                let text = self.text.as_mut()?;
                if text.place.is_empty() {
                    text.place = numbers;
                }
            }
            "EMC" => self.end()?,
            _ => {}
        }
        Some(())
    }

    fn begin(&mut self, what: &str) -> Option<()> {
        if let Some(said) = what.strip_prefix("/Span <</ActualText <FEFF") {
            let said = said.strip_suffix(">>>")?;
            let units =
                said.as_bytes().chunks(4).map(|unit| u16::from_str_radix(std::str::from_utf8(unit).ok()?, 16).ok());
            let said = String::from_utf16_lossy(&units.collect::<Option<Vec<u16>>>()?);
            self.text = Some(Text { said, ..Text::default() });
        } else if let Some(size) = what.strip_prefix("/Map <</Cells [") {
            let (size, rest) = size.split_once(']')?;
            let (rows, cols) = size.split_once(' ')?;
            let (rows, cols) = (rows.parse::<usize>().ok()?, cols.parse::<usize>().ok()?);
            rows.checked_mul(cols).filter(|count| (1..=MOST_CELLS).contains(count))?;
            let palette = rest.strip_prefix("/Palette <").and_then(|rest| rest.strip_suffix(">>>")).unwrap_or_default();
            let palette = palette.as_bytes().chunks(6).map(|hex| format!("#{}", xml(&String::from_utf8_lossy(hex))));
            self.map = Some(Map { rows, cols, palette: palette.collect(), ..Map::default() });
        }
        Some(())
    }

    fn filled(&mut self) -> Option<()> {
        let fill = &self.fill;
        match &mut self.map {
            None => self.rects.drain(..).for_each(|rect| self.out += &rectangle(rect, fill)),
            Some(map) => {
                let _ = write!(map.paths, "<path fill=\"{fill}\" d=\"");
                for [col, row, len, _] in self.rects.drain(..) {
                    let _ = write!(map.paths, "M{col} {row}h{}v1H{col}z", len.round());
                }
                map.paths += "\"/>";
            }
        }
        Some(())
    }

    fn stroked(&mut self) {
        let corners = |[x, y, w, h]: [f32; 4]| {
            let [x, y, r, b] = [x, y, x + w, y + h].map(|v| v * UNITS);
            format!("{x},{y} {r},{y} {r},{b} {x},{b} {x},{y}")
        };
        let frames: Vec<String> = self.rects.drain(..).map(corners).collect();
        let line = std::mem::take(&mut self.points);
        for points in frames.into_iter().chain((!line.is_empty()).then_some(line)) {
            let dashes = if self.dashed { " stroke-dasharray=\"45 40\"" } else { "" };
            let _ = writeln!(
                self.out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{dashes}/>",
                points.trim_end(),
                self.stroke,
                self.width * UNITS
            );
        }
    }

    /// A map in pixels, as the same runs of cells that one in shapes has.
    fn image(&mut self, name: &str) -> Option<()> {
        let number: usize = name.strip_prefix("/I")?.parse().ok()?;
        let cells = self.images.get(number)?.bytes()?;
        let map = self.map.as_mut()?;
        let mut paths = vec![String::new(); map.palette.len()];
        for (row, cells) in cells.chunks(map.cols).enumerate() {
            let mut col = 0;
            for run in cells.chunk_by(|a, b| a == b) {
                let path = paths.get_mut(usize::from(run[0]))?;
                let _ = write!(path, "M{col} {row}h{}v1H{col}z", run.len());
                col += run.len();
            }
        }
        for (colour, path) in map.palette.iter().zip(paths).skip(1) {
            let _ = write!(map.paths, "<path fill=\"{colour}\" d=\"{path}\"/>");
        }
        let [w, _, _, h, x, y] = *map.place.first_chunk()?;
        map.place = vec![w / map.cols as f32, 0.0, 0.0, -h / map.rows as f32, x, y + h];
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        if let Some(Map { rows, cols, place, paths, .. }) = self.map.take() {
            let [a, _, _, d, e, f] = place.first_chunk::<6>()?.map(|v| v * UNITS);
            let matrix = format!("matrix({a} 0 0 {d} {e} {f})");
            let _ = writeln!(self.out, "<g data-cells=\"{rows} {cols}\" transform=\"{matrix}\">{paths}</g>");
        }
        if let Some(Text { said, font, size, place }) = self.text.take() {
            let [cos, sin, _, _, x, y] = *place.first_chunk()?;
            let (x, y, angle) = (x * UNITS, y * UNITS, sin.atan2(cos).to_degrees());
            let turn = if angle == 0.0 { String::new() } else { format!(" transform=\"rotate({angle} {x} {y})\"") };
            let _ = writeln!(
                self.out,
                "<text x=\"{x}\" y=\"{y}\" font-family=\"{}\" font-size=\"{}\" fill=\"{}\"{turn}>{}</text>",
                xml(&font),
                size * UNITS,
                self.fill,
                xml(&said)
            );
        }
        Some(())
    }
}

fn rectangle(rect: [f32; 4], fill: &str) -> String {
    let [x, y, w, h] = rect.map(|v| v * UNITS);
    format!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"{fill}\"/>\n")
}
