//! A result as one page for a browser: the figure, and where there are maps, what lets a reader look into them. It needs no network and
//! loads nothing; a policy in it (CSP) lets a browser run its own script only.

use super::{Findings, Section, Sentence};
use crate::axes::size;
use crate::error::{Error, Result};
use crate::export::{Array, Data, Entry, Source, record, unwritten};
use crate::figure::{Figure, Panel, Theme};
use crate::record::NAME;
use crate::render::{Fonts, svg, visible};
use crate::text::xml;
use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Value, json};
use std::io::Write;

/// The script's parts, in the order in which they need one another.
const SCRIPT: [&str; 9] = [
    include_str!("../../assets/page/data.js"),
    include_str!("../../assets/page/state.js"),
    include_str!("../../assets/page/colour.js"),
    include_str!("../../assets/page/grid.js"),
    include_str!("../../assets/page/map.js"),
    include_str!("../../assets/page/lines.js"),
    include_str!("../../assets/page/strip.js"),
    include_str!("../../assets/page/download.js"),
    include_str!("../../assets/page/main.js"),
];
const LOOK: &str = include_str!("../../assets/page/style.css");
const EXPLORER: &str = include_str!("../../assets/page/explorer.html");
/// Beyond so many numbers each is packed into 8 bits, by its square root.
const MOST_EXACT: usize = 1_500_000;
/// What stands for a number that is none, among 8 bits.
const NONE: u8 = 255;

/// Writes the page; of a part where the figure is of one.
///
/// # Errors
/// A picture too large to draw; what the numbers' source cannot make; a failed write.
pub(super) fn write(
    found: &dyn Findings,
    part: Option<usize>,
    figure: &Figure,
    fonts: &Fonts,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let (data, source) = found.outline(part)?;
    let maps = data.results.iter().enumerate().find_map(|(at, entry)| Maps::of(at, entry, found, &data));
    let script = SCRIPT.concat();
    let mut header: Value = serde_json::from_str(&data.header()?).map_err(unread)?;
    let own = serde_json::to_value(figure.record.as_ref().unwrap_or(&data.record)).map_err(unread)?;
    if let (Value::Object(header), Value::Object(own)) = (&mut header, own) {
        header.extend(own); // with the part, where there is one
        header
            .insert("page".into(), json!({ "palette": palettes(figure), "attention": maps.as_ref().map(Maps::said) }));
    }
    let title = xml(&visible(if figure.title.is_empty() { NAME } else { &figure.title }));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src '{}'; style-src '{}'; img-src data: blob:; base-uri 'none'; form-action 'none'\">\n\
         <title>{title}</title>\n<style>{LOOK}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{title}</h1>\n",
        hash(&script),
        hash(LOOK)
    );
    for line in figure.subtitle.iter().take(if found.sentences().is_empty() { usize::MAX } else { 1 }) {
        text += &format!("<p class=\"said\">{}</p>\n", xml(&visible(line)));
    }
    text += &facts(found);
    text += "</header>\n";
    if maps.is_some() {
        text += EXPLORER;
    }
    let sections = found.sections();
    match sections.is_empty() {
        true => text += &still("whole", "Figure", figure, fonts)?,
        false => {
            for Section { id, title, figure } in sections {
                text += &still(id, title, figure, fonts)?;
            }
        }
    }
    text += "</main>\n";
    text += &format!("<script type=\"application/json\" id=\"{NAME}\">{}</script>\n", record::script(&header)?);
    out.write_all(text.as_bytes()).map_err(unwritten)?;
    if let Some(maps) = &maps {
        write!(out, "<script type=\"application/octet-stream\" id=\"weights\">").map_err(unwritten)?;
        maps.pack(source.as_deref(), out)?;
        write!(out, "</script>\n<script type=\"module\">{script}</script>\n").map_err(unwritten)?;
    }
    write!(out, "</body>\n</html>\n").map_err(unwritten)
}

fn unread(error: serde_json::Error) -> Error {
    Error::failed(format!("the record is no JSON: {error}"))
}

/// What a policy calls a text that a browser may run.
fn hash(text: &str) -> String {
    use base64::Engine;
    format!("sha256-{}", STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes())))
}

/// Sentences, each with a link to where its numbers are.
fn facts(found: &dyn Findings) -> String {
    let said = |Sentence { panel, text }: &Sentence| {
        format!(
            "<li>{} <a href=\"#figure-{panel}\" aria-label=\"the figure of this sentence\">figure</a></li>\n",
            xml(&visible(text))
        )
    };
    let all: String = found.sentences().iter().map(said).collect();
    if all.is_empty() { all } else { format!("<ol class=\"facts\">\n{all}</ol>\n") }
}

/// A figure that stands without scripts, with its heading.
fn still(id: &str, title: &str, figure: &Figure, fonts: &Fonts) -> Result<String> {
    let drawn = svg(&Figure { record: None, ..figure.clone() }, fonts)?;
    let theme = if figure.theme == Theme::Dark { "dark still" } else { "still" };
    Ok(format!(
        "<section id=\"figure-{id}\">\n<h2>{title}</h2>\n<div class=\"{theme}\">\n{}</div>\n</section>\n",
        inline(&drawn, id)
    ))
}

