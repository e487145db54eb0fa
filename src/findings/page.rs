//! A result as one page for a browser: the figure, and where there are maps, what lets a reader look into them. It needs no network and
//! loads nothing; a policy in it (CSP) lets a browser run its own script only.

mod icon;
mod maps;

use super::{Findings, Section, Sentence};
use crate::error::{Error, Result};
use crate::export::{Data, record, unwritten};
use crate::figure::{Figure, Panel, Theme};
use crate::record::NAME;
use crate::render::{Fonts, svg_in_page, visible};
use crate::text::xml;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use icon::icon;
use maps::Maps;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::io::Write;

/// The script's parts, in the order in which they need one another.
const SCRIPT: [&str; 10] = [
    include_str!("../../assets/page/data.js"),
    include_str!("../../assets/page/state.js"),
    include_str!("../../assets/page/colour.js"),
    include_str!("../../assets/page/grid.js"),
    include_str!("../../assets/page/map.js"),
    include_str!("../../assets/page/lines.js"),
    include_str!("../../assets/page/strip.js"),
    include_str!("../../assets/page/vector.js"),
    include_str!("../../assets/page/download.js"),
    include_str!("../../assets/page/main.js"),
];
/// How a page begins to name its sign.
pub(crate) const SIGN: &str = "<link rel=\"icon\" href=\"data:image/png;base64,";
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
    let sides: Vec<Side> = std::iter::once(found)
        .chain(found.beside())
        .zip(["", "b-"])
        .map(|(found, prefix)| Side { found, prefix, sections: found.sections() })
        .collect();
    let maps = maps_of(&sides, &data);
    let attention = sides.iter().flat_map(|side| &side.sections).find(|section| section.id == "attention");
    let main = attention.map_or(figure, |section| section.figure);
    let script = SCRIPT.concat();
    let mut header: Value = serde_json::from_str(&data.header()?).map_err(unread)?;
    let own = serde_json::to_value(figure.record.as_ref().unwrap_or(&data.record)).map_err(unread)?;
    if let (Value::Object(header), Value::Object(own)) = (&mut header, own) {
        header.extend(own); // with the part, where there is one
        let explorers: Value = maps.iter().map(|(prefix, maps)| ((*prefix).to_owned(), maps.said())).collect();
        header.insert("page".into(), json!({ "palette": palettes(main), "explorers": explorers }));
    }
    let title = xml(&visible(if figure.title.is_empty() { NAME } else { &figure.title }));
    let sign = icon(main)?.map_or_else(String::new, |png| STANDARD.encode(png));
    let mut text = head(&title, &script, &sign);
    let told = sides.iter().any(|side| !side.found.sentences().is_empty());
    for line in figure.subtitle.iter().take(if told { 1 } else { usize::MAX }) {
        text += &format!("<p class=\"said\">{}</p>\n", xml(&visible(line)));
    }
    text += &columns(&sides, facts);
    text += "</header>\n";
    text += &columns(&sides, |side| match maps.iter().any(|(prefix, _)| *prefix == side.prefix) {
        true => prefixed(EXPLORER, side),
        false => String::new(),
    });
    let pack = |(_, maps): &(_, Maps)| maps.pack(source.as_deref());
    let (drawn, packed) =
        rayon::join(|| stills(&sides, figure, fonts), || maps.iter().map(pack).collect::<Result<Vec<_>>>());
    text += &drawn?;
    text += "</main>\n";
    text += &format!("<script type=\"application/json\" id=\"{NAME}\">{}</script>\n", record::script(&header)?);
    out.write_all(text.as_bytes()).map_err(unwritten)?;
    for ((prefix, _), letters) in maps.iter().zip(packed?) {
        writeln!(out, "<script type=\"application/octet-stream\" id=\"{prefix}weights\">{letters}</script>")
            .map_err(unwritten)?;
    }
    if !maps.is_empty() {
        writeln!(out, "<script type=\"module\">{script}</script>").map_err(unwritten)?;
    }
    write!(out, "</body>\n</html>\n").map_err(unwritten)
}

/// What is of one model, and what its names on the page begin with.
struct Side<'a> {
    found: &'a dyn Findings,
    prefix: &'static str,
    sections: Vec<Section<'a>>,
}

