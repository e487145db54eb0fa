//! A result as one page for a browser: the figure, and where there are maps, what lets a reader look into them. It needs no network and
//! loads nothing; a policy in it (CSP) lets a browser run its own script only.

mod maps;

use super::{Findings, Section, Sentence};
use crate::error::{Error, Result};
use crate::export::{record, unwritten};
use crate::figure::{Figure, Panel, Theme};
use crate::record::NAME;
use crate::render::{Fonts, svg, visible};
use crate::text::xml;
use base64::engine::general_purpose::STANDARD;
use maps::Maps;
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
/// Pictures wider than this, in pixels, do not stand beside one another.
const HALF: f32 = 700.0;
const LOOK: &str = include_str!("../../assets/page/style.css");
const EXPLORER: &str = include_str!("../../assets/page/explorer.html");

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
    let sections = found.sections();
    let maps = data.results.iter().enumerate().find_map(|(at, entry)| Maps::of(at, entry, found, &data));
    let script = SCRIPT.concat();
    let mut header: Value = serde_json::from_str(&data.header()?).map_err(unread)?;
    let own = serde_json::to_value(figure.record.as_ref().unwrap_or(&data.record)).map_err(unread)?;
    if let (Value::Object(header), Value::Object(own)) = (&mut header, own) {
        header.extend(own); // with the part, where there is one
        header
            .insert("page".into(), json!({ "palette": palettes(sections.iter().find(|section| section.id == "attention").map_or(figure, |own| own.figure)), "attention": maps.as_ref().map(Maps::said) }));
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
    match sections.is_empty() {
        true => text += &still("whole", "Figure", figure, fonts)?,
        false => {
            text += "<div class=\"sections\">\n";
            for Section { id, title, figure } in &sections {
                // Its heading is the page's, and the prompt stands above all of them.
                text += &still(id, title, &Figure { title: String::new(), ..(*figure).clone() }, fonts)?;
            }
            text += "</div>\n";
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
    let width = figure_width(&drawn).filter(|width| *width > HALF);
    let wide = if width.is_some() { " class=\"wide\"" } else { "" };
    Ok(format!(
        "<section id=\"figure-{id}\"{wide}>\n<h2>{title}</h2>\n<div class=\"{theme}\">\n{}</div>\n</section>\n",
        inline(&drawn, id)
    ))
}

/// How wide a picture is drawn.
fn figure_width(svg: &str) -> Option<f32> {
    let own = svg.get(svg.find("<svg")?..)?;
    own.split_once(" width=\"")?.1.split_once('"')?.0.parse().ok()
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