/// An SVG within HTML, whose policy knows no styles but the page's own, and where every name is said once. Texts have no quotes in them
/// that are not escaped.
fn inline(svg: &str, id: &str) -> String {
    let start = svg.find("<svg").unwrap_or(0);
    let own = svg[start..].replace(" style=\"image-rendering:pixelated\"", "");
    let own = own.replace("aria-labelledby=\"title desc\"", &format!("aria-labelledby=\"{id}-title {id}-desc\""));
    own.replace(" id=\"", &format!(" id=\"{id}-")).replace("url(#", &format!("url(#{id}-"))
}

/// The figure's colours on light and on dark pages, six digits each.
fn palettes(figure: &Figure) -> Value {
    let of = |panel: &Panel| match panel {
        Panel::Heatmap(map) => Some(map.scale.colormap),
        Panel::Grid(grid) => Some(grid.scale.colormap),
        Panel::Sheet(sheet) => Some(sheet.scale.colormap),
        _ => None,
    };
    let colormap = figure.panels.iter().find_map(of).unwrap_or_default();
    let hex = |theme| {
        let all = colormap.palette(theme).iter();
        all.map(|[r, g, b]| format!("{r:02x}{g:02x}{b:02x}")).collect::<String>()
    };
    json!({ "light": hex(Theme::Light), "dark": hex(Theme::Dark) })
}

/// Attention `[layer, head, query, key]` with its names.
struct Maps<'a> {
    array: &'a Array,
    entry: usize,
    shape: [usize; 4],
    causal: bool,
    exact: bool,
    names: [Value; 2],
    keys: [Vec<String>; 2],
    queries: [Vec<String>; 2],
}

impl<'a> Maps<'a> {
    /// Those of a result, if it has some.
    fn of(entry: usize, result: &'a Entry, found: &dyn Findings, data: &Data) -> Option<Self> {
        let array = result.arrays.iter().find(|array| array.name == "attention")?;
        let shape @ [layers, heads, rows, cols] = array.shape[..].try_into().ok()?;
        let texts =
            |name: &str| -> Option<Vec<String>> { serde_json::from_value(result.fields.get(name)?.clone()).ok() };
        let fit = |list: Vec<String>, count: usize| (list.len() == count).then_some(list);
        let words = texts("words").and_then(|words| fit(words, cols));
        let labels = words.clone().or_else(|| fit(found.about().labels(), cols))?;
        let key_texts = words.or_else(|| fit(data.tokens.clone(), cols))?;
        let own = texts("query_tokens").and_then(|own| fit(own, rows));
        let last = |all: &[String]| all[all.len().saturating_sub(rows)..].to_vec();
        let labelled = |all: Vec<String>| all.iter().map(|text| visible(text)).collect::<Vec<_>>();
        let queries = match own {
            Some(own) => [labelled(own.clone()), own],
            None => [last(&labels), last(&key_texts)],
        };
        let causal = !result.settings.contains_key("kind");
        let numbers = size(&[layers, heads, pairs(rows, cols, causal)])?;
        let names = ["layers", "heads"].map(|name| result.fields.get(name).cloned().unwrap_or_default());
        let names: [Value; 2] = [names_of(&names[0], layers), names_of(&names[1], heads)];
        let exact = numbers <= MOST_EXACT;
        Some(Self { array, entry, shape, causal, exact, names, keys: [labels, key_texts], queries })
    }

    fn said(&self) -> Value {
        let ([layers, heads], [keys, key_texts], [queries, query_texts]) = (&self.names, &self.keys, &self.queries);
        json!({
            "entry": self.entry, "shape": self.shape, "causal": self.causal,
            "encoding": if self.exact { "f32" } else { "sqrt8" }, "layers": layers, "heads": heads,
            "keys": keys, "key_texts": key_texts, "queries": queries, "query_texts": query_texts,
        })
    }

    /// The numbers, deflated and in letters; of causal attention without the keys that a query does not see.
    fn pack(&self, source: Option<&dyn Source>, out: &mut (dyn Write + Send)) -> Result<()> {
        let [.., rows, cols] = self.shape;
        let mut packed = ZlibEncoder::new(EncoderWriter::new(out, &STANDARD), Compression::default());
        let mut place = 0;
        self.array.each(source, &mut |values| {
            for row in values.chunks_exact(cols.max(1)) {
                let row = &row[..seen(place % rows, rows, cols, self.causal)];
                let bytes: Vec<u8> = match self.exact {
                    true => row.iter().flat_map(|x| x.to_le_bytes()).collect(),
                    false => row.iter().map(|x| eighth(*x)).collect(),
                };
                packed.write_all(&bytes).map_err(unwritten)?;
                place += 1;
            }
            Ok(())
        })?;
        packed.finish().and_then(|mut letters| letters.finish().map(drop)).map_err(unwritten)
    }
}

/// A weight in 8 bits.
fn eighth(x: f32) -> u8 {
    if x.is_nan() { NONE } else { (x.clamp(0.0, 1.0).sqrt() * f32::from(NONE - 1) + 0.5) as u8 }
}

/// Names as texts; their numbers where there are none.
fn names_of(names: &Value, count: usize) -> Value {
    let text = |name: &Value| name.as_str().map_or_else(|| name.to_string(), str::to_owned);
    match names.as_array().filter(|names| names.len() == count) {
        Some(names) => names.iter().map(text).collect(),
        None => (0..count).map(|at| at.to_string()).collect(),
    }
}

fn seen(query: usize, rows: usize, cols: usize, causal: bool) -> usize {
    if causal { (cols - rows.min(cols) + query + 1).min(cols) } else { cols }
}

fn pairs(rows: usize, cols: usize, causal: bool) -> usize {
    (0..rows).map(|query| seen(query, rows, cols, causal)).sum()
}