/// The attention of each side that has some: entries stand in the order of the sides.
fn maps_of<'a>(sides: &[Side], data: &'a Data) -> Vec<(&'static str, Maps<'a>)> {
    let mut entries = data.results.iter().enumerate();
    let own = |side: &Side| {
        let about = side.found.about();
        entries.find_map(|(at, entry)| Maps::of(at, entry, about)).map(|maps| (side.prefix, maps))
    };
    sides.iter().filter_map(own).collect()
}

/// A page as far as its title, which is HTML already; with a sign, where it has one, as PNG in base64. A browser runs this script only.
pub(crate) fn head(title: &str, script: &str, sign: &str) -> String {
    let sign = if sign.is_empty() { String::new() } else { format!("{SIGN}{sign}\">\n") };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src '{}'; style-src '{}'; img-src data: blob:; base-uri 'none'; form-action 'none'\">\n\
         <title>{title}</title>\n{sign}<style>{LOOK}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{title}</h1>\n",
        hash(script),
        hash(LOOK)
    )
}

/// The same of each model, under its name where there are two.
fn columns(sides: &[Side], each: impl Fn(&Side) -> String) -> String {
    match sides {
        [one] => each(one),
        all => {
            let column = |side: &Side| {
                let about = side.found.about();
                let tokens = crate::text::count(about.prompt.tokens.len(), "token");
                let name = xml(&visible(&format!("{} · {tokens}", about.source())));
                format!("<div>\n<h2>{name}</h2>\n{}</div>\n", each(side))
            };
            format!("<div class=\"both\">\n{}</div>\n", all.iter().map(column).collect::<String>())
        }
    }
}

/// The explorer of one of the models, with names of its own.
fn prefixed(html: &str, side: &Side) -> String {
    if side.prefix.is_empty() {
        return html.to_owned();
    }
    let label = format!("\"attention explorer of {}\"", xml(&visible(&side.found.about().model_name())));
    html.replace(" id=\"", &format!(" id=\"{}", side.prefix)).replace("\"attention explorer\"", &label)
}

/// The figures; those of two models section by section.
fn stills(sides: &[Side], figure: &Figure, fonts: &Fonts) -> Result<String> {
    let Some(most) = sides.iter().map(|side| side.sections.len()).max().filter(|most| *most > 0) else {
        return still("whole", "Figure", figure, fonts);
    };
    let beside = |at| sides.iter().filter_map(move |side| Some((side, side.sections.get(at)?)));
    let all: Vec<(&Side, &Section)> = (0..most).flat_map(beside).collect();
    let drawn = all.into_par_iter().map(|(side, Section { id, title, figure })| {
        let title = match sides {
            [_] => (*title).to_owned(),
            _ => format!("{title} · {}", xml(&visible(&side.found.about().model_name()))),
        };
        // Its heading is the page's, and the prompt stands above all of them.
        let untitled = Figure { title: String::new(), ..(*figure).clone() };
        still(&format!("{}{id}", side.prefix), &title, &untitled, fonts)
    });
    let apart = if sides.len() > 1 { " apart" } else { "" };
    Ok(format!("<div class=\"sections{apart}\">\n{}</div>\n", drawn.collect::<Result<String>>()?))
}

fn unread(error: serde_json::Error) -> Error {
    Error::failed(format!("the record is no JSON: {error}"))
}

/// What a policy calls a text that a browser may run.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes())))
}

/// Sentences, each with a link to where its numbers are.
fn facts(side: &Side) -> String {
    let said = |Sentence { panel, text }: &Sentence| {
        format!(
            "<li>{} <a href=\"#figure-{}{panel}\" aria-label=\"the figure of this sentence\">figure</a></li>\n",
            xml(&visible(text)),
            side.prefix
        )
    };
    let all: String = side.found.sentences().iter().map(said).collect();
    if all.is_empty() { all } else { format!("<ol class=\"facts\">\n{all}</ol>\n") }
}

/// A figure that stands without scripts, with its heading.
fn still(id: &str, title: &str, figure: &Figure, fonts: &Fonts) -> Result<String> {
    let drawn = svg_in_page(&Figure { record: None, ..figure.clone() }, fonts)?;
    let theme = if figure.theme == Theme::Dark { "dark still" } else { "still" };
    let width = figure_width(&drawn).filter(|width| *width > HALF);
    let wide = if width.is_some() { " class=\"wide\"" } else { "" };
    Ok(format!(
        "<section id=\"figure-{id}\"{wide}>\n<h2>{title}</h2>\n<div class=\"{theme}\" tabindex=\"0\" role=\"group\" aria-label=\"{title}\">\n{}</div>\n</section>\n",
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
