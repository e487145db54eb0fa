//! What the binary wrote, read back with other programs' eyes: XML, PNG, JSON and tensors.

use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::session::family;
use candle_core::{Device, Tensor};
use roxmltree::Document;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// The built-in model's layers and heads.
pub fn builtin() -> (usize, usize) {
    let family = family(&Checkpoint::open(&Source::Builtin).unwrap()).unwrap();
    (family.spec().layers, family.spec().heads)
}

pub fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// Numbers in lists, however deep, in order.
pub fn flat(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(all) => all.iter().flat_map(flat).collect(),
        Value::Null => vec![f32::NEG_INFINITY],
        number => vec![number.as_f64().unwrap() as f32],
    }
}

/// How long lists within lists are, outermost first.
pub fn shape(value: &Value) -> Vec<usize> {
    match value {
        Value::Array(all) => std::iter::once(all.len()).chain(all.first().map(shape).unwrap_or_default()).collect(),
        _ => Vec::new(),
    }
}

/// `attention` of a JSON result, `[layer, head, query, key]`.
pub fn attention(value: &Value) -> (Vec<usize>, Vec<f32>) {
    let attention = &value["results"][0]["attention"];
    (shape(attention), flat(attention))
}

/// The rows of a CSV file, the names of the columns first (RFC 4180).
pub fn table(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(!quoted && row.is_empty() && cell.is_empty());
    rows
}

pub fn tensors(path: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

/// The arrays of an NPZ file but texts, which are none of candle's types.
pub fn npz(path: &Path) -> HashMap<String, Tensor> {
    let arrays = candle_core::npy::NpzTensors::new(path).unwrap();
    let named = |name: &String| Some((name.clone(), arrays.get(name).ok()??));
    arrays.names().into_iter().filter_map(named).collect()
}

pub fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// An SVG as a reader sees it.
#[derive(Debug)]
pub struct Svg {
    pub width: f32,
    pub height: f32,
    /// Every text that is drawn, in the order of the file.
    pub texts: Vec<String>,
    /// What it says of itself; null where it says nothing.
    pub record: Value,
    /// The colours of all shapes, in the order of the file: the page is the first.
    pub fills: Vec<String>,
    /// All element names.
    pub elements: Vec<String>,
}

pub fn svg(text: &str) -> Svg {
    let document = Document::parse(text).unwrap_or_else(|e| panic!("not XML: {e}"));
    let root = document.root_element();
    let size = |name: &str| root.attribute(name).unwrap().parse().unwrap();
    let named = |name: &'static str| {
        document.descendants().filter(move |node| node.has_tag_name(("http://www.w3.org/2000/svg", name)))
    };
    let whole =
        |node: roxmltree::Node| node.descendants().filter(|n| n.is_text()).filter_map(|n| n.text()).collect::<String>();
    let metadata: Vec<String> = named("metadata").map(whole).collect();
    assert!(metadata.len() <= 1, "one record at most");
    Svg {
        width: size("width"),
        height: size("height"),
        texts: named("text").map(whole).collect(),
        record: metadata.first().map_or(Value::Null, |record| json(record.as_bytes())),
        fills: named("rect")
            .filter_map(|node| node.attribute("fill"))
            .filter(|fill| fill.starts_with('#'))
            .map(str::to_lowercase)
            .collect(),
        elements: document.descendants().filter(|n| n.is_element()).map(|n| n.tag_name().name().to_owned()).collect(),
    }
}

impl Svg {
    pub fn shows(&self, what: &str) -> bool {
        self.texts.iter().any(|text| text.contains(what))
    }
}

/// A PNG's size, resolution, pixels and record.
pub struct Png {
    pub width: u32,
    pub height: u32,
    pub dpi: u32,
    pub rgb: Vec<u8>,
    pub record: Value,
}

impl Png {
    /// The colour at a point, in pixels of a screen.
    pub fn at(&self, x: f32, y: f32) -> [u8; 3] {
        let zoom = self.dpi as f32 / 96.0;
        let at = (y * zoom) as usize * self.width as usize + (x * zoom) as usize;
        self.rgb.as_chunks().0[at]
    }
}

pub fn png(bytes: &[u8]) -> Png {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut rgb).unwrap();
    let info = reader.info();
    let text = info.utf8_text.iter().find(|chunk| chunk.keyword == "attnviz").unwrap().get_text().unwrap();
    let per_metre = info.pixel_dims.unwrap().xppu;
    Png {
        width: info.width,
        height: info.height,
        dpi: (f64::from(per_metre) * 0.0254).round() as u32,
        rgb,
        record: json(text.as_bytes()),
    }
}
